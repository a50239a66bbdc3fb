// Timers, HTTP, configuration, secrets, the home and past events, as a guest calls them.
#include <algorithm>
#include <vector>

#include "loqa/base/text.hpp"
#include "loqa/protocol/subjects.hpp"
#include "loqa/skills/calls.hpp"

namespace loqa::skills {
namespace {

constexpr std::size_t max_timer_name_bytes = 100;
constexpr std::size_t max_timer_payload_bytes = 8 * 1024;
constexpr milliseconds shortest_timer{1000};
constexpr milliseconds longest_timer{std::chrono::days{366}};
constexpr milliseconds longest_http{10'000};
constexpr milliseconds usual_http{5000};
constexpr milliseconds longest_home{2000};
constexpr std::size_t max_request_bytes = 64 * 1024;
constexpr std::size_t max_headers = 64;
constexpr std::size_t least_secret_redacted = 4;  // shorter ones would take words apart
constexpr std::size_t most_events_read = 100;

// ── Timers
// ────────────────────────────────────────────────────────────────────────────────────────────────────────────

result<void> timer_set(guest& from) {
    auto& now = now_of(from);
    const auto name = text(from, 0, "timer_set");
    const auto payload = text(from, 3, "timer_set");
    if (!name || !payload || name->empty() || name->size() > max_timer_name_bytes ||
        payload->size() > max_timer_payload_bytes)
        return answer(from, code::invalid);
    const auto delay_ms = static_cast<std::int64_t>(from.u64(2));
    if (delay_ms > longest_timer.count()) return answer(from, code::invalid);
    if (in_trial(now, "timer_set")) return answer(from, code::not_allowed);
    if (now.timers == nullptr) return answer(from, code::failed);
    const auto delay = std::max(milliseconds(delay_ms), shortest_timer);
    const auto done = now.timers->set(*name, delay, *payload);
    if (done) {
        tell(now, "skill.timer.set", {{"timer", *name}, {"delay_ms", delay.count()}});
        return answer(from, code::ok);
    }
    deny(now, "timer_set", done.error().message);
    return answer(from, code_of(done.error()));
}

result<void> timer_cancel(guest& from) {
    auto& now = now_of(from);
    const auto name = text(from, 0, "timer_cancel");
    if (!name) return answer(from, code::invalid);
    if (in_trial(now, "timer_cancel")) return answer(from, code::not_allowed);
    if (now.timers == nullptr) return answer(from, code::failed);
    const auto done = now.timers->cancel(*name);
    return answer(from, done ? code::ok : code_of(done.error()));
}

result<void> timer_list(guest& from) {
    auto& now = now_of(from);
    if (now.timers == nullptr) return answer(from, code::failed);
    return answer_with(from, now.timers->list());
}

// ── HTTP
// ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

struct used_secret {
    std::string reference, value;
};

// The text with each {{secret:NAME}} in it replaced; what was put in is added to `used`.
result<std::string> with_secrets(invocation& now, std::string text, std::vector<used_secret>& used) {
    constexpr std::string_view begin = "{{secret:", end = "}}";
    for (std::size_t at = 0; (at = text.find(begin, at)) != std::string::npos;) {
        const auto close = text.find(end, at);
        if (close == std::string::npos) break;
        const auto name = text.substr(at + begin.size(), close - at - begin.size());
        if (std::ranges::find(now.skill.secrets, name) == now.skill.secrets.end()) {
            deny(now, "http", fmt::format("{} is not in secrets", name.substr(0, max_subject_bytes)));
            return fail(errc::not_permitted, "{} is not in secrets", name);
        }
        if (!now.secret) return fail(errc::not_found, "there are no secrets");
        auto value = now.secret(name);
        if (!value) return fail(std::move(value));
        used.push_back({text.substr(at, close + end.size() - at), *value});
        text.replace(at, close + end.size() - at, *value);
        at += value->size();
    }
    return text;
}

void hide_secrets(std::string& in, const std::vector<used_secret>& used) {
    for (const auto& [reference, value] : used) {
        if (value.size() < least_secret_redacted) continue;
        for (std::size_t at = 0; (at = in.find(value, at)) != std::string::npos; at += reference.size())
            in.replace(at, value.size(), reference);
    }
}

result<http_request> parse_request(invocation& now, std::string_view text, std::vector<used_secret>& used) {
    if (text.size() > max_request_bytes)
        return fail(errc::invalid_message, "a request has at most {} bytes", max_request_bytes);
    const auto object = protocol::parse_object(text);
    if (!object) return fail(object);
    http_request out{.method = "GET", .url = {}, .headers = {}, .body = {}};
    std::int64_t timeout_ms = usual_http.count();
    protocol::field_reader read(*object);
    read.text("method", out.method, 16)
        .text("url", out.url, 8192, true)
        .integer("timeout_ms", timeout_ms, 1, std::numeric_limits<std::int32_t>::max());
    if (read.failed()) return failure(read.why());
    out.timeout = std::min(milliseconds(timeout_ms), longest_http);
    const auto headers = object->find("headers");
    if (headers == object->end() || headers->is_null()) return out;
    if (!headers->is_object() || headers->size() > max_headers)
        return fail(errc::invalid_message, "headers is not an object of at most {}", max_headers);
    for (const auto& [name, value] : headers->items()) {
        if (!value.is_string()) return fail(errc::invalid_message, "the header {} is not text", name);
        const auto before = used.size();
        auto filled = with_secrets(now, value.get<std::string>(), used);
        if (!filled) return fail(std::move(filled));
        // What proves who asks is for whom it was meant.
        const bool proof = used.size() > before || to_lower(name) == "authorization" || to_lower(name) == "cookie";
        out.headers.push_back({name, std::move(*filled), proof});
    }
    return out;
}

code http_code_of(const error& e) { return e.code == errc::unavailable ? code::failed : code_of(e); }

result<void> http(guest& from) {
    auto& now = now_of(from);
    const auto request = text(from, 0, "http");
    const auto body = text(from, 2, "http");
    if (!request || !body) return answer(from, code::invalid);
    now.answer.clear();
    if (in_trial(now, "http")) return answer(from, code::not_allowed);
    const auto& limits = now.skill.limits;
    const auto room = static_cast<std::size_t>(limits.http_bytes - now.http_bytes);
    if (now.http_calls >= limits.http_calls || body->size() >= room) {
        deny(now, "http", "more requests or bytes than its limits");
        return answer(from, code::beyond_limits);
    }
    std::vector<used_secret> used;
    auto what = parse_request(now, *request, used);
    if (!what) return answer(from, code_of(what.error()));
    if (!now.http) return answer(from, code::failed);
    ++now.http_calls;
    now.http_bytes += static_cast<int>(body->size());
    what->body = *body;
    what->timeout = std::min(what->timeout, time_left(from));
    what->max_bytes = room - body->size();
    const auto began = std::chrono::steady_clock::now();
    auto got = now.http(*what, from.stop());
    const auto took = std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - began);
    // What stands behind the question mark may be anybody's business.
    const auto shown = what->url.substr(0, std::min(what->url.find('?'), max_subject_bytes));
    json told = {{"method", what->method}, {"url", shown}, {"sent_bytes", body->size()}, {"duration_ms", took.count()}};
    if (!got) {
        if (got.error().code == errc::not_permitted) {
            deny(now, "http", got.error().message);
        } else {
            told["error"] = got.error().message;
            tell(now, "skill.http", told);
        }
        return answer(from, http_code_of(got.error()));
    }
    told["status"] = got->status;
    told["received_bytes"] = got->body.size();
    tell(now, "skill.http", told);
    auto taken = got->body.size();
    for (const auto& [name, value] : got->headers) taken += name.size() + value.size();
    now.http_bytes += static_cast<int>(std::min(taken, what->max_bytes));
    hide_secrets(got->body, used);
    auto headers = json::object();
    for (auto& [name, value] : got->headers) {
        hide_secrets(value, used);
        auto& held = headers[name];
        held = held.is_string() ? json(held.get<std::string>() + ", " + value) : json(value);
    }
    json head = {{"status", got->status}, {"url", got->url}, {"headers", headers}, {"body_bytes", got->body.size()}};
    return answer_with(from, protocol::dump(head) + "\n" + got->body);
}

// ── What is set for it
// ────────────────────────────────────────────────────────────────────────────────────────────────

result<void> config_get(guest& from) {
    auto& now = now_of(from);
    const auto key = text(from, 0, "config_get");
    if (!key) return answer(from, code::invalid);
    now.answer.clear();
    if (now.skill.find_config(*key) == nullptr) {
        deny(now, "config_get", fmt::format("{} is not in config", key->substr(0, max_subject_bytes)));
        return answer(from, code::not_allowed);
    }
    if (now.config == nullptr) return answer(from, code::not_found);
    const auto found = now.config->find(*key);
    if (found == now.config->end()) return answer(from, code::not_found);
    return answer_with(from, found->second);
}

result<void> secret_has(guest& from) {
    auto& now = now_of(from);
    const auto name = text(from, 0, "secret_has");
    if (!name) return answer(from, code::invalid);
    if (std::ranges::find(now.skill.secrets, *name) == now.skill.secrets.end()) {
        deny(now, "secret_has", fmt::format("{} is not in secrets", name->substr(0, max_subject_bytes)));
        return answer(from, code::not_allowed);
    }
    if (!now.secret) return answer(from, code::not_found);
    const auto found = now.secret(*name);
    return answer(from, found ? code::ok : code_of(found.error()));
}

// ── The home
// ──────────────────────────────────────────────────────────────────────────────────────────────────────────

// Whoever answers for the home says {"error": {…}} when it cannot.
result<std::string> ask_home(guest& from, std::string_view subject, std::string_view payload) {
    auto& now = now_of(from);
    const auto timeout = std::min(time_left(from), longest_home);
    if (timeout.count() <= 0 || !now.request) return fail(errc::timed_out, "no time is left");
    auto found = now.request(subject, payload, timeout);
    json told = {{"subject", subject}, {"payload_bytes", payload.size()}};
    if (found)
        told["answer_bytes"] = found->size();
    else
        told["error"] = found.error().message;
    if (found && found->starts_with(R"({"error")")) {
        const auto object = json::parse(*found, nullptr, false);
        const auto why = object.is_object() ? object["error"].value("message", "") : "";
        told["error"] = why;
        found = fail(errc::invalid_message, "{}", why);
    }
    tell(now, "skill.request", told);
    return found;
}

result<void> home_get(guest& from) { return answer_with(from, ask_home(from, protocol::subject::home_get, {})); }

// What a skill knows is told in its name, whatever it says itself.
result<void> feed_home(guest& from, std::string_view call, std::string_view subject) {
    auto& now = now_of(from);
    const auto given = text(from, 0, call);
    if (!given) return answer(from, code::invalid);
    if (in_trial(now, call)) return answer(from, code::not_allowed);
    if (given->size() > static_cast<std::size_t>(now.skill.limits.publish_bytes - now.publish_bytes)) {
        deny(now, call, "more bytes than its limits");
        return answer(from, code::beyond_limits);
    }
    now.publish_bytes += static_cast<int>(given->size());
    auto object = protocol::parse_object(*given);
    if (!object) return answer(from, code::invalid);
    (*object)["source"] = now.skill.name;
    const auto done = ask_home(from, subject, protocol::dump(*object));
    return answer(from, done ? code::ok : code_of(done.error()));
}
result<void> home_learn(guest& from) { return feed_home(from, "home_learn", protocol::subject::home_learn); }
result<void> home_update(guest& from) { return feed_home(from, "home_update", protocol::subject::home_update); }

// ── The past
// ──────────────────────────────────────────────────────────────────────────────────────────────────────────

result<void> events(guest& from) {
    auto& now = now_of(from);
    if (!now.events) return answer(from, code::failed);
    return answer_with(from, now.events(std::min<std::size_t>(from.u32(0), most_events_read)));
}

constexpr host_function outside_functions[] = {
    {"loqa", "timer_set", "(i32, i32, i64, i32, i32) -> i32", &timer_set, capability::timers},
    {"loqa", "timer_cancel", "(i32, i32) -> i32", &timer_cancel, capability::timers},
    {"loqa", "timer_list", "() -> i32", &timer_list, capability::timers},
    {"loqa", "http", "(i32, i32, i32, i32) -> i32", &http, permission::http, true},
    {"loqa", "config_get", "(i32, i32) -> i32", &config_get},
    {"loqa", "secret_has", "(i32, i32) -> i32", &secret_has},
    {"loqa", "home_get", "() -> i32", &home_get, permission::home_read, true},
    {"loqa", "home_learn", "(i32, i32) -> i32", &home_learn, permission::home_write, true},
    {"loqa", "home_update", "(i32, i32) -> i32", &home_update, permission::home_write, true},
    {"loqa", "events", "(i32) -> i32", &events, permission::events, true},
};

}  // namespace

std::span<const host_function> functions_to_the_outside() { return outside_functions; }

}  // namespace loqa::skills
