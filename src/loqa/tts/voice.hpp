// Speech synthesis engines.
//
// A voice is a loaded model: made once, used by one thread at a time. A speech is one reply on it, in pieces that are
// computed when they are asked for: who wants no more of it asks no more. A speech may not outlive its voice.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "loqa/base/result.hpp"

namespace loqa::tts {

struct piece {
    std::vector<float> samples;  // one channel, in [-1, 1]; may be empty
    bool last = false;
};

class speech {
public:
    virtual ~speech() = default;

    // Not called again after the last piece or an error.
    virtual result<piece> next() = 0;
};

class voice {
public:
    virtual ~voice() = default;
    virtual std::string name() const = 0;
    virtual int sample_rate_hz() const = 0;

    // All that the samples depend on beside the text, such as a hash of the model's files and the settings: what was
    // said is kept on the disk under it. Empty when that cannot be known.
    virtual std::string identity() const { return {}; }

    // The voice that speaks now, where that can change: what is begun with it is ended with it.
    virtual voice& current() { return *this; }

    // Why it is not the voice that is wanted, where it is not.
    virtual std::optional<error> lacking() const { return std::nullopt; }

    // Text without a sound gives one empty piece.
    virtual result<std::unique_ptr<speech>> speak(std::string_view text) = 0;
};

// The whole of it at once: for warming up a voice, and for tests.
result<std::vector<float>> say_all(voice& with, std::string_view text);

}  // namespace loqa::tts
