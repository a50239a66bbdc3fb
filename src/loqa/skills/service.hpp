// The skills of a node: found in a folder, subscribed on the bus, run when something is theirs to do.
//
// start() loads every skill.yaml below the folder, and from then on what is changed there: a version that loads and
// passes its self-test takes over, one that does not leaves the one before in place. A message on a subject of a skill,
// an intent that it declares, a timer of its own is an invocation: it waits in the skill's own bounded queue until one
// of the service's threads is free, so that a skill that is slow or flooded delays no other. A skill that was prompt
// with what it got last, and cannot wait for anything, is invoked on the bus's thread that brings its message; should
// it take long this time, what comes on the same subject waits once for it, and goes to the other threads from then on.
// One that fails again and again is suspended, which `skill.failed` says, and tried again later. What skills do is
// recorded in the event store. Every function may be called from any thread but a handler of the bus; those that load
// wait for each other.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "loqa/base/clock.hpp"
#include "loqa/base/files.hpp"
#include "loqa/base/result.hpp"
#include "loqa/bus/connection.hpp"
#include "loqa/skills/claims.hpp"
#include "loqa/skills/signature.hpp"
#include "loqa/store/event_store.hpp"
#include "loqa/telemetry/log.hpp"
#include "loqa/telemetry/metrics.hpp"

namespace loqa::skills {

enum class signature_policy : std::uint8_t {
    off,
    warn,     // say it of skills that are not signed; refuse what was changed after it was signed
    require,  // refuse what is not signed with a trusted key
};

struct service_options {
    fs::path directory;
    signature_policy signatures = signature_policy::warn;
    std::vector<trusted_key> trusted;
    fs::path cache;  // of compiled modules
    fs::path file;   // the node's SQLite file, for what skills keep
    fs::path data;   // the node's folder: their configuration, secrets, timers and sentences are in skills/ below it
    fs::path http_certificates;  // trusted beside the system's; empty: none
    int max_concurrency = 4;
    std::string audit_privacy_scope = "local";
    std::size_t queued_per_skill = 256;
    microseconds prompt{500};     // of processor time: what takes less is better not handed to another thread
    int failures_to_suspend = 5;  // in a row
    milliseconds first_suspension{10'000}, longest_suspension{600'000};  // it doubles from one to the next
    milliseconds declare_every{5000};
};

struct service_parts {
    const clock& time;
    bus::connection& bus;
    store::event_store& store;
    telemetry::metrics& metrics;
    telemetry::logger log;
    claims* claimed = nullptr;  // null: nobody wants to know
};

struct skill_status {
    std::string name, version;
    fs::path folder;
    std::string state;      // ready, suspended, disabled, refused, waiting (for nothing but configuration)
    std::string signed_by;  // the key, and whose it is; empty when it is not signed
    std::string error;      // why it was refused, or what failed last
    std::string hint{};     // how to mend that
    std::vector<std::string> intents{};
    std::uint64_t invocations = 0, failures = 0, dropped = 0, denied = 0;
    std::size_t waiting = 0;
    int running = 0;
    microseconds cpu{}, wall{};    // of all its invocations together
    std::size_t memory_bytes = 0;  // the most that one of them had
};

class service {
public:
    static result<std::unique_ptr<service>> start(service_options with, service_parts parts);

    // Ends the subscriptions, stops what runs, drops what waits.
    virtual ~service() = default;

    virtual std::vector<skill_status> list() const = 0;  // by name

    // Takes up what changed in the folder now.
    virtual void rescan() = 0;
    // Loads a skill anew although nothing changed; what keeps it from that. not_found when there is none.
    virtual result<void> reload(const std::string& name) = 0;
    // One that is disabled stays where it is and gets nothing to do, also after a restart.
    virtual result<void> enable(const std::string& name, bool enabled) = 0;
    // Takes a folder over into the skills' own, in place of the version that is there. Answers its name. A new one
    // that lacks nothing but configuration is taken over too, and waits until it has it.
    virtual result<std::string> install(const fs::path& from) = 0;
    // Deletes its folder and its timers; what it keeps, its configuration and its secrets stay.
    virtual result<void> remove(const std::string& name) = 0;
};

// What a skill did last, oldest first, as JSON.
result<std::string> recorded(store::event_store& in, const std::string& skill, std::size_t most);

// The manifest's sentences of every loaded skill: a folder of files for the matcher.
inline fs::path sentences_folder(const fs::path& data) { return data / "skills" / "sentences"; }

}  // namespace loqa::skills
