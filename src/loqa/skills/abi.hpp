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
#include "loqa/skills/manifest.hpp"
#include "loqa/skills/storage.hpp"

namespace loqa::skills {

namespace permission {
inline constexpr std::string_view bus_publish = "bus:publish";
inline constexpr std::string_view bus_subscribe = "bus:subscribe";
inline constexpr std::string_view bus_request = "bus:request";
}  // namespace permission

namespace capability {
inline constexpr std::string_view storage = "capabilities.storage.kv";
}  // namespace capability

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

    std::string answer;  // what the last call found, for the guest to fetch
    int requests = 0;
    int log_lines = 0, log_bytes = 0;
    int publishes = 0, publish_bytes = 0;
    std::uint64_t denied = 0;  // calls that the manifest or the limits forbade
};

std::span<const host_function> host_functions();
const host_function* find_host_function(std::string_view module, std::string_view name);  // null when there is none

}  // namespace loqa::skills
