#include "loqa/timers/timers.hpp"

#include <csignal>
#include <fstream>
#include <future>
#include <mutex>

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

    // A service as it is after a start of the process: what is due has rung.
    std::unique_ptr<timer_service> start_service() {
        auto service = open();
        service->run([this](const timer& t) {
            std::lock_guard lock(mutex_);
            rings_.push_back(t);
        });
        service->clock_moved();
        return service;
    }
    std::unique_ptr<timer_service> open() const {
        return timer_service::open(file_, clock_, telemetry::logger::silent()).value();
    }

    void advance(timer_service& service, milliseconds by) {
        clock_.advance(by);
        service.clock_moved();
    }
    void jump_wall(timer_service& service, std::chrono::nanoseconds by) {
        clock_.jump_wall(by);
        service.clock_moved();
    }

    // What has rung since the last call.
    std::vector<timer> rung() {
        std::lock_guard lock(mutex_);
        return std::exchange(rings_, {});
    }

    static std::vector<std::string> labels(const std::vector<timer>& of) {
        std::vector<std::string> all;
        for (const auto& one : of) all.push_back(one.label);
        return all;
    }
    static std::vector<std::string> labels(const timer_service& of) { return labels(of.list().value()); }

    void ask(const std::string& sql) const {
        sqlite3* db = nullptr;
        ASSERT_EQ(sqlite3_open(file_.c_str(), &db), SQLITE_OK);
        EXPECT_EQ(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(db);
        sqlite3_close(db);
    }

    const fs::path folder_ = fs::temp_directory_path() / ("loqa-timers-" + random_hex(6));
    const fs::path file_ = folder_ / "events.db";
    manual_clock clock_;

private:
    std::mutex mutex_;
    std::vector<timer> rings_;
};

TEST_F(Timers, RingWhenTheyAreDueAndNotBefore) {
    auto service = start_service();
    const auto started =
        service->start({.duration = 10min, .label = " Tea ", .session_id = "s1", .target = "kitchen", .pcm = true})
            .value();
    EXPECT_EQ(started.label, "tea");
    EXPECT_EQ(started.remaining, 10min);
    EXPECT_EQ(started.ends_at, clock_.wall() + 10min);
    EXPECT_FALSE(started.ringing());
    advance(*service, 10min - 1ms);
    EXPECT_THAT(rung(), IsEmpty());
    advance(*service, 1ms);
    const auto due = rung();
    ASSERT_THAT(due, SizeIs(1));
    EXPECT_EQ(due[0].id, started.id);
    EXPECT_EQ(due[0].session_id, "s1");
    EXPECT_EQ(due[0].target, "kitchen");
    EXPECT_TRUE(due[0].pcm);
    EXPECT_EQ(due[0].duration, 10min);
    EXPECT_EQ(due[0].remaining, 0ms);
    EXPECT_TRUE(due[0].ringing());
    EXPECT_EQ(due[0].late, 0ms);
}

TEST_F(Timers, RingOnceAndStayUntilAcknowledged) {
    auto service = start_service();
    const auto id = service->start({.duration = 1s}).value().id;
    advance(*service, 1s);
    EXPECT_THAT(rung(), SizeIs(1));
    advance(*service, 1min);
    EXPECT_THAT(rung(), IsEmpty());
    ASSERT_THAT(service->list().value(), SizeIs(1));
    EXPECT_TRUE(service->list().value()[0].ringing());
    EXPECT_EQ(service->list().value()[0].remaining, 0ms);
    EXPECT_TRUE(service->acknowledge(id));
    EXPECT_THAT(labels(*service), IsEmpty());
    EXPECT_EQ(service->acknowledge(id).error().code, errc::not_found);
    EXPECT_THAT(labels(*open()), IsEmpty());
}

TEST_F(Timers, AreListedAndRingInTheirOrder) {
    auto service = start_service();
    ASSERT_TRUE(service->start({.duration = 10min, .label = "pasta"}));
    ASSERT_TRUE(service->start({.duration = 3min, .label = "eggs"}));
    ASSERT_TRUE(service->start({.label = "meeting", .at = clock_.wall() + 5min}));
    EXPECT_THAT(labels(*service), ElementsAre("eggs", "meeting", "pasta"));
    // One at a time: the clock on the wall and the steady one do not move in the same instant.
    advance(*service, 3min);
    EXPECT_THAT(labels(rung()), ElementsAre("eggs"));
    advance(*service, 2min);
    EXPECT_THAT(labels(rung()), ElementsAre("meeting"));
    advance(*service, 1h);
    EXPECT_THAT(labels(rung()), ElementsAre("pasta"));
    EXPECT_THAT(labels(*service), ElementsAre("eggs", "meeting", "pasta"));
}

TEST_F(Timers, ThatAreCancelledNeverRing) {
    auto service = start_service();
    const auto tea = service->start({.duration = 1min, .label = "tea"}).value();
    ASSERT_TRUE(service->start({.duration = 2min, .label = "eggs"}));
    EXPECT_EQ(service->cancel(tea.id).value().label, "tea");
    EXPECT_EQ(service->cancel(tea.id).error().code, errc::not_found);
    advance(*service, 1h);
    EXPECT_THAT(labels(rung()), ElementsAre("eggs"));
    EXPECT_THAT(labels(*open()), ElementsAre("eggs"));
}

TEST_F(Timers, CanBeCancelledWhileTheyRing) {
    auto service = start_service();
    const auto id = service->start({.duration = 1min}).value().id;
    advance(*service, 1min);
    EXPECT_TRUE(service->cancel(id));
    EXPECT_EQ(service->acknowledge(id).error().code, errc::not_found);
}

// Or a late acknowledgement would end a timer that somebody set since.
TEST_F(Timers, NeverGetTheNumberOfAnotherOne) {
    auto service = start_service();
    const auto first = service->start({.duration = 1min}).value().id;
    ASSERT_TRUE(service->cancel(first));
    EXPECT_NE(service->start({.duration = 1min}).value().id, first);
}

TEST_F(Timers, HandBackTheActionTheyWereGivenAlsoAfterARestart) {
    const std::string action = R"({"intent":"HassTurnOff","name":"lámp ☀"})";
    ASSERT_TRUE(open()->start({.duration = 10min, .action = action}));
    auto service = start_service();
    EXPECT_EQ(service->list().value().at(0).action, action);
    advance(*service, 10min);
    const auto due = rung();
    ASSERT_THAT(due, SizeIs(1));
    EXPECT_EQ(due[0].action, action);
}

// As earlier versions kept them, in the event store's file.
TEST_F(Timers, OfAnEarlierVersionAreTakenOverOnce) {
    const auto old = folder_ / "old.db";
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open(old.c_str(), &db), SQLITE_OK);
    const auto ends_ms = std::chrono::duration_cast<milliseconds>((clock_.wall() + 10min).time_since_epoch()).count();
    const auto sql = fmt::format(
        "CREATE TABLE timers (id INTEGER PRIMARY KEY AUTOINCREMENT, label TEXT NOT NULL, session_id TEXT NOT NULL, "
        "target TEXT NOT NULL, pcm INTEGER NOT NULL, state TEXT NOT NULL, duration_ms INTEGER NOT NULL, "
        "ends_at_ms INTEGER NOT NULL, remaining_ms INTEGER);"
        "INSERT INTO timers VALUES (7, 'tea', 's', 'kitchen', 1, 'running', 600000, {0}, NULL), "
        "(8, 'wake up', 's', '', 0, 'running', 0, {0}, NULL)",
        ends_ms);
    ASSERT_EQ(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(db);
    sqlite3_close(db);
    const auto take_over = [&] {
        return timer_service::open(file_, clock_, telemetry::logger::silent(), old).value()->list().value();
    };
    const auto all = take_over();
    ASSERT_THAT(labels(all), ElementsAre("tea", "wake up"));
    EXPECT_EQ(all[0].id, 7);
    EXPECT_EQ(all[0].target, "kitchen");
    EXPECT_EQ(all[0].remaining, 10min);
    EXPECT_FALSE(all[0].is_alarm());
    EXPECT_TRUE(all[1].is_alarm());
    ASSERT_TRUE(open()->cancel(7));
    EXPECT_THAT(labels(take_over()), ElementsAre("wake up"));
}

struct refused_case {
    std::string name;
    new_timer what;
    errc code;
    std::string message;
};
std::ostream& operator<<(std::ostream& out, const refused_case& c) { return out << c.name; }

class RefusedTimer : public Timers, public testing::WithParamInterface<refused_case> {};

TEST_P(RefusedTimer, SaysWhy) {
    auto service = open();
    const auto started = service->start(GetParam().what);
    ASSERT_FALSE(started);
    EXPECT_EQ(started.error().code, GetParam().code);
    EXPECT_EQ(started.error().message, GetParam().message);
    EXPECT_THAT(labels(*service), IsEmpty());
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
                                 "a timer's name has at most 200 bytes, this one has 201"},
                    refused_case{"an action that is a library",
                                 {.duration = 1min, .action = std::string((16u << 10) + 1, 'x')},
                                 errc::too_long,
                                 "a timer's action has at most 16384 bytes, this one has 16385"}));

TEST_F(Timers, TheBoundsThemselvesAreAllowed) {
    auto service = open();
    EXPECT_TRUE(service->start({.duration = shortest}));
    EXPECT_TRUE(service->start({.duration = longest}));
}

TEST_F(Timers, ThereIsALimitToTheirNumber) {
    auto service = open();
    for (std::size_t i = 0; i < max_timers; ++i) ASSERT_TRUE(service->start({.duration = 1min}));
    const auto refused = service->start({.duration = 1min});
    EXPECT_EQ(refused.error().code, errc::busy);
    EXPECT_EQ(refused.error().message, "there are 100 timers already, which is the most there can be");
    ASSERT_TRUE(service->cancel(service->list().value()[0].id));
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
    auto service = start_service();
    advance(*service, 10min);
    const auto due = rung();
    ASSERT_THAT(labels(due), ElementsAre("tea"));
    EXPECT_EQ(due[0].target, "kitchen");
    EXPECT_EQ(due[0].duration, 10min);
    EXPECT_EQ(due[0].late, 0ms);
}

TEST_F(Timers, ThatWereDueWhileNothingRanRingLateOnce) {
    ASSERT_TRUE(open()->start({.duration = 10min, .label = "tea"}));
    clock_.advance(1h);
    {
        auto service = start_service();
        const auto due = rung();
        ASSERT_THAT(labels(due), ElementsAre("tea"));
        EXPECT_GT(due[0].late, 0ms);
        advance(*service, 1h);
        EXPECT_THAT(rung(), IsEmpty());
        EXPECT_TRUE(service->acknowledge(due[0].id));
    }
    start_service();
    EXPECT_THAT(rung(), IsEmpty());
}

TEST_F(Timers, ThatRangButWereNotAnnouncedRingAgainAfterARestart) {
    {
        auto service = start_service();
        ASSERT_TRUE(service->start({.duration = 1min, .label = "tea"}));
        advance(*service, 1min);
        EXPECT_THAT(rung(), SizeIs(1));
    }
    clock_.advance(5s);
    auto service = start_service();
    const auto due = rung();
    ASSERT_THAT(labels(due), ElementsAre("tea"));
    EXPECT_GT(due[0].late, 0ms);
}

TEST_F(Timers, KeepCountingWhileNothingRuns) {
    ASSERT_TRUE(open()->start({.duration = 10min}));
    clock_.advance(4min);
    EXPECT_EQ(open()->list().value().at(0).remaining, 6min);
}

struct jump_case {
    std::string_view name;
    std::chrono::nanoseconds by;
};
std::ostream& operator<<(std::ostream& out, const jump_case& c) { return out << c.name; }

class WallJump : public Timers, public testing::WithParamInterface<jump_case> {};

TEST_P(WallJump, MovesNoDuration) {
    auto service = start_service();
    ASSERT_TRUE(service->start({.duration = 10min}));
    jump_wall(*service, GetParam().by);
    EXPECT_THAT(rung(), IsEmpty());
    EXPECT_EQ(service->list().value().at(0).remaining, 10min);
    advance(*service, 10min);
    const auto due = rung();
    ASSERT_THAT(due, SizeIs(1));
    EXPECT_EQ(due[0].late, 0ms);
}

TEST_P(WallJump, MovesNoDurationAcrossARestartEither) {
    {
        auto service = start_service();
        ASSERT_TRUE(service->start({.duration = 10min}));
        jump_wall(*service, GetParam().by);
    }
    EXPECT_EQ(open()->list().value().at(0).remaining, 10min);
}

INSTANTIATE_TEST_SUITE_P(Clock, WallJump,
                         testing::Values(jump_case{"an hour on", 1h}, jump_case{"an hour back", -1h},
                                         jump_case{"to this decade, as after a start without a clock", 20'000 * 24h}));

TEST_F(Timers, OfATimeOfDayFollowTheWallClock) {
    auto service = start_service();
    ASSERT_TRUE(service->start({.label = "wake up", .at = clock_.wall() + 2h}));
    jump_wall(*service, 1h);
    EXPECT_EQ(service->list().value().at(0).remaining, 1h);
    EXPECT_THAT(rung(), IsEmpty());
    jump_wall(*service, 1h);
    EXPECT_THAT(labels(rung()), ElementsAre("wake up"));
}

TEST_F(Timers, StandStillWhileTheyArePaused) {
    auto service = start_service();
    const auto id = service->start({.duration = 10min}).value().id;
    advance(*service, 4min);
    EXPECT_EQ(service->pause(id).value().state, timer_state::paused);
    EXPECT_EQ(service->pause(id).error().message, "it is paused already");
    advance(*service, 1h);
    EXPECT_THAT(rung(), IsEmpty());
    EXPECT_EQ(open()->list().value().at(0).remaining, 6min) << "also for a process that begins now";
    EXPECT_EQ(service->resume(id).value().remaining, 6min);
    EXPECT_EQ(service->resume(id).error().code, errc::invalid_argument);
    advance(*service, 6min - 1ms);
    EXPECT_THAT(rung(), IsEmpty());
    advance(*service, 1ms);
    EXPECT_THAT(rung(), SizeIs(1));
    EXPECT_EQ(service->pause(99).error().code, errc::not_found);
}

TEST_F(Timers, GetAndLoseTime) {
    auto service = start_service();
    const auto id = service->start({.duration = 10min}).value().id;
    EXPECT_EQ(service->add(id, 5min).value().remaining, 15min);
    EXPECT_EQ(service->add(id, -14min).value().remaining, 1min);
    const auto refused = service->add(id, -2min);
    EXPECT_EQ(refused.error().code, errc::invalid_argument);
    EXPECT_EQ(refused.error().message, "only 60 s are left");
    EXPECT_EQ(service->add(id, longest).error().code, errc::too_long);
    ASSERT_TRUE(service->pause(id));
    EXPECT_EQ(service->add(id, 1min).value().remaining, 2min);
    EXPECT_EQ(open()->list().value().at(0).remaining, 2min);
    EXPECT_EQ(service->list().value().at(0).duration, 10min) << "it is still the 10 minute timer";
    ASSERT_TRUE(service->resume(id));
    advance(*service, 2min);
    EXPECT_THAT(rung(), SizeIs(1));
    EXPECT_EQ(service->add(id, 1min).value().remaining, 1min) << "while it rings";
    advance(*service, 1min);
    EXPECT_THAT(rung(), SizeIs(1));
}

TEST_F(Timers, ThatArePutOffRingAgain) {
    auto service = start_service();
    const auto id = service->start({.duration = 1min}).value().id;
    EXPECT_EQ(service->snooze(id, 5min).error().message, "it is not ringing");
    advance(*service, 1min);
    EXPECT_THAT(rung(), SizeIs(1));
    EXPECT_TRUE(service->snooze(id, 5min).value().snoozed);
    EXPECT_EQ(open()->list().value().at(0).remaining, 5min);
    advance(*service, 5min);
    EXPECT_THAT(rung(), SizeIs(1));
    EXPECT_TRUE(service->acknowledge(id));
    EXPECT_THAT(labels(*service), IsEmpty());
}

TEST_F(Timers, OfAPrivateTurnLeaveNoWordOnTheDisk) {
    {
        auto service = start_service();
        ASSERT_TRUE(service->start({.duration = 1h, .label = "xylophone", .ephemeral = true}));
        ASSERT_TRUE(service->start({.duration = 2h, .action = R"({"say":"xylophone"})", .ephemeral = true}));
        EXPECT_THAT(labels(*service), ElementsAre("xylophone", ""));
        advance(*service, 2h);
        const auto due = rung();
        ASSERT_THAT(due, SizeIs(2));
        EXPECT_EQ(due[1].action, R"({"say":"xylophone"})");
    }
    for (const auto& entry : fs::directory_iterator(folder_))
        EXPECT_THAT(read_file(entry.path()).value(), testing::Not(HasSubstr("xylophone"))) << entry.path();
    const auto left = open()->list().value();
    ASSERT_THAT(labels(left), ElementsAre("")) << "what was to be done is forgotten, that a timer ran is not";
    EXPECT_TRUE(left[0].ephemeral);
}

TEST_F(Timers, ADamagedFileCostsNoMoreThanWhatCannotBeRead) {
    {
        auto service = open();
        for (int i = 0; i < 90; ++i)
            ASSERT_TRUE(service->start({.duration = 1h, .label = "t" + std::to_string(i) + std::string(100, 'x')}));
    }
    {
        std::fstream file(file_, std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(-4096, std::ios::end);
        file << std::string(4096, '\x5a');
    }
    const auto left = open()->list().value().size();
    EXPECT_GT(left, 40u);
    EXPECT_LT(left, 90u);
    EXPECT_TRUE(open()->start({.duration = 1h}));
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
    EXPECT_THAT(labels(*service), IsEmpty());
    EXPECT_THAT(labels(*open()), IsEmpty());
    EXPECT_TRUE(service->start({.duration = 1min})) << "with room again";
}

TEST_F(Timers, ThatCannotBeDeletedAreStillThere) {
    auto service = open();
    const auto id = service->start({.duration = 1min, .label = "tea"}).value().id;
    ask("CREATE TRIGGER no BEFORE DELETE ON timers BEGIN SELECT RAISE(ABORT, 'no'); END");
    EXPECT_FALSE(service->cancel(id));
    EXPECT_FALSE(service->acknowledge(id));
    EXPECT_THAT(labels(*service), ElementsAre("tea"));
}

TEST_F(Timers, RingEvenWhenThatCannotBeWritten) {
    auto service = start_service();
    ASSERT_TRUE(service->start({.duration = 1min, .label = "tea"}));
    ask("CREATE TRIGGER no BEFORE INSERT ON timers BEGIN SELECT RAISE(ABORT, 'no'); END");
    advance(*service, 1min);
    EXPECT_THAT(labels(rung()), ElementsAre("tea"));
}

TEST_F(Timers, AFolderThatCannotBeMadeIsAnError) {
    const auto service = timer_service::open("/proc/loqa/events.db", clock_, telemetry::logger::silent());
    ASSERT_FALSE(service);
    EXPECT_THAT(service.error().message, HasSubstr("/proc/loqa"));
}

// With the real clock: what is set while the thread waits for something later is not missed, and on_ring may call back.
TEST_F(Timers, RingInTimeByTheRealClock) {
    const real_clock time;
    auto service = timer_service::open(file_, time, telemetry::logger::silent()).value();
    std::promise<std::pair<std::string, result<void>>> announced;
    service->run([&](const timer& one) { announced.set_value({one.label, service->acknowledge(one.id)}); });
    ASSERT_TRUE(service->start({.duration = 1h, .label = "later"}));
    const auto begun = time.steady();
    ASSERT_TRUE(service->start({.duration = 1s, .label = "soon"}));
    auto answer = announced.get_future();
    ASSERT_EQ(answer.wait_for(30s), std::future_status::ready);
    EXPECT_GE(time.steady() - begun, 1s);
    const auto [label, acknowledged] = answer.get();
    EXPECT_EQ(label, "soon");
    EXPECT_TRUE(acknowledged);
    EXPECT_THAT(labels(*service), ElementsAre("later"));
}

}  // namespace
}  // namespace loqa::timers
