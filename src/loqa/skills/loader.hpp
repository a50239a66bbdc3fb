// From a folder to a skill that can be invoked: read, verified, compiled, configured, tested.
//
// Nothing of a version changes once it is loaded; invocations hold on to the one that they began with. Safe from any
// thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "loqa/base/files.hpp"
#include "loqa/base/result.hpp"
#include "loqa/skills/engine.hpp"
#include "loqa/skills/manifest.hpp"
#include "loqa/skills/service.hpp"
#include "loqa/skills/settings.hpp"
#include "loqa/skills/storage.hpp"

namespace loqa::skills {

// Of a skill, what an update replaces.
struct version {
    manifest about;
    fs::path file;    // its skill.yaml
    fs::path folder;  // absolute
    std::shared_ptr<const program> code;
    std::string signed_by;
    std::string sha256;  // of the module
    bool keeps = false;  // it imports the functions that keep values
    bool waits = false;  // it imports functions that wait for somebody else, or for a time
    config_values config;
    std::vector<http_grant> grants;
};

class loader {
public:
    loader(const service_options& with, engine& on, storage& kept, telemetry::logger log)
        : options_(with), engine_(on), storage_(kept), log_(std::move(log)) {}

    // Every skill.yaml below the folder, in order.
    std::vector<fs::path> find() const;

    // Changes when a file does that load() looks at.
    std::string fingerprint(const fs::path& file) const;

    result<std::shared_ptr<const version>> load(const fs::path& file) const;

private:
    result<std::string> check_signature(const manifest& about, const fs::path& folder, std::string_view text,
                                        std::string_view wasm) const;
    result<void> self_test(const version& of) const;

    const service_options& options_;
    engine& engine_;
    storage& storage_;
    const telemetry::logger log_;
};

// What an invocation finds in its environment.
struct event_words {
    std::string_view kind, subject, payload, reply, id;
};
std::vector<std::pair<std::string_view, std::string>> environment_of(const version& on, const event_words& about);

}  // namespace loqa::skills
