#include "loqa/skills/abi.hpp"

#include <algorithm>

#include "loqa/protocol/json.hpp"

namespace loqa::skills {
namespace {

using protocol::json;

// What host_publish answers.
constexpr std::int32_t published = 0;
constexpr std::int32_t not_allowed = 1;
constexpr std::int32_t not_published = 2;

constexpr std::uint32_t max_subject_bytes = 255;
constexpr std::size_t max_log_line_bytes = 16 * 1024;  // as JSON it may be six times as long
constexpr std::uint64_t denials_told = 20;             // of one invocation; more are only counted

void tell(invocation& of, std::string_view type, const json& members) {
    const auto text = protocol::dump(members);
    of.audit(type, std::string_view(text).substr(1, text.size() - 2));
}

void deny(invocation& of, std::string_view what, std::string_view why) {
    if (++of.denied <= denials_told) tell(of, "skill.denied", {{"call", what}, {"reason", why}});
}

result<void> host_log(guest& from) {
    auto& now = *static_cast<invocation*>(from.context());
    const auto text = from.bytes(from.u32(0), from.u32(1));
    if (!text) return deny(now, "host_log", "the text is outside the module's memory"), result<void>();
    if (text->empty()) return {};
    const auto& limits = now.skill.limits;
    const auto room = static_cast<std::size_t>(std::max(limits.log_bytes - now.log_bytes, 0));
    if (now.log_lines >= limits.log_lines || room == 0)
        return deny(now, "host_log", "more log than its limit"), result<void>();
    const auto kept = text->substr(0, std::min(room, max_log_line_bytes));
    ++now.log_lines;
    now.log_bytes += static_cast<int>(kept.size());
    tell(now, "skill.log", {{"message", kept}});
    return {};
}

result<void> host_publish(guest& from) {
    auto& now = *static_cast<invocation*>(from.context());
    const auto answer = [&](std::int32_t code) {
        from.answer(code);
        return result<void>();
    };
    const auto subject = from.bytes(from.u32(0), from.u32(1));
    const auto payload = from.bytes(from.u32(2), from.u32(3));
    if (!subject || !payload) {
        deny(now, "host_publish", "the subject or the payload is outside the module's memory");
        return answer(not_published);
    }
    const auto shown = subject->substr(0, max_subject_bytes);
    if (!now.skill.permits(permission::bus_publish)) {
        deny(now, "host_publish", "the manifest has no permission bus:publish");
        return answer(not_allowed);
    }
    if (!now.skill.may_publish(*subject)) {
        deny(now, "host_publish", fmt::format("{} is not in capabilities.bus.publish", shown));
        return answer(not_allowed);
    }
    const auto& limits = now.skill.limits;
    if (now.publishes >= limits.publishes ||
        payload->size() > static_cast<std::size_t>(limits.publish_bytes - now.publish_bytes)) {
        deny(now, "host_publish", fmt::format("{}: more messages or bytes than its limits", shown));
        return answer(not_published);
    }
    ++now.publishes;
    now.publish_bytes += static_cast<int>(payload->size());
    if (auto sent = now.publish(*subject, *payload); !sent) {
        tell(now, "skill.publish.failed", {{"subject", shown}, {"error", sent.error().message}});
        return answer(not_published);
    }
    tell(now, "skill.publish", {{"subject", shown}, {"payload_bytes", payload->size()}});
    return answer(published);
}

constexpr host_function functions[] = {
    {"env", "host_log", "(i32, i32)", &host_log},
    {"env", "host_publish", "(i32, i32, i32, i32) -> i32", &host_publish},
};

}  // namespace

std::span<const host_function> host_functions() { return functions; }

const host_function* find_host_function(std::string_view module, std::string_view name) {
    const auto found =
        std::ranges::find_if(functions, [&](const host_function& f) { return f.module == module && f.name == name; });
    return found == std::end(functions) ? nullptr : found;
}

}  // namespace loqa::skills
