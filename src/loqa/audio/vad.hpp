// Voice activity: how likely it is that somebody speaks, frame by frame.
//
// A voice_model is loaded once and shared by any number of threads. A voice_detector follows one stream of samples and
// is used by one thread at a time; it may not outlive its model.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "loqa/base/clock.hpp"
#include "loqa/base/files.hpp"
#include "loqa/base/result.hpp"

namespace loqa::audio {

// What engines of this project hear: one channel, 16 000 samples a second.
inline constexpr int speech_rate_hz = 16'000;

inline constexpr std::size_t vad_frame_samples = 512;
inline constexpr milliseconds vad_frame_duration{vad_frame_samples * 1000 / speech_rate_hz};

using vad_frame = std::span<const float, vad_frame_samples>;

class voice_detector {
public:
    virtual ~voice_detector() = default;

    // The probability, 0..1, that this frame is speech. Nothing while the detector has not heard enough to tell: that
    // is neither speech nor silence.
    virtual result<std::optional<float>> score(vad_frame frame) = 0;

    // Forgets what it heard: the next frame begins another stream.
    virtual void reset() = 0;
};

class voice_model {
public:
    virtual ~voice_model() = default;
    virtual std::unique_ptr<voice_detector> start() = 0;
};

// Silero VAD in its 16 kHz form (silero_vad_16k_op15.onnx): 0.2 ms of one thread for each frame. `name` is a folder, or
// the name of an installed model.
result<std::unique_ptr<voice_model>> load_silero(std::string_view name);

}  // namespace loqa::audio
