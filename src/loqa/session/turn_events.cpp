#include "loqa/session/turn_events.hpp"

#include "loqa/protocol/json.hpp"

namespace loqa::session {

using protocol::json;

namespace {

json slots_of(const intent::recognized& what) {
    json all = json::object();
    for (const auto& s : what.slots) all[s.name] = intent::to_string(s.value);
    return all;
}

}  // namespace

std::string intent_event(const std::string& turn_id, const std::string& area, const intent::understood& what) {
    json e{{"turn_id", turn_id}, {"understood", what.has_value()}};
    if (!area.empty()) e["area"] = area;
    if (!what) {
        e["reason"] = intent::to_string(what.error().reason);
        return protocol::dump(e);
    }
    e["mended"] = what->mended;
    e["asked_first"] = what->ask_first;
    json commands = json::array();
    for (const auto& command : what->commands)
        commands.push_back({{"intent", command.what.intent},
                            {"slots", slots_of(command.what)},
                            {"confidence", command.what.confidence},
                            {"later", command.later()}});
    e["commands"] = std::move(commands);
    return protocol::dump(e);
}

std::string action_event(const std::string& turn_id, const std::string& intent, const spoken_answer& given) {
    return protocol::dump(
        {{"turn_id", turn_id}, {"intent", intent}, {"done", !given.failed}, {"reason", given.reason}});
}

std::string played_event(const std::string& turn_id, const std::string& target, double total_ms) {
    return protocol::dump({{"turn_id", turn_id}, {"target", target}, {"total_ms", total_ms}});
}

std::string error_event(const std::string& turn_id, const std::string& stage, const std::string& reason,
                        const std::string& message) {
    return protocol::dump({{"turn_id", turn_id}, {"stage", stage}, {"reason", reason}, {"message", message}});
}

}  // namespace loqa::session
