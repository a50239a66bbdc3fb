// How loud each target is, in percent of what a voice makes.
//
// Kept in a file, so that a target is as loud after a restart as before. Louder than the voice itself is possible: what
// would not fit is rounded off rather than clipped. Safe from any thread.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>

#include "loqa/base/files.hpp"
#include "loqa/telemetry/log.hpp"

namespace loqa::tts {

class volumes {
public:
    static constexpr int least = 10, most = 200, usual = 100;

    // Reads the file when there is one; a file that cannot be read is logged and replaced at the next change. An empty
    // path keeps nothing.
    volumes(fs::path file, telemetry::logger log);

    // Sets it to `percent`, or changes it by `change`; gives what it is then.
    int change(const std::string& target, std::optional<int> percent, int change);
    int of(const std::string& target) const;

    void apply(const std::string& target, std::span<float> samples) const;

private:
    static constexpr std::size_t max_targets = 1024;

    const fs::path file_;
    const telemetry::logger log_;
    mutable std::mutex mutex_;
    std::map<std::string, int> percent_;  // of targets that are not as usual
};

}  // namespace loqa::tts
