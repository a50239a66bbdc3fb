#include "loqa/audio/echo_canceller.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace loqa::audio {
namespace {

constexpr std::size_t rate = speech_rate_hz;
constexpr steady_time start{seconds(100)};

using sound = std::vector<float>;

std::size_t at(double seconds) { return static_cast<std::size_t>(seconds * rate); }

// Syllables of noise in changing bands and of changing loudness, with pauses.
sound talk(unsigned seed, double duration_s) {
    std::mt19937 random(seed);
    std::uniform_real_distribution<double> share(0, 1);
    std::normal_distribution<double> noise;
    sound made;
    while (made.size() < at(duration_s)) {
        const auto length = static_cast<std::size_t>(1'000 + 3'000 * share(random));
        const double loud = share(random) < 0.25 ? 0.0003 : 0.1 + 0.3 * share(random);
        const double w = 2 * 3.14159265 * (200 + 3'000 * share(random)) / rate;
        double a = 0, b = 0;
        for (std::size_t i = 0; i < length && made.size() < at(duration_s); ++i) {
            const double y = noise(random) * 0.1 + 1.9 * std::cos(w) * a - 0.9025 * b;
            b = a;
            a = y;
            made.push_back(static_cast<float>(std::clamp(loud * y, -0.9, 0.9)));
        }
    }
    return made;
}

void add(sound& to, const sound& what, double at_s, double db) {
    to.resize(std::max(to.size(), at(at_s) + what.size()));
    const auto gain = static_cast<float>(std::pow(10, db / 20));
    for (std::size_t i = 0; i < what.size(); ++i) to[at(at_s) + i] += gain * what[i];
}

// From a speaker through a room to a microphone: 10 dB quieter, with reflections.
sound echo_of(const sound& played, double delay_s) {
    sound heard;
    for (const auto& [behind_s, db] :
         {std::pair{0.0, -10.0}, {0.004, -18.0}, {0.011, -19.0}, {0.023, -22.0}, {0.05, -26.0}})
        add(heard, played, delay_s + behind_s, db);
    return heard;
}

struct outcome {
    sound left;
    std::vector<bool> own;  // by frame
    double own_share(double from_s, double to_s) const {
        const auto frame = [](double s) { return static_cast<std::ptrdiff_t>(at(s) / vad_frame_samples); };
        return static_cast<double>(std::count(own.begin() + frame(from_s), own.begin() + frame(to_s), true)) /
               static_cast<double>(frame(to_s) - frame(from_s));
    }
};

double power(const sound& of, double from_s, double to_s) {
    double sum = 1e-12;
    for (auto i = at(from_s); i < std::min(of.size(), at(to_s)); ++i) sum += of[i] * of[i];
    return sum;
}

double db(double ratio) { return 10 * std::log10(ratio); }

outcome hear(echo_canceller& with, const sound& microphone, std::size_t from = 0) {
    outcome made;
    made.left = microphone;
    for (auto i = from; i + vad_frame_samples <= microphone.size(); i += vad_frame_samples) {
        const auto come = start + milliseconds{(i + vad_frame_samples) * 1000 / rate};
        made.own.push_back(
            with.take_out(std::span<float, vad_frame_samples>(made.left.data() + i, vad_frame_samples), come));
    }
    return made;
}

outcome hear(const sound& played, const sound& microphone) {
    echo_canceller canceller;
    canceller.will_play(7, played, start);
    canceller.plays(7, start);
    return hear(canceller, microphone);
}

sound quiet_room(double duration_s) {
    std::mt19937 random(3);
    std::normal_distribution<float> noise(0, 0.0003F);
    sound made(at(duration_s));
    for (float& x : made) x = noise(random);
    return made;
}

class EchoCanceller : public testing::TestWithParam<double> {};  // by the delay, in seconds

TEST_P(EchoCanceller, LeavesLittleOfAnAnswer) {
    const auto answer = talk(1, 6);
    auto microphone = quiet_room(6);
    add(microphone, echo_of(answer, GetParam()), 0, 0);

    const auto heard = hear(answer, microphone);

    EXPECT_GT(db(power(microphone, 2, 6) / power(heard.left, 2, 6)), 15);
    EXPECT_GT(heard.own_share(GetParam() + 0.2, 6), 0.93);
}

TEST_P(EchoCanceller, LeavesWhatSomebodySaysOverIt) {
    const auto answer = talk(1, 6), person = talk(2, 1.5);
    auto microphone = quiet_room(6);
    add(microphone, echo_of(answer, GetParam()), 0, 0);
    sound alone(microphone.size());
    add(alone, person, 2, -10);
    add(microphone, person, 2, -10);

    const auto heard = hear(answer, microphone);

    sound wrong = heard.left;
    for (std::size_t i = 0; i < wrong.size(); ++i) wrong[i] -= alone[i];
    EXPECT_GT(db(power(alone, 2, 3.5) / power(wrong, 2, 3.5)), 8);
    EXPECT_LT(heard.own_share(2.05, 3.4), 0.4);  // they pause, too
    EXPECT_GT(heard.own_share(4.2, 5.9), 0.9);
}
INSTANTIATE_TEST_SUITE_P(Delays, EchoCanceller, testing::Values(0.04, 0.1, 0.2, 0.5));

TEST(EchoCanceller, LeavesAloneWhatIsNoEcho) {
    const auto answer = talk(1, 4), person = talk(3, 4);
    auto microphone = quiet_room(4);
    add(microphone, person, 0, 0);

    const auto heard = hear(answer, microphone);

    EXPECT_LT(heard.own_share(0.5, 4), 0.05);
    EXPECT_TRUE(std::ranges::equal(heard.left, microphone)) << "nothing of it was played";
}

TEST(EchoCanceller, TakesOutNothingThatWasCalledOff) {
    const auto answer = talk(1, 20), person = talk(2, 3);
    auto echo = echo_of(answer, 0.1);
    echo.resize(at(3));  // the speaker stops
    auto microphone = quiet_room(6.4);
    add(microphone, echo, 0, 0);
    add(microphone, person, 3.4, -3);
    echo_canceller canceller;
    canceller.will_play(7, answer, start);
    canceller.plays(7, start);
    const sound first(microphone.begin(), microphone.begin() + at(3.2));
    hear(canceller, first);
    ASSERT_GT(canceller.taken_db(), 10);
    canceller.stops(7, start + milliseconds{3'000});
    canceller.will_play(7, talk(5, 2), start + milliseconds{3'010});  // was on its way

    const auto from = at(3.2) / vad_frame_samples * vad_frame_samples;
    const auto heard = hear(canceller, microphone, from);

    sound changed = heard.left;
    for (std::size_t i = 0; i < changed.size(); ++i) changed[i] -= microphone[i];
    EXPECT_GT(db(power(microphone, 3.4, 6.4) / power(changed, 3.4, 6.4)), 20);
}

TEST(EchoCanceller, MakesNothingLouderWhenTheSpeakerFellSilentUntold) {
    const auto answer = talk(1, 20), person = talk(2, 3);
    auto echo = echo_of(answer, 0.1);
    echo.resize(at(3));
    auto microphone = quiet_room(8);
    add(microphone, echo, 0, 0);

    const auto heard = hear(answer, microphone);

    EXPECT_LT(db(power(heard.left, 4, 8) / power(microphone, 4, 8)), 12) << "a few frames are let pass";
    EXPECT_LT(power(heard.left, 5, 8), 0.02 * power(echo, 0, 3)) << "and then it gives up";
}

TEST(EchoCanceller, FindsTheEchoAgainWhereFramesWereLost) {
    const auto answer = talk(1, 12);
    auto echo = echo_of(answer, 0.1);
    echo.erase(echo.begin() + at(4), echo.begin() + at(4.15));
    auto microphone = quiet_room(11);
    add(microphone, echo, 0, 0);
    microphone.resize(at(11));

    const auto heard = hear(answer, microphone);

    EXPECT_GT(db(power(microphone, 2, 4) / power(heard.left, 2, 4)), 15);
    EXPECT_GT(db(power(microphone, 8, 11) / power(heard.left, 8, 11)), 15);
}

// A lesson that has somebody else's words in it spoils the filter for a second after them, and what it leaves then is
// taken for more of their words.
TEST(EchoCanceller, LearnsNothingFromWhatSomebodyElseSays) {
    double taken_db = 0, own = 0;
    constexpr std::array moments_s{0.7, 1.5, 2.0};
    constexpr unsigned seeds = 3;
    for (const double begins_s : moments_s)
        for (unsigned seed = 0; seed < seeds; ++seed) {
            const auto answer = talk(1 + 10 * seed, 6), person = talk(2 + 10 * seed, 0.5);
            auto microphone = quiet_room(6);
            add(microphone, echo_of(answer, 0.1), 0, 0);
            add(microphone, person, begins_s, 0);

            const auto heard = hear(answer, microphone);

            const double after_s = begins_s + 1;
            taken_db += db(power(microphone, after_s, after_s + 1.2) / power(heard.left, after_s, after_s + 1.2));
            own += heard.own_share(after_s, after_s + 1.2);
        }
    EXPECT_GT(taken_db / (moments_s.size() * seeds), 20);
    EXPECT_GT(own / (moments_s.size() * seeds), 0.95);
}

// A speaker and a microphone on different devices.
TEST(EchoCanceller, FollowsClocksThatDriftApart) {
    constexpr double drift = 50e-6;
    const auto answer = talk(1, 12);
    const auto echo = echo_of(answer, 0.1);
    auto microphone = quiet_room(11);
    for (std::size_t i = 0; i < microphone.size(); ++i) {
        const double there = static_cast<double>(i) * (1 + drift);
        const auto before = static_cast<std::size_t>(there);
        const auto share = static_cast<float>(there - std::floor(there));
        microphone[i] += (1 - share) * echo[before] + share * echo[before + 1];
    }

    const auto heard = hear(answer, microphone);

    EXPECT_GT(db(power(microphone, 2, 11) / power(heard.left, 2, 11)), 10);
    EXPECT_GT(heard.own_share(1, 11), 0.9);
}

}  // namespace
}  // namespace loqa::audio
