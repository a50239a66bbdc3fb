// The conductor on the bus: its subscriptions, its thread, its queue.
//
// stop() ends the turns that are going on, each with a word on session.ended, and then the thread. readiness() may be
// called from any thread.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <variant>
#include <vector>

#include "loqa/base/bounded_queue.hpp"
#include "loqa/session/conductor.hpp"

namespace loqa::session {

class service {
public:
    static constexpr std::size_t queue_capacity = 4096;

    static result<std::unique_ptr<service>> start(conductor_config config, conductor::parts with,
                                                  const intent::live_interpreter& sentences);
    ~service();  // as stop()

    void stop();
    protocol::readiness readiness() const;

private:
    service(conductor_config config, conductor::parts with, const intent::live_interpreter& sentences);
    result<void> subscribe(bus::connection& bus);
    void run();
    void enqueue(std::variant<bus::message, timers::timer> event);

    const loqa::clock& clock_;
    conductor conductor_;
    bounded_queue<std::variant<bus::message, timers::timer>> queue_{queue_capacity, overflow::reject_newest};
    telemetry::counter& dropped_;
    telemetry::gauge& depth_;
    mutable std::mutex readiness_mutex_;
    protocol::readiness readiness_;
    std::vector<std::unique_ptr<bus::subscription>> subscriptions_;
    std::thread thread_;
};

}  // namespace loqa::session
