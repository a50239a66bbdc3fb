// The skills of a node: found in a folder, subscribed on the bus, run when a message comes.
//
// start() loads every skill.yaml below the folder; one that cannot be loaded is said and left out. A message on a
// subject of a skill is an invocation: it waits in the skill's own bounded queue until one of the service's threads is
// free, so that a skill that is slow or flooded delays no other. One that fails again and again is suspended, which
// `skill.failed` says, and tried again later. What skills do is recorded in the event store. Every function may be
// called from any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "loqa/base/clock.hpp"
#include "loqa/base/files.hpp"
#include "loqa/base/result.hpp"
#include "loqa/bus/connection.hpp"
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
    int max_concurrency = 4;
    std::string audit_privacy_scope = "local";
    std::size_t queued_per_skill = 256;
    int failures_to_suspend = 5;                                         // in a row
    milliseconds first_suspension{10'000}, longest_suspension{600'000};  // it doubles from one to the next
};

struct service_parts {
    const clock& time;
    bus::connection& bus;
    store::event_store& store;
    telemetry::metrics& metrics;
    telemetry::logger log;
};

struct skill_status {
    std::string name, version;
    fs::path folder;
    std::string state;      // ready, suspended, refused
    std::string signed_by;  // the key, and whose it is; empty when it is not signed
    std::string error;      // why it was refused, or what failed last
    std::uint64_t invocations = 0, failures = 0, dropped = 0;
};

class service {
public:
    static result<std::unique_ptr<service>> start(service_options with, service_parts parts);

    // Ends the subscriptions, stops what runs, drops what waits.
    virtual ~service() = default;

    virtual std::vector<skill_status> list() const = 0;  // by name
};

}  // namespace loqa::skills
