// Takes in what others tell of the home: home.learn says what there is, home.update what changed of it.
//
// Owns its subscriptions and what was learned. Its owner says what the home is without all that, and hears when names
// or rooms are others, on a thread of the bus. Safe from any thread.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "loqa/bus/connection.hpp"
#include "loqa/house/house.hpp"
#include "loqa/house/learned.hpp"
#include "loqa/telemetry/log.hpp"

namespace loqa::session {

class home_feed {
public:
    home_feed(house::simulated_home& home, house::learned_homes& learned, bus::connection& bus, telemetry::logger log)
        : home_(home), learned_(learned), bus_(bus), log_(std::move(log)) {}

    // `changed` is called after home and learned have what was told; it rebuilds the home.
    result<void> start(std::function<void()> changed);

private:
    result<std::string> learn(const bus::message& m);
    result<std::string> update(const bus::message& m);
    std::size_t apply(const std::vector<intent::entity>& told);

    house::simulated_home& home_;
    house::learned_homes& learned_;
    bus::connection& bus_;
    const telemetry::logger log_;
    std::function<void()> changed_;
    std::mutex mutex_;                                               // one telling at a time
    std::vector<std::unique_ptr<bus::subscription>> subscriptions_;  // end first
};

}  // namespace loqa::session
