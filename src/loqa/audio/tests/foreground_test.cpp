#include "loqa/audio/foreground.hpp"

#include <array>
#include <cmath>

#include <gtest/gtest.h>

namespace loqa::audio {
namespace {

class Foreground : public ::testing::Test {
protected:
    // A tone of a voice's pitch, or a hiss, at so many dBFS.
    void hear(int frames, float db, float score = 1, bool hiss = false) {
        const float level = std::pow(10.0F, db / 20) * std::sqrt(2.0F);
        for (int i = 0; i < frames; ++i) {
            std::array<float, vad_frame_samples> samples{};
            for (std::size_t at = 0; at < samples.size(); ++at)
                samples[at] = hiss ? (at % 2 == 0 ? level : -level) : level * std::sin(static_cast<float>(at) * 0.08F);
            voices_.push(samples, score);
        }
    }
    void hear_nobody(int frames) { hear(frames, -75, 0.01F); }

    foreground voices_;
};

TEST_F(Foreground, WhoGoesOnMuchMoreQuietlyIsSomebodyElse) {
    voices_.begin();
    hear(40, -20);
    EXPECT_FALSE(voices_.far());
    hear(5, -42);
    EXPECT_FALSE(voices_.far());
    EXPECT_EQ(voices_.since_near(), 5);
    hear(5, -42);
    EXPECT_TRUE(voices_.far());
    hear(1, -20);
    EXPECT_FALSE(voices_.far());
    EXPECT_EQ(voices_.since_near(), 0);
}

TEST_F(Foreground, SilenceHissesAndAVoiceThatSinksAreNobodyElse) {
    voices_.begin();
    hear(40, -20);
    hear_nobody(60);
    EXPECT_FALSE(voices_.far());
    hear(10, -20);
    hear(20, -40, 1, true);
    EXPECT_FALSE(voices_.far());
    for (float db = -20; db > -45; db -= 0.25F) hear(1, db);  // 8 dB in a second
    EXPECT_FALSE(voices_.far());
}

TEST_F(Foreground, WhoSpeaksOverSomebodyIsToldApartByLess) {
    for (const bool over_somebody : {false, true}) {
        voices_ = {};
        hear_nobody(10);
        if (over_somebody) hear(12, -30);
        voices_.begin();
        hear(40, -20);
        hear(20, -30);
        EXPECT_EQ(voices_.far(), over_somebody);
    }
}

TEST_F(Foreground, WhoWasFarOffIsNotHeardAgainAsLongAsTheyGoOn) {
    voices_.begin();
    hear(40, -20);
    hear(20, -42);
    voices_.end();
    for (int i = 0; i < 10; ++i) {
        hear(100, -42);
        EXPECT_TRUE(voices_.known_to_be_far());
        hear_nobody(60);
    }
    hear(1, -20);
    EXPECT_FALSE(voices_.known_to_be_far());
    hear_nobody(200);
    hear(1, -42);
    EXPECT_FALSE(voices_.known_to_be_far());
}

TEST_F(Foreground, AQuieterVoiceIsCountedFromTheLastLoudFrame) {
    voices_.begin();
    hear(20, -20);
    EXPECT_EQ(voices_.since_loud(), 0);
    hear(4, -30);
    hear(2, -35, 1, true);
    hear_nobody(3);
    EXPECT_EQ(voices_.since_loud(), 9);
    EXPECT_EQ(voices_.quieter_voice(), 4) << "neither a hiss nor silence is a voice";
    EXPECT_EQ(voices_.since_rise(), 0) << "nobody spoke before";
    hear(1, -24);
    EXPECT_EQ(voices_.since_loud(), 0);
    EXPECT_EQ(voices_.quieter_voice(), 0);
}

TEST_F(Foreground, ALeadIsAVoiceQuieterThanWhatFollowed) {
    for (const int before : {0, 4, 8}) {
        voices_ = {};
        hear_nobody(12);
        hear(before, -29);
        voices_.begin();
        hear(20, -20);
        EXPECT_EQ(voices_.since_rise(), before == 8 ? 20 : 0) << before << " frames before it";
    }
}

TEST_F(Foreground, WhoTurnedOutToBeFarOffIsKnownAfterwards) {
    for (const bool quieter_is_far : {false, true}) {
        voices_ = {};
        voices_.begin();
        hear(20, -20);
        hear(8, -29);
        voices_.end(quieter_is_far);
        EXPECT_EQ(voices_.knows_somebody(), quieter_is_far);
        hear(1, -29);
        EXPECT_EQ(voices_.known_to_be_far(), quieter_is_far);
        hear(1, -22);
        EXPECT_FALSE(voices_.known_to_be_far());
    }
}

}  // namespace
}  // namespace loqa::audio
