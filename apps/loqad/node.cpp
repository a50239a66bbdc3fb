#include "node.hpp"

#include "loqa/base/process.hpp"
#include "loqa/protocol/subjects.hpp"

namespace loqa::app {
namespace {

constexpr int announce_every = 5;       // heartbeats
constexpr std::size_t max_nodes = 256;  // of which the rest is not counted

}  // namespace

node_announcer::node_announcer(frame& of)
    : frame_(of),
      node_count_(
          of.metrics().gauge("loqa_capabilities_nodes", "Nodes that were heard of within the heartbeat timeout")),
      capability_count_(of.metrics().gauge("loqa_capabilities_total", "Capabilities that these nodes announced")) {
    const auto& node = of.settings().node;
    self_.node_id = node.id;
    self_.role = node.role;
    for (const auto& c : node.capabilities) self_.capabilities.push_back({c.name, c.tier, c.attributes});

    const auto listen = [this](std::string_view subject, auto on_payload) {
        auto made = frame_.bus().subscribe(subject, [on_payload](const bus::message& m) { on_payload(m.payload); });
        if (made)
            subscriptions_.push_back(std::move(*made));
        else
            frame_.log().warn(made.error());
    };
    listen(protocol::subject::node_announce, [this](const std::string& payload) {
        if (const auto m = protocol::decode<protocol::node_announce>(payload))
            heard(m->node_id, m->capabilities.size(), true);
    });
    listen(std::string(protocol::subject::node_heartbeat) + ".*", [this](const std::string& payload) {
        if (const auto m = protocol::decode<protocol::node_heartbeat>(payload)) heard(m->node_id, 0, false);
    });
    thread_ = std::thread([this] { run(); });
}

node_announcer::~node_announcer() {
    subscriptions_.clear();
    {
        std::lock_guard lock(mutex_);
        ending_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

void node_announcer::run() {
    name_this_thread("node");
    std::unique_lock lock(mutex_);
    for (int beat = 0; !ending_; ++beat) {
        lock.unlock();
        const auto now = to_rfc3339(frame_.clock().wall());
        self_.timestamp = now;
        if (beat % announce_every == 0) say(protocol::subject::node_announce, protocol::encode(self_));
        say(protocol::join(protocol::subject::node_heartbeat, self_.node_id),
            protocol::encode(protocol::node_heartbeat{self_.node_id, now}));
        lock.lock();
        count();
        changed_.wait_for(lock, frame_.settings().node.heartbeat_interval, [this] { return ending_; });
    }
}

void node_announcer::say(std::string_view subject, const std::string& payload) {
    if (auto sent = frame_.bus().publish(subject, payload); !sent) frame_.log().debug("{}", sent.error().message);
}

void node_announcer::heard(const std::string& node_id, std::size_t capabilities, bool announced) {
    std::lock_guard lock(mutex_);
    if (!nodes_.contains(node_id) && nodes_.size() >= max_nodes) return;
    auto& n = nodes_[node_id];
    n.heard_at = frame_.clock().steady();
    if (announced) n.capabilities = capabilities;
    count();
}

void node_announcer::count() {
    const auto now = frame_.clock().steady();
    std::erase_if(nodes_, [&](const auto& entry) {
        return now - entry.second.heard_at > frame_.settings().node.heartbeat_timeout;
    });
    std::size_t capabilities = 0;
    for (const auto& [id, n] : nodes_) capabilities += n.capabilities;
    node_count_.set(static_cast<double>(nodes_.size()));
    capability_count_.set(static_cast<double>(capabilities));
}

}  // namespace loqa::app
