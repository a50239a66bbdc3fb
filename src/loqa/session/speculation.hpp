// What will probably be said, made ready before it is certain.
//
// In the first pause of an utterance its text may be whole: the words that would answer it are synthesised then, so
// that they are there when the pause turns out to be the end. Nothing is done and nothing is played from a guess; a
// guess that was wrong costs some processor time and is counted. Used by one thread at a time.
#pragma once

#include <map>
#include <string>

#include "loqa/bus/connection.hpp"
#include "loqa/telemetry/metrics.hpp"

namespace loqa::session {

class speculation {
public:
    speculation(bus::connection& bus, telemetry::metrics& metrics, std::string voice);

    // `reply` would be said to what was heard so far in this turn. An empty one: nothing can be made ready.
    void guess(const std::string& turn_id, const std::string& reply);

    // This is said in the end.
    void settle(const std::string& turn_id, const std::string& reply);

    // The turn is over; what was guessed and not said is thrown away.
    void forget(const std::string& turn_id);

private:
    telemetry::counter& count(const char* outcome);

    bus::connection& bus_;
    telemetry::metrics& metrics_;
    const std::string voice_;
    telemetry::counter &hits_, &misses_, &unprepared_, &thrown_away_;
    std::map<std::string, std::string> guesses_;  // by turn: as many as turns that are listened to
};

}  // namespace loqa::session
