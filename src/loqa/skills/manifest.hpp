// skill.yaml: what a skill is, what it wants, and what it may.
//
// The fields are loqa-core's, so that its skills run unchanged, and ours beside them. A manifest is read whole: every
// fault is found in one go, with line and column. Value types; safe from any thread.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "loqa/base/files.hpp"
#include "loqa/base/result.hpp"
#include "loqa/skills/engine.hpp"

namespace loqa::skills {

inline constexpr std::size_t max_manifest_bytes = 256 * 1024;

// What one invocation may use. The manifest asks for it, within what the host gives at most.
struct skill_limits {
    run_limits run;
    int log_lines = 200;
    int log_bytes = 64 * 1024;
    int publishes = 200;
    int publish_bytes = 1024 * 1024;
    int requests = 20;
    int storage_bytes = 1024 * 1024;  // of all its values together
    int timers = 20;                  // of the skill, not of one invocation
    int http_calls = 20;
    int http_bytes = 1024 * 1024;  // sent and received
};

// An intent that the skill answers for.
struct skill_intent {
    std::string name;
    std::string confirm;  // what is asked first, with {slot} for what was said; empty: nothing is asked
};

// One value that whoever runs the skill may set.
struct config_key {
    enum class kind : std::uint8_t { text, integer, number, boolean, list };
    std::string name;
    kind type = kind::text;
    bool required = false;
    std::optional<std::string> fallback;  // as text; a list as JSON
    double least = std::numeric_limits<double>::lowest(), most = std::numeric_limits<double>::max();
    std::vector<std::string> one_of;
};

// Where the skill may send HTTP requests, as the manifest has it.
struct http_entry {
    std::string url;           // scheme://host[:port][/path], or {{config:KEY}}
    bool private_too = false;  // a name that leads to an address inside the house
};

struct manifest {
    std::string name, version, description, author;
    std::vector<std::string> tags;

    std::string mode, module, entrypoint, host_version;

    std::vector<std::string> publish, subscribe, request;  // subjects; those to publish to and ask may be patterns
    bool durable = false;                                  // what comes on `subscribe` is kept until it was worked on
    bool storage = false, timers = false;
    bool start = false;  // an invocation when it is loaded
    std::vector<skill_intent> intents;
    std::string sentences;  // how they are asked for: a document of the sentence collection's layout; empty: none
    std::vector<http_entry> http;
    std::vector<config_key> config;
    std::vector<std::string> secrets;
    std::vector<std::string> permissions;
    bool voice = false, display = false, automations = false;
    skill_limits limits;

    bool permits(std::string_view permission) const;
    bool may_publish(std::string_view subject) const;  // has bus:publish, and the subject is one of publish
    bool may_request(std::string_view subject) const;  // has bus:request, and the subject is one of request
    bool grants(std::string_view need) const;          // a permission, or a capability by its path in the file

    const skill_intent* find_intent(std::string_view name) const;  // null when it is none of the skill's
    const config_key* find_config(std::string_view name) const;
};

// One thing that is wrong, or that has no effect.
struct remark {
    int line = 0, column = 0;  // from 1; 0 where it is about the file as a whole
    std::string what;

    std::string at(std::string_view file) const;  // "skill.yaml:3:5: …"
};

struct parsed_manifest {
    manifest value;
    std::vector<remark> faults;    // empty: it is valid
    std::vector<remark> warnings;  // fields and permissions that this host does not know
};

parsed_manifest parse_manifest(std::string_view text);

// invalid_config with a line for each fault; `file` is what they name.
result<manifest> valid_manifest(std::string_view text, const fs::path& file);

// Where the module of the manifest in `folder` is; not_permitted when that is outside the folder, by way of a link too.
result<fs::path> module_path(const manifest& of, const fs::path& folder);

// What of a module does not go with its manifest: imports that are not there or not permitted, an entrypoint that is
// missing or has arguments.
std::vector<std::string> mismatches(const manifest& wanted, const module_facts& module);

// "a.*.c" and "a.>" match as on the bus.
bool subject_matches(std::string_view pattern, std::string_view subject);

}  // namespace loqa::skills
