#include "loqa/session/timer_answers.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loqa/base/ids.hpp"
#include "loqa/intent/collection.hpp"

namespace loqa::session {
namespace {

using namespace std::chrono_literals;
using testing::IsEmpty;
using testing::SizeIs;

class TimerAnswers : public testing::Test {
protected:
    static void SetUpTestSuite() {
        auto sentences = intent::load_collection_folder(fs::path(LOQA_SHARE) / "intents" / "en");
        sentences_ = intent::matcher::compile(sentences.sentences, {}).value();
    }
    static void TearDownTestSuite() { sentences_.reset(); }
    void SetUp() override { fs::create_directories(folder_); }
    void TearDown() override {
        timers_.reset();
        fs::remove_all(folder_);
    }

    static intent::recognized understood(const std::string& sentence) { return sentences_->match(sentence).value(); }
    std::string say(const std::string& sentence) {
        const auto given = answers_.answer_for(understood(sentence), who_);
        return given ? given->text : "(not a timer's)";
    }
    std::string preview(const std::string& sentence) const {
        return answers_.preview(understood(sentence), who_).value_or("(not a timer's)");
    }

    const fs::path folder_ = fs::temp_directory_path() / ("loqa-timer-answers-" + random_hex(6));
    manual_clock clock_;
    std::unique_ptr<timers::timer_service> timers_ =
        timers::timer_service::open(folder_ / "events.db", clock_, telemetry::logger::silent()).value();
    timer_answers answers_{clock_, *timers_};
    const asker who_{.session_id = "s", .target = "kitchen"};

private:
    static std::shared_ptr<const intent::matcher> sentences_;
};
std::shared_ptr<const intent::matcher> TimerAnswers::sentences_;

TEST_F(TimerAnswers, APreviewSaysTheSameAndTouchesNothing) {
    for (const std::string sentence :
         {"set a timer for ten minutes", "set a pasta timer for five minutes", "how long is left on the pasta timer",
          "cancel the timer", "cancel the pasta timer", "cancel all timers", "cancel the timer"}) {
        const auto before = timers_->list().value().size();
        const auto foretold = preview(sentence);
        EXPECT_THAT(timers_->list().value(), SizeIs(before)) << sentence;
        EXPECT_EQ(foretold, say(sentence)) << sentence;
    }
    EXPECT_EQ(preview("what time is it"), "(not a timer's)");
}

TEST_F(TimerAnswers, WhatWasPutOffIsNoTimerToPeople) {
    ASSERT_TRUE(timers_->start({.duration = 10min, .action = "{}"}));
    EXPECT_EQ(say("how long is left on the timer"), "No timer is running.");
    EXPECT_EQ(say("cancel all timers"), "No timer is running.");
    EXPECT_THAT(timers_->list().value(), SizeIs(1));
}

TEST_F(TimerAnswers, WhatCannotBeSavedIsNotSaidToBeSet) {
    for (std::size_t i = 0; i < timers::max_timers; ++i) ASSERT_TRUE(timers_->start({.duration = 1min}));
    const auto given = answers_.answer_for(understood("set a timer for ten minutes"), who_);
    ASSERT_TRUE(given);
    EXPECT_EQ(given->text, "Sorry, there are too many timers already.");
    EXPECT_TRUE(given->failed);
    EXPECT_EQ(given->reason, "busy");
}

}  // namespace
}  // namespace loqa::session
