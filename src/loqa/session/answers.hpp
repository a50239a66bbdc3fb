// What loqad itself answers: time and date, timers, stop, never mind, repeat, help.
//
// answer_for() turns a recognised intent into words, and does what was asked before saying so. Errors become words as
// well: the caller speaks them. Used by one thread at a time.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "loqa/base/clock.hpp"
#include "loqa/intent/matcher.hpp"
#include "loqa/timers/timers.hpp"

namespace loqa::session {

struct asker {
    std::string session_id;
    std::string target;      // where the answer is heard
    bool pcm = false;        // whether that speaker takes raw PCM
    std::string last_reply;  // what was said last in this session, for "repeat that"; empty if nothing was
};

struct spoken_answer {
    std::string text;            // empty: nothing is said
    bool failed = false;         // text is an apology
    bool stop_speaking = false;  // what is being said in the session now, and what rings, is to be silent
    std::string reason;          // for a failure: an errc name
};

class answers {
public:
    answers(const clock& clock, timers::timer_service& timers) : clock_(clock), timers_(timers) {}

    // Nothing when no intent of this name is answered here.
    std::optional<spoken_answer> answer_for(const intent::recognized& what, const asker& who);

    static spoken_answer not_understood(const intent::miss& why);

private:
    spoken_answer start_timer(const intent::recognized& what, const asker& who);
    spoken_answer timer_status(const intent::recognized& what);
    spoken_answer cancel_timer(const intent::recognized& what);
    spoken_answer cancel_all_timers();
    // The timers that `what` speaks of: by name, by the length it was set to, or all of them.
    result<std::vector<timers::timer>> meant(const intent::recognized& what) const;

    const clock& clock_;
    timers::timer_service& timers_;
};

}  // namespace loqa::session
