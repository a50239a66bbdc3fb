// Alarms: times on the clock on the wall, through zones, summer time and changes of the clock.
#include <cstdlib>
#include <ctime>
#include <mutex>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loqa/base/ids.hpp"
#include "loqa/timers/timers.hpp"

namespace loqa::timers {
namespace {

using namespace std::chrono_literals;
using std::chrono::local_days;
using std::chrono::local_seconds;
using std::chrono::sys_days;
using testing::IsEmpty;
using testing::SizeIs;

void set_zone(const char* name) {
    ::setenv("TZ", name, 1);
    ::tzset();
}

local_seconds shown(std::chrono::year_month_day date, std::chrono::nanoseconds of_day) {
    return local_days(date) + std::chrono::duration_cast<seconds>(of_day);
}

class Alarms : public testing::Test {
protected:
    void SetUp() override {
        set_zone("Europe/Berlin");
        fs::create_directories(folder_);
    }
    void TearDown() override {
        fs::remove_all(folder_);
        ::unsetenv("TZ");
        ::tzset();
    }

    std::unique_ptr<timer_service> start_service() {
        auto service = timer_service::open(folder_ / "timers.db", clock_, telemetry::logger::silent()).value();
        service->run([this](const timer& t) {
            std::lock_guard lock(mutex_);
            rings_.push_back(t);
        });
        service->clock_moved();
        return service;
    }
    // Moves time until the wall shows `then`.
    void go_to(timer_service& service, local_seconds then) {
        clock_.advance(from_local(then) - clock_.wall());
        service.clock_moved();
    }
    std::vector<timer> rung() {
        std::lock_guard lock(mutex_);
        return std::exchange(rings_, {});
    }
    static local_seconds next_of(const timer_service& service) {
        return to_local(service.list().value().at(0).ends_at);
    }

    const fs::path folder_ = fs::temp_directory_path() / ("loqa-alarms-" + random_hex(6));
    // A Friday, nine in the evening.
    const std::chrono::year_month_day friday_{2026y / std::chrono::March / 27};
    manual_clock clock_{from_local_in_berlin()};

private:
    wall_time from_local_in_berlin() {
        set_zone("Europe/Berlin");
        return from_local(shown(friday_, 21h));
    }
    std::mutex mutex_;
    std::vector<timer> rings_;
};

TEST_F(Alarms, RingWhenTheWallShowsTheirTimeAlsoAfterTheNightOfSummerTime) {
    auto service = start_service();
    // Summer time begins on the 29th.
    const auto at = shown(2026y / std::chrono::March / 30, 7h);
    ASSERT_TRUE(service->start({.label = "wake up", .at = from_local(at)}));
    EXPECT_EQ(service->list().value().at(0).remaining, 57h);
    go_to(*service, at - 1s);
    EXPECT_THAT(rung(), IsEmpty());
    go_to(*service, at);
    const auto due = rung();
    ASSERT_THAT(due, SizeIs(1));
    EXPECT_EQ(due[0].late, 0ms);
    EXPECT_TRUE(service->acknowledge(due[0].id));
    EXPECT_THAT(service->list().value(), IsEmpty());
}

TEST_F(Alarms, ThatRepeatMoveOnToTheirNextDay) {
    auto service = start_service();
    const auto monday = shown(2026y / std::chrono::March / 30, 7h);
    ASSERT_TRUE(service->start({.at = from_local(monday), .days = working_days}));
    for (int day = 0; day < 5; ++day) {
        EXPECT_EQ(next_of(*service), monday + std::chrono::days(day));
        go_to(*service, monday + std::chrono::days(day));
        const auto due = rung();
        ASSERT_THAT(due, SizeIs(1)) << day;
        EXPECT_TRUE(service->acknowledge(due[0].id));
    }
    EXPECT_EQ(next_of(*service), monday + std::chrono::days(7)) << "not at the weekend";
    EXPECT_TRUE(service->cancel(service->list().value().at(0).id));
    EXPECT_THAT(service->list().value(), IsEmpty());
}

TEST_F(Alarms, OfATimeThatTheClockSkipsRingAsMuchLater) {
    auto service = start_service();
    ASSERT_TRUE(
        service->start({.at = from_local(shown(2026y / std::chrono::March / 28, 2h + 30min)), .days = every_day}));
    go_to(*service, shown(2026y / std::chrono::March / 28, 2h + 30min));
    EXPECT_TRUE(service->acknowledge(rung().at(0).id));
    // On the 29th the clock goes from 2 to 3.
    EXPECT_EQ(next_of(*service), shown(2026y / std::chrono::March / 29, 3h + 30min));
    go_to(*service, shown(2026y / std::chrono::March / 29, 3h + 30min));
    EXPECT_TRUE(service->acknowledge(rung().at(0).id));
    EXPECT_EQ(next_of(*service), shown(2026y / std::chrono::March / 30, 2h + 30min));
}

TEST_F(Alarms, OfATimeThatTheClockShowsTwiceRingTheFirstTimeOnly) {
    clock_.advance(sys_days(2026y / std::chrono::October / 24) + 12h - clock_.wall());
    auto service = start_service();
    // On the 25th the clock goes from 3 back to 2: 2:30 summer time is 0:30 UTC.
    ASSERT_TRUE(
        service->start({.at = from_local(shown(2026y / std::chrono::October / 25, 2h + 30min)), .days = every_day}));
    EXPECT_EQ(service->list().value().at(0).ends_at, sys_days(2026y / std::chrono::October / 25) + 30min);
    clock_.advance(service->list().value().at(0).remaining);
    service->clock_moved();
    EXPECT_TRUE(service->acknowledge(rung().at(0).id));
    clock_.advance(90min);
    service->clock_moved();
    EXPECT_THAT(rung(), IsEmpty());
    EXPECT_EQ(next_of(*service), shown(2026y / std::chrono::October / 26, 2h + 30min));
}

TEST_F(Alarms, GoWithTheTimeZone) {
    auto service = start_service();
    const auto at = shown(2026y / std::chrono::March / 28, 7h);
    ASSERT_TRUE(service->start({.at = from_local(at)}));
    const auto in_berlin = service->list().value().at(0).ends_at;
    set_zone("Europe/London");
    service->clock_moved();
    EXPECT_EQ(service->list().value().at(0).ends_at, in_berlin + 1h);
    EXPECT_EQ(next_of(*service), at);
}

TEST_F(Alarms, ThatWereMissedRingLateAndSayByHowMuch) {
    ASSERT_TRUE(
        start_service()->start({.at = from_local(shown(2026y / std::chrono::March / 28, 7h)), .days = every_day}));
    clock_.advance(from_local(shown(2026y / std::chrono::March / 28, 9h)) - clock_.wall());
    auto service = start_service();
    const auto due = rung();
    ASSERT_THAT(due, SizeIs(1));
    EXPECT_EQ(due[0].late, 2h);
    EXPECT_TRUE(service->acknowledge(due[0].id));
    EXPECT_EQ(next_of(*service), shown(2026y / std::chrono::March / 29, 7h));
}

TEST_F(Alarms, ThatRepeatAreNotMadeUpForHalfADayLater) {
    ASSERT_TRUE(
        start_service()->start({.at = from_local(shown(2026y / std::chrono::March / 28, 7h)), .days = every_day}));
    clock_.advance(from_local(shown(2026y / std::chrono::March / 30, 20h)) - clock_.wall());
    auto service = start_service();
    EXPECT_THAT(rung(), IsEmpty());
    EXPECT_EQ(next_of(*service), shown(2026y / std::chrono::March / 31, 7h));
}

TEST_F(Alarms, ThatRepeatComeSoonerWhenTheClockIsSetBack) {
    auto service = start_service();
    ASSERT_TRUE(service->start({.at = from_local(shown(2026y / std::chrono::March / 28, 7h)), .days = every_day}));
    clock_.jump_wall(-72h);
    service->clock_moved();
    EXPECT_EQ(next_of(*service), shown(2026y / std::chrono::March / 25, 7h));
}

TEST_F(Alarms, ThatJustRangDoNotRingAgainWhenTheClockIsCorrected) {
    auto service = start_service();
    const auto at = shown(2026y / std::chrono::March / 28, 7h);
    ASSERT_TRUE(service->start({.at = from_local(at), .days = every_day}));
    go_to(*service, at);
    EXPECT_TRUE(service->acknowledge(rung().at(0).id));
    clock_.jump_wall(-30s);
    service->clock_moved();
    clock_.advance(1min);
    service->clock_moved();
    EXPECT_THAT(rung(), IsEmpty());
    EXPECT_EQ(next_of(*service), at + std::chrono::days(1));
}

TEST_F(Alarms, ThatArePutOffRingAgainAndKeepTheirDay) {
    auto service = start_service();
    const auto at = shown(2026y / std::chrono::March / 28, 7h);
    ASSERT_TRUE(service->start({.at = from_local(at), .days = every_day}));
    go_to(*service, at);
    const auto id = rung().at(0).id;
    ASSERT_TRUE(service->snooze(id, 9min));
    EXPECT_EQ(service->pause(id).error().message, "an alarm cannot be paused");
    go_to(*service, at + 9min);
    EXPECT_THAT(rung(), SizeIs(1));
    EXPECT_TRUE(service->acknowledge(id));
    EXPECT_EQ(next_of(*service), at + std::chrono::days(1));
}

struct next_case {
    weekday_set days;
    local_seconds after, expected;
};

TEST(NextOn, FindsTheNextDayOfASet) {
    const auto sunday = local_days(2026y / std::chrono::March / 29);
    const auto seven = local_seconds(sunday + 7h);
    for (const auto& [days, after, expected] : {
             next_case{0, sunday + 6h, seven},
             next_case{0, seven, seven + std::chrono::days(1)},
             next_case{every_day, sunday + 8h, seven + std::chrono::days(1)},
             next_case{weekend_days, sunday + 8h, seven + std::chrono::days(6)},
             next_case{only(std::chrono::Sunday), sunday + 6h, seven},
             next_case{only(std::chrono::Sunday), sunday + 8h, seven + std::chrono::days(7)},
         })
        EXPECT_EQ(next_on(days, seven, after), expected) << int{days};
}

}  // namespace
}  // namespace loqa::timers
