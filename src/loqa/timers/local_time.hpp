// Wall time as the clock on the wall shows it, and back.
//
// The zone is the process's (TZ, or /etc/localtime, which is read anew when somebody changed it). A time that the clock
// shows twice is taken as the first of the two; one that it skips, as if it had not skipped: 2:30 in a night that goes
// from 2 to 3 is 3:30. Stateless: any thread.
#pragma once

#include <chrono>
#include <cstdint>

#include "loqa/base/clock.hpp"

namespace loqa::timers {

std::chrono::local_seconds to_local(wall_time at);
wall_time from_local(std::chrono::local_seconds shown);

// Days of the week, one bit each, Sunday lowest. None: once.
using weekday_set = std::uint8_t;
inline constexpr weekday_set every_day = 0b1111111;
inline constexpr weekday_set working_days = 0b0111110;
inline constexpr weekday_set weekend_days = 0b1000001;
constexpr weekday_set only(std::chrono::weekday day) { return static_cast<weekday_set>(1u << day.c_encoding()); }

// The first moment after `after` that has the time of day of `like` and one of the days.
std::chrono::local_seconds next_on(weekday_set days, std::chrono::local_seconds like, std::chrono::local_seconds after);

}  // namespace loqa::timers
