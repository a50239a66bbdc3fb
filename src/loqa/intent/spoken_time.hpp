// Times as they are said: "seven thirty", "quarter to nine", "7:30 p.m.", "noon", "tomorrow at eight", "on friday at
// six", "on the third of may at noon"; and how long something takes: "an hour and a half". English. Stateless.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace loqa::intent {

struct spoken_time {
    int hour = 0;  // 0 to 23
    int minute = 0;
    bool half_day_said =
        false;            // "am", "in the evening", 24-hour clock: the hour is certain; otherwise it may be 12 h later
    int days_ahead = -1;  // 0 today, 1 tomorrow …; -1 not said: the next time the clock shows it
    int weekday = -1;     // 0 Sunday … 6 Saturday: the next of these
    int month = 0;        // 1 to 12; 0 not said: this month or the next
    int day = 0;          // of the month, 1 to 31

    bool operator==(const spoken_time&) const = default;
};

// The whole text has to be a time, with or without "at".
std::optional<spoken_time> parse_spoken_time(std::string_view text);

// The first moment after `now` (local) that is meant.
std::chrono::local_seconds next_occurrence(const spoken_time& time, std::chrono::local_seconds now);

// "ten minutes", "half an hour", "an hour and a half", "2 hours, 5 minutes and 10 seconds", "a couple of days". The
// whole text; nothing for a length of 0.
std::optional<std::chrono::seconds> parse_spoken_duration(std::string_view text);

// A number in words or digits, "twenty-five", "a hundred"; the whole text.
std::optional<int> parse_small_number(std::string_view text);

}  // namespace loqa::intent
