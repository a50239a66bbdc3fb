#include "loqa/session/timer_answers.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loqa/base/ids.hpp"
#include "loqa/intent/collection.hpp"

namespace loqa::session {
namespace {

using namespace std::chrono_literals;
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
        const auto given = answers_.preview(understood(sentence), who_);
        return given ? given->text : "(not a timer's)";
    }

    const fs::path folder_ = fs::temp_directory_path() / ("loqa-timer-answers-" + random_hex(6));
    manual_clock clock_;
    std::unique_ptr<timers::timer_service> timers_ =
        timers::timer_service::open(folder_ / "timers.db", clock_, telemetry::logger::silent()).value();
    timer_answers answers_{clock_, *timers_, 9min};
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

// Times in this test are those of the process's zone.
TEST_F(TimerAnswers, AlarmsAreSetListedAndCancelled) {
    clock_.advance(timers::from_local(std::chrono::local_days(2026y / std::chrono::March / 27) + 21h) - clock_.wall());
    for (const auto& [says, answer] : {
             std::pair<std::string, std::string>{"what alarms are set", "No alarm is set."},
             {"wake me at seven every weekday", "Alarm set for 7 AM on weekdays."},
             {"set an alarm for 6:30", "Alarm set for 6:30 AM tomorrow."},
             {"set an alarm for half past nine tomorrow morning", "Alarm set for 9:30 AM tomorrow."},
             {"set an alarm for 8 am every saturday and sunday", "Alarm set for 8 AM at weekends."},
             {"set an alarm for 10 am on monday", "Alarm set for 10 AM on Monday, March 30th."},
             {"set an alarm for tomorrow", "For what time should the alarm be?"},
             {"set a gym alarm for 5 pm tomorrow", "Gym alarm set for 5 PM tomorrow."},
             {"cancel the alarm for 6:30", "6:30 AM alarm cancelled."},
             {"cancel the 9:30 alarm", "9:30 AM alarm cancelled."},
             {"cancel the alarm for noon", "There is no such alarm."},
             {"cancel the alarm called gym", "Gym alarm cancelled."},
             {"cancel the first alarm", "7 AM alarm cancelled."},
             {"list my alarms", "There are 2 alarms: 8 AM at weekends and 10 AM on Monday, March 30th."},
             {"cancel all timers", "No timer is running."},
             {"cancel all alarms", "2 alarms cancelled."},
         })
        EXPECT_EQ(say(says), answer) << says;
}

TEST_F(TimerAnswers, TimersArePausedPutForthAndToldApart) {
    for (const auto& [says, answer] : {
             std::pair<std::string, std::string>{"pause the timer", "No timer is running."},
             {"set a pasta timer for ten minutes", "Pasta timer set for 10 minutes."},
             {"pause the timer", "Pasta timer paused with 10 minutes left."},
             {"how long is left on the pasta timer", "The pasta timer is paused with 10 minutes left."},
             {"pause the timer", "The pasta timer is paused already."},
             {"resume the pasta timer", "Pasta timer goes on, 10 minutes left."},
             {"resume the timer", "No timer is paused."},
             {"add five minutes to the timer", "5 minutes added, 15 minutes left on the pasta timer."},
             {"take ten minutes off the pasta timer", "10 minutes removed, 5 minutes left on the pasta timer."},
             {"take ten minutes off the timer", "Sorry, the pasta timer has only 5 minutes left."},
             {"set a timer for 3 minutes", "Timer set for 3 minutes."},
             {"set a timer for 7 minutes", "Timer set for 7 minutes."},
             {"add a minute to the 3 minute timer", "1 minute added, 4 minutes left on the 3 minute timer."},
             {"how long is left on the second timer", "4 minutes left on the 3 minute timer."},
             {"cancel the first one", "Pasta timer cancelled."},
             {"cancel the last timer", "7 minute timer cancelled."},
             {"snooze", "Nothing is ringing."},
             {"cancel all timers", "Timer cancelled."},
         })
        EXPECT_EQ(say(says), answer) << says;
}

TEST_F(TimerAnswers, OfOneNameAreToldApartByTheirLength) {
    for (const auto& [says, answer] : {
             std::pair<std::string, std::string>{"set a pasta timer for 3 minutes", "Pasta timer set for 3 minutes."},
             {"set a pasta timer for 4 minutes", "Pasta timer set for 4 minutes."},
             {"set a timer for 90 seconds", "Timer set for 1 minute and 30 seconds."},
             {"cancel the pasta timer",
              "There are 2 timers: the 3 minute pasta timer and the 4 minute pasta timer. Which one should I cancel?"},
             {"how long is left on the 3 minute pasta timer", "3 minutes left on the pasta timer."},
             {"add 1 minute to the 3 minute pasta timer", "1 minute added, 4 minutes left on the pasta timer."},
             {"make the 4 minute timer 2 minutes longer", "2 minutes added, 6 minutes left on the pasta timer."},
             {"make the first timer 1 minute shorter", "1 minute removed, 3 minutes left on the pasta timer."},
             {"cancel the 4 minute pasta timer", "Pasta timer cancelled."},
             {"cancel the last timer", "1 minute and 30 second timer cancelled."},
             {"make the pasta timer 10 minutes longer", "10 minutes added, 13 minutes left on the pasta timer."},
         })
        EXPECT_EQ(say(says), answer) << says;
}

TEST_F(TimerAnswers, ArePausedAndResumedAllAtOnce) {
    for (const auto& [says, answer] : {
             std::pair<std::string, std::string>{"pause all timers", "No timer is running."},
             {"set a pasta timer for 3 minutes", "Pasta timer set for 3 minutes."},
             {"pause all timers", "Pasta timer paused with 3 minutes left."},
             {"set a timer for 4 minutes", "Timer set for 4 minutes."},
             {"set a timer for 5 minutes", "Timer set for 5 minutes."},
             {"pause all my timers", "2 timers paused."},
             {"pause every timer", "No timer is running."},
             {"resume all timers", "3 timers go on."},
             {"resume my timers", "No timer is paused."},
         })
        EXPECT_EQ(say(says), answer) << says;
}

// Times in this test are those of the process's zone.
TEST_F(TimerAnswers, AlarmsAreFoundByTheirNameAndTheirDays) {
    clock_.advance(timers::from_local(std::chrono::local_days(2026y / std::chrono::March / 27) + 21h) - clock_.wall());
    for (const auto& [says, answer] : {
             std::pair<std::string, std::string>{"set an alarm called gym for 6 am every tuesday",
                                                 "Gym alarm set for 6 AM every Tuesday."},
             {"set a weekday alarm for 7 am", "Alarm set for 7 AM on weekdays."},
             {"set a recurring alarm for 8 am", "Alarm set for 8 AM every day."},
             {"set a recurring alarm for 8 am on mondays and wednesdays",
              "Alarm set for 8 AM every Monday and Wednesday."},
             {"set an alarm for 9 am", "Alarm set for 9 AM tomorrow."},
             {"when is my next alarm", "The next alarm is for 8 AM every day."},
             {"cancel the gym alarm", "Gym alarm cancelled."},
             {"cancel the gym alarm", "There is no such alarm."},
             {"cancel the 8 am alarm",
              "There are 2 alarms: the alarm for 8 AM every day and the alarm for 8 AM every "
              "Monday and Wednesday. Which one should I cancel?"},
             {"cancel the daily alarm", "8 AM alarm cancelled."},
             {"cancel my weekday alarm", "7 AM alarm cancelled."},
             {"cancel the wednesday alarm", "8 AM alarm cancelled."},
             {"cancel the saturday alarm", "9 AM alarm cancelled."},
             {"when is my next alarm", "No alarm is set."},
         })
        EXPECT_EQ(say(says), answer) << says;
}

TEST_F(TimerAnswers, ARoomsTimerIsTheOneThatWasSetThere) {
    const asker kitchen{.session_id = "s", .area = "Kitchen"}, office{.session_id = "s", .area = "Office"};
    for (const auto& who : {kitchen, office})
        ASSERT_TRUE(answers_.answer_for(understood("set a timer for ten minutes"), who));
    const auto cancel = [&](const std::string& area) {
        return answers_
            .answer_for({.intent = "HassCancelTimer", .slots = {{.name = "area", .value = area, .text = area}}}, who_)
            ->text;
    };
    EXPECT_EQ(cancel("Bath"), "There is no such timer.");
    EXPECT_EQ(cancel("Kitchen"), "10 minute timer cancelled.");
    ASSERT_THAT(timers_->list().value(), SizeIs(1));
    EXPECT_EQ(timers_->list()->at(0).area, "office");
}

TEST_F(TimerAnswers, OfAPrivateTurnAreKeptFromTheDisk) {
    ASSERT_TRUE(answers_.answer_for(understood("set a xylophone timer for ten minutes"), {.ephemeral = true}));
    ASSERT_THAT(timers_->list().value(), SizeIs(1));
    EXPECT_TRUE(timers_->list()->at(0).ephemeral);
    for (const auto& entry : fs::directory_iterator(folder_))
        EXPECT_EQ(read_file(entry.path())->find("xylophone"), std::string::npos) << entry.path();
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
