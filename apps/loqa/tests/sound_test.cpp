#include "../sound.hpp"

#include <gtest/gtest.h>

#include "loqa/audio/pcm.hpp"
#include "loqa/base/ids.hpp"

namespace loqa::cli {
namespace {

audio::clip counting(int rate_hz, int channels, int samples) {
    audio::clip clip{.sample_rate_hz = rate_hz, .channels = channels, .samples = {}};
    for (int i = 0; i < samples * channels; ++i) clip.samples.push_back(static_cast<std::int16_t>(i + 1));
    return clip;
}

TEST(Spoken, ComesInBlocksOfTwentyMillisecondsThenSilence) {
    // A clock that stands at its beginning: no block has to be waited for.
    manual_clock clock;
    const auto clip = counting(16'000, 2, 500);
    const auto source = spoken(clip, clock);
    std::string heard;
    for (int i = 0; i < 4; ++i) {
        const auto block = source->read({});
        ASSERT_TRUE(block && *block);
        EXPECT_EQ((*block)->size(), 320u * 2 * 2);
        heard += **block;
        EXPECT_EQ(source->ended().has_value(), i >= 1) << "the second block has the last of 500 samples";
    }
    const auto samples = audio::from_s16le(heard);
    EXPECT_TRUE(std::equal(clip.samples.begin(), clip.samples.end(), samples.begin()));
    EXPECT_TRUE(std::all_of(samples.begin() + 1000, samples.end(), [](auto s) { return s == 0; }));
    EXPECT_EQ(*source->ended() - steady_time{}, std::chrono::microseconds(31'250));
}

TEST(Spoken, TakesAsLongAsItIs) {
    const real_clock clock;
    // 220 samples a block, which is a little less than 20 ms: the blocks must not fall behind the samples.
    const auto source = spoken(counting(11'025, 1, 1'100), clock);
    const auto began = clock.steady();
    for (int i = 0; i < 5; ++i) ASSERT_TRUE(source->read({}));
    EXPECT_GE(clock.steady() - began, milliseconds(99));
    EXPECT_NEAR(to_ms(*source->ended() - began), 1'100 / 11.025, 1.0);
}

TEST(Spoken, CanBeStopped) {
    const real_clock clock;
    const auto source = spoken(counting(16'000, 1, 16'000), clock);
    std::stop_source stop;
    stop.request_stop();
    const auto block = source->read(stop.get_token());
    ASSERT_TRUE(block);
    EXPECT_FALSE(*block);
}

class WavFile : public testing::Test {
protected:
    WavFile() { fs::create_directory(folder_); }
    ~WavFile() override { fs::remove_all(folder_); }
    const fs::path folder_ = fs::temp_directory_path() / ("loqa-wav-" + random_hex(4));
};

TEST_F(WavFile, HasWhatWasPlayed) {
    auto file = wav_file(folder_ / "a.wav");
    ASSERT_TRUE(file);
    ASSERT_TRUE((*file)->play(audio::to_s16le(counting(22'050, 1, 100).samples), {22'050, 1}));
    ASSERT_TRUE((*file)->play(audio::to_s16le(counting(22'050, 1, 50).samples), {22'050, 1}));
    EXPECT_FALSE(fs::exists(folder_ / "a.wav")) << "never half a file";
    ASSERT_TRUE((*file)->finish());
    const auto clip = audio::read_wav(folder_ / "a.wav");
    ASSERT_TRUE(clip);
    EXPECT_EQ(clip->sample_rate_hz, 22'050);
    EXPECT_EQ(clip->samples.size(), 150u);
}

TEST_F(WavFile, WithoutASoundThereIsNone) {
    auto file = wav_file(folder_ / "a.wav");
    ASSERT_TRUE((*file)->finish());
    EXPECT_EQ((*file)->where(), "");
    EXPECT_FALSE(fs::exists(folder_ / "a.wav"));
}

TEST_F(WavFile, AChangeOfRateIsAnError) {
    auto file = wav_file(folder_ / "a.wav");
    ASSERT_TRUE((*file)->play("ab", {22'050, 1}));
    EXPECT_FALSE((*file)->play("ab", {16'000, 1}));
}

TEST_F(WavFile, WhereNoneCanBeIsKnownBefore) {
    EXPECT_FALSE(wav_file(folder_));
    EXPECT_FALSE(wav_file(folder_ / "no" / "such" / "a.wav"));
}

}  // namespace
}  // namespace loqa::cli
