// What was put off to be done later, for people: which of it is waiting, and that it is not to be done after all.
//
// A command for later is a timer with an action (later.hpp). answer_for() tells or cancels; preview() gives the same
// words and changes nothing. Used by one thread at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "loqa/base/clock.hpp"
#include "loqa/intent/matcher.hpp"
#include "loqa/session/spoken_answer.hpp"
#include "loqa/timers/timers.hpp"

namespace loqa::session {

class planned_commands {
public:
    planned_commands(const clock& clock, timers::timer_service& timers) : clock_(clock), timers_(timers) {}

    // Nothing when the intent is not about what is planned.
    std::optional<spoken_answer> answer_for(const intent::recognized& what);
    std::optional<spoken_answer> preview(const intent::recognized& what) const;

private:
    struct plan {
        spoken_answer words;
        std::vector<std::int64_t> cancels;
    };
    std::optional<plan> plan_for(const intent::recognized& what) const;
    std::string told(const std::vector<timers::timer>& some) const;

    const clock& clock_;
    timers::timer_service& timers_;
};

}  // namespace loqa::session
