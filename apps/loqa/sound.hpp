// Where a command's sound comes from and goes to: files here, devices in sound_device.hpp.
//
// PCM is 16-bit little-endian, channels interleaved. Each object is used by one thread; a loudspeaker has one of its
// own beside.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>

#include "loqa/audio/playout.hpp"
#include "loqa/audio/wav.hpp"
#include "loqa/base/clock.hpp"
#include "loqa/base/files.hpp"
#include "loqa/base/result.hpp"

namespace loqa::cli {

inline constexpr milliseconds block_duration{20};

using pcm_format = audio::playout_format;

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

// What belongs together, as the synthesiser numbers it.
struct part_of {
    std::uint64_t generation = 0;
    int urgency = 0;    // while a higher one sounds, lower ones are quiet
    bool last = false;  // of its generation
};

class sink {
public:
    virtual ~sink() = default;

    // Takes the samples, and does not wait until they are heard. What was flushed is not taken, without a word.
    virtual result<void> play(std::string_view pcm, pcm_format format, const part_of& of) = 0;

    // Of the generations [from, to] nothing more is heard, not of what is buffered nor of what still comes.
    virtual void flush(std::uint64_t from, std::uint64_t to) = 0;

    // No more will come: what is here is played.
    virtual void close() = 0;

    // Told of each generation that was heard to its end, or will not be. From any thread; set before the first play().
    virtual void on_heard(std::function<void(const audio::heard&)> tell) = 0;

    virtual milliseconds left() const = 0;  // of sound that is not heard yet

    // Returns once all has been heard, or stands in the file. `where` is the file; empty for a device.
    virtual result<void> finish() = 0;
    virtual std::string where() const = 0;
};

// The file is written at finish(), whole, and only if there was a sound; that it can be written is checked now. What is
// flushed ends where a loudspeaker would have been by `clock`.
result<std::unique_ptr<sink>> wav_file(fs::path path, const clock& clock);

// Something that plays in real time.
class device {
public:
    virtual ~device() = default;

    // Waits until there is room for the block.
    virtual result<void> write(std::span<const std::int16_t> block) = 0;
};
using open_device = std::function<result<std::unique_ptr<device>>(pcm_format)>;

// Plays on a device, block by block, so that a flush is heard within two blocks and what the device itself holds.
// `opened` is for sound of the format `expected`; for another one a device is opened when it comes.
std::unique_ptr<sink> loudspeaker(std::unique_ptr<device> opened, pcm_format expected, open_device open);

}  // namespace loqa::cli
