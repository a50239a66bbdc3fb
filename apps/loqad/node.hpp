// Says on the bus which node this is and that it is alive, and counts the others.
//
// The announcement is repeated, so that who joins late learns of older nodes; a node is gone when nothing was heard of
// it for node.heartbeat_timeout_ms by this node's own clock.
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "common/frame.hpp"
#include "loqa/protocol/messages.hpp"

namespace loqa::app {

class node_announcer {
public:
    explicit node_announcer(frame& of);
    ~node_announcer();

private:
    void run();
    void say(std::string_view subject, const std::string& payload);
    void heard(const std::string& node_id, std::size_t capabilities, bool announced);
    void count();

    frame& frame_;
    protocol::node_announce self_;
    struct node {
        steady_time heard_at{};
        std::size_t capabilities = 0;
    };
    std::mutex mutex_;
    std::condition_variable changed_;
    bool ending_ = false;
    std::map<std::string, node> nodes_;
    telemetry::gauge &node_count_, &capability_count_;
    std::vector<std::unique_ptr<bus::subscription>> subscriptions_;
    std::thread thread_;
};

}  // namespace loqa::app
