#include "client.hpp"
#include "commands.hpp"
#include "json_fields.hpp"
#include "loqa/protocol/subjects.hpp"
#include "past.hpp"
#include "terminal.hpp"

namespace loqa::cli {
namespace {

namespace subject = protocol::subject;
using nlohmann::json;

// "2026-01-31T08:15:00.123Z" → "2026-01-31 08:15:00"
std::string moment_text(const json& object, const char* name) {
    auto text = text_field(object, name).substr(0, 19);
    if (text.size() > 10) text[10] = ' ';
    return printable(text);
}

result<int> list(bus::connection& bus, const sessions_options& options) {
    const auto answer = ask_core(bus, subject::sessions_list, one_line(json{{"limit", options.limit}}));
    if (!answer) return fail(answer);
    if (options.json) {
        print_line(*answer);
        return 0;
    }
    const auto parsed = json::parse(*answer, nullptr, false);
    const auto found = parsed.find("sessions");
    if (found == parsed.end() || !found->is_array() || found->empty()) {
        print_line("nothing is kept of any session");
        return 0;
    }
    const auto style = style_of_stdout();
    print_line(style.paint(colour::grey, fmt::format("{}  {}  {:>6}  {}", fit("session", 34),
                                                     fit("last event (UTC)", 19), "events", "scope")));
    for (const auto& s : *found)
        print_line(fmt::format("{}  {}  {:>6}  {}", fit(printable(text_field(s, "session_id")), 34),
                               fit(moment_text(s, "last_event_at"), 19), number_field(s, "events"),
                               printable(text_field(s, "privacy_scope"))));
    return 0;
}

// What of an event a person wants to read.
std::string summary(const json& event) {
    const auto payload = event.value("payload", json::object());
    const auto type = text_field(event, "type");
    if (type == "turn.heard") return "\"" + text_field(payload, "text") + "\"";
    if (type == "turn.reply") return "\"" + text_field(payload, "text") + "\"";
    if (type == "turn.ended") {
        auto text = text_field(payload, "outcome");
        if (const auto reason = text_field(payload, "reason"); !reason.empty()) text += " (" + reason + ")";
        return text;
    }
    return one_line(payload);
}

result<int> show(bus::connection& bus, const sessions_options& options) {
    const auto events = events_of(bus, options.session);
    if (!events) return fail(events);
    if (options.json) {
        print_line(one_line(json{{"session_id", options.session}, {"events", *events}}));
        return 0;
    }
    const auto style = style_of_stdout();
    for (const auto& e : *events)
        print_line(fmt::format("{}  {}  {}", style.paint(colour::grey, moment_text(e, "created_at")),
                               fit(printable(text_field(e, "type")), 16), printable(summary(e))));
    return 0;
}

// One line an event, of every session that is kept.
result<int> export_all(bus::connection& bus, const sessions_options& options) {
    std::vector<std::string> names;
    if (!options.session.empty()) {
        names.push_back(options.session);
    } else {
        const auto answer = ask_core(bus, subject::sessions_list, R"({"limit":1000})");
        if (!answer) return fail(answer);
        const auto parsed = json::parse(*answer, nullptr, false);
        for (const auto& s : parsed.value("sessions", json::array())) names.push_back(text_field(s, "session_id"));
    }
    for (const auto& name : names) {
        const auto events = events_of(bus, name);
        if (!events) return fail(events);
        for (auto e : *events) {
            e["session_id"] = name;
            print_line(one_line(e));
        }
    }
    return 0;
}

result<int> remove(bus::connection& bus, const sessions_options& options) {
    const auto answer = ask_core(bus, subject::sessions_delete, one_line(json{{"session_id", options.session}}));
    if (!answer) return fail(answer);
    const auto parsed = json::parse(*answer, nullptr, false);
    print_line(options.json ? *answer : fmt::format("{} events deleted", number_field(parsed, "deleted")));
    return 0;
}

}  // namespace

result<std::vector<json>> events_of(bus::connection& bus, const std::string& session) {
    std::vector<json> all;
    std::int64_t after = 0;
    for (;;) {
        const auto answer =
            ask_core(bus, subject::sessions_show, one_line(json{{"session_id", session}, {"after_id", after}}));
        if (!answer) return fail(answer);
        const auto parsed = json::parse(*answer, nullptr, false);
        const auto found = parsed.find("events");
        if (found == parsed.end() || !found->is_array())
            return fail(errc::invalid_message, "loqad's answer has no events in it");
        for (const auto& e : *found) {
            all.push_back(e);
            after = static_cast<std::int64_t>(number_field(e, "id"));
        }
        if (found->empty() || parsed.value("more", json(false)) != json(true)) return all;
    }
}

result<int> sessions(const sessions_options& options) {
    auto client = client::connect(options.instance);
    if (!client) return fail(std::move(client));
    switch (options.what) {
        case sessions_options::action::list:
            return list(client->bus(), options);
        case sessions_options::action::show:
            return show(client->bus(), options);
        case sessions_options::action::remove:
            return remove(client->bus(), options);
        case sessions_options::action::export_all:
            return export_all(client->bus(), options);
    }
    return fail(errc::internal, "sessions: no such action");
}

}  // namespace loqa::cli
