// Commands for later: what a timer carries, and when it is due in words. Stateless: safe from any thread.
#pragma once

#include <string>
#include <string_view>

#include "loqa/base/clock.hpp"
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

}  // namespace loqa::session
