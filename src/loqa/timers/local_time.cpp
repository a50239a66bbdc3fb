#include "loqa/timers/local_time.hpp"

#include <ctime>

namespace loqa::timers {
namespace {

using std::chrono::local_seconds;

seconds offset_at(std::time_t at) {
    std::tm local{};
    ::localtime_r(&at, &local);
    return seconds(local.tm_gmtoff);
}

std::time_t as_if_utc(local_seconds shown) { return static_cast<std::time_t>(shown.time_since_epoch().count()); }

}  // namespace

local_seconds to_local(wall_time at) {
    ::tzset();  // localtime_r() alone would stay with the zone of its first call
    const auto utc = std::chrono::floor<seconds>(at.time_since_epoch());
    return local_seconds(utc + offset_at(static_cast<std::time_t>(utc.count())));
}

wall_time from_local(local_seconds shown) {
    ::tzset();
    constexpr std::time_t day = 86'400;
    const auto before = offset_at(as_if_utc(shown) - day), after = offset_at(as_if_utc(shown) + day);
    const auto by = [&](seconds offset) { return wall_time(shown.time_since_epoch() - offset); };
    // Where both offsets give the time, the earlier moment is the one by the offset before; where neither does, the
    // clock skipped it.
    if (to_local(by(before)) != shown && to_local(by(after)) == shown) return by(after);
    return by(before);
}

local_seconds next_on(weekday_set days, local_seconds like, local_seconds after) {
    const auto of_day = like - std::chrono::floor<std::chrono::days>(like);
    auto date = std::chrono::floor<std::chrono::days>(after);
    for (int tried = 0; tried <= 7; ++tried, date += std::chrono::days(1)) {
        const bool fits = days == 0 || (days & only(std::chrono::weekday(date))) != 0;
        if (fits && date + of_day > after) return date + of_day;
    }
    return date + of_day;
}

}  // namespace loqa::timers
