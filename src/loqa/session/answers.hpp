// What loqad itself answers: time and date, timers, what is planned, announcements, stop, never mind, repeat, help.
//
// answer_for() turns a recognised intent into words, and does what was asked before saying so. Errors become words as
// well: the caller speaks them. Used by one thread at a time.
#pragma once

#include <optional>
#include <string>

#include "loqa/base/clock.hpp"
#include "loqa/intent/matcher.hpp"
#include "loqa/session/planned_commands.hpp"
#include "loqa/session/spoken_answer.hpp"
#include "loqa/session/timer_answers.hpp"

namespace loqa::session {

class answers {
public:
    answers(const clock& clock, timers::timer_service& timers, milliseconds snooze)
        : clock_(clock), timers_(clock, timers, snooze), planned_(clock, timers) {}

    // Nothing when no intent of this name is answered here.
    std::optional<spoken_answer> answer_for(const intent::recognized& what, const asker& who);

    // The words alone, without any effect; nothing when they cannot be known.
    std::optional<spoken_answer> preview(const intent::recognized& what, const asker& who) const;

    static spoken_answer not_understood(const intent::miss& why);

private:
    // What is answered by words alone.
    std::optional<spoken_answer> words_for(const intent::recognized& what, const asker& who) const;

    const clock& clock_;
    timer_answers timers_;
    planned_commands planned_;
};

}  // namespace loqa::session
