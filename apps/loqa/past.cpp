#include "past.hpp"

#include <map>

#include "json_fields.hpp"

namespace loqa::cli {

using nlohmann::json;

namespace {

// "HassStartTimer minutes=10 name=pasta"
std::string in_words(const json& commands, bool with_slots) {
    std::string text;
    for (const auto& command : commands) {
        if (!text.empty()) text += "; ";
        text += text_field(command, "intent");
        if (!with_slots) continue;
        const auto slots = command.find("slots");
        if (slots == command.end() || !slots->is_object()) continue;
        for (const auto& [name, value] : slots->items())
            text += " " + name + "=" + (value.is_string() ? value.get<std::string>() : value.dump());
        if (command.value("later", json(false)) == json(true)) text += " (later)";
    }
    return text.empty() ? "nothing" : text;
}

}  // namespace

std::vector<past_turn> turns_of(const std::vector<json>& events) {
    std::vector<past_turn> turns;
    std::map<std::string, std::size_t> by_trace;
    for (const auto& e : events) {
        const auto type = text_field(e, "type");
        const auto trace = text_field(e, "trace_id");
        const auto payload = e.value("payload", json::object());
        if (!payload.is_object()) continue;
        if (type == "turn.heard") {
            if (text_field(payload, "text").empty()) continue;
            by_trace[trace] = turns.size();
            turns.push_back({.id = trace, .heard = text_field(payload, "text")});
            continue;
        }
        const auto found = by_trace.find(trace);
        if (found == by_trace.end()) continue;
        auto& turn = turns[found->second];
        if (const auto id = text_field(payload, "turn_id"); !id.empty()) turn.id = id;
        if (type == "turn.intent") {
            turn.commands = payload.value("commands", json::array());
            turn.area = text_field(payload, "area");
            turn.has_slots = true;
        } else if (type == "turn.reply") {
            turn.reply = text_field(payload, "text");
            turn.intent = text_field(payload, "intent");
        } else if (type == "turn.ended") {
            turn.intent = text_field(payload, "intent");
        }
    }
    for (auto& turn : turns)
        if (!turn.has_slots && !turn.intent.empty()) turn.commands = json::array({{{"intent", turn.intent}}});
    return turns;
}

std::vector<difference> differences(const past_turn& was, const json& now) {
    std::vector<difference> found;
    if (was.heard_now && *was.heard_now != was.heard) found.push_back({"transcript", was.heard, *was.heard_now});
    const auto commands = now.value("commands", json::array());
    const auto meant = in_words(was.commands, was.has_slots), means = in_words(commands, was.has_slots);
    // Of turns that earlier versions kept, the first intent is known only.
    const bool same = was.has_slots || was.commands.empty() || commands.empty()
                          ? meant == means
                          : text_field(was.commands.front(), "intent") == text_field(commands.front(), "intent");
    if (!same) found.push_back({"intent", meant, means});
    if (!now.contains("reply")) return found;
    const auto reply = text_field(now, "reply");
    if (reply != was.reply)
        found.push_back({"reply", was.reply, reply, same && now.value("reply_depends", json(false)) == json(true)});
    return found;
}

}  // namespace loqa::cli
