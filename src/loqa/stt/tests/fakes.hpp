// What stands in for models in the tests of this module.
#pragma once

#include <atomic>
#include <cmath>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "loqa/audio/pcm.hpp"
#include "loqa/audio/vad.hpp"
#include "loqa/stt/recognizer.hpp"

namespace loqa::stt::testing {

// Loud is speech.
class loudness final : public audio::voice_model {
public:
    std::unique_ptr<audio::voice_detector> start() override { return std::make_unique<detector>(*this); }

    std::atomic<bool> fails = false;
    std::atomic<bool> misses = false;  // it takes everything for silence
    std::atomic<bool> lags = false;    // it takes everything for speech
    std::atomic<bool> unsure = false;  // it takes everything for what may be speech

private:
    struct detector final : audio::voice_detector {
        explicit detector(const loudness& owner) : owner_(owner) {}
        result<std::optional<float>> score(audio::vad_frame frame) override {
            if (owner_.fails) return fail(errc::engine_failed, "the detector is broken");
            if (owner_.unsure) return 0.6F;
            return owner_.lags || (audio::rms(frame) > 0.1F && !owner_.misses) ? 0.95F : 0.05F;
        }
        void reset() override {}
        const loudness& owner_;
    };
};

// Reads "N ms": how much sound it was given. Waits while it is held, unless it is interrupted.
class stopwatch final : public recognizer {
public:
    explicit stopwatch(std::size_t at_once = 1) : at_once_(at_once) {}
    std::unique_ptr<stream> start() override { return std::make_unique<input>(*this); }
    std::size_t at_once() const override { return at_once_; }

    void hold() {
        std::lock_guard lock(mutex_);
        held_ = true;
    }
    void release() {
        {
            std::lock_guard lock(mutex_);
            held_ = false;
        }
        changed_.notify_all();
    }
    // Waits until so many readings have begun and are held.
    void wait_for_reading(int count = 1) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return waiting_ >= count; });
    }

    std::atomic<bool> fails = false;
    std::atomic<int> readings = 0;

private:
    struct input final : stream {
        explicit input(stopwatch& owner) : owner_(owner) {}
        result<void> accept(audio::pcm_view samples) override {
            samples_ += samples.size();
            return {};
        }
        result<hypothesis> read() override {
            std::unique_lock lock(owner_.mutex_);
            interrupted_ = false;
            ++owner_.waiting_;
            owner_.changed_.notify_all();
            owner_.changed_.wait(lock, [this] { return !owner_.held_ || interrupted_; });
            --owner_.waiting_;
            if (interrupted_) return fail(errc::cancelled, "interrupted");
            ++owner_.readings;
            if (owner_.fails) return fail(errc::engine_failed, "the engine is broken");
            return hypothesis{std::to_string(samples_ / 16) + " ms", 0.5F};
        }
        result<hypothesis> finish() override { return read(); }
        void interrupt() override {
            {
                std::lock_guard lock(owner_.mutex_);
                interrupted_ = true;
            }
            owner_.changed_.notify_all();
        }

        stopwatch& owner_;
        std::size_t samples_ = 0;
        bool interrupted_ = false;
    };

    const std::size_t at_once_;
    std::mutex mutex_;
    std::condition_variable changed_;
    bool held_ = false;
    int waiting_ = 0;
};

// S16LE of one channel, or of two that are the same.
inline std::string sound(bool loud, milliseconds duration, int rate_hz = 16'000, int channels = 1) {
    std::vector<float> samples;
    const auto moments = static_cast<std::size_t>(duration.count()) * static_cast<std::size_t>(rate_hz) / 1000;
    for (std::size_t i = 0; i < moments; ++i) {
        const float value =
            loud ? 0.5F * std::sin(static_cast<float>(i) * 2200.0F / static_cast<float>(rate_hz)) : 0.0F;
        samples.insert(samples.end(), static_cast<std::size_t>(channels), value);
    }
    return audio::to_s16le(audio::pcm_view(samples));
}

}  // namespace loqa::stt::testing
