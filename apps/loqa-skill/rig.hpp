// One skill in the real host, with a bus in memory around it: what `run` and `test` stand on.
//
// The host is the one of loqad, with all its checks and limits; the bus, the home, the other end of HTTP and what asked
// programs answer are what the surroundings say. Everything is kept in a folder of its own, which goes with the rig.
// One thread.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "loqa/base/clock.hpp"
#include "loqa/base/files.hpp"
#include "loqa/base/result.hpp"

namespace loqa::skill_app {

using nlohmann::json;

// What comes from outside, as the skill's author says it.
struct surroundings {
    std::map<std::string, std::string> config, secrets;  // config as YAML; {{http}} is the address of what answers HTTP
    std::map<std::string, std::string> kept;             // values from before
    std::map<std::string, std::string> timers;           // of its own, that run: names and payloads
    json home = json::object();                          // what home.get answers
    std::vector<std::pair<std::string, json>> answers;   // of whom it asks on the bus: subject or pattern, and answer
    struct http_answer {
        std::string request;  // "GET /api/states"
        int status = 200;
        std::string body;
    };
    std::vector<http_answer> http;  // the first that fits answers, until there is another; more than one take turns
};

struct happening {
    enum class kind : std::uint8_t { intent, message, timer, start };
    kind what = kind::message;
    std::string subject;  // of a message; the name of an intent or a timer
    std::string payload;
    bool asks = false;  // somebody waits for an answer
};

struct outcome {
    struct published_message {
        std::string subject, payload;
    };
    struct http_call {
        std::string request;  // "POST /api/services/light/turn_on"
        std::string body;
    };
    std::vector<published_message> published;
    std::optional<std::string> answer;
    std::vector<std::string> log;     // "info: a line"
    std::vector<std::string> denied;  // "publish: x is not in capabilities.bus.publish"
    std::vector<published_message> asked;
    std::vector<http_call> http;
    std::map<std::string, std::int64_t> timers;  // set in it, with their delays in ms
    json learned, updated;                       // what it told of the home; null: nothing
    std::string error, output;                   // of an invocation that failed
    milliseconds wall{};
    microseconds cpu{};
    std::size_t memory_bytes = 0;
};

class rig {
public:
    static result<std::unique_ptr<rig>> open(const fs::path& folder, const surroundings& around);
    virtual ~rig() = default;

    virtual result<outcome> happen(const happening& what) = 0;
    virtual std::map<std::string, std::string> kept() const = 0;

    struct limits {
        milliseconds wall{}, cpu{};
        std::size_t memory_bytes = 0;
    };
    virtual limits allowed() const = 0;
};

}  // namespace loqa::skill_app
