#include "loqa/session/ringing.hpp"

#include <algorithm>
#include <ctime>

#include <fmt/format.h>

#include "loqa/session/phrases.hpp"

namespace loqa::session {

ringing::place ringing::own(const timers::timer& t) {
    return {.target = t.target.empty() ? t.session_id : t.target, .pcm = t.pcm};
}

ringing::place ringing::begin(const timers::timer& t, const std::optional<place>& elsewhere) {
    auto& r = rings_[t.id];
    r.again.reset();
    ++r.said;
    r.can_move = elsewhere.has_value();
    return r.gone && elsewhere ? *elsewhere : own(t);
}

bool ringing::said(std::int64_t id, bool synthesised, bool heard) {
    const auto found = rings_.find(id);
    if (found == rings_.end()) return false;
    auto& r = found->second;
    if (!synthesised) {
        --r.said;
        r.again = clock_.steady() + with_.pause;
        return false;
    }
    if (r.said >= with_.times) {
        rings_.erase(found);
        return true;
    }
    // A speaker that is gone is not waited for.
    const bool moves = !heard && !r.gone && r.can_move;
    if (!heard) r.gone = true;
    r.again = clock_.steady() + (moves ? milliseconds(0) : with_.pause);
    return false;
}

int ringing::times(std::int64_t id) const {
    const auto found = rings_.find(id);
    return found == rings_.end() ? 0 : found->second.said;
}

std::vector<std::int64_t> ringing::due() const {
    std::vector<std::int64_t> all;
    for (const auto& [id, r] : rings_)
        if (r.again && *r.again <= clock_.steady()) all.push_back(id);
    return all;
}

steady_time ringing::next() const {
    auto first = steady_time::max();
    for (const auto& [id, r] : rings_)
        if (r.again) first = std::min(first, *r.again);
    return first;
}

std::string ring_text(const timers::timer& t) {
    const bool is_late = t.late > milliseconds(0);
    if (t.is_alarm()) {
        const auto as_if_utc = static_cast<std::time_t>(t.local_at->time_since_epoch().count());
        std::tm fields{};
        ::gmtime_r(&as_if_utc, &fields);
        const auto time = say_time(fields);
        const auto name = t.label.empty() ? std::string("alarm") : t.label + " alarm";
        if (is_late)
            return fmt::format("Sorry, your {} {} should have rung {} ago, while I was away.", time, name,
                               say_duration(t.late));
        if (t.snoozed) return fmt::format("This is your {} {} again.", time, name);
        return fmt::format("It is {}. This is your {}.", time, name);
    }
    const auto name = t.label.empty() ? std::string("timer") : t.label + " timer";
    if (is_late) return fmt::format("Sorry, your {} ended {} ago, while I was away.", name, say_duration(t.late));
    return fmt::format("Your {} is done.", name);
}

}  // namespace loqa::session
