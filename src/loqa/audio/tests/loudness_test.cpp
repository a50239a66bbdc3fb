#include "loqa/audio/loudness.hpp"

#include <cmath>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace loqa::audio {
namespace {

std::optional<bool> hear(loudness& by, float dbfs, int frames = 1) {
    std::vector<float> samples(vad_frame_samples);
    const float peak = std::sqrt(2.0F) * std::pow(10.0F, dbfs / 20);
    for (std::size_t i = 0; i < samples.size(); ++i)
        samples[i] = peak * std::sin(0.14F * static_cast<float>(i));  // a whole number of periods, nearly
    std::optional<bool> said;
    for (int i = 0; i < frames; ++i) said = by.push(vad_frame(samples.data(), vad_frame_samples));
    return said;
}

struct loudness_case {
    std::string name;
    float background_db, speech_db, then_db;
    std::optional<bool> loud;
};

class Loudness : public testing::TestWithParam<loudness_case> {};

TEST_P(Loudness, TellsTheEndOfSpeechWhereItCan) {
    const auto& [name, background_db, speech_db, then_db, loud] = GetParam();
    loudness by;
    hear(by, background_db, 30);
    by.begin();
    hear(by, speech_db, 30);
    EXPECT_EQ(hear(by, then_db), loud);
}

INSTANTIATE_TEST_SUITE_P(Rooms, Loudness,
                         testing::Values(loudness_case{"speech_goes_on", -60, -20, -25, true},
                                         loudness_case{"the_end_of_a_word_is_still_speech", -60, -20, -44, true},
                                         loudness_case{"a_quiet_room_after_speech", -60, -20, -58, false},
                                         loudness_case{"digital_silence", -90, -20, -90, false},
                                         loudness_case{"a_quiet_microphone", -70, -40, -66, false},
                                         loudness_case{"speech_over_a_fan", -38, -20, -32, std::nullopt},
                                         loudness_case{"a_fan_28_db_below", -48, -20, -47, false},
                                         loudness_case{"speech_in_noise", -30, -20, -30, std::nullopt}),
                         [](const auto& test) { return test.param.name; });

TEST(LoudnessOfAnother, OverAFanOnlyALittleOfNothingElseIsTheEndOfAWord) {
    loudness by;
    hear(by, -36, 30);
    by.begin();
    hear(by, -20, 30);
    EXPECT_EQ(hear(by, -35, 2), std::nullopt);
    EXPECT_EQ(hear(by, -34), false);
    EXPECT_EQ(hear(by, -30), std::nullopt);
}

TEST(LoudnessOfAnother, TheNextUtteranceIsMeasuredByItself) {
    loudness by;
    hear(by, -65, 30);
    hear(by, -10, 30);
    by.begin();
    EXPECT_EQ(hear(by, -38), true);
}

TEST(LoudnessOfAnother, ABackgroundThatComesUpIsNoticedInTime) {
    loudness by;
    hear(by, -70, 30);
    by.begin();
    hear(by, -20, 5);
    EXPECT_EQ(hear(by, -35), true);
    for (int i = 0; i < 500; ++i) hear(by, -35);  // 16 s
    hear(by, -20);
    EXPECT_EQ(hear(by, -35), std::nullopt);
}

}  // namespace
}  // namespace loqa::audio
