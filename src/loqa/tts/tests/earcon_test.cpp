#include "loqa/tts/earcon.hpp"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

namespace loqa::tts {
namespace {

class silent_speech final : public speech {
public:
    result<piece> next() override { return piece{.samples = {0.5F}, .last = true}; }
};
class words_only final : public voice {
public:
    std::string name() const override { return "words"; }
    int sample_rate_hz() const override { return 16'000; }
    result<std::unique_ptr<speech>> speak(std::string_view) override { return std::make_unique<silent_speech>(); }
};

TEST(Earcon, IsAShortSoundThatNeitherClicksNorClips) {
    words_only below;
    const auto voice = with_earcons(below);
    const auto samples = say_all(*voice, earcon_done);
    ASSERT_TRUE(samples);
    EXPECT_GT(samples->size(), 1'600u);
    EXPECT_LT(samples->size(), 8'000u);
    EXPECT_NEAR(samples->front(), 0, 0.01);
    EXPECT_NEAR(samples->back(), 0, 0.02);
    const auto loudest = *std::ranges::max_element(*samples, {}, [](float s) { return std::abs(s); });
    EXPECT_GT(std::abs(loudest), 0.1F);
    EXPECT_LT(std::abs(loudest), 0.5F);
}

TEST(Earcon, WordsAreLeftToTheVoice) {
    words_only below;
    const auto voice = with_earcons(below);
    EXPECT_EQ(say_all(*voice, "done").value(), std::vector<float>{0.5F});
    EXPECT_EQ(voice->name(), "words");
}

}  // namespace
}  // namespace loqa::tts
