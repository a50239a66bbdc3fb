// The sentences that Loqa answers by itself, as a speech recogniser writes them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loqa/intent/matcher.hpp"

namespace loqa::intent {
namespace {

struct sentence_case {
    std::string_view sentence;
    std::string_view intent;  // empty: none
    std::map<std::string, std::string> slots;
};

std::ostream& operator<<(std::ostream& out, const sentence_case& c) { return out << '"' << c.sentence << '"'; }

const matcher& loqa_matcher() {
    static const auto compiled = [] {
        auto sentences = load_collection(fs::path(LOQA_SHARE) / "intents/en/loqa.yaml");
        EXPECT_TRUE(sentences) << sentences.error().text();
        auto m = matcher::compile(*sentences, home{});
        EXPECT_TRUE(m) << m.error().text();
        return *m;
    }();
    return *compiled;
}

class LoqaSentences : public testing::TestWithParam<sentence_case> {};

TEST_P(LoqaSentences, MeanWhatTheySay) {
    const auto& [sentence, intent, slots] = GetParam();
    const answer got = loqa_matcher().match(sentence);
    if (intent.empty()) {
        EXPECT_FALSE(got) << got->intent << " by " << got->sentence_template;
        return;
    }
    ASSERT_TRUE(got) << got.error().sentence();
    EXPECT_EQ(got->intent, intent) << got->sentence_template;
    std::map<std::string, std::string> found;
    for (const auto& one : got->slots) found[one.name] = to_string(one.value);
    EXPECT_EQ(found, slots) << got->sentence_template;
}

using S = sentence_case;
INSTANTIATE_TEST_SUITE_P(Time, LoqaSentences,
                         testing::Values(S{"What time is it?", "HassGetCurrentTime", {}},
                                         S{"what's the time", "HassGetCurrentTime", {}},
                                         S{"Tell me the time.", "HassGetCurrentTime", {}},
                                         S{"Could you tell me what time it is?", "HassGetCurrentTime", {}},
                                         S{"Do you know what time it is?", "HassGetCurrentTime", {}},
                                         S{"What's the time right now?", "HassGetCurrentTime", {}},
                                         S{"What is the current time?", "HassGetCurrentTime", {}},
                                         S{"What’s the date?", "HassGetCurrentDate", {}},
                                         S{"What is today's date?", "HassGetCurrentDate", {}},
                                         S{"What day is it?", "HassGetCurrentDate", {}},
                                         S{"What day is it today?", "HassGetCurrentDate", {}},
                                         S{"Which day of the week is it?", "HassGetCurrentDate", {}}));
INSTANTIATE_TEST_SUITE_P(
    Timers, LoqaSentences,
    testing::Values(
        S{"Set a timer for 10 minutes.", "HassStartTimer", {{"minutes", "10"}}},
        S{"set a timer for ten minutes", "HassStartTimer", {{"minutes", "10"}}},
        S{"Set a 10-minute timer.", "HassStartTimer", {{"minutes", "10"}}},
        S{"Set a ten-minute timer.", "HassStartTimer", {{"minutes", "10"}}},
        S{"Start a timer for an hour and a half.", "HassStartTimer", {{"hours", "1"}, {"minutes", "30"}}},
        S{"Set a timer for half an hour", "HassStartTimer", {{"minutes", "30"}}},
        S{"Set timer for one hour and fifteen minutes", "HassStartTimer", {{"hours", "1"}, {"minutes", "15"}}},
        S{"Set a timer for two and a half hours", "HassStartTimer", {{"hours", "2"}, {"minutes", "30"}}},
        S{"Set a timer for 90 seconds.", "HassStartTimer", {{"seconds", "90"}}},
        S{"set a timer for a minute", "HassStartTimer", {{"minutes", "1"}}},
        S{"Set a timer for five minutes and thirty seconds.", "HassStartTimer", {{"minutes", "5"}, {"seconds", "30"}}},
        S{"Set a timer for 2 hours, 5 minutes and 10 seconds.",
          "HassStartTimer",
          {{"hours", "2"}, {"minutes", "5"}, {"seconds", "10"}}},
        S{"Set a timer for a quarter of an hour", "HassStartTimer", {{"minutes", "15"}}},
        S{"Set a timer for a hundred and twenty minutes", "HassStartTimer", {{"minutes", "120"}}},
        S{"Could you please set a timer for twenty five minutes?", "HassStartTimer", {{"minutes", "25"}}},
        S{"Hey Loqa, set a timer for ten minutes right now.", "HassStartTimer", {{"minutes", "10"}}},
        S{"Set a pasta timer for ten minutes.", "HassStartTimer", {{"minutes", "10"}, {"name", "pasta"}}},
        S{"Set a ten minute timer called pasta.", "HassStartTimer", {{"minutes", "10"}, {"name", "pasta"}}},
        S{"Set a ten minute pasta timer", "HassStartTimer", {{"minutes", "10"}, {"name", "pasta"}}},
        S{"Set a timer for 10 minutes called Pasta", "HassStartTimer", {{"minutes", "10"}, {"name", "Pasta"}}},
        S{"Set a 10 minute timer for the soft eggs.", "HassStartTimer", {{"minutes", "10"}, {"name", "soft eggs"}}},
        S{"Remind me in 20 minutes", "HassStartTimer", {{"minutes", "20"}}},
        S{"How long is left?", "HassTimerStatus", {}},
        S{"How much time is left on the pasta timer?", "HassTimerStatus", {{"name", "pasta"}}},
        S{"How long is left on my timer?", "HassTimerStatus", {}}, S{"What timers are running?", "HassTimerStatus", {}},
        S{"List my timers.", "HassTimerStatus", {}}, S{"Cancel the timer.", "HassCancelTimer", {}},
        S{"Cancel the pasta timer.", "HassCancelTimer", {{"name", "pasta"}}},
        S{"Cancel the ten minute timer", "HassCancelTimer", {{"start_minutes", "10"}}},
        S{"Cancel all timers.", "HassCancelAllTimers", {}}, S{"Cancel all my timers", "HassCancelAllTimers", {}},
        S{"Pause the timer", "HassPauseTimer", {}},
        S{"Resume the pasta timer", "HassUnpauseTimer", {{"name", "pasta"}}},
        S{"Add 5 minutes to the pasta timer.", "HassIncreaseTimer", {{"minutes", "5"}, {"name", "pasta"}}}));
INSTANTIATE_TEST_SUITE_P(Conversation, LoqaSentences,
                         testing::Values(S{"Stop.", "LoqaStop", {}}, S{"Stop it!", "LoqaStop", {}},
                                         S{"Be quiet.", "LoqaStop", {}}, S{"Never mind.", "HassNevermind", {}},
                                         S{"Forget it.", "HassNevermind", {}}, S{"Repeat that.", "LoqaRepeat", {}},
                                         S{"Say that again, please.", "LoqaRepeat", {}},
                                         S{"What did you say?", "LoqaRepeat", {}}, S{"Hello, Loqa.", "HassRespond", {}},
                                         S{"Louder.", "LoqaVolume", {}}, S{"Speak up.", "LoqaVolume", {}},
                                         S{"A bit quieter, please.", "LoqaVolume", {}},
                                         S{"Set your volume to 50 percent.", "LoqaVolume", {{"volume_level", "50"}}},
                                         S{"Thank you.", "HassRespond", {}}, S{"What can you do?", "LoqaHelp", {}}));
INSTANTIATE_TEST_SUITE_P(NotOurs, LoqaSentences,
                         testing::Values(S{"Who was the first president?", "", {}}, S{"Tell me a joke.", "", {}},
                                         S{"What is the capital of France?", "", {}}, S{"Set a timer", "", {}},
                                         S{"", "", {}}, S{"...", "", {}}));

TEST(LoqaFeed, TellsWhetherACommandIsComplete) {
    struct feed_case {
        std::string_view partial;
        bool complete, can_grow;
    };
    for (const auto& [partial, complete, can_grow] : std::vector<feed_case>{{"what time is it", true, true},
                                                                            {"what time", false, true},
                                                                            {"set a timer for", false, true},
                                                                            {"set a timer for ten", false, true},
                                                                            {"set a timer for ten minutes", true, true},
                                                                            {"stop", true, true},
                                                                            {"cancel all my timers", true, false},
                                                                            {"purple monkeys", false, false},
                                                                            {"", false, true}}) {
        const progress got = loqa_matcher().feed(partial);
        EXPECT_EQ(got.complete, complete) << partial;
        EXPECT_EQ(got.can_grow, can_grow) << partial;
    }
    EXPECT_THAT(loqa_matcher().feed("set a timer for ten").next_words, testing::Contains("minute"));
}

}  // namespace
}  // namespace loqa::intent
