// Timers on the bus: what clients, skills and the command line ask for, and what is told of timers.
//
// Used by the conductor, on its thread.
#pragma once

#include <string>
#include <vector>

#include "loqa/bus/connection.hpp"
#include "loqa/telemetry/log.hpp"
#include "loqa/timers/timers.hpp"

namespace loqa::session {

class timer_requests {
public:
    timer_requests(const clock& clock, timers::timer_service& timers, bus::connection& bus, telemetry::logger log,
                   std::string default_target)
        : clock_(clock), timers_(timers), bus_(bus), log_(std::move(log)), default_target_(std::move(default_target)) {}

    static std::vector<std::string> subjects();

    // Whether the message was one of these; an error when it was and cannot be read.
    result<bool> handle(const bus::message& m);

    // skill.timer.status
    void tell(const timers::timer& t, const std::string& state);

private:
    result<void> start_for_skill(const bus::message& m);
    result<void> cancel_for_skill(const bus::message& m);
    result<std::string> list() const;
    result<std::string> start(const bus::message& m);
    result<std::string> cancel(const bus::message& m);
    result<std::string> change(const bus::message& m);
    result<std::vector<timers::timer>> named(std::int64_t id, const std::string& label) const;

    const clock& clock_;
    timers::timer_service& timers_;
    bus::connection& bus_;
    const telemetry::logger log_;
    const std::string default_target_;
};

}  // namespace loqa::session
