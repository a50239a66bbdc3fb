#include "loqa/stt/decoder.hpp"

#include <future>
#include <mutex>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loqa/stt/tests/fakes.hpp"

namespace loqa::stt {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

class Decoder : public ::testing::Test {
protected:
    explicit Decoder(std::size_t at_once = 1) : engine_(at_once) {}

    struct seen {
        std::uint64_t utterance;
        reading what;
        std::int64_t mark;
        std::string text;
        bool operator==(const seen&) const = default;
    };

    std::vector<seen> wait_for(std::size_t count) {
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, seconds{10}, [&] { return seen_.size() >= count; });
        return seen_;
    }

    // Of utterance 1, until the engine is released.
    void hold_a_reading(reading what) {
        engine_.hold();
        decoder_.submit(1, ms(10), what, 1);
        engine_.wait_for_reading();
    }

    static std::vector<float> ms(std::size_t count) { return std::vector<float>(count * 16); }

    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<seen> seen_;
    real_clock clock_;
    testing::stopwatch engine_;
    decoder decoder_{engine_, clock_, {.partial_share = 1}, {}, [this](const outcome& made) {
                         std::lock_guard lock(mutex_);
                         seen_.push_back({made.utterance, made.what, made.mark,
                                          made.heard ? made.heard->text : made.heard.error().message});
                         changed_.notify_all();
                     }};
};

TEST_F(Decoder, AnUtteranceGrows) {
    decoder_.submit(1, ms(100), reading::partial, 1);
    wait_for(1);
    decoder_.submit(1, ms(200), reading::ahead, 2);
    wait_for(2);
    decoder_.submit(1, ms(50), reading::final, 3);
    EXPECT_THAT(wait_for(3), ElementsAre(seen{1, reading::partial, 1, "100 ms"}, seen{1, reading::ahead, 2, "300 ms"},
                                         seen{1, reading::final, 3, "350 ms"}));
}

TEST_F(Decoder, FinalsComeBeforePartialsAndAPartialThatWaitsDisappearsIntoItsFinal) {
    hold_a_reading(reading::ahead);
    decoder_.submit(2, ms(20), reading::partial, 1);
    decoder_.submit(3, ms(30), reading::partial, 1);
    decoder_.submit(4, ms(40), reading::ahead, 1);
    decoder_.submit(3, ms(3), reading::final, 2);
    EXPECT_EQ(decoder_.waiting(), 3u);
    engine_.release();
    EXPECT_THAT(wait_for(4), ElementsAre(seen{1, reading::ahead, 1, "10 ms"}, seen{3, reading::final, 2, "33 ms"},
                                         seen{4, reading::ahead, 1, "40 ms"}, seen{2, reading::partial, 1, "20 ms"}));
}

TEST_F(Decoder, WhatIsHurriedComesFirst) {
    hold_a_reading(reading::ahead);
    decoder_.submit(2, ms(20), reading::ahead, 1);
    decoder_.submit(3, ms(30), reading::ahead, 1);
    decoder_.hurry(3);
    engine_.release();
    EXPECT_THAT(wait_for(3), ElementsAre(seen{1, reading::ahead, 1, "10 ms"}, seen{3, reading::ahead, 1, "30 ms"},
                                         seen{2, reading::ahead, 1, "20 ms"}));
}

TEST_F(Decoder, WhatIsForgottenIsNotDelivered) {
    hold_a_reading(reading::final);
    decoder_.submit(2, ms(20), reading::final, 1);
    decoder_.submit(3, ms(30), reading::final, 1);
    decoder_.forget(1);
    decoder_.forget(2);
    engine_.release();
    EXPECT_THAT(wait_for(1), ElementsAre(seen{3, reading::final, 1, "30 ms"}));
    EXPECT_EQ(decoder_.waiting(), 0u);
}

TEST_F(Decoder, AReadingThatLacksWhatWasSaidSinceIsInterrupted) {
    hold_a_reading(reading::partial);
    decoder_.submit(1, ms(20), reading::ahead, 2);  // does not wait for the other, which nobody releases
    engine_.wait_for_reading();
    decoder_.submit(1, ms(30), reading::final, 3);
    engine_.release();
    EXPECT_THAT(wait_for(1), ElementsAre(seen{1, reading::final, 3, "60 ms"}));
}

TEST_F(Decoder, PartialsMakeWayForOthersAndAreReadAfterThem) {
    hold_a_reading(reading::partial);
    decoder_.submit(2, ms(20), reading::ahead, 1);  // does not wait for the other, which nobody releases
    engine_.wait_for_reading();
    EXPECT_EQ(decoder_.waiting(), 1u);
    engine_.release();
    EXPECT_THAT(wait_for(2), ElementsAre(seen{2, reading::ahead, 1, "20 ms"}, seen{1, reading::partial, 1, "10 ms"}));
}

TEST_F(Decoder, APartialThatIsAllThereIsMakesNoWay) {
    hold_a_reading(reading::partial);
    decoder_.hurry(1);
    decoder_.submit(2, ms(20), reading::final, 1);
    engine_.release();
    EXPECT_THAT(wait_for(2), ElementsAre(seen{1, reading::partial, 1, "10 ms"}, seen{2, reading::final, 1, "20 ms"}));
}

TEST_F(Decoder, WhatIsPutOffIsAPartialUntilItIsHurried) {
    hold_a_reading(reading::ahead);
    for (const std::uint64_t utterance : {2, 3, 4}) decoder_.submit(utterance, ms(20), reading::ahead, 1);
    decoder_.put_off(2);
    decoder_.put_off(3);
    decoder_.hurry(3);
    engine_.release();
    EXPECT_THAT(wait_for(4), ElementsAre(seen{1, reading::ahead, 1, "10 ms"}, seen{3, reading::ahead, 1, "20 ms"},
                                         seen{4, reading::ahead, 1, "20 ms"}, seen{2, reading::partial, 1, "20 ms"}));
}

TEST_F(Decoder, AReadingIsNotInterruptedForAPartialNorForAnotherUtterance) {
    hold_a_reading(reading::ahead);
    decoder_.submit(1, ms(20), reading::partial, 2);
    decoder_.submit(2, ms(30), reading::final, 1);
    engine_.release();
    EXPECT_THAT(wait_for(3), ElementsAre(seen{1, reading::ahead, 1, "10 ms"}, seen{2, reading::final, 1, "30 ms"},
                                         seen{1, reading::partial, 2, "30 ms"}));
}

class TwoAtOnce : public Decoder {
protected:
    TwoAtOnce() : Decoder(2) {}
};

TEST_F(TwoAtOnce, ReadingsOfTwoUtterancesAreMadeSideBySide) {
    engine_.hold();
    decoder_.submit(1, ms(10), reading::ahead, 1);
    decoder_.submit(2, ms(20), reading::ahead, 1);
    engine_.wait_for_reading(2);
    decoder_.submit(3, ms(30), reading::final, 1);
    EXPECT_EQ(decoder_.waiting(), 1u);
    engine_.release();
    EXPECT_THAT(wait_for(3),
                UnorderedElementsAre(seen{1, reading::ahead, 1, "10 ms"}, seen{2, reading::ahead, 1, "20 ms"},
                                     seen{3, reading::final, 1, "30 ms"}));
}

TEST_F(TwoAtOnce, OfOneUtteranceThereIsOneReadingAtATime) {
    hold_a_reading(reading::ahead);
    decoder_.submit(1, ms(5), reading::partial, 2);
    decoder_.submit(2, ms(20), reading::ahead, 1);
    engine_.wait_for_reading(2);  // the other thread passed the partial over
    EXPECT_EQ(decoder_.waiting(), 1u);
    engine_.release();
    EXPECT_THAT(wait_for(3),
                UnorderedElementsAre(seen{1, reading::ahead, 1, "10 ms"}, seen{2, reading::ahead, 1, "20 ms"},
                                     seen{1, reading::partial, 2, "15 ms"}));
}

TEST_F(TwoAtOnce, IsAliveWhenBothThreadsAre) {
    std::promise<void> alive;
    hold_a_reading(reading::ahead);
    decoder_.ask([&] { alive.set_value(); });
    decoder_.submit(2, ms(20), reading::ahead, 1);
    engine_.wait_for_reading(2);  // the other thread was free and has answered
    EXPECT_EQ(alive.get_future().wait_for(seconds{0}), std::future_status::timeout);
    engine_.release();
    wait_for(2);
    std::promise<void> again;
    decoder_.ask([&] { again.set_value(); });
    EXPECT_EQ(again.get_future().wait_for(seconds{10}), std::future_status::ready);
}

TEST(FormOf, AWordThatWasOnlyHeardAgainEndsNothing) {
    const auto growable = [](std::string_view) { return phrase::growable; };
    EXPECT_EQ(form_of({.text = "Silence."}, growable), phrase::growable);
    EXPECT_EQ(form_of({.text = "Silence.", .heard = "Filled."}, growable), phrase::unknown);
    EXPECT_EQ(form_of({.text = "Lock the door.", .heard = "Look the door."}, growable), phrase::growable);
    const auto unknown = [](std::string_view) { return phrase::unknown; };
    EXPECT_EQ(form_of({.text = "Welcome to the", .begins = true}, unknown), phrase::open);
    EXPECT_EQ(form_of({.text = "Welcome to the"}, unknown), phrase::unknown);
}

TEST(FormOf, WhatIsInDoubtOrMayOnlyBeginIsWaitedFor) {
    const auto judge = [](std::string_view text) { return text == "Set a" ? phrase::open : phrase::growable; };
    hypothesis heard{.text = "Lock the door.", .heard = "Look the doll.", .doubtful = true};
    EXPECT_EQ(form_of(heard, judge), phrase::unknown);
    heard.heard = "Set a";
    EXPECT_EQ(form_of(heard, judge), phrase::open);
    EXPECT_EQ(form_of({.text = "Lock the door.", .heard = "Look the doll.", .begins = true}, judge), phrase::open);
}

TEST_F(Decoder, AFailureIsDelivered) {
    engine_.fails = true;
    decoder_.submit(1, ms(10), reading::final, 1);
    EXPECT_THAT(wait_for(1), ElementsAre(seen{1, reading::final, 1, "the engine is broken"}));
}

}  // namespace
}  // namespace loqa::stt
