#include "loqa/intent/follower.hpp"

#include <algorithm>
#include <string>

#include <gtest/gtest.h>

#include "house.hpp"
#include "loqa/intent/around.hpp"
#include "loqa/intent/text.hpp"
#include "loqa/intent/understanding.hpp"

namespace loqa::intent {
namespace {

follower house_follower(std::size_t most_states = 20'000) { return follower(testing_house::compiled(), most_states); }

struct followed {
    std::string_view text;
    enum { whole, goes_on, neither } becomes;
};
std::ostream& operator<<(std::ostream& out, const followed& c) { return out << '"' << c.text << '"'; }
class Follower : public testing::TestWithParam<followed> {};

TEST_P(Follower, KnowsWhetherASentenceEndsOrGoesOn) {
    auto sentences = house_follower();
    const auto reached = sentences.step(sentences.start(), GetParam().text);
    EXPECT_EQ(reached != follower::dead, GetParam().becomes != followed::neither);
    EXPECT_EQ(sentences.whole(reached), GetParam().becomes == followed::whole);
}

INSTANTIATE_TEST_SUITE_P(Sentences, Follower,
                         testing::Values(followed{"", followed::goes_on}, followed{"tur", followed::goes_on},
                                         followed{"turn on the kitchen li", followed::goes_on},
                                         followed{"turn on the kitchen lights", followed::whole},
                                         followed{" Turn on the Kitchen lights ", followed::whole},
                                         followed{"turn on the kitchen  lights", followed::whole},
                                         followed{"turn on the kitchenlights", followed::neither},
                                         followed{"turnon the kitchen lights", followed::neither},
                                         followed{"turn on the kitchen lamb", followed::neither},
                                         followed{"turn on the kitchen lights and", followed::goes_on},
                                         followed{"turn on the kitchen lights and the", followed::goes_on},
                                         followed{"turn on the kitchen lights and lock the front door",
                                                  followed::whole},
                                         followed{"turn on the kitchen lights or", followed::neither},
                                         followed{"turn on the kitchen lights in ten minutes", followed::whole},
                                         followed{"turn on the kitchen lights in 10 min", followed::goes_on},
                                         followed{"turn on the kitchen lights at half past seven", followed::whole},
                                         followed{"turn on the kitchen lights tomorrow at 7:30", followed::whole},
                                         followed{"please turn on the kitchen lights", followed::whole},
                                         followed{"turn on the kitchen lights please", followed::whole},
                                         followed{"turn on the kitchen lights at ten please", followed::whole},
                                         followed{"xylo", followed::neither}));

TEST(FollowerStates, EverySentenceThatTheMatcherTakesWithoutFreeTextIsFollowed) {
    const auto matcher = testing_house::compiled();
    follower sentences(matcher);
    int tried = 0;
    for (const std::string_view verb : {"turn on", "turn off", "switch on", "open", "close", "lock", "what is"})
        for (const std::string_view what :
             {"the kitchen lights", "the lights in the kitchen", "bedroom lamp", "the bedroom lamp", "the front door",
              "all the lights", "the living room blinds", "the temperature in the kitchen", "kitchen"}) {
            const auto sentence = fmt::format("{} {}", verb, what);
            const auto meaning = matcher->match(sentence);
            const bool known = meaning || meaning.error().reason == miss_reason::missing_context;
            if (!known || (meaning && std::ranges::any_of(meaning->slots, &slot::wildcard))) continue;
            ++tried;
            EXPECT_TRUE(sentences.whole(sentences.step(sentences.start(), sentence))) << sentence;
        }
    EXPECT_GT(tried, 10);
}

TEST(FollowerStates, WhatIsFollowedBehindACommandIsUnderstood) {
    const auto matcher = testing_house::compiled();
    const interpreter meaning(matcher, std::make_shared<const home>(testing_house::house()));
    std::size_t alone = 0;
    for (const auto& moment : spoken_moments("en")) {
        const auto sentence = fmt::format("turn on the kitchen lights {}", encode_utf8(moment));
        const auto commands = meaning.word_for_word(sentence);
        // "p.m." and "in the morning" say when only behind an hour.
        if (!commands) {
            const auto whole = fmt::format("turn on the kitchen lights at ten {}", encode_utf8(moment));
            EXPECT_TRUE(meaning.word_for_word(whole)) << sentence;
            ++alone;
            continue;
        }
        EXPECT_TRUE(commands->front().later()) << sentence;
    }
    EXPECT_LT(alone, 15);
    EXPECT_TRUE(spoken_moments("xx").empty());
}

TEST(FollowerStates, AreForgottenTogetherAndMadeAnew) {
    auto sentences = house_follower(8);
    const auto first = sentences.generation();
    EXPECT_TRUE(sentences.whole(sentences.step(sentences.start(), "turn on the kitchen lights")));
    const auto again = sentences.start();
    EXPECT_GT(sentences.generation(), first);
    EXPECT_TRUE(sentences.whole(sentences.step(again, "turn on the kitchen lights")));
}

}  // namespace
}  // namespace loqa::intent
