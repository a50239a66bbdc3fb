#include <charconv>
#include <cmath>

#include "client.hpp"
#include "commands.hpp"
#include "json_fields.hpp"
#include "loqa/protocol/subjects.hpp"
#include "terminal.hpp"

namespace loqa::cli {
namespace {

std::string clock_text(double s) {
    const auto whole = static_cast<std::int64_t>(std::ceil(std::max(s, 0.0)));
    return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

// A person may name a timer by its number or by its label, which may be a number too.
result<int> cancel(bus::connection& bus, const timers_options& options) {
    const auto by = [&](const nlohmann::json& question) {
        return ask_core(bus, protocol::subject::timers_cancel, one_line(question));
    };
    std::int64_t id = 0;
    const auto* end = options.cancel.data() + options.cancel.size();
    const auto read = std::from_chars(options.cancel.data(), end, id);
    const bool is_number = read.ec == std::errc{} && read.ptr == end;
    auto answer = by(is_number ? nlohmann::json{{"id", id}} : nlohmann::json{{"label", options.cancel}});
    if (is_number && !answer && answer.error().code == errc::not_found) answer = by({{"label", options.cancel}});
    if (!answer) return fail(std::move(answer));
    const auto parsed = nlohmann::json::parse(*answer, nullptr, false);
    const auto cancelled = static_cast<int>(number_field(parsed, "cancelled"));
    if (cancelled == 0)
        return fail(errc::not_found, "there is no timer \"{}\"", options.cancel)
            .hint("loqa timers shows those that run");
    print_line(options.json ? *answer : fmt::format("{} timer{} cancelled", cancelled, cancelled == 1 ? "" : "s"));
    return 0;
}

}  // namespace

result<int> timers(const timers_options& options) {
    auto client = client::connect(options.instance);
    if (!client) return fail(std::move(client));
    if (!options.cancel.empty()) return cancel(client->bus(), options);

    const auto answer = ask_core(client->bus(), protocol::subject::timers_list, "{}");
    if (!answer) return fail(answer);
    if (options.json) {
        print_line(*answer);
        return 0;
    }
    const auto parsed = nlohmann::json::parse(*answer, nullptr, false);
    const auto list = parsed.find("timers");
    if (list == parsed.end() || !list->is_array() || list->empty()) {
        print_line("no timers");
        return 0;
    }
    const auto style = style_of_stdout();
    print_line(style.paint(
        colour::grey, fmt::format("{}  {}  {:>9}  {:>9}  {}", fit("id", 8), fit("label", 20), "left", "of", "state")));
    for (const auto& timer : *list) {
        const auto label = text_field(timer, "label");
        const auto id = timer.contains("id") && timer["id"].is_string() ? text_field(timer, "id")
                                                                        : timer.value("id", nlohmann::json()).dump();
        print_line(fmt::format("{}  {}  {:>9}  {:>9}  {}", fit(printable(id), 8),
                               fit(label.empty() ? "-" : printable(label), 20),
                               clock_text(number_field(timer, "seconds_remaining")),
                               clock_text(number_field(timer, "duration_s")), printable(text_field(timer, "state"))));
    }
    return 0;
}

}  // namespace loqa::cli
