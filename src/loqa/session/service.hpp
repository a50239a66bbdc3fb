// The conductor on the bus: its subscriptions, its queue, and a thread for what is due.
//
// One thing is done at a time, in the order in which it came. Who brings something while nothing is done does it, on
// the bus's thread or the timers': to wake another one for it would cost more than most of it takes. Who brings
// something meanwhile leaves it to that one. stop() ends the turns that are going on, each with a word on
// session.ended, and then the thread. readiness() may be called from any thread.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <variant>
#include <vector>

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

    // Calls `alive` on the service's thread, as soon as nobody is at work.
    void ask(std::function<void()> alive);

private:
    using event = std::variant<bus::message, timers::timer>;

    service(conductor_config config, conductor::parts with, const intent::live_interpreter& sentences);
    result<void> subscribe(bus::connection& bus);
    void bring(event what);
    void work(std::unique_lock<std::mutex>& lock);
    void run();

    const loqa::clock& clock_;
    telemetry::counter& dropped_;
    telemetry::gauge& depth_;

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<event> waiting_;
    std::vector<std::function<void()>> asked_;
    bool busy_ = false;  // somebody is at work: the conductor is theirs until they are done
    bool closing_ = false;
    steady_time due_;  // when the conductor wants to be called next; while nobody is at work
    protocol::readiness readiness_;

    conductor conductor_;  // of who set busy_
    std::vector<std::unique_ptr<bus::subscription>> subscriptions_;
    std::thread thread_;
};

}  // namespace loqa::session
