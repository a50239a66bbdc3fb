#include "loqa/audio/echo.hpp"

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace loqa::audio {
namespace {

constexpr std::size_t frame = 512;

// Syllables of noise in changing bands and of changing loudness, with pauses: as different from one seed to another as
// one sentence from another.
std::vector<float> talk(unsigned seed, double duration_s) {
    std::mt19937 random(seed);
    std::uniform_real_distribution<double> share(0, 1);
    std::normal_distribution<double> noise;
    std::vector<float> made;
    const auto total = static_cast<std::size_t>(duration_s * 16'000);
    while (made.size() < total) {
        const auto length = static_cast<std::size_t>(1'000 + 3'000 * share(random));
        const double loud = share(random) < 0.25 ? 0.0003 : 0.05 + 0.2 * share(random);
        const double w = 2 * 3.14159265 * (200 + 3'000 * share(random)) / 16'000;
        double a = 0, b = 0;
        for (std::size_t i = 0; i < length && made.size() < total; ++i) {
            const double y = noise(random) * 0.1 + 1.9 * std::cos(w) * a - 0.9025 * b;
            b = a;
            a = y;
            made.push_back(static_cast<float>(loud * y));
        }
    }
    return made;
}

struct mix {
    std::vector<float> samples;
    void add(const std::vector<float>& what, double at_s, double db) {
        const auto first = static_cast<std::size_t>(at_s * 16'000);
        samples.resize(std::max(samples.size(), first + what.size()));
        const auto gain = static_cast<float>(std::pow(10, db / 20));
        for (std::size_t i = 0; i < what.size(); ++i) samples[first + i] += gain * what[i];
    }
};

// For each frame of the microphone whether it is an echo of `answer`, which is sent at the microphone's beginning.
std::vector<bool> judge(const mix& heard, const std::vector<float>& answer) {
    echo listens;
    const steady_time start{seconds(100)};
    listens.will_play(7, answer, start);
    std::vector<bool> found;
    for (std::size_t at = 0; at + frame <= heard.samples.size(); at += frame)
        found.push_back(
            listens.hears(std::span(heard.samples).subspan(at, frame), start + milliseconds((at + frame) / 16)));
    return found;
}

double share_of(const std::vector<bool>& found, double from_s, double to_s) {
    const auto first = static_cast<std::ptrdiff_t>(from_s * 16'000 / frame);
    const auto last = static_cast<std::ptrdiff_t>(to_s * 16'000 / frame);
    return static_cast<double>(std::count(found.begin() + first, found.begin() + last, true)) /
           static_cast<double>(last - first);
}

class Echo : public testing::TestWithParam<double> {};  // by the delay, in seconds

TEST_P(Echo, OnesOwnVoiceIsKnownAtAnyDelay) {
    const auto answer = talk(1, 5);
    mix heard;
    heard.add(answer, GetParam(), -10);
    heard.add(talk(9, 6), 0, -60);  // a room is not silent
    EXPECT_GT(share_of(judge(heard, answer), GetParam() + 0.1, 5), 0.9);
}
INSTANTIATE_TEST_SUITE_P(Delays, Echo, testing::Values(0.0, 0.05, 0.2, 0.5, 0.75));

TEST(Echo, WhoSpeaksOverItIsHeard) {
    const auto answer = talk(1, 6), person = talk(2, 1.5);
    mix heard;
    heard.add(answer, 0.1, -10);
    heard.add(person, 2, 0);
    const auto found = judge(heard, answer);
    EXPECT_GT(share_of(found, 0.3, 1.9), 0.9);
    EXPECT_LT(share_of(found, 2.0, 3.5), 0.35);
    EXPECT_GT(share_of(found, 4.2, 5.9), 0.9);
}

TEST(Echo, SomebodyElsesWordsAreNone) {
    const auto answer = talk(1, 4);
    mix heard;
    heard.add(talk(3, 4), 0, 0);
    EXPECT_LT(share_of(judge(heard, answer), 0.5, 4), 0.05);
}

TEST(Echo, WhatWasCalledOffIsHeardNoLonger) {
    const auto answer = talk(1, 20);
    echo listens;
    const steady_time start{seconds(100)};
    listens.will_play(7, answer, start);
    listens.plays(7, start + milliseconds(50));
    EXPECT_FALSE(listens.over(start + seconds(10)));
    listens.stops(6, start + seconds(10));  // another one
    EXPECT_FALSE(listens.over(start + seconds(15)));
    listens.stops(7, start + seconds(15));
    EXPECT_FALSE(listens.over(start + milliseconds(15'500))) << "what is in the room is still on its way";
    EXPECT_TRUE(listens.over(start + seconds(17)));
}

TEST(Echo, IsOverWithItsSound) {
    echo listens;
    const steady_time start{seconds(100)};
    listens.will_play(7, talk(1, 2), start);
    EXPECT_FALSE(listens.over(start + seconds(2)));
    EXPECT_TRUE(listens.over(start + seconds(4)));
}

}  // namespace
}  // namespace loqa::audio
