// Time, injected.
//
// Code that waits or measures takes a clock, so that tests can move it. Durations come from steady(), which no time
// change moves; calendar questions (what time is it, when does the timer ring after a reboot) from wall(). Safe from
// any thread.
#pragma once

#include <chrono>
#include <mutex>
#include <string>

namespace loqa {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;
using steady_time = std::chrono::steady_clock::time_point;
using wall_time = std::chrono::system_clock::time_point;

class clock {
public:
    virtual ~clock() = default;
    virtual steady_time steady() const = 0;
    virtual wall_time wall() const = 0;
};

class real_clock final : public clock {
public:
    steady_time steady() const override { return std::chrono::steady_clock::now(); }
    wall_time wall() const override { return std::chrono::system_clock::now(); }
};

// For tests: stands still until advanced; the two times move together unless jump_wall() parts them.
class manual_clock final : public clock {
public:
    explicit manual_clock(wall_time start = wall_time{std::chrono::days{20'000}}) : wall_(start) {}

    steady_time steady() const override {
        std::lock_guard lock(mutex_);
        return steady_;
    }
    wall_time wall() const override {
        std::lock_guard lock(mutex_);
        return wall_;
    }
    void advance(std::chrono::nanoseconds by) {
        std::lock_guard lock(mutex_);
        steady_ += by;
        wall_ += std::chrono::duration_cast<wall_time::duration>(by);
    }
    void jump_wall(std::chrono::nanoseconds by) {
        std::lock_guard lock(mutex_);
        wall_ += std::chrono::duration_cast<wall_time::duration>(by);
    }

private:
    mutable std::mutex mutex_;
    steady_time steady_{};
    wall_time wall_;
};

// RFC 3339 in UTC with milliseconds: "2026-01-31T08:15:00.123Z".
std::string to_rfc3339(wall_time time);

inline double to_ms(std::chrono::nanoseconds d) { return std::chrono::duration<double, std::milli>(d).count(); }

}  // namespace loqa
