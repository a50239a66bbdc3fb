// Timers and alarms that ring after a power cut.
//
// One is on the disk before start() returns. A timer rings by the steady clock while the process lives, so that setting
// the machine's time does not move it, and by the wall clock after a restart. An alarm rings when the clock on the wall
// shows its time, whatever happens to clock and time zone meanwhile; one that repeats moves on to its next day when its
// ring is over. What should have rung while no process was there rings late, once. A ring stays on the disk until
// acknowledge(): a crash before makes it ring again. Every function may be called from any thread; on_ring runs on the
// service's own thread, must not block for long and must not throw.
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
#include "loqa/timers/local_time.hpp"

namespace loqa::timers {

inline constexpr std::size_t max_timers = 100;
inline constexpr std::size_t max_label_bytes = 200;
inline constexpr std::size_t max_action_bytes = 16u << 10;
inline constexpr milliseconds shortest{1000};
inline constexpr milliseconds longest{std::chrono::days{7}};
inline constexpr milliseconds farthest_alarm{std::chrono::days{366}};
// A ring of a repeating alarm that was missed by more is not made up for: its next day is near.
inline constexpr milliseconds latest_repeated{std::chrono::hours{12}};

enum class timer_state : std::uint8_t { running, paused, ringing };
std::string_view to_string(timer_state state);

struct timer {
    std::int64_t id = 0;       // never given twice
    std::string label;         // "pasta", in lower case; may be empty
    std::string session_id;    // who set it
    std::string target;        // where it rings; empty: where loqad's default is
    std::string area;          // where it was set, in lower case; empty if unknown
    bool pcm = false;          // whether that speaker takes raw PCM
    std::string action;        // what to do when it rings, as its owner wrote it (JSON); empty: ring
    bool ephemeral = false;    // its words are nowhere but in memory
    milliseconds duration{};   // as it was set; 0 for an alarm
    wall_time ends_at{};       // as planned; the wall clock may have been set since
    milliseconds remaining{};  // as of the call that returned it, never below 0
    timer_state state = timer_state::running;
    bool snoozed = false;  // it has rung and will again
    milliseconds late{};   // so long ago it should have rung, while no process was there to do it

    // Of an alarm: what the clock on the wall shows when it rings next, and the days that it repeats on.
    std::optional<std::chrono::local_seconds> local_at;
    weekday_set days = 0;

    bool is_alarm() const { return local_at.has_value(); }
    bool ringing() const { return state == timer_state::ringing; }
};

struct new_timer {
    milliseconds duration{};
    std::string label, session_id, target, area;
    bool pcm = false;
    std::string action;           // kept and handed back as it is
    std::optional<wall_time> at;  // instead of a duration: an alarm, first then
    weekday_set days = 0;         // of an alarm: again on these days, at the same time
    // Said in a turn that must leave no trace: the label is in memory alone, and with an action the whole timer is, so
    // that a restart forgets it.
    bool ephemeral = false;
};

class timer_service {
public:
    using on_ring = std::function<void(const timer&)>;

    // Opens the SQLite database `file` or makes it. Timers that earlier versions kept in the event store's file
    // (`before`) are taken over once. The thread that rings starts with run(). There can be `most` at a time.
    static result<std::unique_ptr<timer_service>> open(const fs::path& file, const clock& clock, telemetry::logger log,
                                                       const fs::path& before = {}, std::size_t most = max_timers);
    virtual ~timer_service() = default;

    // Rings from now on, first what is overdue or was not acknowledged. Call once.
    virtual void run(on_ring ring) = 0;

    // invalid_argument when shorter than shortest, too_long when longer than longest (an alarm: farther than
    // farthest_alarm) or in its label or action, busy when there are as many as there can be, io_failed when the disk
    // says no.
    virtual result<timer> start(const new_timer& what) = 0;

    // All of them, the next to ring first.
    virtual result<std::vector<timer>> list() const = 0;

    // Each of these: not_found when there is none of this id any more; invalid_argument, in words for people, when it
    // is not in a state for it.

    // It is gone, with all its repetitions.
    virtual result<timer> cancel(std::int64_t id) = 0;
    virtual result<timer> pause(std::int64_t id) = 0;
    virtual result<timer> resume(std::int64_t id) = 0;
    // More or, with a negative `by`, less time; one that rings runs again for so long.
    virtual result<timer> add(std::int64_t id, milliseconds by) = 0;
    // The ring is put off.
    virtual result<timer> snooze(std::int64_t id, milliseconds by) = 0;
    // The ring was heard: the timer is over, a repeating alarm waits for its next day.
    virtual result<void> acknowledge(std::int64_t id) = 0;

    // Tests move a manual clock and then call this: it returns when the service's thread has seen the new time and
    // on_ring has been called for what is due by it. Not from on_ring.
    virtual void clock_moved() = 0;
};

}  // namespace loqa::timers
