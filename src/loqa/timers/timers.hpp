// Timers that ring after a power cut.
//
// A timer is on the disk before start() returns. While the process lives it rings by the steady clock, so that setting
// the machine's time does not move it; after a restart by the wall clock, and what should have rung meanwhile rings
// late, once. A timer that rang stays "ringing" on the disk until acknowledge(): a crash between the two makes it ring
// again. Every function may be called from any thread; on_ring runs on the service's own thread, must not block for
// long and must not throw.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "loqa/base/clock.hpp"
#include "loqa/base/files.hpp"
#include "loqa/base/result.hpp"
#include "loqa/telemetry/log.hpp"

namespace loqa::timers {

inline constexpr std::size_t max_timers = 100;
inline constexpr std::size_t max_label_bytes = 200;
inline constexpr std::size_t max_action_bytes = 16u << 10;
inline constexpr milliseconds shortest{1000};
inline constexpr milliseconds longest{std::chrono::days{7}};

struct timer {
    std::int64_t id = 0;       // never given twice
    std::string label;         // "pasta", in lower case; may be empty
    std::string session_id;    // who set it
    std::string target;        // where it rings; empty: where loqad's default is
    bool pcm = false;          // whether that speaker takes raw PCM
    std::string action;        // what to do when it rings, as its owner wrote it (JSON); empty: ring
    milliseconds duration{};   // 0 for a time of day
    wall_time ends_at{};       // as planned; the wall clock may have been set since
    milliseconds remaining{};  // as of the call that returned it, never below 0
    bool ringing = false;
    bool late = false;  // it should have rung while no process was there to do it
};

struct new_timer {
    milliseconds duration{};
    std::string label, session_id, target;
    bool pcm = false;
    std::string action;           // kept and handed back as it is
    std::optional<wall_time> at;  // instead of a duration: rings then, by the wall clock
};

class timer_service {
public:
    using on_ring = std::function<void(const timer&)>;

    // Opens the SQLite database `file` or makes it; the event store may share it. The thread that rings starts with
    // run().
    static result<std::unique_ptr<timer_service>> open(const fs::path& file, const clock& clock, telemetry::logger log);
    virtual ~timer_service() = default;

    // Rings from now on, first what is overdue or was not acknowledged. Call once.
    virtual void run(on_ring ring) = 0;

    // invalid_argument when shorter than shortest, too_long when longer than longest or in its label or action, busy
    // when there are max_timers, io_failed when the disk says no.
    virtual result<timer> start(const new_timer& what) = 0;

    // Running and ringing ones, the next to ring first.
    virtual result<std::vector<timer>> list() const = 0;

    // not_found when there is none of this id any more.
    virtual result<timer> cancel(std::int64_t id) = 0;

    // The ring was heard: the timer is over.
    virtual result<void> acknowledge(std::int64_t id) = 0;

    // Tests move a manual clock and then call this: it returns when the service's thread has seen the new time and
    // on_ring has been called for what is due by it. Not from on_ring.
    virtual void clock_moved() = 0;
};

}  // namespace loqa::timers
