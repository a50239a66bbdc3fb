// What rings, and when it does so again.
//
// A ring is said, then said again after a pause, until somebody stops it or it was said often enough. Where the speaker
// that it was set for says nothing of playing it, it goes on at another one. Holds numbers, not words. Used by the
// conductor, on its thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "loqa/base/clock.hpp"
#include "loqa/timers/timers.hpp"

namespace loqa::session {

class ringing {
public:
    struct options {
        milliseconds pause{10'000};  // from the end of one announcement to the next
        int times = 12;              // after so many nobody is there
    };
    ringing(options with, const clock& clock) : with_(with), clock_(clock) {}

    struct place {
        std::string target;
        bool pcm = false;
        bool operator==(const place&) const = default;
    };
    // Where it was set.
    static place own(const timers::timer& t);
    // Where `t` is to be said now: where it was set, or `elsewhere`, if there is such a place, when its own speaker is
    // gone. Counts as one time.
    place begin(const timers::timer& t, const std::optional<place>& elsewhere);

    // It was said; `heard` when the speaker said that it played, or is one that never does. What could not be
    // `synthesised` counts for nothing. Answers whether that was the last time.
    bool said(std::int64_t id, bool synthesised, bool heard);

    int times(std::int64_t id) const;

    void forget(std::int64_t id) { rings_.erase(id); }

    std::vector<std::int64_t> due() const;  // to be said again
    steady_time next() const;

private:
    struct ring {
        int said = 0;
        bool gone = false;                 // its own speaker did not play it
        bool can_move = false;             // there was another one when it was begun
        std::optional<steady_time> again;  // none while it is being said
    };

    const options with_;
    const clock& clock_;
    std::map<std::int64_t, ring> rings_;
};

// "Your pasta timer is done."
std::string ring_text(const timers::timer& t);

}  // namespace loqa::session
