// A skill in C++20: what happened, and what can be done about it.
//
// One invocation is one run of the module with fresh memory: LOQA_SKILL { … } is what it does, `incoming()` what it is
// about. Everything here is a thin wrapper over the host's functions (abi.h, docs/skill-abi.md); a call that is not
// made is not imported. Nothing throws: what can fail says so in a result or a code.
#pragma once

#include <concepts>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

#include "loqa/abi.h"
#include "loqa/json.hpp"

// The skill itself, under the entrypoint `run`. It succeeded when it comes to its end.
#define LOQA_SKILL                                             \
    static void loqa_skill_();                                 \
    extern "C" __attribute__((export_name("run"))) void run(); \
    void run() { loqa_skill_(); }                              \
    static void loqa_skill_()

// Whether this version may take over: true is yes. Of the host's functions only logging works in it.
#define LOQA_SELFTEST                                                             \
    static bool loqa_selftest_();                                                 \
    extern "C" __attribute__((export_name("loqa_selftest"))) int loqa_selftest(); \
    int loqa_selftest() { return loqa_selftest_() ? 0 : 1; }                      \
    static bool loqa_selftest_()

// What libc++ does when a container is misused or memory ran out: print, for which it brings 12 KB of printf along. The
// host tells the trap all the same.
_LIBCPP_BEGIN_NAMESPACE_STD
[[noreturn]] __attribute__((weak)) void __libcpp_verbose_abort(const char*, ...) { __builtin_trap(); }
_LIBCPP_END_NAMESPACE_STD
extern "C" [[noreturn]] __attribute__((weak)) void abort_message(const char*, ...) { __builtin_trap(); }

namespace loqa {

enum class code : std::int32_t {
    done = 0,
    not_allowed = -1,    // the manifest does not list it
    failed = -2,         // the bus, the disk or the other end said no
    invalid = -3,        // cannot be read
    not_found = -4,      // no such thing; nobody listens, or waits for an answer
    beyond_limits = -5,  // more, or larger, than the limits
    timed_out = -6,
};

inline std::string_view name_of(code which) {
    switch (which) {
        case code::done:
            return "done";
        case code::not_allowed:
            return "not allowed";
        case code::failed:
            return "failed";
        case code::invalid:
            return "invalid";
        case code::not_found:
            return "not found";
        case code::beyond_limits:
            return "beyond the limits";
        case code::timed_out:
            return "timed out";
    }
    return "unknown";
}

template <class T>
struct result {
    T value{};
    code why = code::done;

    explicit operator bool() const { return why == code::done; }
    const T& operator*() const { return value; }
    T& operator*() { return value; }
    const T* operator->() const { return &value; }
};

namespace detail {

inline std::int32_t size(std::string_view text) { return static_cast<std::int32_t>(text.size()); }

// What the call that answered `size` has found.
inline result<std::string> found(std::int32_t size) {
    if (size < 0) return {{}, static_cast<code>(size)};
    std::string out(static_cast<std::size_t>(size), '\0');
    loqa_answer(out.data(), size);
    return {std::move(out)};
}

inline result<json::value> found_json(std::int32_t size) {
    const auto text = found(size);
    if (!text) return {{}, text.why};
    auto read = json::parse(*text);
    if (!read) return {{}, code::invalid};
    return {std::move(*read)};
}

}  // namespace detail

// ── What happened
// ───────────────────────────────────────────────────────────────────────────────────────────────────────

inline std::string_view environment(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? std::string_view() : value;
}

struct event {
    std::string_view kind;  // message, intent, timer, start, selftest; empty from a host that knows messages alone
    std::string_view subject, payload;
    std::string_view reply;  // empty when nobody waits for an answer
    std::string_view invocation, skill;

    bool is(std::string_view wanted) const { return kind == wanted; }
    // What stands behind the first dot: the name of an intent or of a timer.
    std::string_view name() const { return subject.substr(subject.find('.') + 1); }
    json::value body() const { return json::parse(payload).value_or(json::value()); }
};

inline event incoming() {
    return {.kind = environment("LOQA_EVENT_KIND"),
            .subject = environment("LOQA_EVENT_SUBJECT"),
            .payload = environment("LOQA_EVENT_PAYLOAD"),
            .reply = environment("LOQA_EVENT_REPLY"),
            .invocation = environment("LOQA_INVOCATION_ID"),
            .skill = environment("LOQA_SKILL_NAME")};
}

// ── For the record
// ──────────────────────────────────────────────────────────────────────────────────────────────────────

namespace log {
inline void debug(std::string_view line) { loqa_log(0, line.data(), detail::size(line)); }
inline void info(std::string_view line) { loqa_log(1, line.data(), detail::size(line)); }
inline void warn(std::string_view line) { loqa_log(2, line.data(), detail::size(line)); }
inline void error(std::string_view line) { loqa_log(3, line.data(), detail::size(line)); }
}  // namespace log

// Ends the invocation as one that failed. What it kept is not kept; a timer or durable message comes again.
[[noreturn]] inline void give_up(std::string_view why) {
    log::error(why);
    std::_Exit(1);
}

// ── The bus
// ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

inline code publish(std::string_view subject, std::string_view payload) {
    return static_cast<code>(
        loqa_publish(subject.data(), detail::size(subject), payload.data(), detail::size(payload)));
}
inline code publish(std::string_view subject, const std::same_as<json::value> auto& payload) {
    return publish(subject, std::string_view(payload.dump()));
}

inline code respond(std::string_view payload) {
    return static_cast<code>(loqa_respond(payload.data(), detail::size(payload)));
}
inline code respond(const std::same_as<json::value> auto& payload) { return respond(std::string_view(payload.dump())); }

inline result<std::string> request(std::string_view subject, std::string_view payload, std::int32_t timeout_ms = 2000) {
    return detail::found(
        loqa_request(subject.data(), detail::size(subject), payload.data(), detail::size(payload), timeout_ms));
}
inline result<json::value> request(std::string_view subject, const std::same_as<json::value> auto& payload,
                                   std::int32_t timeout_ms = 2000) {
    const auto text = payload.dump();
    return detail::found_json(
        loqa_request(subject.data(), detail::size(subject), text.data(), detail::size(text), timeout_ms));
}

// ── Intents
// ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

// What somebody said, as loqad understood it.
struct intent {
    std::string name, text, area;
    bool confirmed = false;  // the answer to ask() was yes
    json::value slots;
    // Of an intent about things: what loqad would change, [{"id", "state", "attributes"}], and say when that is done.
    json::value changes;
    std::string speech;
};

inline intent asked_for() {
    const auto all = incoming().body();
    return {.name = std::string(all["intent"].text()),
            .text = std::string(all["text"].text()),
            .area = std::string(all["area"].text()),
            .confirmed = all["confirmed"].truth(),
            .slots = all["slots"],
            .changes = all["changes"],
            .speech = std::string(all["speech"].text())};
}

// Each is the one answer to an intent.
inline code say(std::string_view words) { return respond(json::object({{"handled", true}, {"speech", words}})); }
inline code apologise(std::string_view words, std::string_view reason) {
    return respond(json::object({{"handled", true}, {"failed", true}, {"reason", reason}, {"speech", words}}));
}
inline code ask(std::string_view question) {
    return respond(json::object({{"handled", true}, {"ask", true}, {"speech", question}}));
}
inline code not_mine() { return respond(json::object({{"handled", false}})); }  // loqad does it itself

// ── What is kept from one invocation to the next
// ────────────────────────────────────────────────────────────────────────

namespace kept {
inline result<std::string> get(std::string_view key) {
    return detail::found(loqa_kv_get(key.data(), detail::size(key)));
}
inline result<json::value> keys(std::string_view prefix = {}) {  // a list of texts
    return detail::found_json(loqa_kv_keys(prefix.data(), detail::size(prefix)));
}
inline code set(std::string_view key, std::string_view value) {
    return static_cast<code>(loqa_kv_set(key.data(), detail::size(key), value.data(), detail::size(value)));
}
inline code remove(std::string_view key) { return static_cast<code>(loqa_kv_delete(key.data(), detail::size(key))); }
}  // namespace kept

// ── Timers: the skill is invoked when one is due, with its payload
// ──────────────────────────────────────────────────────

namespace timer {
inline code set(std::string_view name, std::int64_t delay_ms, std::string_view payload = {}) {
    return static_cast<code>(
        loqa_timer_set(name.data(), detail::size(name), delay_ms, payload.data(), detail::size(payload)));
}
inline code cancel(std::string_view name) {
    return static_cast<code>(loqa_timer_cancel(name.data(), detail::size(name)));
}
inline result<json::value> list() {  // [{"name", "remaining_ms", "payload"}]
    return detail::found_json(loqa_timer_list());
}
}  // namespace timer

// ── Beyond the bus
// ──────────────────────────────────────────────────────────────────────────────────────────────────────

namespace http {

struct answer {
    int status = 0;
    json::value headers;  // names in lower case
    std::string body;
};

// `headers` is an object of texts; {{secret:NAME}} in one becomes that secret on the way.
inline result<answer> send(std::string_view method, std::string_view url, const json::value& headers = {},
                           std::string_view body = {}, int timeout_ms = 5000) {
    auto wanted = json::object({{"method", method}, {"url", url}, {"timeout_ms", timeout_ms}});
    if (headers) wanted.set("headers", headers);
    const auto text = wanted.dump();
    auto found = detail::found(loqa_http(text.data(), detail::size(text), body.data(), detail::size(body)));
    if (!found) return {{}, found.why};
    const auto end = found->find('\n');
    const auto about = json::parse(std::string_view(*found).substr(0, end));
    if (end == std::string::npos || !about) return {{}, code::invalid};
    return {{.status = static_cast<int>((*about)["status"].integer()),
             .headers = (*about)["headers"],
             .body = found->substr(end + 1)}};
}

}  // namespace http

// A value of the configuration, or its default; empty where there is neither.
inline std::string config(std::string_view key) {
    return detail::found(loqa_config_get(key.data(), detail::size(key))).value;
}
inline bool has_secret(std::string_view name) { return loqa_secret_has(name.data(), detail::size(name)) == 0; }

namespace home {
inline result<json::value> get() { return detail::found_json(loqa_home_get()); }
inline code learn(const json::value& floors_areas_entities) {
    const auto text = floors_areas_entities.dump();
    return static_cast<code>(loqa_home_learn(text.data(), detail::size(text)));
}
inline code update(const json::value& entities) {
    const auto text = json::object({{"entities", entities}}).dump();
    return static_cast<code>(loqa_home_update(text.data(), detail::size(text)));
}
}  // namespace home

// The last events of the session that this is about, oldest first.
inline result<json::value> events(std::int32_t limit = 20) { return detail::found_json(loqa_events(limit)); }

}  // namespace loqa
