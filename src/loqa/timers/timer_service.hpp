// Timers that ring after a power cut.
//
// One for a node. A timer is a row on the disk before start() answers, and stays one until acknowledge() says that it
// was announced: a process that dies in between rings again when it is back. While the process that started it runs, a
// duration is counted by the steady clock, which no change of the time moves; a time of day, and everything that was
// found on the disk at start, goes by the wall clock. What should have rung while nothing ran rings once, marked late.
//
// Every function may be called from any thread, also from the callback.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "loqa/base/clock.hpp"
#include "loqa/base/files.hpp"
#include "loqa/base/result.hpp"
#include "loqa/store/database.hpp"
#include "loqa/telemetry/log.hpp"

namespace loqa::timers {

inline constexpr milliseconds shortest{std::chrono::seconds(1)};
inline constexpr milliseconds longest{std::chrono::days(7)};

enum class state : std::uint8_t { running, ringing };

std::string_view to_string(state value);

struct timer {
    std::string id;     // 16 hex digits
    std::string label;  // lower-case, may be empty and may be another timer's too
    std::string session_id;
    std::string target;  // where it was set, and rings
    timers::state state = state::running;
    milliseconds duration{};   // as asked for; 0 for a time of day
    milliseconds remaining{};  // 0 or less once it rings
    wall_time due_at{};
    wall_time created_at{};
};

struct ring {
    timers::timer timer;
    milliseconds late_by{};  // how long after its time, when that is more than a moment: nothing ran when it was due
};

struct start_request {
    milliseconds duration{};      // from now on, or
    std::optional<wall_time> at;  // at this time
    std::string label, session_id, target;
};

class timer_service {
public:
    static result<std::unique_ptr<timer_service>> open(const fs::path& database, const clock& time,
                                                       telemetry::logger log, std::size_t max_timers = 100);
    ~timer_service();
    timer_service(const timer_service&) = delete;
    timer_service& operator=(const timer_service&) = delete;

    // Starts the thread that rings; once. `on_ring` is called on it, one ring at a time, must not block it and must not
    // throw. The timer is in state ringing until acknowledge(). Until this is called nothing rings and nothing is lost.
    void start_ringing(std::function<void(const ring&)> on_ring);

    // Takes the timers that are due to state ringing and answers them, each once in the life of the process. What the
    // thread does; a test calls it instead of start_ringing().
    std::vector<ring> take_due();

    // too_long or invalid_argument for a time outside shortest..longest, busy when there are max_timers already.
    result<timer> start(start_request what);

    std::vector<timer> list() const;  // the one that rings first, first

    // The timer of that name, or the only one when `label` is empty; of several with one name, the one that rings
    // first. not_found when there is none, invalid_argument when the label is empty and there are several.
    result<timer> find(std::string_view label) const;

    result<timer> cancel(std::string_view label);  // as find() finds it
    result<timer> cancel_id(std::string_view id);
    result<std::vector<timer>> cancel_all();

    // It was announced: the timer is over. not_found when it is gone already, e.g. cancelled while it rang.
    result<void> acknowledge(std::string_view id);

private:
    struct entry {
        timers::timer timer;             // but for `remaining`, which is asked for
        std::optional<steady_time> due;  // by which it rings; none: by timer.due_at
        bool rung = false;               // take_due() has answered it
    };

    timer_service(store::database file, const clock& time, telemetry::logger log, std::size_t max_timers);
    result<void> load();
    void run();
    std::vector<ring> take_due_locked();
    void follow_wall_clock();

    milliseconds remaining(const entry& of) const;
    timer describe(const entry& of) const;
    std::vector<timer> sorted() const;
    result<timer> find_locked(std::string_view label) const;
    result<timer> remove_locked(std::string_view id);
    result<void> insert(const timer& what);
    result<void> update(const timer& what);

    const clock& clock_;
    const telemetry::logger log_;
    const std::size_t max_timers_;

    mutable std::mutex mutex_;  // held while the disk is written: an answer says what is there
    std::condition_variable changed_;
    store::database file_;
    std::vector<entry> entries_;
    std::chrono::nanoseconds wall_offset_;  // wall minus steady time, when the rows were last right
    bool stopping_ = false;

    std::function<void(const ring&)> on_ring_;
    std::thread thread_;
};

}  // namespace loqa::timers
