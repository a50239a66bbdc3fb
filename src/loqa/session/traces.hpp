// The spans of the last turns, as the processes publish them on trace.spans: what `loqa trace` shows without any trace
// store. Bounded; the oldest turn gives way. Used by one thread at a time.
#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "loqa/base/result.hpp"
#include "loqa/telemetry/trace.hpp"

namespace loqa::session {

class recent_traces {
public:
    static constexpr std::size_t max_turns = 256;
    static constexpr std::size_t max_spans_per_turn = 256;

    // A JSON list of spans; those of turns not announced by remember() are kept too, since they may come first.
    result<void> accept(std::string_view json_list);

    // Says which turn a trace belongs to. An ephemeral one is never remembered.
    void remember(const std::string& trace_id, const std::string& session_id, const std::string& turn_id);

    // The answer to a trace.get request: the session's last turn, or the very last one when `session_id` is empty.
    std::string answer(std::string_view request_json) const;

private:
    struct turn {
        std::string session_id, turn_id;
        std::vector<telemetry::span> spans;
    };
    turn& of(const std::string& trace_id);
    std::deque<std::string> order_;  // trace ids, oldest first
    std::unordered_map<std::string, turn> turns_;
};

}  // namespace loqa::session
