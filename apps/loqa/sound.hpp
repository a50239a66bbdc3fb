// Where a command's sound comes from and goes to: files here, devices in sound_device.hpp.
//
// PCM is 16-bit little-endian, channels interleaved. Each object is used by one thread.
#pragma once

#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "loqa/audio/wav.hpp"
#include "loqa/base/clock.hpp"
#include "loqa/base/files.hpp"
#include "loqa/base/result.hpp"

namespace loqa::cli {

inline constexpr milliseconds block_duration{20};

struct pcm_format {
    int sample_rate_hz = 0;
    int channels = 1;
    bool operator==(const pcm_format&) const = default;
};

// Sound in real time, in blocks of block_duration.
class source {
public:
    virtual ~source() = default;
    virtual pcm_format format() const = 0;

    // Waits until the next block has been heard. Nothing when stopped.
    virtual result<std::optional<std::string>> read(std::stop_token stop) = 0;

    // A microphone, where somebody may begin at any time.
    virtual bool endless() const = 0;

    // When the last block that was read ended what there is to hear; nothing while there is more. From then on read()
    // gives silence.
    virtual std::optional<steady_time> ended() const = 0;
};

// A clip, spoken from the first read() on as if somebody said it into a microphone.
std::unique_ptr<source> spoken(audio::clip clip, const clock& clock);

class sink {
public:
    virtual ~sink() = default;

    // Takes the samples; may wait until there is room for them.
    virtual result<void> play(std::string_view pcm, pcm_format format) = 0;

    // Returns once all has been heard, or stands in the file. `where` is the file; empty for a device.
    virtual result<void> finish() = 0;
    virtual std::string where() const = 0;
};

// The file is written at finish(), whole, and only if there was a sound; that it can be written is checked now.
result<std::unique_ptr<sink>> wav_file(fs::path path);

}  // namespace loqa::cli
