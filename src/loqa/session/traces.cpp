#include "loqa/session/traces.hpp"

#include <algorithm>
#include <ranges>

#include "loqa/protocol/json.hpp"

namespace loqa::session {

using protocol::json;

recent_traces::turn& recent_traces::of(const std::string& trace_id) {
    if (const auto it = turns_.find(trace_id); it != turns_.end()) return it->second;
    if (order_.size() >= max_turns) {
        turns_.erase(order_.front());
        order_.pop_front();
    }
    order_.push_back(trace_id);
    return turns_[trace_id];
}

result<void> recent_traces::accept(std::string_view json_list) {
    const auto list = json::parse(json_list, nullptr, false);
    if (!list.is_array()) return fail(errc::invalid_message, "spans are not a JSON list: {} bytes", json_list.size());
    for (const auto& item : list) {
        auto span = telemetry::span_from_json(protocol::dump(item));
        if (!span) return fail(std::move(span));
        auto& turn = of(span->trace_id);
        if (turn.spans.size() < max_spans_per_turn) turn.spans.push_back(std::move(*span));
    }
    return {};
}

void recent_traces::remember(const std::string& trace_id, const std::string& session_id, const std::string& turn_id) {
    auto& turn = of(trace_id);
    turn.session_id = session_id;
    turn.turn_id = turn_id;
}

std::string recent_traces::answer(std::string_view request_json) const {
    std::string wanted;
    if (const auto request = json::parse(request_json, nullptr, false); request.is_object())
        wanted = request.value("session_id", json("")).is_string()
                     ? request.value("session_id", json("")).get<std::string>()
                     : "";
    for (const auto& id : std::views::reverse(order_)) {
        const auto& turn = turns_.at(id);
        if (turn.turn_id.empty() || (!wanted.empty() && turn.session_id != wanted)) continue;
        json spans = json::array();
        for (const auto& span : turn.spans) spans.push_back(json::parse(telemetry::span_to_json(span), nullptr, false));
        return protocol::dump(
            {{"session_id", turn.session_id}, {"turn_id", turn.turn_id}, {"trace_id", id}, {"spans", spans}});
    }
    return protocol::dump({{"error",
                            {{"code", "not_found"},
                             {"message", wanted.empty() ? std::string("no turn has been taken yet")
                                                        : "no turn of session " + wanted + " is remembered"},
                             {"hint", "ask something first: loqa ask \"what time is it\""}}}});
}

}  // namespace loqa::session
