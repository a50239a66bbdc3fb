// What loqad answers about timers and alarms.
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
    timer_answers(const clock& clock, timers::timer_service& timers, milliseconds snooze)
        : clock_(clock), timers_(timers), snooze_(snooze) {}

    // Nothing when the intent is not one of timers.
    std::optional<spoken_answer> answer_for(const intent::recognized& what, const asker& who);

    // What answer_for() would say if all goes well.
    std::optional<spoken_answer> preview(const intent::recognized& what, const asker& who) const;

private:
    struct plan {
        spoken_answer words;
        std::function<result<void>()> act;                     // none: the words are true as they stand
        std::function<spoken_answer(const error&)> apologise;  // when act() failed
    };
    enum class kind { timers, alarms };

    std::optional<plan> plan_for(const intent::recognized& what, const asker& who) const;
    plan start(const intent::recognized& what, const asker& who) const;
    plan set_alarm(const intent::recognized& what, const asker& who) const;
    plan status(const intent::recognized& what) const;
    plan list_alarms(const intent::recognized& what) const;
    plan cancel(const intent::recognized& what) const;
    plan cancel_alarm(const intent::recognized& what) const;
    plan cancel_all(const intent::recognized& what, kind of) const;
    plan pause(const intent::recognized& what) const;
    plan resume(const intent::recognized& what) const;
    plan change_time(const intent::recognized& what, int sign) const;
    plan snooze(const intent::recognized& what) const;
    // What `what` speaks of: by name, by the length it was set to, by its room, by its place in the order; or all.
    result<std::vector<timers::timer>> meant(const intent::recognized& what, kind of) const;
    plan make_sure(const timers::timer& of, std::string text,
                   std::function<result<timers::timer>(timers::timer_service&, std::int64_t)> act) const;

    plan all_of(const std::vector<timers::timer>& some, std::string_view done,
                std::function<result<timers::timer>(timers::timer_service&, std::int64_t)> act) const;
    std::chrono::local_seconds now_shown() const { return timers::to_local(clock_.wall()); }

    const clock& clock_;
    timers::timer_service& timers_;
    const milliseconds snooze_;
};

// "seven", "6:30 tomorrow", "half past six on weekdays", "7 am every monday": when that is next, and the days that it
// repeats on.
struct alarm_time {
    std::chrono::local_seconds at;
    timers::weekday_set days = 0;
    bool half_day_said = true;  // otherwise 12 hours more or less may be meant
};
std::optional<alarm_time> parse_alarm_time(const std::string& text, std::chrono::local_seconds now);

}  // namespace loqa::session
