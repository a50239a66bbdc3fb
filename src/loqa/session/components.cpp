#include "loqa/session/components.hpp"

#include <algorithm>

namespace loqa::session {

components::components(const clock& clock, std::vector<std::string> required) : clock_(clock) {
    for (auto& name : required)
        entries_.push_back({.status = {.name = std::move(name), .state = "missing", .detail = "not heard of yet"},
                            .heard_at = steady_time::min()});
    last_ = state();
}

components::change components::heard(const protocol::component_status& status) {
    const auto it = std::ranges::find(entries_, status.name, [](const entry& e) { return e.status.name; });
    // Only the parts that are needed here are kept: others cannot make the list grow.
    if (it == entries_.end()) return {};
    change c;
    c.restarted = it->status.pid != 0 && it->status.pid != status.pid;
    c.became_ready = status.state == "ready" && (c.restarted || it->status.state != "ready");
    it->status = status;
    it->heard_at = clock_.steady();
    c.readiness_changed = update();
    return c;
}

bool components::check() {
    const auto now = clock_.steady();
    for (auto& e : entries_) {
        if (e.heard_at == steady_time::min() || now - e.heard_at < silence_limit) continue;
        e.status.state = "lost";
        e.status.detail = "silent for more than 3 s";
        e.heard_at = steady_time::min();
    }
    return update();
}

steady_time components::next_check() const {
    auto next = steady_time::max();
    for (const auto& e : entries_)
        if (e.heard_at != steady_time::min()) next = std::min(next, e.heard_at + silence_limit);
    return next;
}

protocol::readiness components::state() const {
    protocol::readiness r;
    r.ready = std::ranges::all_of(entries_, [](const entry& e) { return e.status.state == "ready"; });
    for (const auto& e : entries_) r.components.push_back(e.status);
    return r;
}

bool components::away(std::string_view name) const {
    const auto it = std::ranges::find(entries_, name, [](const entry& e) { return std::string_view(e.status.name); });
    return it != entries_.end() && it->status.pid != 0 && it->status.state != "ready";
}

bool components::update() {
    auto now = state();
    const bool changed = now.ready != last_.ready ||
                         !std::ranges::equal(now.components, last_.components, [](const auto& a, const auto& b) {
                             return a.name == b.name && a.state == b.state && a.detail == b.detail && a.pid == b.pid;
                         });
    last_ = std::move(now);
    return changed;
}

}  // namespace loqa::session
