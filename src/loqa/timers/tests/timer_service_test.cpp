#include "loqa/timers/timer_service.hpp"

#include <csignal>
#include <future>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "loqa/base/ids.hpp"

namespace loqa::timers {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class Timers : public testing::Test {
protected:
    void SetUp() override { fs::create_directories(folder_); }
    void TearDown() override { fs::remove_all(folder_); }

    std::unique_ptr<timer_service> open(std::size_t max_timers = 100) {
        return timer_service::open(file_, clock_, telemetry::logger::silent(), max_timers).value();
    }

    static std::vector<std::string> labels(const std::vector<timer>& of) {
        std::vector<std::string> all;
        for (const auto& one : of) all.push_back(one.label);
        return all;
    }
    static std::vector<std::string> labels(const std::vector<ring>& of) {
        std::vector<std::string> all;
        for (const auto& one : of) all.push_back(one.timer.label);
        return all;
    }

    void ask(const std::string& sql) const {
        sqlite3* db = nullptr;
        ASSERT_EQ(sqlite3_open(file_.c_str(), &db), SQLITE_OK);
        EXPECT_EQ(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(db);
        sqlite3_close(db);
    }

    const fs::path folder_ = fs::temp_directory_path() / ("loqa-timers-" + random_hex(6));
    const fs::path file_ = folder_ / "events.db";
    manual_clock clock_;
};

TEST_F(Timers, RingWhenTheyAreDueAndNotBefore) {
    auto service = open();
    const auto started =
        service->start({.duration = 10min, .label = " Tea ", .session_id = "s1", .target = "kitchen"}).value();
    EXPECT_EQ(started.label, "tea");
    EXPECT_EQ(started.remaining, 10min);
    EXPECT_EQ(started.due_at, clock_.wall() + 10min);
    clock_.advance(10min - 1ms);
    EXPECT_THAT(service->take_due(), IsEmpty());
    clock_.advance(1ms);
    const auto due = service->take_due();
    ASSERT_THAT(due, SizeIs(1));
    EXPECT_EQ(due[0].timer.id, started.id);
    EXPECT_EQ(due[0].timer.session_id, "s1");
    EXPECT_EQ(due[0].timer.target, "kitchen");
    EXPECT_EQ(due[0].timer.duration, 10min);
    EXPECT_EQ(due[0].timer.state, state::ringing);
    EXPECT_EQ(due[0].late_by, 0ms);
}

TEST_F(Timers, RingOnceAndStayUntilAcknowledged) {
    auto service = open();
    const auto id = service->start({.duration = 1s}).value().id;
    clock_.advance(1s);
    EXPECT_THAT(service->take_due(), SizeIs(1));
    clock_.advance(1min);
    EXPECT_THAT(service->take_due(), IsEmpty());
    ASSERT_THAT(service->list(), SizeIs(1));
    EXPECT_EQ(service->list()[0].state, state::ringing);
    EXPECT_TRUE(service->acknowledge(id));
    EXPECT_THAT(service->list(), IsEmpty());
    EXPECT_EQ(service->acknowledge(id).error().code, errc::not_found);
    EXPECT_THAT(open()->list(), IsEmpty());
}

TEST_F(Timers, AreListedByWhatRingsFirst) {
    auto service = open();
    ASSERT_TRUE(service->start({.duration = 10min, .label = "pasta"}));
    ASSERT_TRUE(service->start({.duration = 3min, .label = "eggs"}));
    ASSERT_TRUE(service->start({.at = clock_.wall() + 5min, .label = "meeting"}));
    EXPECT_THAT(labels(service->list()), ElementsAre("eggs", "meeting", "pasta"));
    clock_.advance(1h);
    EXPECT_THAT(labels(service->take_due()), ElementsAre("eggs", "meeting", "pasta"));
}

TEST_F(Timers, AreFoundByNameOrBecauseThereIsJustOne) {
    auto service = open();
    EXPECT_EQ(service->find("").error().code, errc::not_found);
    ASSERT_TRUE(service->start({.duration = 10min, .label = "tea"}));
    EXPECT_EQ(service->find("").value().label, "tea");
    EXPECT_EQ(service->find("TEA").value().label, "tea");
    EXPECT_EQ(service->find("teas").error().code, errc::not_found);
    ASSERT_TRUE(service->start({.duration = 5min, .label = "tea"}));
    EXPECT_EQ(service->find("").error().code, errc::invalid_argument);
    EXPECT_EQ(service->find("tea").value().duration, 5min) << "of two with one name, what rings first";
}

TEST_F(Timers, AreCancelledOneOrAll) {
    auto service = open();
    ASSERT_TRUE(service->start({.duration = 1min, .label = "a"}));
    const auto b = service->start({.duration = 2min, .label = "b"}).value();
    ASSERT_TRUE(service->start({.duration = 3min, .label = "c"}));
    ASSERT_TRUE(service->start({.duration = 4min, .label = "d"}));
    EXPECT_EQ(service->cancel("A").value().label, "a");
    EXPECT_EQ(service->cancel_id(b.id).value().label, "b");
    EXPECT_EQ(service->cancel_id(b.id).error().code, errc::not_found);
    EXPECT_EQ(service->cancel("b").error().code, errc::not_found);
    EXPECT_THAT(labels(service->cancel_all().value()), ElementsAre("c", "d"));
    clock_.advance(1h);
    EXPECT_THAT(service->take_due(), IsEmpty());
    EXPECT_THAT(open()->list(), IsEmpty());
}

TEST_F(Timers, CanBeCancelledWhileTheyRing) {
    auto service = open();
    ASSERT_TRUE(service->start({.duration = 1min, .label = "tea"}));
    clock_.advance(1min);
    const auto due = service->take_due();
    EXPECT_TRUE(service->cancel("tea"));
    EXPECT_EQ(service->acknowledge(due.at(0).timer.id).error().code, errc::not_found);
}

struct refused_case {
    std::string_view name;
    start_request what;
    errc code;
    std::string_view message;
};
std::ostream& operator<<(std::ostream& out, const refused_case& c) { return out << c.name; }

class RefusedTimer : public Timers, public testing::WithParamInterface<refused_case> {};

TEST_P(RefusedTimer, SaysWhy) {
    auto service = open();
    const auto started = service->start(GetParam().what);
    ASSERT_FALSE(started);
    EXPECT_EQ(started.error().code, GetParam().code);
    EXPECT_EQ(started.error().message, GetParam().message);
    EXPECT_THAT(service->list(), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(
    Start, RefusedTimer,
    testing::Values(refused_case{"no time at all",
                                 {},
                                 errc::invalid_argument,
                                 "a timer is 1 second or longer, asked for were 0 ms"},
                    refused_case{"too short",
                                 {.duration = 999ms},
                                 errc::invalid_argument,
                                 "a timer is 1 second or longer, asked for were 999 ms"},
                    refused_case{"negative",
                                 {.duration = -1min},
                                 errc::invalid_argument,
                                 "a timer is 1 second or longer, asked for were -60000 ms"},
                    refused_case{"too long",
                                 {.duration = 7 * 24h + 1ms},
                                 errc::too_long,
                                 "a timer is 7 days or shorter, asked for were 168 hours"},
                    refused_case{"longer than any clock counts",
                                 {.duration = milliseconds::max()},
                                 errc::too_long,
                                 "a timer is 7 days or shorter, asked for were 2562047788015 hours"},
                    refused_case{"past",
                                 {.at = wall_time{}},
                                 errc::invalid_argument,
                                 "a timer cannot ring at 1970-01-01T00:00:00.000Z, which is past or only just to come"},
                    refused_case{"a name that is a book",
                                 {.duration = 1min, .label = std::string(201, 'x')},
                                 errc::too_long,
                                 "a timer's name has at most 200 bytes, this one has 201"}));

TEST_F(Timers, TheBoundsThemselvesAreAllowed) {
    auto service = open();
    EXPECT_TRUE(service->start({.duration = shortest}));
    EXPECT_TRUE(service->start({.duration = longest}));
}

TEST_F(Timers, ThereIsALimitToTheirNumber) {
    auto service = open(2);
    ASSERT_TRUE(service->start({.duration = 1min}));
    ASSERT_TRUE(service->start({.duration = 1min}));
    const auto third = service->start({.duration = 1min});
    EXPECT_EQ(third.error().code, errc::busy);
    EXPECT_EQ(third.error().message, "there are 2 timers already, which is the most there can be");
    ASSERT_TRUE(service->cancel_id(service->list()[0].id));
    EXPECT_TRUE(service->start({.duration = 1min}));
}

// The child is killed the moment it has the answer, as by a power cut.
TEST_F(Timers, SurviveAKill) {
    const auto child = ::fork();
    if (child == 0) {
        auto service = open();
        const bool started = service->start({.duration = 10min, .label = "tea", .target = "kitchen"}).has_value();
        if (started) ::raise(SIGKILL);
        ::_exit(1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    auto service = open();
    clock_.advance(10min);
    const auto due = service->take_due();
    ASSERT_THAT(labels(due), ElementsAre("tea"));
    EXPECT_EQ(due[0].timer.target, "kitchen");
    EXPECT_EQ(due[0].timer.duration, 10min);
    EXPECT_EQ(due[0].late_by, 0ms);
}

TEST_F(Timers, ThatWereDueWhileNothingRanRingLateOnce) {
    ASSERT_TRUE(open()->start({.duration = 10min, .label = "tea"}));
    clock_.advance(1h);
    {
        auto service = open();
        const auto due = service->take_due();
        ASSERT_THAT(labels(due), ElementsAre("tea"));
        EXPECT_EQ(due[0].late_by, 50min);
        EXPECT_THAT(service->take_due(), IsEmpty());
        EXPECT_TRUE(service->acknowledge(due[0].timer.id));
    }
    EXPECT_THAT(open()->take_due(), IsEmpty());
}

TEST_F(Timers, ThatRangButWereNotAnnouncedRingAgainAfterARestart) {
    {
        auto service = open();
        ASSERT_TRUE(service->start({.duration = 1min, .label = "tea"}));
        clock_.advance(1min);
        EXPECT_THAT(service->take_due(), SizeIs(1));
    }
    clock_.advance(5s);
    const auto due = open()->take_due();
    ASSERT_THAT(labels(due), ElementsAre("tea"));
    EXPECT_EQ(due[0].late_by, 5s);
}

TEST_F(Timers, KeepCountingWhileNothingRuns) {
    ASSERT_TRUE(open()->start({.duration = 10min, .label = "tea"}));
    clock_.advance(4min);
    auto service = open();
    EXPECT_EQ(service->find("tea").value().remaining, 6min);
}

struct jump_case {
    std::string_view name;
    std::chrono::nanoseconds by;
};
std::ostream& operator<<(std::ostream& out, const jump_case& c) { return out << c.name; }

class WallJump : public Timers, public testing::WithParamInterface<jump_case> {};

TEST_P(WallJump, MovesNoDuration) {
    auto service = open();
    ASSERT_TRUE(service->start({.duration = 10min, .label = "tea"}));
    clock_.jump_wall(GetParam().by);
    EXPECT_THAT(service->take_due(), IsEmpty());
    EXPECT_EQ(service->find("tea").value().remaining, 10min);
    clock_.advance(10min);
    const auto due = service->take_due();
    ASSERT_THAT(due, SizeIs(1));
    EXPECT_EQ(due[0].late_by, 0ms);
}

TEST_P(WallJump, MovesNoDurationAcrossARestartEither) {
    {
        auto service = open();
        ASSERT_TRUE(service->start({.duration = 10min, .label = "tea"}));
        clock_.jump_wall(GetParam().by);
        EXPECT_THAT(service->take_due(), IsEmpty());
    }
    auto service = open();
    EXPECT_EQ(service->find("tea").value().remaining, 10min);
}

INSTANTIATE_TEST_SUITE_P(Clock, WallJump,
                         testing::Values(jump_case{"an hour on", 1h}, jump_case{"an hour back", -1h},
                                         jump_case{"to this decade, as after a start without a clock", 20'000 * 24h}));

TEST_F(Timers, OfATimeOfDayFollowTheWallClock) {
    auto service = open();
    ASSERT_TRUE(service->start({.at = clock_.wall() + 2h, .label = "wake up"}));
    clock_.jump_wall(1h);
    EXPECT_EQ(service->find("").value().remaining, 1h);
    clock_.jump_wall(1h);
    EXPECT_THAT(labels(service->take_due()), ElementsAre("wake up"));
}

// No file of this process may grow, as on a full disk.
TEST_F(Timers, OnAFullDiskThereIsAnErrorAndNoTimer) {
    auto service = open();
    rlimit before{};
    ::getrlimit(RLIMIT_FSIZE, &before);
    const auto handler = std::signal(SIGXFSZ, SIG_IGN);
    const rlimit full{0, before.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &full);
    const auto started = service->start({.duration = 1min});
    ::setrlimit(RLIMIT_FSIZE, &before);
    std::signal(SIGXFSZ, handler);
    ASSERT_FALSE(started);
    EXPECT_EQ(started.error().code, errc::io_failed);
    EXPECT_THAT(started.error().message, HasSubstr(file_.string()));
    EXPECT_THAT(service->list(), IsEmpty());
    EXPECT_TRUE(service->start({.duration = 1min})) << "with room again";
}

TEST_F(Timers, ThatCannotBeDeletedAreStillThere) {
    auto service = open();
    ASSERT_TRUE(service->start({.duration = 1min, .label = "tea"}));
    ask("CREATE TRIGGER no BEFORE DELETE ON timers BEGIN SELECT RAISE(ABORT, 'no'); END");
    EXPECT_FALSE(service->cancel("tea"));
    EXPECT_FALSE(service->cancel_all());
    EXPECT_THAT(labels(service->list()), ElementsAre("tea"));
}

TEST_F(Timers, RingEvenWhenThatCannotBeWritten) {
    auto service = open();
    ASSERT_TRUE(service->start({.duration = 1min, .label = "tea"}));
    ask("CREATE TRIGGER no BEFORE UPDATE ON timers BEGIN SELECT RAISE(ABORT, 'no'); END");
    clock_.advance(1min);
    EXPECT_THAT(labels(service->take_due()), ElementsAre("tea"));
}

TEST_F(Timers, AFolderThatCannotBeMadeIsAnError) {
    const auto service = timer_service::open("/proc/loqa/events.db", clock_, telemetry::logger::silent());
    ASSERT_FALSE(service);
    EXPECT_THAT(service.error().message, HasSubstr("/proc/loqa"));
}

// With the real clock and the thread: what is set while it waits for something later is not missed.
TEST_F(Timers, TheThreadRingsInTimeAndMayCallBack) {
    const real_clock time;
    auto service = timer_service::open(file_, time, telemetry::logger::silent()).value();
    std::promise<std::pair<std::string, result<void>>> rung;
    service->start_ringing([&](const ring& one) {
        auto acknowledged = service->acknowledge(one.timer.id);
        rung.set_value({one.timer.label, std::move(acknowledged)});
    });
    ASSERT_TRUE(service->start({.duration = 1h, .label = "later"}));
    const auto begun = time.steady();
    ASSERT_TRUE(service->start({.duration = 1s, .label = "soon"}));
    auto answer = rung.get_future();
    ASSERT_EQ(answer.wait_for(10s), std::future_status::ready);
    const auto took = time.steady() - begun;
    const auto [label, acknowledged] = answer.get();
    EXPECT_EQ(label, "soon");
    EXPECT_TRUE(acknowledged);
    EXPECT_GE(took, 1s);
    EXPECT_LT(took, 2s);
    EXPECT_THAT(labels(service->list()), ElementsAre("later"));
}

TEST_F(Timers, TheThreadRingsWhatItFindsAtStart) {
    ASSERT_TRUE(open()->start({.duration = 1min, .label = "tea"}));
    const real_clock time;  // decades later
    auto service = timer_service::open(file_, time, telemetry::logger::silent()).value();
    std::promise<ring> rung;
    service->start_ringing([&](const ring& one) { rung.set_value(one); });
    auto answer = rung.get_future();
    ASSERT_EQ(answer.wait_for(10s), std::future_status::ready);
    EXPECT_GT(answer.get().late_by, 1h);
}

}  // namespace
}  // namespace loqa::timers
