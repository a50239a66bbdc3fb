#include "loqa/audio/resample.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include <gtest/gtest.h>

namespace loqa::audio {
namespace {

std::vector<float> tone(double hz, int rate, double duration_s) {
    std::vector<float> samples(static_cast<std::size_t>(rate * duration_s));
    for (std::size_t i = 0; i < samples.size(); ++i) {
        samples[i] = static_cast<float>(0.5 * std::sin(2 * std::numbers::pi * hz * static_cast<double>(i) / rate));
    }
    return samples;
}

class Resample : public testing::TestWithParam<int> {};

// A stream in frames of 20 ms keeps its length, its pitch and its loudness, whatever the rate.
TEST_P(Resample, KeepsATone) {
    const int rate = GetParam();
    auto converter = resampler::create(rate, 16'000);
    ASSERT_TRUE(converter) << converter.error().text();
    const auto in = tone(440, rate, 1.0);
    std::vector<float> out;
    const auto frame = static_cast<std::size_t>(rate / 50);
    for (std::size_t at = 0; at < in.size(); at += frame) {
        const auto count = std::min(frame, in.size() - at);
        ASSERT_TRUE(converter->process(pcm_view(in).subspan(at, count), out, at + count == in.size()));
    }
    EXPECT_NEAR(static_cast<double>(out.size()), 16'000, 20);

    const auto expected = tone(440, 16'000, 1.0);
    double worst = 0;
    for (std::size_t i = 800; i + 800 < out.size(); ++i)
        worst = std::max<double>(worst, std::abs(out[i] - expected[i]));
    EXPECT_LT(worst, 0.01);
}

INSTANTIATE_TEST_SUITE_P(Rates, Resample, testing::Values(8'000, 11'025, 16'000, 22'050, 24'000, 44'100, 48'000));

TEST(Resample, AToneAboveTheNewLimitDisappears) {
    auto converter = resampler::create(48'000, 16'000);
    ASSERT_TRUE(converter);
    std::vector<float> out;
    ASSERT_TRUE(converter->process(tone(11'000, 48'000, 0.5), out, true));
    EXPECT_LT(rms(out), 0.01F);
}

TEST(Resample, OneLargePieceGivesTheSameAsManySmallOnes) {
    const auto in = tone(1000, 44'100, 2.0);
    auto large = resampler::create(44'100, 16'000);
    auto small = resampler::create(44'100, 16'000);
    ASSERT_TRUE(large && small);
    std::vector<float> at_once, in_pieces;
    ASSERT_TRUE(large->process(in, at_once, true));
    for (std::size_t at = 0; at < in.size(); at += 147) {
        ASSERT_TRUE(small->process(pcm_view(in).subspan(at, std::min<std::size_t>(147, in.size() - at)), in_pieces));
    }
    ASSERT_TRUE(small->process({}, in_pieces, true));
    // The library may end a stream one millisecond earlier when the end comes without samples.
    ASSERT_NEAR(static_cast<double>(at_once.size()), static_cast<double>(in_pieces.size()), 20);
    for (std::size_t i = 0; i < in_pieces.size(); ++i) ASSERT_NEAR(at_once[i], in_pieces[i], 1e-3) << i;
}

TEST(Resample, RefusesRatesThatCannotBe) { EXPECT_FALSE(resampler::create(0, 16'000)); }

}  // namespace
}  // namespace loqa::audio
