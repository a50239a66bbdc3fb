// What the host's functions have in common. Internal to the module; each call belongs to the thread of its guest.
#pragma once

#include <algorithm>
#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "loqa/protocol/json.hpp"
#include "loqa/skills/abi.hpp"
#include "loqa/skills/record.hpp"

namespace loqa::skills {

using protocol::json;

inline constexpr std::size_t max_subject_bytes = 255;
inline constexpr std::uint64_t denials_told = 20;  // of one invocation; more are only counted

// What the functions of the second ABI answer below 0.
enum class code : std::int32_t {
    ok = 0,
    not_allowed = -1,    // the manifest does not list it
    failed = -2,         // the bus, the disk or the network said no
    invalid = -3,        // a text outside the memory, or one that cannot be
    not_found = -4,      // no such value; nobody listens or waits for an answer
    beyond_limits = -5,  // more, or larger, than the limits
    timed_out = -6,
};
code code_of(const error& e);

inline invocation& now_of(guest& from) { return *static_cast<invocation*>(from.context()); }

// Into the record: an event, and that something was forbidden.
inline void tell(invocation& of, std::string_view type, const json& members) { of.audit(type, members_text(members)); }
inline void tell(invocation& of, std::string_view type, std::initializer_list<member> members) {
    of.audit(type, members_text(members));
}
void deny(invocation& of, std::string_view what, std::string_view why);

// Texts that a guest hands over as pointer and length, from argument `at` on; nothing when one is outside its memory,
// which is then recorded.
std::optional<std::string_view> text(guest& from, std::size_t at, std::string_view call);

inline result<void> answer(guest& from, code with) {
    from.answer(static_cast<std::int32_t>(with));
    return {};
}

// The answer is kept for loqa.answer() to fetch; its size goes back at once.
result<void> answer_with(guest& from, result<std::string> found);

// Whether it is a self-test, which is then recorded as a denial of the call.
bool in_trial(invocation& now, std::string_view call);

inline milliseconds time_left(const guest& from) {
    return std::chrono::floor<milliseconds>(from.deadline() - std::chrono::steady_clock::now());
}

// Timers, HTTP, configuration, secrets, the home, events.
std::span<const host_function> functions_to_the_outside();

}  // namespace loqa::skills
