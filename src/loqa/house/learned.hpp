// What others know of the home: floors, areas and things that a source (a skill, say) told of, kept over a restart.
//
// Each source's telling replaces what it told before. In a folder of files, one a source. Safe from any thread.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "loqa/base/files.hpp"
#include "loqa/base/result.hpp"
#include "loqa/intent/home.hpp"
#include "loqa/telemetry/log.hpp"

namespace loqa::house {

inline constexpr std::size_t max_learned_things = 5000;

class learned_homes {
public:
    // A file that cannot be read is said and left out.
    static result<std::unique_ptr<learned_homes>> open(const fs::path& folder, const telemetry::logger& log);

    // Whether floors, areas, things or names are others than before. An empty home takes the source away.
    result<bool> learn(const std::string& source, intent::home what);

    bool empty() const;

    // All of it behind `first`, whose things stay where two have the same id.
    intent::home behind(intent::home first) const;

private:
    explicit learned_homes(fs::path folder) : folder_(std::move(folder)) {}

    const fs::path folder_;
    mutable std::mutex mutex_;
    std::map<std::string, intent::home> by_source_;
};

// As a source tells it, in JSON of the layout that intent::parse_home reads. Names are plain text: what would mean
// something in a sentence template is taken out. too_long for more than max_learned_things.
result<intent::home> parse_learned(std::string_view json);

}  // namespace loqa::house
