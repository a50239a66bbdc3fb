#include "loqa/session/sounding.hpp"

#include <gtest/gtest.h>

namespace loqa::session {
namespace {

TEST(Sounding, LastsAsLongAsItsSound) {
    manual_clock clock;
    sounding now(clock);
    EXPECT_FALSE(now.is("s"));
    now.begins("s", "t", "It is noon.");
    now.lasts("s", "t", seconds(3));
    clock.advance(seconds(1));
    now.plays("s", 0);  // later than it was sent
    clock.advance(milliseconds(2'900));
    EXPECT_TRUE(now.is("s"));
    EXPECT_FALSE(now.is("other"));
    clock.advance(milliseconds(700));
    EXPECT_FALSE(now.is("s"));
    EXPECT_EQ(now.words("s"), "It is noon.") << "what was heard last may still be on its way";
    clock.advance(seconds(3));
    EXPECT_EQ(now.words("s"), "");
}

TEST(Sounding, StopsWhenItsSpeakerSaysSo) {
    manual_clock clock;
    sounding now(clock);
    now.begins("s", "t", "It is noon.");
    EXPECT_TRUE(now.is("s"));
    now.stops("s");
    EXPECT_FALSE(now.is("s"));
    now.begins("s", "t", "And one more thing.");
    EXPECT_TRUE(now.is("s"));
}

TEST(Sounding, WhatIsToldLateOfAnOlderAnswerIsNothingToTheNextOne) {
    manual_clock clock;
    sounding now(clock);
    now.begins("s", "first", "It is noon.");
    now.plays("s", 7);
    now.begins("s", "second", "And one more thing.");
    now.stops("s", 7);
    now.breaks_off("s", "first");
    now.lasts("s", "first", milliseconds(10));
    clock.advance(seconds(1));
    EXPECT_TRUE(now.is("s"));
    now.plays("s", 8);
    now.stops("s", 8);
    EXPECT_FALSE(now.is("s"));
}

TEST(Sounding, IsBounded) {
    manual_clock clock;
    sounding now(clock);
    for (std::size_t i = 0; i < 2 * sounding::most; ++i) now.begins(std::to_string(i), "t", "word");
    EXPECT_FALSE(now.is(std::to_string(2 * sounding::most - 1)));
    clock.advance(seconds(90));
    now.begins("next", "t", "word");
    EXPECT_TRUE(now.is("next"));
}

struct repeated {
    const char *heard, *said;
    bool is_command, echo;
};
class IsEcho : public testing::TestWithParam<repeated> {};

TEST_P(IsEcho, TellsOnesOwnWordsFromOthers) {
    const auto& c = GetParam();
    EXPECT_EQ(is_echo(c.heard, c.said, c.is_command), c.echo) << c.heard << " / " << c.said;
}
constexpr const char* answer = "It's 5:20 PM. The pasta timer has four minutes left, and the kitchen lights are on.";
INSTANTIATE_TEST_SUITE_P(
    Words, IsEcho,
    testing::Values(repeated{"the pasta timer has four minutes left", answer, false, true},
                    repeated{"pasta timer is four minutes left", answer, false, true},
                    repeated{"kitchen lights", answer, false, true},
                    repeated{"turn on the kitchen lights", answer, true, false},
                    repeated{"turn on the kitchen lights", "Turned on the kitchen lights.", true, false},
                    repeated{"the kitchen lights are on", answer, true, true},
                    repeated{"repeat that", "Ask me to repeat that.", true, false},
                    repeated{"stop", answer, true, false}, repeated{"left", answer, false, false},
                    repeated{"", answer, false, false}, repeated{"kitchen lights", "", false, false}));

}  // namespace
}  // namespace loqa::session
