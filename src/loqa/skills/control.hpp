// skill.control: what `loqa skill` asks of the host. Requests are answered one after the other on a thread of its own,
// since loading a skill takes as long as compiling it. Owns its subscription.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "loqa/bus/connection.hpp"
#include "loqa/skills/service.hpp"
#include "loqa/store/event_store.hpp"
#include "loqa/telemetry/log.hpp"

namespace loqa::skills {

class control {
public:
    static result<std::unique_ptr<control>> start(service& of, bus::connection& bus, store::event_store& store,
                                                  telemetry::logger log);
    ~control();
    control(const control&) = delete;
    control& operator=(const control&) = delete;

private:
    control(service& of, bus::connection& bus, store::event_store& store, telemetry::logger log)
        : skills_(of), bus_(bus), store_(store), log_(std::move(log)) {}
    void run(const std::stop_token& stop);
    result<std::string> answer(const std::string& payload);

    service& skills_;
    bus::connection& bus_;
    store::event_store& store_;
    const telemetry::logger log_;
    std::mutex mutex_;
    std::condition_variable_any asked_;
    std::deque<bus::message> waiting_;
    std::jthread thread_;
    std::unique_ptr<bus::subscription> subscription_;  // ends first
};

}  // namespace loqa::skills
