// What the long-running binaries have in common: arguments, configuration, logs, metrics, traces, the bus, a status on
// the bus, and an orderly end.
//
// main() calls run() and is done. run() owns the frame; `start` builds the process's own part on top of it and hands it
// over, to be destroyed before the frame is. frame's functions are safe from any thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "loqa/base/clock.hpp"
#include "loqa/base/result.hpp"
#include "loqa/bus/connection.hpp"
#include "loqa/config/config.hpp"
#include "loqa/telemetry/log.hpp"
#include "loqa/telemetry/metrics.hpp"
#include "loqa/telemetry/trace.hpp"

namespace loqa::app {

struct identity {
    std::string binary;       // "loqa-stt": in --help and traces
    std::string component;    // "stt": its name in statuses and logs
    std::string description;  // one sentence for --help
    int metrics_port_offset = 0;
    bool owns_bus = false;  // starts the private nats-server when bus.embedded is true
};

class frame {
public:
    virtual ~frame() = default;
    virtual const config::settings& settings() const = 0;
    virtual const loqa::clock& clock() const = 0;
    virtual telemetry::logger log() const = 0;
    virtual telemetry::metrics& metrics() = 0;
    virtual telemetry::tracer& tracer() = 0;
    virtual bus::connection& bus() = 0;

    // How this process is, for /readyz and `loqa doctor`: "starting" until start() has returned, then "ready"; a part
    // that fails later may say so. Published at once and every second.
    virtual void set_state(std::string_view state, std::string detail) = 0;

    // Has a loop of the part's answer, every second from start() on for as long as the part lives: `ask` hands its
    // argument to the loop, which calls it when its turn comes. Who runs this process (`loqa up`, systemd) is told that
    // it is alive as long as all do.
    virtual void watch(std::string name, std::function<void(std::function<void()> alive)> ask) = 0;

    // Ends the process with exit code 1 after logging `why`.
    virtual void give_up(const error& why) = 0;
};

// The process's own part: destroyed first when the process ends, which must take less than 5 s.
class part {
public:
    virtual ~part() = default;
    // A few words shown with the state "ready", e.g. which model is loaded.
    virtual std::string detail() const { return {}; }
    // False: it still starts, and says itself when it is ready.
    virtual bool ready() const { return true; }
};

// Exit codes: 0 asked to end, 1 could not start or gave up, 2 wrong arguments or configuration.
int run(const identity& who, int argc, char** argv, const std::function<result<std::unique_ptr<part>>(frame&)>& start);

}  // namespace loqa::app
