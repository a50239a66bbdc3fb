// A stream of samples from one rate to another.
//
// One object a stream, used by one thread at a time. Equal rates cost a copy.
#pragma once

#include <memory>
#include <vector>

#include "loqa/audio/pcm.hpp"
#include "loqa/base/result.hpp"

namespace loqa::audio {

class resampler {
public:
    static result<resampler> create(int from_hz, int to_hz);
    resampler(resampler&&) noexcept;
    resampler& operator=(resampler&&) noexcept;
    ~resampler();

    int from_hz() const { return from_hz_; }

    // Appends to `out` what can be computed so far; the filter keeps a few milliseconds back. With `last` they come
    // too, and the next call begins a new stream.
    result<void> process(pcm_view in, std::vector<float>& out, bool last = false);

private:
    struct state;
    resampler(int from_hz, int to_hz, std::unique_ptr<state> state);

    int from_hz_;
    int to_hz_;
    std::unique_ptr<state> state_;  // null: the rates are equal
};

}  // namespace loqa::audio
