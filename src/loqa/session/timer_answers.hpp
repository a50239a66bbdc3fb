// What loqad answers about timers.
//
// Each intent becomes a plan: the words, and what has to succeed before they are true. answer_for() carries the plan
// out and gives its words, or an apology; preview() gives the words alone, without touching anything. Used by one
// thread at a time.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "loqa/base/clock.hpp"
#include "loqa/intent/matcher.hpp"
#include "loqa/session/spoken_answer.hpp"
#include "loqa/timers/timers.hpp"

namespace loqa::session {

class timer_answers {
public:
    timer_answers(const clock& clock, timers::timer_service& timers) : clock_(clock), timers_(timers) {}

    // Nothing when the intent is not one of timers.
    std::optional<spoken_answer> answer_for(const intent::recognized& what, const asker& who);

    // What answer_for() would say if all goes well.
    std::optional<std::string> preview(const intent::recognized& what, const asker& who) const;

private:
    struct plan {
        spoken_answer words;
        std::function<result<void>()> act;                     // none: the words are true as they stand
        std::function<spoken_answer(const error&)> apologise;  // when act() failed
    };

    std::optional<plan> plan_for(const intent::recognized& what, const asker& who) const;
    plan start(const intent::recognized& what, const asker& who) const;
    plan status(const intent::recognized& what) const;
    plan cancel(const intent::recognized& what) const;
    plan cancel_all() const;
    // The timers that `what` speaks of: by name, by the length it was set to, or all of them.
    result<std::vector<timers::timer>> meant(const intent::recognized& what) const;

    const clock& clock_;
    timers::timer_service& timers_;
};

}  // namespace loqa::session
