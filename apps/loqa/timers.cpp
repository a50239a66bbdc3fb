#include <algorithm>
#include <charconv>
#include <cmath>

#include "client.hpp"
#include "commands.hpp"
#include "json_fields.hpp"
#include "loqa/protocol/subjects.hpp"
#include "terminal.hpp"

namespace loqa::cli {
namespace {

namespace subject = protocol::subject;
using nlohmann::json;

std::string clock_text(double s) {
    const auto whole = static_cast<std::int64_t>(std::ceil(std::max(s, 0.0)));
    return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

// A person may name a timer by its number or by its label, which may be a number too.
result<std::string> ask_about(bus::connection& bus, std::string_view subject, const std::string& timer,
                              const json& what) {
    const auto by = [&](const json& name) {
        auto question = what;
        question.update(name);
        return ask_core(bus, subject, one_line(question));
    };
    std::int64_t id = 0;
    const auto* end = timer.data() + timer.size();
    const auto read = std::from_chars(timer.data(), end, id);
    const bool is_number = read.ec == std::errc{} && read.ptr == end;
    auto answer = by(is_number ? json{{"id", id}} : json{{"label", timer}});
    if (is_number && !answer && answer.error().code == errc::not_found) answer = by({{"label", timer}});
    return answer;
}

result<int> cancel(bus::connection& bus, const timers_options& options) {
    const auto answer = ask_about(bus, subject::timers_cancel, options.timer, json::object());
    if (!answer) return fail(answer);
    const auto parsed = json::parse(*answer, nullptr, false);
    const auto cancelled = static_cast<int>(number_field(parsed, "cancelled"));
    print_line(options.json ? *answer : fmt::format("{} timer{} cancelled", cancelled, cancelled == 1 ? "" : "s"));
    return 0;
}

std::string days_text(const json& timer) {
    std::string text;
    const auto days = timer.find("days");
    if (days != timer.end() && days->is_array())
        for (const auto& day : *days)
            if (day.is_string()) text += (text.empty() ? " " : ",") + day.get<std::string>();
    return text;
}

std::string row_of(const json& timer) {
    const auto label = text_field(timer, "label");
    const auto id = timer.contains("id") ? timer["id"].dump() : std::string();
    const bool is_alarm = text_field(timer, "kind") == "alarm";
    const auto length = is_alarm ? printable(text_field(timer, "at") + days_text(timer))
                                 : clock_text(number_field(timer, "duration_s"));
    auto state = text_field(timer, "state");
    if (timer.value("snoozed", json(false)) == json(true)) state += ", snoozed";
    return fmt::format("{}  {}  {}  {:>9}  {:>9}  {}", fit(printable(id), 6), fit(text_field(timer, "kind"), 7),
                       fit(label.empty() ? "-" : printable(label), 20),
                       clock_text(number_field(timer, "seconds_remaining")), length, printable(state));
}

void print_head() {
    print_line(
        style_of_stdout().paint(colour::grey, fmt::format("{}  {}  {}  {:>9}  {:>9}  {}", fit("id", 6), fit("kind", 7),
                                                          fit("label", 20), "left", "of, at", "state")));
}

// The answers that hold one timer.
result<int> print_timer(const result<std::string>& answer, bool as_json) {
    if (!answer) return fail(answer);
    if (as_json) {
        print_line(*answer);
        return 0;
    }
    const auto parsed = json::parse(*answer, nullptr, false);
    const auto timer = parsed.find("timer");
    if (timer == parsed.end() || !timer->is_object())
        return fail(errc::invalid_message, "loqad's answer has no timer in it");
    print_head();
    print_line(row_of(*timer));
    return 0;
}

result<int> list(bus::connection& bus, bool as_json) {
    const auto answer = ask_core(bus, subject::timers_list, "{}");
    if (!answer) return fail(answer);
    if (as_json) {
        print_line(*answer);
        return 0;
    }
    const auto parsed = json::parse(*answer, nullptr, false);
    const auto found = parsed.find("timers");
    if (found == parsed.end() || !found->is_array() || found->empty()) {
        print_line("no timers");
        return 0;
    }
    print_head();
    for (const auto& timer : *found) print_line(row_of(timer));
    return 0;
}

}  // namespace

result<seconds> parse_length(const std::string& text) {
    const bool negative = text.starts_with('-');
    const char* at = text.data() + (negative ? 1 : 0);
    const char* end = text.data() + text.size();
    std::int64_t total = 0;
    while (at != end) {
        std::int64_t n = 0;
        const auto read = std::from_chars(at, end, n);
        if (read.ec != std::errc{} || n < 0 || n > 1'000'000) break;
        at = read.ptr;
        const char unit = at == end ? 's' : *at++;
        const auto each = unit == 'h' ? 3600 : unit == 'm' ? 60 : unit == 's' ? 1 : 0;
        if (each == 0) break;
        total += n * each;
        if (at == end) return seconds(negative ? -total : total);
    }
    return fail(errc::invalid_argument, "\"{}\" is no length of time", text).hint("as 90s, 10m, 1h30m");
}

result<int> timers(const timers_options& options) {
    auto client = client::connect(options.instance);
    if (!client) return fail(std::move(client));
    auto& bus = client->bus();
    const auto change = [&](const char* how, seconds by) {
        json what{{"change", how}};
        if (by != seconds(0)) what["seconds"] = by.count();
        return print_timer(ask_about(bus, subject::timers_change, options.timer, what), options.json);
    };
    switch (options.what) {
        case timers_options::action::list:
            return list(bus, options.json);
        case timers_options::action::start:
            return print_timer(
                ask_core(bus, subject::timers_start,
                         one_line(json{{"duration_s", options.length.count()}, {"label", options.label}})),
                options.json);
        case timers_options::action::alarm:
            return print_timer(
                ask_core(bus, subject::timers_start, one_line(json{{"at", options.at}, {"label", options.label}})),
                options.json);
        case timers_options::action::cancel:
            return cancel(bus, options);
        case timers_options::action::pause:
            return change("pause", seconds(0));
        case timers_options::action::resume:
            return change("resume", seconds(0));
        case timers_options::action::add:
            return change("add", options.length);
        case timers_options::action::snooze:
            return change("snooze", options.length);
        case timers_options::action::stop:
            return change("stop", seconds(0));
    }
    return fail(errc::internal, "timers: no such action");
}

}  // namespace loqa::cli
