// Past turns, as the event store of a running Loqa has them, and how they compare with what it would do now.
// Functions without state; safe from any thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "loqa/base/result.hpp"
#include "loqa/bus/connection.hpp"

namespace loqa::cli {

// Oldest first; not_found when nothing of the session is kept.
result<std::vector<nlohmann::json>> events_of(bus::connection& bus, const std::string& session);

struct past_turn {
    std::string id, heard, area, intent, reply;
    std::optional<std::string> heard_now;               // by the recogniser of today, from the sound that was kept
    nlohmann::json commands = nlohmann::json::array();  // as in turn.intent; of older turns the names alone
    bool has_slots = false;
};

// The turns in which somebody said something.
std::vector<past_turn> turns_of(const std::vector<nlohmann::json>& events);

struct difference {
    std::string what, was, is;
    bool expected = false;  // it depends on the moment: the time, which timers run
};

// What changed between a stored turn and what is heard in its sound, and the answer to session.dry_run for its words.
std::vector<difference> differences(const past_turn& was, const nlohmann::json& now);

}  // namespace loqa::cli
