// One turn as a client has it: something is said or written, an answer is heard or read.
//
// Each turn is a session of its own, unless one is named. The functions run the turn on the caller's thread, which
// plays the answer; a thread of their own sends the sound. They end when the answer has been heard, or when nothing new
// came for `patience`.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "loqa/base/clock.hpp"
#include "loqa/bus/connection.hpp"
#include "sound.hpp"

namespace loqa::cli {

struct turn_options {
    milliseconds patience{15'000};
    bool mark_end = false;  // tell the recogniser where the sound ends, instead of letting it hear that
    std::string session;    // goes on with this one; empty: a session of its own
    std::string area;       // the room that is spoken from; empty: as configured
};

struct turn_report {
    std::string session_id, turn_id, heard, reply, intent;
    std::string outcome;  // as in session.ended; empty when the turn did not get so far
    std::map<std::string, double> stages_ms;
    std::optional<double> after_source_ms;  // from the end of the sound to the first sample of the answer, by our clock
    std::string out;                        // the file that has the answer
    bool listens = false;                   // the answer is a question, and Loqa waits for what is said to it
    std::optional<error> failed;            // what kept the turn from its end, or the answer from being played

    bool answered() const { return !failed && outcome == "answered"; }
};

turn_report say_turn(bus::connection& bus, const clock& clock, source& from, sink& to, const turn_options& options);

// Without a sink the answer is only read.
turn_report ask_turn(bus::connection& bus, const clock& clock, const std::string& text, sink* to,
                     const turn_options& options);

// The report as one JSON object, and as lines for people.
std::string to_json(const turn_report& report, const std::string& file);
void print(const turn_report& report);

}  // namespace loqa::cli
