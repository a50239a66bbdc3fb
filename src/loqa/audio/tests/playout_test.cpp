#include "loqa/audio/playout.hpp"

#include <algorithm>

#include <gtest/gtest.h>

namespace loqa::audio {
namespace {

constexpr playout_format format{1000, 1};
using samples = std::vector<std::int16_t>;

samples read(playout& from, std::size_t count) {
    samples out(count, 99);
    from.read(out);
    return out;
}

TEST(Playout, GivesSamplesInOrderAndThenSilence) {
    playout all(format, seconds(1));
    EXPECT_TRUE(all.push(1, 0, samples{1, 2, 3}, false));
    EXPECT_TRUE(all.push(1, 0, samples{4, 5}, true));
    EXPECT_EQ(all.left(), milliseconds(5));
    EXPECT_EQ(read(all, 4), (samples{1, 2, 3, 4}));
    EXPECT_TRUE(all.take_ended().empty());
    EXPECT_EQ(read(all, 4), (samples{5, 0, 0, 0}));
    const auto ended = all.take_ended();
    ASSERT_EQ(ended.size(), 1U);
    EXPECT_EQ(ended[0].generation, 1U);
    EXPECT_EQ(ended[0].played, milliseconds(5));
    EXPECT_TRUE(ended[0].completed);
    EXPECT_TRUE(all.idle());
    EXPECT_EQ(read(all, 2), (samples{0, 0}));
}

TEST(Playout, WaitsForWhatIsStillToCome) {
    playout all(format, seconds(1));
    all.push(1, 0, samples{1}, false);
    EXPECT_EQ(read(all, 2), (samples{1, 0}));
    EXPECT_FALSE(all.idle());
    EXPECT_TRUE(all.take_ended().empty());
    all.push(1, 0, {}, true);
    EXPECT_TRUE(all.take_ended().at(0).completed);
}

TEST(Playout, WhatIsFlushedIsNeverHeard) {
    playout all(format, seconds(5));
    all.push(1, 0, samples(5000, 7), true);
    all.push(2, 0, samples(10, 8), false);
    all.push(3, 0, samples(10, 9), true);
    read(all, 1);
    all.flush(1, 2);
    EXPECT_FALSE(all.push(2, 0, samples(10, 8), true)) << "it was on its way";
    const auto rest = read(all, 20);
    EXPECT_EQ(std::ranges::count(rest, 9), 9);
    EXPECT_EQ(std::ranges::count(rest, 0), 11);
    const auto ended = all.take_ended();
    ASSERT_EQ(ended.size(), 3U);
    EXPECT_FALSE(ended[0].completed);
    EXPECT_EQ(ended[0].played, milliseconds(1));
    EXPECT_FALSE(ended[1].completed);
    EXPECT_TRUE(ended[2].completed);
    EXPECT_TRUE(all.push(4, 0, samples{1}, true));
    EXPECT_EQ(read(all, 1), (samples{1}));
}

TEST(Playout, AFlushOfAnAlarmLeavesTheReplyBelowIt) {
    playout all(format, seconds(1));
    all.push(1, 0, samples(10, 600), true);
    all.push(2, 2, samples(10, 1000), true);
    EXPECT_EQ(read(all, 2), (samples{1100, 1100})) << "the reply is quiet while the alarm sounds";
    all.flush(2, 2);
    EXPECT_EQ(read(all, 2), (samples{600, 600}));
}

TEST(Playout, LoudSoundsTogetherAreClipped) {
    playout all(format, seconds(1));
    all.push(1, 0, samples{30'000, -30'000}, true);
    all.push(2, 0, samples{30'000, -30'000}, true);
    EXPECT_EQ(read(all, 2), (samples{32'767, -32'768}));
}

TEST(Playout, IsBounded) {
    playout all(format, milliseconds(10));
    all.push(1, 0, samples(25, 1), false);
    EXPECT_EQ(all.left(), milliseconds(10));
    EXPECT_EQ(all.dropped(), 15U);
    for (std::uint64_t generation = 2; generation < 100; ++generation) all.push(generation, 0, samples(1, 1), false);
    EXPECT_GT(all.dropped(), 15U);
    EXPECT_LE(read(all, 1).at(0), 16);
}

TEST(Playout, WhatIsClosedIsPlayedAndCountsAsBrokenOff) {
    playout all(format, seconds(1));
    all.push(1, 0, samples{1, 2}, false);
    all.push(2, 0, samples{}, false);
    all.close();
    EXPECT_EQ(all.take_ended().at(0).generation, 2U);
    EXPECT_EQ(read(all, 3), (samples{1, 2, 0}));
    EXPECT_FALSE(all.take_ended().at(0).completed);
}

TEST(Playout, CountsFramesOfTwoChannels) {
    playout all({1000, 2}, seconds(1));
    all.push(1, 0, samples(20, 1), true);
    EXPECT_EQ(all.left(), milliseconds(10));
    read(all, 20);
    EXPECT_EQ(all.take_ended().at(0).played, milliseconds(10));
}

}  // namespace
}  // namespace loqa::audio
