// Doing what was understood: commands in their order, each by whoever answers for it.
//
// A deed is what one turn does. go_on() carries it out until it is finished or waits for a handler on the bus; the
// owner hands the handler's answer to answered(), or says gave_up() at the deadline, and goes on. Of several commands
// all are looked at before the first is done: what cannot be done keeps the others from being done. Used by one
// thread at a time.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "loqa/intent/understanding.hpp"
#include "loqa/session/answers.hpp"
#include "loqa/session/house_answers.hpp"
#include "loqa/session/intent_handlers.hpp"
#include "loqa/session/later.hpp"
#include "loqa/telemetry/trace.hpp"
#include "loqa/timers/timers.hpp"

namespace loqa::session {

struct deed {
    std::vector<intent::command> commands;
    bool confirmed = false;   // the person said yes to it
    std::size_t next = 0;     // the command that is done next, or waits
    std::string waiting_for;  // token of a handler's answer; empty: none
    bool ask = false;         // so_far is a question: the commands are done after a yes
    spoken_answer so_far;
    steady_time began{};
    std::optional<telemetry::timed_span> span;  // of the command that waits
};

class actor {
public:
    struct parts {
        const loqa::clock& clock;
        bus::connection& bus;
        timers::timer_service& timers;
        telemetry::tracer& tracer;
        answers& own;
        house_answers* home;  // null: nothing answers for things
    };
    explicit actor(parts with) : with_(with), handlers_(with.clock, with.bus) {}

    struct turn {
        const asker& who;
        std::string id;
        const telemetry::trace_context& trace;
        const bus::headers& headers;
    };
    // Whether the deed is finished; otherwise deed.waiting_for says what it waits for.
    bool go_on(deed& what, const turn& of) const;
    void answered(deed& what, const turn& of, const bus::message& m) const;
    void gave_up(deed& what) const;

    // Whether nothing is changed by them, so that doing them twice does no harm.
    bool only_tells(const std::vector<intent::command>& commands) const;

    // Why a command cannot be done as things stand, as far as that is known before trying.
    std::optional<spoken_answer> objection(const intent::command& command, const asker& who) const;

    // What go_on() would say if all goes well, without doing anything; nothing when only doing it can tell.
    std::optional<std::string> preview(const std::vector<intent::command>& commands, const asker& who) const;

    // The same of one command now, as if no handler had declared its intent.
    std::optional<std::string> own_preview(const intent::recognized& what, const asker& who) const;

    spoken_answer not_understood(const intent::miss& why) const;

    intent_handlers& handlers() { return handlers_; }
    const intent_handlers& handlers() const { return handlers_; }

private:
    spoken_answer by_ourselves(const intent::recognized& what, const asker& who) const;
    std::string promise(const intent::command& command) const;
    std::optional<spoken_answer> promise_all(deed& what, const asker& who) const;

    const parts with_;
    mutable intent_handlers handlers_;
};

}  // namespace loqa::session
