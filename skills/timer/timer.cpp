// Timers for clients on the bus, in loqa-core's form, on the host's durable timers: they outlive a restart, are called
// off, and end in words. What somebody says to Loqa about timers is loqad's own business.
#include "loqa/skill.hpp"

using namespace loqa;

namespace {

constexpr std::int64_t longest_ms = 7LL * 24 * 60 * 60 * 1000;
constexpr std::size_t longest_label = 80;
constexpr std::string_view unnamed = "timer";  // of the host's timer where it has no label

std::string lower(std::string_view text) {
    std::string out(text.substr(0, longest_label));
    for (char& c : out)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    return out;
}

void tell(std::string_view label, std::string_view state, std::int64_t seconds_remaining = 0) {
    auto status = json::object({{"label", label}, {"state", state}});
    if (seconds_remaining > 0) status.set("seconds_remaining", seconds_remaining);
    publish("skill.timer.status", status);
}

// A timer of the same label is begun anew.
void start(const json::value& wanted) {
    const auto label = lower(wanted["label"].text());
    const auto ms = wanted["duration_ms"].integer();
    if (ms <= 0 || ms > longest_ms) {
        log::warn("a timer needs duration_ms from 1 to seven days");
        tell(label, "failed");
        return;
    }
    const auto payload = json::object({{"label", label}, {"target", wanted["target"].text()}}).dump();
    const auto done = timer::set(label.empty() ? unnamed : label, ms, payload);
    if (done != code::done) {
        log::warn(done == code::beyond_limits ? "there are too many timers" : name_of(done));
        tell(label, "failed");
        return;
    }
    tell(label, "started", (ms + 999) / 1000);
}

std::string label_of(const json::value& one) {
    return std::string(json::parse(one["payload"].text()).value_or(json::value())["label"].text());
}

// That of the label, or all.
void cancel(const json::value& wanted) {
    const auto label = lower(wanted["label"].text());
    const auto all = timer::list();
    for (const auto& one : all->items()) {
        if (!label.empty() && one["name"].text() != label) continue;
        if (timer::cancel(one["name"].text()) == code::done) tell(label_of(one), "cancelled");
    }
}

void list() {
    auto out = json::list();
    const auto all = timer::list();
    for (const auto& one : all->items())
        out.add(json::object(
            {{"label", label_of(one)}, {"seconds_remaining", (one["remaining_ms"].integer() + 999) / 1000}}));
    respond(json::object({{"timers", out}}));
}

void ring(const json::value& of) {
    const auto label = of["label"].text();
    tell(label, "completed");
    auto words = json::object({{"text", label.empty() ? std::string("Your timer is done.")
                                                      : "Your " + std::string(label) + " timer is done."}});
    if (const auto target = of["target"].text(); !target.empty()) words.set("target", target);
    publish("tts.request", words);
}

}  // namespace

LOQA_SKILL {
    const auto what = incoming();
    if (what.is("timer")) return ring(what.body());
    if (what.subject == "skill.timer.list") return list();
    const auto body = what.body();
    if (!body.is(json::kind::object)) give_up("the message is not a JSON object");
    what.subject == "skill.timer.cancel" ? cancel(body) : start(body);
}
