// The payloads of the events that a turn leaves in the store, beside those that are messages of the bus. docs/events.md
// is the norm. Stateless.
#pragma once

#include <string>
#include <vector>

#include "loqa/intent/understanding.hpp"
#include "loqa/session/spoken_answer.hpp"

namespace loqa::session {

// turn.intent: what was understood, or why nothing was.
std::string intent_event(const std::string& turn_id, const std::string& area, const intent::understood& what);

// turn.action: what became of one command.
std::string action_event(const std::string& turn_id, const std::string& intent, const spoken_answer& given);

// turn.played: the speaker has the first sample, so long after the end of speech.
std::string played_event(const std::string& turn_id, const std::string& target, double total_ms);

// turn.error: a stage did not do its part.
std::string error_event(const std::string& turn_id, const std::string& stage, const std::string& reason,
                        const std::string& message);

}  // namespace loqa::session
