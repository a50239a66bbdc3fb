#include "loqa/stt/handover.hpp"

#include <algorithm>
#include <utility>

namespace loqa::stt {

namespace {

constexpr const char* unknown = "unknown";

}  // namespace

void handover::told(transcript what, steady_time now) {
    std::lock_guard lock(mutex_);
    std::erase_if(open_,
                  [&](const open_turn& each) { return each.what.session_id == what.session_id && each.state.empty(); });
    if (open_.size() >= most) open_.pop_front();
    open_.push_back({std::move(what), {}, {}, now, now + again_every});
}

void handover::heard_of(const std::string& turn_id, const std::string& state, const std::string& owner) {
    std::lock_guard lock(mutex_);
    for (auto& each : open_)
        if (each.what.turn.turn_id == turn_id && state != "listening") {
            each.state = state;
            each.owner = owner;
        }
}

void handover::over(const std::string& turn_id) {
    std::lock_guard lock(mutex_);
    std::erase_if(open_, [&](const open_turn& each) { return each.what.turn.turn_id == turn_id; });
}

std::vector<handover::transcript> handover::due(steady_time now) {
    std::lock_guard lock(mutex_);
    std::erase_if(open_, [&](const open_turn& each) {
        return now - each.first >= (each.state.empty() ? given_up_after : given_up_at_last_after);
    });
    std::vector<transcript> again;
    for (auto& each : open_) {
        if (now < each.next) continue;
        each.next = now + (each.state == "speaking" ? 4 : 1) * again_every;
        again.push_back(each.what);
        again.back().turn.again = each.state.empty() ? unknown : each.state;
        again.back().turn.owner = each.owner;
        again.back().turn.age = now - each.what.speech_ended;
    }
    return again;
}

steady_time handover::next() const {
    std::lock_guard lock(mutex_);
    auto first = steady_time::max();
    for (const auto& each : open_) first = std::min(first, each.next);
    return first;
}

}  // namespace loqa::stt
