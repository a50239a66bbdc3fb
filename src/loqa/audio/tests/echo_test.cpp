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
std::vector<float> babble(unsigned seed, double duration_s) {
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

// The most frames in a row between two moments that are taken for somebody's, where there is anything to hear.
int longest_of_others(const std::vector<bool>& found, const mix& heard, double from_s, double to_s) {
    int longest = 0, run = 0;
    for (auto i = static_cast<std::size_t>(from_s * 16'000 / frame);
         i < static_cast<std::size_t>(to_s * 16'000 / frame); ++i) {
        double power = 0;
        for (const double x : std::span(heard.samples).subspan(i * frame, frame)) power += x * x / frame;
        run = !found[i] && power > 1e-5 ? run + 1 : 0;
        longest = std::max(longest, run);
    }
    return longest;
}

class Echo : public testing::TestWithParam<double> {};  // by the delay, in seconds

TEST_P(Echo, OnesOwnVoiceIsKnownAtAnyDelay) {
    const auto answer = babble(1, 5);
    mix heard;
    heard.add(answer, GetParam(), -10);
    heard.add(babble(9, 6), 0, -60);  // a room is not silent
    EXPECT_GT(share_of(judge(heard, answer), GetParam() + 0.1, 5), 0.9);
}
INSTANTIATE_TEST_SUITE_P(Delays, Echo, testing::Values(0.0, 0.05, 0.2, 0.5, 0.75));

TEST(Echo, WhoSpeaksOverItIsHeard) {
    const auto answer = babble(1, 6), person = babble(2, 1.5);
    mix heard;
    heard.add(answer, 0.1, -10);
    heard.add(person, 2, 0);
    const auto found = judge(heard, answer);
    EXPECT_GT(share_of(found, 0.3, 1.9), 0.9);
    EXPECT_LT(share_of(found, 2.0, 3.5), 0.35);
    EXPECT_GT(share_of(found, 4.2, 5.9), 0.9);
}

// An answer is stopped, and the next one follows at once, as where somebody says "never mind" and is told "okay".
struct interrupted {
    static constexpr double stopped_s = 3.2, next_s = 3.26, length_s = 0.5;
    unsigned seed;
    double delay_s;
    std::vector<float> answer = babble(1 + 10 * seed, 10), next = babble(2 + 10 * seed, length_s);
    mix heard;

    interrupted(unsigned which, double delay) : seed(which), delay_s(delay) {
        const auto played = static_cast<std::ptrdiff_t>(stopped_s * 16'000);
        heard.add(std::vector(answer.begin(), answer.begin() + played), delay_s, -10);
        heard.add(next, next_s + delay_s, -10);
        heard.add(babble(9, 5), 0, -60);
        heard.add(babble(3 + 10 * seed, 0.7), stopped_s - 0.8, 0);  // what stopped it
    }

    std::vector<bool> judge() const {
        echo listens;
        const steady_time start{seconds(100)};
        const auto at_s = [&](double s) { return start + milliseconds(static_cast<std::int64_t>(s * 1000)); };
        listens.will_play(7, answer, start - milliseconds(20));
        listens.plays(7, start);
        std::vector<bool> found;
        int told = 0;
        for (std::size_t at = 0; at + frame <= heard.samples.size(); at += frame) {
            const double now_s = static_cast<double>(at + frame) / 16'000;
            // The next answer is on its way before the speaker says that it has stopped.
            if (told == 0 && now_s >= stopped_s + 0.01) listens.will_play(8, next, at_s(now_s)), ++told;
            if (told == 1 && now_s >= stopped_s + 0.03) listens.stops(7, at_s(now_s)), ++told;
            if (told == 2 && now_s >= next_s) listens.plays(8, at_s(next_s)), ++told;
            found.push_back(listens.hears(std::span(heard.samples).subspan(at, frame), at_s(now_s)));
        }
        return found;
    }
};

// It is too short to be compared for long, and right behind the words of who spoke. Four frames of somebody else begin
// an utterance.
TEST_P(Echo, TheReplyToWhoInterruptedIsKnownFromItsBeginning) {
    for (unsigned seed = 0; seed < 5; ++seed) {
        const interrupted all(seed, GetParam());
        EXPECT_LT(
            longest_of_others(all.judge(), all.heard, all.stopped_s, all.next_s + all.length_s + all.delay_s + 0.1), 4)
            << "seed " << seed;
    }
}

TEST(Echo, WhoGoesOnOverTheNextReplyIsHeard) {
    for (unsigned seed = 0; seed < 5; ++seed) {
        interrupted all(seed, 0.1);
        all.heard.add(babble(4 + 10 * seed, 0.8), all.next_s, 0);
        EXPECT_GE(longest_of_others(all.judge(), all.heard, all.next_s, all.next_s + 0.8), 4) << "seed " << seed;
    }
}

TEST(Echo, SomebodyElsesWordsAreNone) {
    const auto answer = babble(1, 4);
    mix heard;
    heard.add(babble(3, 4), 0, 0);
    EXPECT_LT(share_of(judge(heard, answer), 0.5, 4), 0.05);
}

TEST(Echo, WhatWasCalledOffIsHeardNoLonger) {
    const auto answer = babble(1, 20);
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

TEST(Echo, MayBeHeardUntilTheRoomIsSilent) {
    const auto answer = babble(1, 10);
    const steady_time start{seconds(100)};
    for (const bool comes_back : {true, false}) {
        echo listens;
        listens.will_play(7, answer, start);
        listens.plays(7, start);
        mix heard;
        heard.add(babble(9, 5), 0, -60);
        if (comes_back) heard.add(answer, 0.2, -10);
        for (std::size_t at = 0; at + frame <= 3 * 16'000; at += frame)
            listens.hears(std::span(heard.samples).subspan(at, frame), start + milliseconds((at + frame) / 16));
        EXPECT_TRUE(listens.may_be_heard(start + seconds(3)));
        listens.stops(7, start + milliseconds(3'100));
        EXPECT_TRUE(listens.may_be_heard(start + milliseconds(3'100)));
        EXPECT_EQ(listens.may_be_heard(start + milliseconds(3'350)), comes_back);
        EXPECT_FALSE(listens.may_be_heard(start + milliseconds(3'800)));
    }
}

TEST(Echo, IsOverWithItsSound) {
    echo listens;
    const steady_time start{seconds(100)};
    listens.will_play(7, babble(1, 2), start);
    EXPECT_FALSE(listens.over(start + seconds(2)));
    EXPECT_TRUE(listens.over(start + seconds(4)));
}

}  // namespace
}  // namespace loqa::audio
