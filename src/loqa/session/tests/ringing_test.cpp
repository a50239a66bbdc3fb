#include "loqa/session/ringing.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace loqa::session {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

struct words_case {
    timers::timer what;
    std::string words;
};

TEST(RingText, SaysWhichAndHowLate) {
    const auto seven = std::chrono::local_seconds(std::chrono::local_days(2026y / std::chrono::March / 27) + 7h);
    for (const auto& [what, words] : {
             words_case{{.duration = 10min}, "Your timer is done."},
             words_case{{.label = "pasta"}, "Your pasta timer is done."},
             words_case{{.label = "pasta", .late = 5min},
                        "Sorry, your pasta timer ended 5 minutes ago, while I was away."},
             words_case{{.local_at = seven}, "It is 7 AM. This is your alarm."},
             words_case{{.label = "gym", .local_at = seven}, "It is 7 AM. This is your gym alarm."},
             words_case{{.snoozed = true, .local_at = seven}, "This is your 7 AM alarm again."},
             words_case{{.late = 2h, .local_at = seven},
                        "Sorry, your 7 AM alarm should have rung 2 hours ago, while I was away."},
         })
        EXPECT_EQ(ring_text(what), words);
}

TEST(Ringing, GoesOnAfterAPauseAndEndsAtTheCap) {
    manual_clock clock;
    ringing rings({.pause = 10s, .times = 2}, clock);
    const timers::timer t{.id = 7, .session_id = "s"};
    EXPECT_EQ(rings.begin(t, std::nullopt).target, "s");
    EXPECT_EQ(rings.next(), steady_time::max()) << "while it is said";
    EXPECT_FALSE(rings.said(7, true, true));
    EXPECT_THAT(rings.due(), IsEmpty());
    clock.advance(10s);
    EXPECT_EQ(rings.next(), clock.steady());
    EXPECT_THAT(rings.due(), ElementsAre(7));
    rings.begin(t, std::nullopt);
    EXPECT_FALSE(rings.said(7, false, false)) << "what could not be said does not count";
    clock.advance(10s);
    rings.begin(t, std::nullopt);
    EXPECT_TRUE(rings.said(7, true, true));
    EXPECT_THAT(rings.due(), IsEmpty());
}

TEST(Ringing, LeavesASpeakerThatIsGone) {
    manual_clock clock;
    ringing rings({.pause = 10s, .times = 5}, clock);
    const timers::timer t{.id = 7, .target = "kitchen", .pcm = true};
    const ringing::place kitchen{.target = "kitchen", .pcm = true}, hall{.target = "hall"};
    EXPECT_EQ(rings.begin(t, hall), kitchen);
    EXPECT_FALSE(rings.said(7, true, false));
    EXPECT_THAT(rings.due(), ElementsAre(7)) << "at once";
    for (int i = 0; i < 2; ++i) {
        EXPECT_EQ(rings.begin(t, hall), hall);
        EXPECT_FALSE(rings.said(7, true, true));
        EXPECT_THAT(rings.due(), IsEmpty());
    }
    EXPECT_EQ(rings.begin(t, std::nullopt), kitchen) << "there is no other any more";
}

TEST(Ringing, StaysWhereItIsWhenThereIsNoOtherSpeaker) {
    manual_clock clock;
    ringing rings({.pause = 10s, .times = 5}, clock);
    const timers::timer t{.id = 7, .session_id = "kitchen", .pcm = true};
    for (int i = 0; i < 2; ++i) {
        EXPECT_EQ(rings.begin(t, std::nullopt), (ringing::place{.target = "kitchen", .pcm = true}));
        EXPECT_FALSE(rings.said(7, true, false));
        EXPECT_THAT(rings.due(), IsEmpty()) << "after the pause";
    }
}

}  // namespace
}  // namespace loqa::session
