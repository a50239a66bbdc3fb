// Commands for later: what a timer carries, and when it is due in words. Stateless: safe from any thread.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "loqa/base/clock.hpp"
#include "loqa/intent/home.hpp"
#include "loqa/intent/understanding.hpp"
#include "loqa/timers/timers.hpp"

namespace loqa::session {

// A command as a timer's action, and back. invalid_message when the text is not one.
struct later_command {
    intent::recognized what;
    std::string area;  // the room it was said in
};
std::string to_action(const intent::recognized& what, const std::string& area);
result<later_command> from_action(std::string_view action);

// The timer that runs `command`: its duration, or the moment by the clock on the wall.
timers::new_timer timer_for(const intent::command& command, wall_time now);

// "I'll turn off the lights in 10 minutes.", "… tomorrow at 7 AM."
std::string promise_of(const intent::command& command, wall_time now);

// "Please turn off the lights." → "turn off the lights": as part of a sentence of ours.
std::string plain_command(std::string_view said);
std::string moment_in_words(wall_time at, wall_time now);  // " tomorrow at 7 AM"

// A command that fell due while no process was there. What locks, opens or guards the house is not done without
// asking, and nothing is that should have been done long ago: somebody may have come or gone meanwhile.
inline constexpr std::chrono::minutes late_but_done{60};
struct overdue {
    std::string words;  // said before the answer, or the question
    bool ask_first = false;
};
std::optional<overdue> overdue_words(const intent::recognized& what, const intent::home& house, milliseconds late);

}  // namespace loqa::session
