#include "loqa/session/phrases.hpp"

#include <vector>

#include <gtest/gtest.h>

namespace loqa::session {
namespace {

using namespace std::chrono_literals;

std::tm at(int hour, int minute, int day = 31, int month = 0, int weekday = 6) {
    std::tm t{};
    t.tm_hour = hour;
    t.tm_min = minute;
    t.tm_mday = day;
    t.tm_mon = month;
    t.tm_wday = weekday;
    return t;
}

TEST(Phrases, TimesAreSaidAsPeopleDo) {
    EXPECT_EQ(say_time(at(8, 5)), "8:05 AM");
    EXPECT_EQ(say_time(at(20, 0)), "8 PM");
    EXPECT_EQ(say_time(at(0, 30)), "12:30 AM");
    EXPECT_EQ(say_time(at(12, 30)), "12:30 PM");
    EXPECT_EQ(say_time(at(12, 0)), "noon");
    EXPECT_EQ(say_time(at(0, 0)), "midnight");
}

TEST(Phrases, DatesHaveTheirOrdinal) {
    EXPECT_EQ(say_date(at(0, 0)), "Saturday, January 31st");
    EXPECT_EQ(say_date(at(0, 0, 11, 11, 0)), "Sunday, December 11th");
    EXPECT_EQ(say_date(at(0, 0, 22, 1, 1)), "Monday, February 22nd");
    EXPECT_EQ(say_date(at(0, 0, 3, 4, 3)), "Wednesday, May 3rd");
}

struct duration_case {
    std::chrono::nanoseconds duration;
    std::string_view text;
};

TEST(Phrases, DurationsAreAsExactAsAnybodyWants) {
    for (const auto& c : {duration_case{1s, "1 second"},
                          {90s, "1 minute and 30 seconds"},
                          {600s, "10 minutes"},
                          {3600s, "1 hour"},
                          {3661s, "1 hour and 1 minute"},
                          {90061s, "1 day, 1 hour and 1 minute"},
                          {0s, "0 seconds"},
                          {59'700ms, "1 minute"}})
        EXPECT_EQ(say_duration(c.duration), c.text);
}

TEST(Phrases, ListsAndCounts) {
    EXPECT_EQ(say_list(std::vector<std::string>{}), "");
    EXPECT_EQ(say_list(std::vector<std::string>{"a"}), "a");
    EXPECT_EQ(say_list(std::vector<std::string>{"a", "b", "c"}), "a, b and c");
    EXPECT_EQ(say_count(1, "timer"), "1 timer");
    EXPECT_EQ(say_count(2, "timer"), "2 timers");
    EXPECT_EQ(capitalised("pasta"), "Pasta");
}

}  // namespace
}  // namespace loqa::session
