// The home on the bus: who asks is shown it, who listens hears what changes, and a client of loqa-core switches things.
//
// Answers home.get, publishes home.state for each change of a thing and home.changed when names or sentences are
// others, serves skill.home.command and home.act. Owns its subscriptions; home_changed() and sentences_changed() may be
// called from any thread.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "loqa/base/clock.hpp"
#include "loqa/bus/connection.hpp"
#include "loqa/house/house.hpp"
#include "loqa/protocol/messages.hpp"
#include "loqa/telemetry/log.hpp"

namespace loqa::session {

class home_service {
public:
    static result<std::unique_ptr<home_service>> start(house::simulated_home& home, bus::connection& bus,
                                                       const clock& clock, telemetry::logger log,
                                                       telemetry::metrics& metrics,
                                                       std::function<bool(std::string_view)> taken_over = {});
    ~home_service();

    // The home is built of other things than before, or the sentences are others: each counts its revisions.
    void home_changed();
    void sentences_changed(std::uint64_t revision);

private:
    home_service(house::simulated_home& home, bus::connection& bus, const clock& clock, telemetry::logger log,
                 telemetry::metrics& metrics);
    result<void> subscribe();
    void on_command(const bus::message& m);
    std::string act(const std::string& payload);
    void publish(std::string_view subject, const std::string& payload);
    void announce();

    house::simulated_home& home_;
    std::function<bool(std::string_view subject)> taken_over_;  // by somebody who answers it instead
    bus::connection& bus_;
    const clock& clock_;
    const telemetry::logger log_;
    telemetry::rate_limited unreadable_;
    telemetry::counter& unreadable_count_;
    std::atomic<std::uint64_t> revision_{1}, sentences_{1};
    std::vector<std::unique_ptr<bus::subscription>> subscriptions_;
};

}  // namespace loqa::session
