#include "loqa/tts/playback_queue.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace loqa::tts {
namespace {

using protocol::urgency;
using testing::ElementsAre;
using testing::IsEmpty;

class PlaybackQueue : public testing::Test {
protected:
    playback_queue::entry add(const std::string& name, const std::string& lane = "kitchen",
                              urgency how = urgency::reply, const std::string& turn = "") {
        auto made = std::make_shared<utterance>();
        made->lane = lane;
        made->target = lane;
        made->session = name;
        made->turn = turn;
        made->urgency = how;
        made->arrived = clock_.steady();
        if (!queue_.add(made)) return nullptr;
        return made;
    }
    // What may be said now, in the order in which it would be said; each is sent and done with.
    std::vector<std::string> say(milliseconds each = seconds(1)) {
        std::vector<std::string> said;
        queue_.begin(clock_.steady(), clock_.wall());
        while (const auto next = queue_.next()) {
            said.push_back(next->session);
            queue_.sent(*next, each, clock_.steady());
            queue_.all_sent(next);
        }
        return said;
    }

    manual_clock clock_;
    playback_queue queue_{8, 4};
};

TEST_F(PlaybackQueue, OneThingAtATimeOnATarget) {
    add("a");
    add("b");
    add("other room", "den");
    EXPECT_THAT(say(), ElementsAre("a", "other room"));
    EXPECT_EQ(queue_.waiting(), 1U);
    EXPECT_EQ(queue_.next_change() - clock_.steady(), seconds(1));
    clock_.advance(milliseconds(999));
    EXPECT_THAT(say(), IsEmpty());
    clock_.advance(milliseconds(1));
    EXPECT_THAT(say(), ElementsAre("b"));
}

TEST_F(PlaybackQueue, ASpeakerThatSaysWhenItIsDoneIsBelieved) {
    const auto a = add("a");
    add("b");
    EXPECT_THAT(say(), ElementsAre("a"));
    queue_.playback_started("a", a->generation, clock_.steady());
    clock_.advance(milliseconds(1'500));  // it is slower than time
    EXPECT_THAT(say(), IsEmpty());
    queue_.playback_stopped("somebody else", 0);
    queue_.playback_stopped("a", a->generation + 1);
    EXPECT_THAT(say(), IsEmpty());
    queue_.playback_stopped("a", a->generation);
    EXPECT_THAT(say(), ElementsAre("b"));
}

TEST_F(PlaybackQueue, ASpeakerThatWentAwayHoldsNothingForEver) {
    add("a");
    add("b");
    say();
    queue_.playback_started("a", 0, clock_.steady());
    clock_.advance(milliseconds(1'999));
    EXPECT_THAT(say(), IsEmpty());
    clock_.advance(milliseconds(1));
    EXPECT_THAT(say(), ElementsAre("b"));
}

TEST_F(PlaybackQueue, TheMoreUrgentIsHeardOverTheLess) {
    add("reply");
    EXPECT_THAT(say(seconds(5)), ElementsAre("reply"));
    add("later reply");
    add("announcement", "kitchen", urgency::announcement);
    add("alarm", "kitchen", urgency::alarm);
    add("second alarm", "kitchen", urgency::alarm);
    EXPECT_THAT(say(seconds(2)), ElementsAre("alarm")) << "over the reply";
    clock_.advance(seconds(2));
    EXPECT_THAT(say(seconds(1)), ElementsAre("second alarm"));
    clock_.advance(seconds(1));
    EXPECT_THAT(say(seconds(1)), ElementsAre("announcement"));
    clock_.advance(seconds(1));
    EXPECT_THAT(say(), IsEmpty()) << "the first reply is still heard";
    clock_.advance(seconds(1));
    EXPECT_THAT(say(), ElementsAre("later reply"));
}

TEST_F(PlaybackQueue, WhoRunsOutFirstIsServedFirst) {
    const auto a = add("a", "1"), b = add("b", "2");
    queue_.begin(clock_.steady(), clock_.wall());
    EXPECT_EQ(queue_.next(), a);
    queue_.sent(*a, milliseconds(100), clock_.steady());
    EXPECT_EQ(queue_.next(), b);
    queue_.sent(*b, milliseconds(300), clock_.steady());
    EXPECT_EQ(queue_.next(), a);
    queue_.sent(*a, milliseconds(400), clock_.steady());
    EXPECT_EQ(queue_.next(), b);
    const auto alarm = add("c", "3", urgency::alarm);
    queue_.begin(clock_.steady(), clock_.wall());
    EXPECT_EQ(queue_.next(), alarm);
}

TEST_F(PlaybackQueue, GenerationsGrowAlsoWhenTheClockGoesBack) {
    std::vector<std::uint64_t> numbers;
    for (const auto* name : {"a", "b", "c"}) {
        const auto one = add(name, name);
        queue_.begin(clock_.steady(), clock_.wall());
        numbers.push_back(one->generation);
        clock_.jump_wall(-std::chrono::hours(1));
    }
    EXPECT_LT(numbers[0], numbers[1]);
    EXPECT_LT(numbers[1], numbers[2]);
    EXPECT_LT(numbers[2], std::uint64_t{1} << 53) << "a JSON number holds it";
    // A process that starts later counts from later on.
    clock_.jump_wall(std::chrono::hours(4));
    playback_queue next_process(8, 4);
    auto first = std::make_shared<utterance>();
    next_process.add(first);
    next_process.begin(clock_.steady(), clock_.wall());
    EXPECT_GT(first->generation, numbers[2]);
}

TEST_F(PlaybackQueue, IsBounded) {
    for (int i = 0; i < 8; ++i) EXPECT_NE(add(std::to_string(i), std::to_string(i)), nullptr);
    EXPECT_EQ(add("one more", "den"), nullptr);
    queue_.begin(clock_.steady(), clock_.wall());
    EXPECT_EQ(queue_.speaking(), 4U);
    EXPECT_EQ(queue_.waiting(), 4U);
    add("alarm", "den", urgency::alarm);
    queue_.begin(clock_.steady(), clock_.wall());
    EXPECT_EQ(queue_.speaking(), 5U) << "an alarm does not wait for other rooms";
}

TEST_F(PlaybackQueue, ACancelNamesWhatSpeakersHave) {
    const auto playing = add("s", "1"), speaking = add("s", "2"), unsent = add("s", "3"), other = add("t", "4");
    queue_.begin(clock_.steady(), clock_.wall());
    queue_.sent(*playing, seconds(1), clock_.steady());
    queue_.all_sent(playing);
    queue_.sent(*speaking, seconds(1), clock_.steady());
    const auto waiting = add("s", "1");
    const auto heard = queue_.cancel([](const utterance& each) { return each.session == "s"; });
    EXPECT_THAT(heard, testing::UnorderedElementsAre(playing, speaking));
    EXPECT_TRUE(speaking->cancelled && unsent->cancelled && waiting->cancelled);
    EXPECT_FALSE(other->cancelled);
    EXPECT_THAT(queue_.cancel([](const utterance& each) { return each.session == "s"; }), IsEmpty());
    queue_.begin(clock_.steady(), clock_.wall());
    EXPECT_EQ(queue_.waiting(), 0U) << "what is called off does not wait to be ended";
}

TEST_F(PlaybackQueue, TheAnswerToNewerWordsReplacesTheOlderOne) {
    const auto old = add("s", "kitchen", urgency::reply, "turn 1");
    say(seconds(5));
    const auto ring = add("s", "kitchen", urgency::alarm, "ring");
    const auto others = add("t", "kitchen", urgency::reply, "turn 7");
    say(seconds(5));
    const auto fresh = add("s", "kitchen", urgency::reply, "turn 2");
    EXPECT_THAT(queue_.cancel_older_than(*fresh), ElementsAre(old));
    EXPECT_FALSE(ring->cancelled);
    EXPECT_FALSE(others->cancelled);
    EXPECT_FALSE(fresh->cancelled);

    // What goes on in the same turn, or belongs to none, is said behind it.
    const auto same = add("s", "kitchen", urgency::reply, "turn 2");
    EXPECT_THAT(queue_.cancel_older_than(*same), IsEmpty());
    const auto none = add("s");
    EXPECT_THAT(queue_.cancel_older_than(*none), IsEmpty());
    EXPECT_FALSE(fresh->cancelled);
}

TEST_F(PlaybackQueue, WhatIsNotTimedHoldsItsLaneOnlyWhileItIsSent) {
    auto a = add("a"), b = add("b");
    a->timed = b->timed = false;
    EXPECT_THAT(say(), ElementsAre("a"));
    EXPECT_THAT(say(), ElementsAre("b"));

    // Frames of two are never mixed on it.
    a = add("c");
    a->timed = false;
    queue_.begin(clock_.steady(), clock_.wall());
    auto alarm = add("alarm", "kitchen", urgency::alarm);
    alarm->timed = false;
    queue_.begin(clock_.steady(), clock_.wall());
    EXPECT_EQ(queue_.speaking(), 1U);
    EXPECT_EQ(queue_.next(), a);
}

}  // namespace
}  // namespace loqa::tts
