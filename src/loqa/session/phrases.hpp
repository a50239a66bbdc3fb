// English, as it is spoken: times, dates, durations, lists. Stateless: safe from any thread.
#pragma once

#include <chrono>
#include <ctime>
#include <span>
#include <string>

#include "loqa/base/clock.hpp"

namespace loqa::session {

std::tm local_time(wall_time at);  // what the clock on the wall shows

std::string say_time(const std::tm& local);  // "8:05 AM", "noon", "midnight"
std::string say_date(const std::tm& local);  // "Saturday, January 31st"

// "1 hour and 30 minutes", "45 seconds". Rounded to whole seconds; above an hour the seconds are left out.
std::string say_duration(std::chrono::nanoseconds duration);

std::string say_list(std::span<const std::string> items);               // "tea, pasta and eggs"
std::string say_count(std::size_t count, const std::string& singular);  // "1 timer", "3 timers"

std::string capitalised(std::string text);

}  // namespace loqa::session
