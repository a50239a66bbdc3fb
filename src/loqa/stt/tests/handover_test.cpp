#include "loqa/stt/handover.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace loqa::stt {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class Handover : public ::testing::Test {
protected:
    void tell(const std::string& turn, const std::string& session = "s") {
        handover::transcript what{.session_id = session, .payload = "{}", .turn = {}, .speech_ended = now_};
        what.turn.turn_id = turn;
        kept_.told(what, now_);
    }
    std::vector<std::string> due_after(milliseconds time) {
        now_ += time;
        std::vector<std::string> found;
        for (const auto& each : kept_.due(now_)) found.push_back(each.turn.turn_id + " " + each.turn.again);
        return found;
    }

    handover kept_;
    steady_time now_{seconds{100}};
};

TEST_F(Handover, WhatNobodyTookIsToldAgain) {
    tell("t");
    EXPECT_THAT(due_after(milliseconds{499}), IsEmpty());
    EXPECT_EQ(kept_.next(), now_ + milliseconds{1});
    EXPECT_THAT(due_after(milliseconds{1}), ElementsAre("t unknown"));
    EXPECT_THAT(due_after(milliseconds{1}), IsEmpty());
    EXPECT_THAT(due_after(milliseconds{499}), ElementsAre("t unknown"));
}

TEST_F(Handover, ItSaysWhatWasLastHeardOfTheTurn) {
    tell("t");
    kept_.heard_of("t", "listening");
    EXPECT_THAT(due_after(milliseconds{500}), ElementsAre("t unknown"));
    kept_.heard_of("t", "deciding");
    EXPECT_THAT(due_after(milliseconds{500}), ElementsAre("t deciding"));
    kept_.heard_of("t", "deciding", "owner");
    now_ += milliseconds{500};
    EXPECT_EQ(kept_.due(now_).at(0).turn.owner, "owner");
    kept_.heard_of("t", "speaking");
    EXPECT_THAT(due_after(milliseconds{500}), ElementsAre("t speaking"));
    kept_.over("t");
    EXPECT_THAT(due_after(milliseconds{500}), IsEmpty());
    EXPECT_EQ(kept_.next(), steady_time::max());
}

TEST_F(Handover, TheFirstOfAllIsToldAgainToo) {
    tell("t");
    EXPECT_THAT(due_after(milliseconds{500}), ElementsAre("t unknown"));
}

TEST_F(Handover, WhatSomebodyTookIsWaitedForLonger) {
    tell("t");
    kept_.heard_of("t", "deciding");
    EXPECT_THAT(due_after(handover::given_up_after), ElementsAre("t deciding"));
    EXPECT_THAT(due_after(handover::given_up_at_last_after - handover::given_up_after), IsEmpty());
    EXPECT_EQ(kept_.next(), steady_time::max());
}

TEST_F(Handover, WordsThatWereSaidOnceMoreTakeThePlaceOfThoseThatNobodyTook) {
    tell("lost");
    tell("other", "another");
    tell("again");
    EXPECT_THAT(due_after(milliseconds{500}), ElementsAre("other unknown", "again unknown"));
}

TEST_F(Handover, ItIsGivenUpInTheEndAndBounded) {
    for (std::size_t i = 0; i < 2 * handover::most; ++i) tell("t" + std::to_string(i), "s" + std::to_string(i));
    EXPECT_EQ(due_after(milliseconds{500}).size(), handover::most);
    EXPECT_THAT(due_after(handover::given_up_after), IsEmpty());
    EXPECT_EQ(kept_.next(), steady_time::max());
}

}  // namespace
}  // namespace loqa::stt
