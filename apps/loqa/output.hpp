// Where the answers of one command go: the file that was asked for, else the loudspeaker, else answer.wav.
//
// Owns the sound system, so it must outlive the sinks it gives. Main thread only.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "sound_device.hpp"

namespace loqa::cli {

class output {
public:
    // With more than one answer to a file each has a number: answer-1.wav, answer-2.wav, …
    // `clock` outlives the sinks.
    static result<output> open(const std::optional<fs::path>& file, std::size_t answers, const clock& clock);

    result<std::unique_ptr<sink>> next();

    // Opened when first asked for.
    result<const sound_system*> devices();

private:
    explicit output(const clock& clock) : clock_(&clock) {}

    const clock* clock_;
    fs::path file_;              // empty: the loudspeaker
    bool is_makeshift_ = false;  // nobody asked for the file, and nobody was told of it yet
    std::size_t answers_ = 1;
    std::size_t given_ = 0;
    std::optional<sound_system> devices_;
};

fs::path numbered(const fs::path& file, std::size_t number);

}  // namespace loqa::cli
