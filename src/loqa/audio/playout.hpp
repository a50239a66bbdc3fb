// What a speaker has been given to play, until it is heard.
//
// The bus's side pushes samples as they come, each with the number of what it belongs to, its generation; the device's
// side reads as many as it needs now. A flush drops generations for good: what is still on its way when they are
// flushed is not taken any more. When several generations sound at once the most urgent is as loud as it is, and the
// others are quiet. What became of each generation is told once: played to its end, or how much of it. Holds a bounded
// amount of sound. Safe from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <span>
#include <vector>

#include "loqa/base/clock.hpp"

namespace loqa::audio {

struct playout_format {
    int sample_rate_hz = 0;
    int channels = 1;
    bool operator==(const playout_format&) const = default;
};

struct heard {
    std::uint64_t generation = 0;
    milliseconds played{0};
    bool completed = false;
};

class playout {
public:
    // Samples are interleaved. `most` is how much sound it holds of one generation; more is dropped and counted.
    playout(playout_format format, milliseconds most);

    // False when the generation was flushed. `urgency`: higher ones make lower ones quiet.
    bool push(std::uint64_t generation, int urgency, std::span<const std::int16_t> samples, bool last);

    // Generations in [from, to] are dropped, now and when they come later.
    void flush(std::uint64_t from, std::uint64_t to);

    // No more will come: what there is is played, and counts as broken off where its end had not come.
    void close();

    // Fills `out`, with silence where there is nothing. Gives how many samples there were.
    std::size_t read(std::span<std::int16_t> out);

    // What has ended since the last call.
    std::vector<heard> take_ended();

    bool idle() const;          // nothing is to be heard, nor waited for
    milliseconds left() const;  // of sound
    std::size_t dropped() const;

private:
    struct voice {
        std::uint64_t generation = 0;
        int urgency = 0;
        std::deque<std::int16_t> samples;
        std::size_t played = 0;
        bool last = false;    // all of it is here
        bool broken = false;  // its end will not come
    };
    struct range {
        std::uint64_t from = 0, to = 0;
    };

    void end(const voice& which, bool completed);
    milliseconds duration(std::size_t samples) const;

    const playout_format format_;
    const std::size_t most_;
    mutable std::mutex mutex_;
    std::vector<voice> voices_;
    std::deque<range> flushed_;  // the last few: what is older is on its way no more
    std::vector<heard> ended_;
    std::size_t dropped_ = 0;
};

}  // namespace loqa::audio
