#include "loqa/skills/abi.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "loqa/skills/calls.hpp"

namespace loqa::skills {

void deny(invocation& of, std::string_view what, std::string_view why) {
    if (++of.denied <= denials_told) tell(of, "skill.denied", {{"call", what}, {"reason", why}});
}

std::optional<std::string_view> text(guest& from, std::size_t at, std::string_view call) {
    auto found = from.bytes(from.u32(at), from.u32(at + 1));
    if (!found) deny(now_of(from), call, "a text is outside the module's memory");
    return found;
}

code code_of(const error& e) {
    switch (e.code) {
        case errc::not_found:
        case errc::unavailable:
            return code::not_found;
        case errc::too_long:
        case errc::busy:
            return code::beyond_limits;
        case errc::timed_out:
            return code::timed_out;
        case errc::invalid_argument:
        case errc::invalid_message:
            return code::invalid;
        case errc::not_permitted:
            return code::not_allowed;
        default:
            return code::failed;
    }
}

result<void> answer_with(guest& from, result<std::string> found) {
    auto& now = now_of(from);
    now.answer.clear();
    if (!found) return answer(from, code_of(found.error()));
    now.answer = std::move(*found);
    from.answer(static_cast<std::int32_t>(now.answer.size()));
    return {};
}

bool in_trial(invocation& now, std::string_view call) {
    if (now.trial) deny(now, call, "a self-test reaches nothing outside");
    return now.trial;
}

namespace {

// What host_publish answers.
constexpr std::int32_t published = 0;
constexpr std::int32_t not_allowed = 1;
constexpr std::int32_t not_published = 2;

constexpr std::size_t max_log_line_bytes = 16 * 1024;  // as JSON it may be six times as long
// ── The first ABI
// ─────────────────────────────────────────────────────────────────────────────────────────────────────

void log_line(invocation& now, std::string_view call, std::string_view line, std::string_view level) {
    const auto& limits = now.skill.limits;
    const auto room = static_cast<std::size_t>(std::max(limits.log_bytes - now.log_bytes, 0));
    if (now.log_lines >= limits.log_lines || room == 0) return deny(now, call, "more log than its limit");
    const auto kept = line.substr(0, std::min(room, max_log_line_bytes));
    ++now.log_lines;
    now.log_bytes += static_cast<int>(kept.size());
    if (level.empty())
        tell(now, "skill.log", {{"message", kept}});
    else
        tell(now, "skill.log", {{"message", kept}, {"level", level}});
}

result<void> host_log(guest& from) {
    if (const auto line = text(from, 0, "host_log"); line && !line->empty())
        log_line(now_of(from), "host_log", *line, {});
    return {};
}

enum class sent : std::uint8_t { yes, not_allowed, failed, beyond_limits };

sent publish(invocation& now, std::string_view call, std::string_view subject, std::string_view payload) {
    const auto shown = subject.substr(0, max_subject_bytes);
    if (in_trial(now, call)) return sent::not_allowed;
    if (!now.skill.permits(permission::bus_publish)) {
        deny(now, call, "the manifest has no permission bus:publish");
        return sent::not_allowed;
    }
    if (!now.skill.may_publish(subject)) {
        deny(now, call, fmt::format("{} is not in capabilities.bus.publish", shown));
        return sent::not_allowed;
    }
    const auto& limits = now.skill.limits;
    if (now.publishes >= limits.publishes ||
        payload.size() > static_cast<std::size_t>(limits.publish_bytes - now.publish_bytes)) {
        deny(now, call, fmt::format("{}: more messages or bytes than its limits", shown));
        return sent::beyond_limits;
    }
    ++now.publishes;
    now.publish_bytes += static_cast<int>(payload.size());
    if (auto done = now.publish(subject, payload); !done) {
        tell(now, "skill.publish.failed", {{"subject", shown}, {"error", done.error().message}});
        return sent::failed;
    }
    tell(now, "skill.publish", {{"subject", shown}, {"payload_bytes", payload.size()}});
    return sent::yes;
}

result<void> host_publish(guest& from) {
    const auto subject = text(from, 0, "host_publish");
    const auto payload = text(from, 2, "host_publish");
    std::int32_t code = not_published;
    if (subject && payload) {
        const auto how = publish(now_of(from), "host_publish", *subject, *payload);
        code = how == sent::yes ? published : how == sent::not_allowed ? not_allowed : not_published;
    }
    from.answer(code);
    return {};
}

// ── The second ABI
// ────────────────────────────────────────────────────────────────────────────────────────────────────

result<void> log(guest& from) {
    static constexpr std::array<std::string_view, 4> levels = {"debug", "info", "warn", "error"};
    if (const auto line = text(from, 1, "log"))
        log_line(now_of(from), "log", *line, levels[std::min<std::size_t>(from.u32(0), levels.size() - 1)]);
    return {};
}

result<void> publish_v2(guest& from) {
    const auto subject = text(from, 0, "publish");
    const auto payload = text(from, 2, "publish");
    if (!subject || !payload) return answer(from, code::invalid);
    switch (publish(now_of(from), "publish", *subject, *payload)) {
        case sent::yes:
            return answer(from, code::ok);
        case sent::not_allowed:
            return answer(from, code::not_allowed);
        case sent::beyond_limits:
            return answer(from, code::beyond_limits);
        case sent::failed:
            return answer(from, code::failed);
    }
    return answer(from, code::failed);
}

result<void> respond(guest& from) {
    auto& now = now_of(from);
    const auto payload = text(from, 0, "respond");
    if (!payload) return answer(from, code::invalid);
    if (!now.respond) return answer(from, code::not_found);
    if (payload->size() > static_cast<std::size_t>(now.skill.limits.publish_bytes - now.publish_bytes)) {
        deny(now, "respond", "more bytes than its limits");
        return answer(from, code::beyond_limits);
    }
    now.publish_bytes += static_cast<int>(payload->size());
    const auto done = now.respond(*payload);
    tell(now, "skill.respond", {{"payload_bytes", payload->size()}});
    return answer(from, done ? code::ok : code::failed);
}

// Short enough for a process that is asked to end to do so in time.
constexpr milliseconds longest_request{4000};

result<void> request(guest& from) {
    auto& now = now_of(from);
    const auto subject = text(from, 0, "request");
    const auto payload = text(from, 2, "request");
    if (!subject || !payload) return answer(from, code::invalid);
    const auto shown = subject->substr(0, max_subject_bytes);
    if (in_trial(now, "request")) return answer(from, code::not_allowed);
    if (!now.skill.may_request(*subject)) {
        deny(now, "request", fmt::format("{} is not in capabilities.bus.request", shown));
        return answer(from, code::not_allowed);
    }
    if (now.requests >= now.skill.limits.requests) {
        deny(now, "request", "more requests than its limit");
        return answer(from, code::beyond_limits);
    }
    ++now.requests;
    const auto timeout = std::min({milliseconds(from.u32(4)), time_left(from), longest_request});
    if (timeout.count() <= 0 || !now.request) return answer(from, code::timed_out);
    auto found = now.request(*subject, *payload, timeout);
    json told = {{"subject", shown}, {"payload_bytes", payload->size()}};
    if (found)
        told["answer_bytes"] = found->size();
    else
        told["error"] = found.error().message;
    tell(now, "skill.request", told);
    return answer_with(from, std::move(found));
}

result<void> fetch_answer(guest& from) {
    auto& now = now_of(from);
    const auto room = from.room(from.u32(0), from.u32(1));
    if (!room) {
        deny(now, "answer", "the place for it is outside the module's memory");
        return answer(from, code::invalid);
    }
    const auto& found = now.answer;
    const auto part = std::string_view(found).substr(0, room->size());
    std::ranges::copy(part, room->begin());
    from.answer(static_cast<std::int32_t>(part.size()));
    return {};
}

result<void> kv_get(guest& from) {
    const auto key = text(from, 0, "kv_get");
    if (!key) return answer(from, code::invalid);
    return answer_with(from, now_of(from).kept->get(std::string(*key)));
}

result<void> kv_keys(guest& from) {
    const auto prefix = text(from, 0, "kv_keys");
    if (!prefix) return answer(from, code::invalid);
    const auto found = now_of(from).kept->keys(*prefix);
    if (!found) return answer(from, code_of(found.error()));
    return answer_with(from, protocol::dump(*found));
}

result<void> kv_set(guest& from) {
    const auto key = text(from, 0, "kv_set");
    const auto value = text(from, 2, "kv_set");
    if (!key || !value) return answer(from, code::invalid);
    const auto done = now_of(from).kept->set(std::string(*key), *value);
    if (done) return answer(from, code::ok);
    deny(now_of(from), "kv_set", done.error().message);
    return answer(from, code_of(done.error()));
}

result<void> kv_delete(guest& from) {
    const auto key = text(from, 0, "kv_delete");
    if (!key) return answer(from, code::invalid);
    const auto done = now_of(from).kept->remove(std::string(*key));
    return answer(from, done ? code::ok : code_of(done.error()));
}

constexpr host_function functions[] = {
    {"env", "host_log", "(i32, i32)", &host_log},
    {"env", "host_publish", "(i32, i32, i32, i32) -> i32", &host_publish},

    {"loqa", "log", "(i32, i32, i32)", &log},
    {"loqa", "publish", "(i32, i32, i32, i32) -> i32", &publish_v2, permission::bus_publish},
    {"loqa", "respond", "(i32, i32) -> i32", &respond},
    {"loqa", "request", "(i32, i32, i32, i32, i32) -> i32", &request, permission::bus_request, true},
    {"loqa", "answer", "(i32, i32) -> i32", &fetch_answer},
    {"loqa", "kv_get", "(i32, i32) -> i32", &kv_get, capability::storage},
    {"loqa", "kv_keys", "(i32, i32) -> i32", &kv_keys, capability::storage},
    {"loqa", "kv_set", "(i32, i32, i32, i32) -> i32", &kv_set, capability::storage},
    {"loqa", "kv_delete", "(i32, i32) -> i32", &kv_delete, capability::storage},
};

const std::vector<host_function>& all_functions() {
    static const auto all = [] {
        std::vector<host_function> out(std::begin(functions), std::end(functions));
        std::ranges::copy(functions_to_the_outside(), std::back_inserter(out));
        return out;
    }();
    return all;
}

}  // namespace

std::span<const host_function> host_functions() { return all_functions(); }

const host_function* find_host_function(std::string_view module, std::string_view name) {
    const auto& all = all_functions();
    const auto found =
        std::ranges::find_if(all, [&](const host_function& f) { return f.module == module && f.name == name; });
    return found == all.end() ? nullptr : &*found;
}

}  // namespace loqa::skills
