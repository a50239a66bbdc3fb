#include "../sound.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>

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

class Loudspeaker : public testing::Test {
protected:
    // Holds what it is given, and lets one block through a turn of the handle.
    class hand_organ final : public device {
    public:
        explicit hand_organ(Loudspeaker& owner) : owner_(owner) {}
        result<void> write(std::span<const std::int16_t> block) override {
            std::unique_lock lock(owner_.mutex_);
            owner_.written_.insert(owner_.written_.end(), block.begin(), block.end());
            ++owner_.blocks_;
            owner_.changed_.notify_all();
            owner_.changed_.wait(lock, [this] { return owner_.turns_ > 0; });
            --owner_.turns_;
            if (owner_.broken_) return fail(errc::io_failed, "the device is gone");
            return {};
        }

    private:
        Loudspeaker& owner_;
    };

    void SetUp() override {
        speaker_ = loudspeaker(
            std::make_unique<hand_organ>(*this), {1000, 1},
            [this](pcm_format) -> result<std::unique_ptr<device>> { return std::make_unique<hand_organ>(*this); });
        speaker_->on_heard([this](const audio::heard& what) {
            std::lock_guard lock(mutex_);
            heard_.push_back(what);
            changed_.notify_all();
        });
    }
    void TearDown() override {
        turn(1'000'000);
        speaker_.reset();
    }
    void turn(int times) {
        std::lock_guard lock(mutex_);
        turns_ += times;
        changed_.notify_all();
    }
    void wait_for_blocks(int count) {
        std::unique_lock lock(mutex_);
        ASSERT_TRUE(changed_.wait_for(lock, seconds(10), [&] { return blocks_ >= count; }));
    }
    std::vector<audio::heard> wait_for_heard(std::size_t count) {
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, seconds(10), [&] { return heard_.size() >= count; });
        return heard_;
    }
    result<void> play(std::uint64_t generation, std::int16_t value, int samples, bool last, int urgency = 0) {
        const std::vector<std::int16_t> all(static_cast<std::size_t>(samples), value);
        return speaker_->play(audio::to_s16le(all), {1000, 1}, {generation, urgency, last});
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    int turns_ = 0, blocks_ = 0;
    bool broken_ = false;
    std::vector<std::int16_t> written_;
    std::vector<audio::heard> heard_;
    std::unique_ptr<sink> speaker_;
};

TEST_F(Loudspeaker, PlaysWhatItIsGivenAndTellsOfItsEnd) {
    ASSERT_TRUE(play(1, 7, 30, false));
    ASSERT_TRUE(play(1, 8, 10, true));
    turn(2);
    const auto heard = wait_for_heard(1);
    ASSERT_EQ(heard.size(), 1u);
    EXPECT_EQ(heard[0].generation, 1u);
    EXPECT_EQ(heard[0].played, milliseconds(40));
    EXPECT_TRUE(heard[0].completed);
    ASSERT_TRUE(speaker_->finish());
    EXPECT_EQ(written_.size(), 40u);
    EXPECT_EQ(std::ranges::count(written_, 7), 30);
}

// A speaker that has five seconds of an answer is silent two blocks after it is told to be, for good.
TEST_F(Loudspeaker, WhatIsFlushedStopsWithinTwoBlocksAndNeverComesBack) {
    ASSERT_TRUE(play(1, 7, 5'000, false));
    wait_for_blocks(1);
    speaker_->flush(1, 1);
    ASSERT_TRUE(play(1, 7, 500, true));  // what was on its way
    ASSERT_TRUE(play(2, 9, 40, true));
    turn(100);
    const auto heard = wait_for_heard(2);
    ASSERT_EQ(heard.size(), 2u);
    EXPECT_FALSE(heard[0].completed);
    EXPECT_EQ(heard[0].played, milliseconds(20));
    EXPECT_TRUE(heard[1].completed);
    EXPECT_EQ(std::ranges::count(written_, 7), 20) << "the block that the device had";
    EXPECT_EQ(std::ranges::count(written_, 9), 40);
}

TEST_F(Loudspeaker, ABrokenDeviceIsAnErrorAndNoDeadEnd) {
    broken_ = true;
    ASSERT_TRUE(play(1, 7, 5'000, true));
    turn(1);
    EXPECT_FALSE(wait_for_heard(1).at(0).completed);
    EXPECT_FALSE(speaker_->finish());
    EXPECT_FALSE(play(2, 7, 10, true));
}

TEST_F(Loudspeaker, AnotherFormatOpensAnotherDevice) {
    turn(1'000);
    ASSERT_TRUE(play(1, 7, 20, true));
    const std::vector<std::int16_t> other(80, 9);
    ASSERT_TRUE(speaker_->play(audio::to_s16le(other), {2000, 2}, {2, 0, true}));
    EXPECT_EQ(wait_for_heard(2).back().played, milliseconds(20));
}

class WavFile : public testing::Test {
protected:
    WavFile() { fs::create_directory(folder_); }
    ~WavFile() override { fs::remove_all(folder_); }
    const fs::path folder_ = fs::temp_directory_path() / ("loqa-wav-" + random_hex(4));
    const real_clock clock_;
};

TEST_F(WavFile, HasWhatWasPlayed) {
    auto file = wav_file(folder_ / "a.wav", clock_);
    ASSERT_TRUE(file);
    ASSERT_TRUE((*file)->play(audio::to_s16le(counting(22'050, 1, 100).samples), {22'050, 1}, {}));
    ASSERT_TRUE((*file)->play(audio::to_s16le(counting(22'050, 1, 50).samples), {22'050, 1}, {}));
    EXPECT_FALSE(fs::exists(folder_ / "a.wav")) << "never half a file";
    ASSERT_TRUE((*file)->finish());
    const auto clip = audio::read_wav(folder_ / "a.wav");
    ASSERT_TRUE(clip);
    EXPECT_EQ(clip->sample_rate_hz, 22'050);
    EXPECT_EQ(clip->samples.size(), 150u);
}

TEST_F(WavFile, WithoutASoundThereIsNone) {
    auto file = wav_file(folder_ / "a.wav", clock_);
    ASSERT_TRUE((*file)->finish());
    EXPECT_EQ((*file)->where(), "");
    EXPECT_FALSE(fs::exists(folder_ / "a.wav"));
}

TEST_F(WavFile, AChangeOfRateIsAnError) {
    auto file = wav_file(folder_ / "a.wav", clock_);
    ASSERT_TRUE((*file)->play("ab", {22'050, 1}, {}));
    EXPECT_FALSE((*file)->play("ab", {16'000, 1}, {}));
}

TEST_F(WavFile, OfAnAnswerThatIsFlushedItHasWhatWasHeardByThen) {
    manual_clock clock;
    auto file = wav_file(folder_ / "a.wav", clock);
    std::vector<audio::heard> heard;
    (*file)->on_heard([&](const audio::heard& what) { heard.push_back(what); });
    ASSERT_TRUE((*file)->play(audio::to_s16le(counting(8000, 1, 40'000).samples), {8000, 1}, {1, 0, false}));
    clock.advance(milliseconds(300));
    (*file)->flush(1, 1);
    ASSERT_TRUE((*file)->play(audio::to_s16le(counting(8000, 1, 100).samples), {8000, 1}, {1, 0, true}));
    ASSERT_TRUE((*file)->play(audio::to_s16le(counting(8000, 1, 400).samples), {8000, 1}, {2, 0, true}));
    ASSERT_TRUE((*file)->finish());
    EXPECT_EQ(audio::read_wav(folder_ / "a.wav")->samples.size(), 2'800u);
    ASSERT_EQ(heard.size(), 2u);
    EXPECT_EQ(heard[0].played, milliseconds(300));
    EXPECT_FALSE(heard[0].completed);
    EXPECT_EQ(heard[1].played, milliseconds(50));
    EXPECT_TRUE(heard[1].completed);
}

TEST_F(WavFile, WhereNoneCanBeIsKnownBefore) {
    EXPECT_FALSE(wav_file(folder_, clock_));
    EXPECT_FALSE(wav_file(folder_ / "no" / "such" / "a.wav", clock_));
}

}  // namespace
}  // namespace loqa::cli
