// What the host offers to skills: the functions that a module may import, and what they do.
//
// The functions see one invocation, which says what the skill may do and takes note of what it did. An invocation
// belongs to the thread that runs it.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "loqa/base/result.hpp"
#include "loqa/skills/engine.hpp"
#include "loqa/skills/http_client.hpp"
#include "loqa/skills/manifest.hpp"
#include "loqa/skills/settings.hpp"
#include "loqa/skills/storage.hpp"

namespace loqa::skills {

namespace permission {
inline constexpr std::string_view bus_publish = "bus:publish";
inline constexpr std::string_view bus_subscribe = "bus:subscribe";
inline constexpr std::string_view bus_request = "bus:request";
inline constexpr std::string_view http = "http:call";
inline constexpr std::string_view home_read = "home:read";
inline constexpr std::string_view home_write = "home:write";
inline constexpr std::string_view events = "event_store:read";
}  // namespace permission

namespace capability {
inline constexpr std::string_view storage = "capabilities.storage.kv";
inline constexpr std::string_view timers = "capabilities.timers";
}  // namespace capability

// The timers of one skill.
class guest_timers {
public:
    virtual ~guest_timers() = default;
    // busy when there are as many as there may be.
    virtual result<void> set(std::string_view name, milliseconds delay, std::string_view payload) = 0;
    virtual result<void> cancel(std::string_view name) = 0;
    virtual result<std::string> list() const = 0;  // as JSON
};

// The reach of one invocation. `audit` is told each thing that the skill did or was denied: an event type and the
// members of a JSON object after invocation_id and skill.
struct invocation {
    const manifest& skill;
    std::function<result<void>(std::string_view subject, std::string_view payload)> publish;
    std::function<void(std::string_view type, std::string_view members)> audit;

    // Both empty where there is nobody to ask or to answer.
    std::function<result<std::string>(std::string_view subject, std::string_view payload, milliseconds timeout)>
        request;
    std::function<result<void>(std::string_view payload)> respond;
    storage_view* kept = nullptr;

    // A self-test: nothing reaches the world outside.
    bool trial = false;
    const config_values* config = nullptr;
    std::function<result<std::string>(std::string_view name)> secret;
    std::function<result<http_response>(const http_request& what, const std::stop_token& stop)> http;
    guest_timers* timers = nullptr;
    std::function<result<std::string>(std::size_t most)> events;  // as JSON

    std::string answer;  // what the last call found, for the guest to fetch
    int requests = 0;
    int log_lines = 0, log_bytes = 0;
    int publishes = 0, publish_bytes = 0;
    int http_calls = 0, http_bytes = 0;
    std::uint64_t denied = 0;  // calls that the manifest or the limits forbade
};

std::span<const host_function> host_functions();
const host_function* find_host_function(std::string_view module, std::string_view name);  // null when there is none

}  // namespace loqa::skills
