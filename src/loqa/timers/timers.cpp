#include "loqa/timers/timers.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <tuple>

#include "loqa/base/text.hpp"
#include "loqa/store/database.hpp"

namespace loqa::timers {
namespace {

using namespace std::chrono_literals;

// How often the thread looks whether somebody has set the clock or moved the time zone, while there is a timer at all.
constexpr milliseconds look_again = 1s;

// A ring that comes this much after its time is late; less needs no apology.
constexpr milliseconds moment = 2s;

// A smaller step of the wall clock is its ordinary regulation.
constexpr std::chrono::nanoseconds wall_jump = 1s;

// The clock was set back over an alarm that has just rung: it does not ring again for so long.
constexpr milliseconds just_rung = 1h;

constexpr std::string_view columns =
    "id, label, session_id, target, area, pcm, action, ephemeral, state, snoozed, duration_ms, ends_at_ms, "
    "remaining_ms, local_at_s, days";

constexpr const char* migrations[] = {R"sql(
CREATE TABLE timers (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    label TEXT NOT NULL,
    session_id TEXT NOT NULL,
    target TEXT NOT NULL,
    area TEXT NOT NULL,
    pcm INTEGER NOT NULL,
    action TEXT NOT NULL,
    ephemeral INTEGER NOT NULL,
    state TEXT NOT NULL,
    snoozed INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    ends_at_ms INTEGER NOT NULL,
    remaining_ms INTEGER NOT NULL,
    local_at_s INTEGER NOT NULL,
    days INTEGER NOT NULL
);
)sql"};
constexpr store::schema timers_schema{.migrations = migrations, .holds = "Timers and alarms", .path_key = "data_dir"};

// Of a row that is no alarm. An alarm may well be set for the second before the epoch, but nobody would wait for it.
constexpr std::int64_t no_local_time = -1;

std::int64_t to_unix_ms(wall_time time) {
    return std::chrono::duration_cast<milliseconds>(time.time_since_epoch()).count();
}
wall_time from_unix_ms(std::int64_t ms) { return wall_time(milliseconds(ms)); }

std::chrono::nanoseconds wall_offset(const clock& time) {
    return time.wall().time_since_epoch() - time.steady().time_since_epoch();
}

timer_state state_named(std::string_view name) {
    if (name == to_string(timer_state::paused)) return timer_state::paused;
    if (name == to_string(timer_state::ringing)) return timer_state::ringing;
    return timer_state::running;
}

// A row of `columns`.
timer read_row(store::statement& row) {
    timer t{.id = row.integer(0),
            .label = row.text(1),
            .session_id = row.text(2),
            .target = row.text(3),
            .area = row.text(4),
            .pcm = row.integer(5) != 0,
            .action = row.text(6),
            .ephemeral = row.integer(7) != 0,
            .duration = milliseconds(row.integer(10)),
            .ends_at = from_unix_ms(row.integer(11)),
            .remaining = milliseconds(row.integer(12)),
            .state = state_named(row.text(8)),
            .snoozed = row.integer(9) != 0,
            .days = static_cast<weekday_set>(row.integer(14) & every_day)};
    if (row.integer(13) != no_local_time) t.local_at = std::chrono::local_seconds(seconds(row.integer(13)));
    return t;
}

void bind_row(store::statement& row, const timer& t) {
    // What must leave no trace is not in the file at all.
    const std::string_view label = t.ephemeral ? std::string_view() : t.label;
    row.bind(1, t.id).bind(2, label).bind(3, t.session_id).bind(4, t.target).bind(5, t.area);
    row.bind(6, std::int64_t{t.pcm}).bind(7, t.action).bind(8, std::int64_t{t.ephemeral});
    row.bind(9, to_string(t.state)).bind(10, std::int64_t{t.snoozed}).bind(11, t.duration.count());
    row.bind(12, to_unix_ms(t.ends_at)).bind(13, t.remaining.count());
    row.bind(14, t.local_at ? t.local_at->time_since_epoch().count() : no_local_time).bind(15, std::int64_t{t.days});
}

class durable_timers final : public timer_service {
public:
    durable_timers(store::database file, const clock& time, telemetry::logger log, std::size_t most)
        : clock_(time), log_(std::move(log)), most_(most), file_(std::move(file)), wall_offset_(wall_offset(time)) {}

    ~durable_timers() override {
        {
            std::lock_guard lock(mutex_);
            stopping_ = true;
        }
        changed_.notify_all();
        if (thread_.joinable()) thread_.join();
    }

    result<void> load() {
        auto rows = file_.prepare(fmt::format("SELECT {} FROM timers", columns));
        if (!rows) return fail(std::move(rows));
        for (;;) {
            auto row = rows->step();
            if (!row) return fail(std::move(row));
            if (!*row) return {};
            entries_.push_back({.what = read_row(*rows)});
        }
    }

    // Timers of the event store's file, where earlier versions kept them.
    result<void> take_over(const fs::path& from) {
        auto old = store::connect(from);
        if (!old) return fail(std::move(old));
        const auto there = old->integer("SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'timers'");
        if (!there) return fail(there);
        if (*there == 0) return {};
        const auto taken = copy_from(*old);
        if (!taken) return fail(taken);
        // A crash before this takes them over once more, under the same numbers.
        if (auto emptied = old->execute("DELETE FROM timers"); !emptied) return emptied;
        if (*taken > 0) log_.info("{} timers were taken over from {}", *taken, from.string());
        return {};
    }

    // What can still be read of a file that was put aside.
    void salvage(const fs::path& from) {
        auto old = store::connect(from);
        auto rows = old ? old->prepare(fmt::format("SELECT {} FROM timers", columns)) : fail(std::move(old));
        std::size_t saved = 0;
        while (rows) {
            const auto row = rows->step();
            if (!row || !*row) break;
            if (save(read_row(*rows))) ++saved;
        }
        log_.warn("{} timers could be read from {} and go on", saved, from.string());
    }

    void run(on_ring ring) override {
        on_ring_ = std::move(ring);
        thread_ = std::thread([this] { work(); });
    }

    result<timer> start(const new_timer& asked) override {
        const auto now = clock_.wall();
        std::optional<std::chrono::local_seconds> local_at;
        if (asked.at) local_at = to_local(*asked.at);
        const auto length = local_at ? std::chrono::ceil<milliseconds>(from_local(*local_at) - now) : asked.duration;
        if (auto fits = check(asked, length); !fits) return fail(std::move(fits));

        std::lock_guard lock(mutex_);
        follow_wall_clock();
        if (entries_.size() >= most_)
            return fail(errc::busy, "there are {} timers already, which is the most there can be", entries_.size())
                .hint("cancel some: loqa timers");
        entry one{.what = {.label = to_lower(trim(asked.label)),
                           .session_id = asked.session_id,
                           .target = asked.target,
                           .area = to_lower(trim(asked.area)),
                           .pcm = asked.pcm,
                           .action = asked.action,
                           .ephemeral = asked.ephemeral,
                           .duration = asked.at ? 0ms : asked.duration,
                           .ends_at = local_at ? from_local(*local_at) : now + length,
                           .local_at = local_at,
                           .days = local_at ? asked.days : weekday_set{}}};
        if (!local_at) one.due = clock_.steady() + length;
        auto id = insert(one.what);
        if (!id) return fail(std::move(id));
        one.what.id = *id;
        entries_.push_back(std::move(one));
        changed_.notify_all();
        return describe(entries_.back());
    }

    result<std::vector<timer>> list() const override {
        std::lock_guard lock(mutex_);
        std::vector<timer> all;
        for (const auto& one : entries_) all.push_back(describe(one));
        std::ranges::sort(all, {}, [](const timer& t) { return std::tuple(t.remaining, t.ends_at, t.id); });
        return all;
    }

    result<timer> cancel(std::int64_t id) override {
        std::lock_guard lock(mutex_);
        return remove(id);
    }

    result<timer> pause(std::int64_t id) override {
        return change(id, [this](entry& one) -> result<void> {
            if (one.what.is_alarm()) return fail(errc::invalid_argument, "an alarm cannot be paused");
            if (one.what.state != timer_state::running)
                return fail(errc::invalid_argument, "it is {} already", to_string(one.what.state));
            one.what.remaining = std::max(remaining(one), 1ms);
            one.what.state = timer_state::paused;
            one.due.reset();
            return {};
        });
    }

    result<timer> resume(std::int64_t id) override {
        return change(id, [this](entry& one) -> result<void> {
            if (one.what.state != timer_state::paused) return fail(errc::invalid_argument, "it is not paused");
            run_for(one, one.what.remaining);
            return {};
        });
    }

    result<timer> add(std::int64_t id, milliseconds by) override {
        return change(id, [this, by](entry& one) -> result<void> {
            if (one.what.is_alarm() && !one.what.ringing())
                return fail(errc::invalid_argument, "an alarm has no length to change");
            const auto left = one.what.ringing() ? 0ms : remaining(one);
            const auto length = left + by;
            if (length < shortest)
                return fail(errc::invalid_argument, "only {} s are left", std::chrono::ceil<seconds>(left).count());
            if (length > longest) return fail(errc::too_long, "a timer is 7 days or shorter");
            if (one.what.state == timer_state::paused) {
                one.what.remaining = length;
                return {};
            }
            one.what.snoozed = one.what.snoozed || one.what.ringing();
            run_for(one, length);
            return {};
        });
    }

    result<timer> snooze(std::int64_t id, milliseconds by) override {
        return change(id, [this, by](entry& one) -> result<void> {
            if (!one.what.ringing()) return fail(errc::invalid_argument, "it is not ringing");
            if (by < shortest || by > longest)
                return fail(errc::invalid_argument, "a ring is put off by 1 second to 7 days");
            one.what.snoozed = true;
            run_for(one, by);
            return {};
        });
    }

    result<void> acknowledge(std::int64_t id) override {
        {
            std::lock_guard lock(mutex_);
            const auto found = find(id);
            if (found == entries_.end() || found->what.days == 0) {
                auto removed = remove(id);
                if (!removed) return fail(std::move(removed));
                return {};
            }
        }
        auto done = change(id, [this](entry& one) -> result<void> {
            move_on(one);
            return {};
        });
        if (!done) return fail(std::move(done));
        return {};
    }

    void clock_moved() override {
        std::unique_lock lock(mutex_);
        if (!thread_.joinable()) return;
        const auto wanted = ++looks_wanted_;
        changed_.notify_all();
        looked_.wait(lock, [&] { return looks_done_ >= wanted; });
    }

private:
    struct entry {
        timer what;                           // but for `remaining` while it runs and `late`, which depend on now
        std::optional<steady_time> due = {};  // by which it rings; none: by what.ends_at
        std::optional<steady_time> rung_at = {};
        bool told = false;  // on_ring has been called for this ring, or is about to be
    };

    static result<void> check(const new_timer& asked, milliseconds length) {
        if (length < shortest && asked.at)
            return fail(errc::invalid_argument, "a timer cannot ring at {}, which is past or only just to come",
                        to_rfc3339(*asked.at));
        if (length < shortest)
            return fail(errc::invalid_argument, "a timer is 1 second or longer, asked for were {} ms", length.count());
        if (asked.at && length > farthest_alarm)
            return fail(errc::too_long, "an alarm rings within 366 days, asked for was {}", to_rfc3339(*asked.at));
        if (!asked.at && length > longest)
            return fail(errc::too_long, "a timer is 7 days or shorter, asked for were {} hours",
                        std::chrono::duration_cast<std::chrono::hours>(length).count());
        if (const auto size = trim(asked.label).size(); size > max_label_bytes)
            return fail(errc::too_long, "a timer's name has at most {} bytes, this one has {}", max_label_bytes, size);
        if (asked.action.size() > max_action_bytes)
            return fail(errc::too_long, "a timer's action has at most {} bytes, this one has {}", max_action_bytes,
                        asked.action.size());
        return {};
    }

    void work() {
        std::unique_lock lock(mutex_);
        while (!stopping_) {
            const auto look = looks_wanted_;
            const auto due = take_due();
            if (!due.empty()) {
                lock.unlock();
                for (const auto& one : due) on_ring_(one);
                lock.lock();
            }
            looks_done_ = look;
            looked_.notify_all();
            // Nobody could wake this thread while it was away from the lock.
            if (!due.empty() || looks_wanted_ != look || stopping_) continue;
            std::optional<milliseconds> next;
            for (const auto& one : entries_)
                if (one.what.state == timer_state::running) next = std::min(next.value_or(look_again), remaining(one));
            if (next)
                changed_.wait_for(lock, std::max(*next, 1ms));
            else
                changed_.wait(lock);
        }
    }

    std::vector<timer> take_due() {
        follow_wall_clock();
        std::vector<timer> due;
        for (auto& one : entries_) {
            follow_zone(one);
            if (one.what.state == timer_state::running && remaining(one) <= 0ms) {
                if (one.what.days != 0 && !one.what.snoozed && remaining(one) < -latest_repeated) {
                    log_.info("alarm {} was missed by more than {} hours: it rings on its next day", one.what.id,
                              latest_repeated / 1h);
                    move_on(one);
                    keep(one);
                    continue;
                }
                one.what.state = timer_state::ringing;
                one.told = false;
                // The row stays what it was if this fails: after a restart the timer is overdue, and rings as well.
                keep(one);
            }
            if (!one.what.ringing() || one.told) continue;
            one.told = true;
            one.rung_at = clock_.steady();
            due.push_back(describe(one));
            if (remaining(one) <= -moment) due.back().late = -remaining(one);
        }
        std::ranges::sort(due, {}, &timer::ends_at);
        return due;
    }

    // Rows know wall time only. When somebody has set the clock, those of durations are written anew, or a restart
    // would find them ending too early or too late; and what repeats looks for its next day again, which may be sooner
    // now.
    void follow_wall_clock() {
        const auto offset = wall_offset(clock_);
        const auto jump = offset - wall_offset_;
        if (std::chrono::abs(jump) < wall_jump) return;
        wall_offset_ = offset;
        for (auto& one : entries_) {
            if (one.what.state != timer_state::running) continue;
            if (one.due) {
                one.what.ends_at = clock_.wall() + remaining(one);
                keep(one);
            } else if (one.what.days != 0 && !one.what.snoozed && jump < 0ns) {
                move_on(one);
                keep(one);
            }
        }
    }

    // An alarm is a time on the wall: where the zone has changed, that is another moment.
    void follow_zone(entry& one) {
        if (!one.what.is_alarm() || one.what.snoozed || one.what.state != timer_state::running) return;
        const auto moment_now = from_local(*one.what.local_at);
        if (moment_now == one.what.ends_at) return;
        one.what.ends_at = moment_now;
        keep(one);
    }

    // To the next day of a repeating alarm.
    void move_on(entry& one) {
        auto after = clock_.wall();
        if (one.rung_at && clock_.steady() - *one.rung_at < just_rung) after += just_rung;
        one.what.local_at = next_on(one.what.days, *one.what.local_at, to_local(after));
        one.what.ends_at = from_local(*one.what.local_at);
        one.what.state = timer_state::running;
        one.what.snoozed = false;
        one.due.reset();
    }

    void run_for(entry& one, milliseconds length) {
        one.what.state = timer_state::running;
        one.what.ends_at = clock_.wall() + length;
        one.due = clock_.steady() + length;
    }

    // Rounded up, so that nothing is left exactly when it is due; negative once it is overdue.
    milliseconds remaining(const entry& of) const {
        if (of.what.state == timer_state::paused) return of.what.remaining;
        return of.due ? std::chrono::ceil<milliseconds>(*of.due - clock_.steady())
                      : std::chrono::ceil<milliseconds>(of.what.ends_at - clock_.wall());
    }

    timer describe(const entry& of) const {
        auto out = of.what;
        out.remaining = std::max(remaining(of), 0ms);
        return out;
    }

    std::vector<entry>::iterator find(std::int64_t id) {
        return std::ranges::find(entries_, id, [](const entry& one) { return one.what.id; });
    }

    // `how` changes a copy, which counts once it is on the disk.
    template <class How>
    result<timer> change(std::int64_t id, How how) {
        std::lock_guard lock(mutex_);
        follow_wall_clock();
        const auto found = find(id);
        if (found == entries_.end()) return fail(errc::not_found, "there is no timer {} any more", id);
        auto changed = *found;
        if (result<void> done = how(changed); !done) return fail(std::move(done));
        if (auto saved = save(changed.what); !saved) return fail(std::move(saved));
        *found = std::move(changed);
        changed_.notify_all();
        return describe(*found);
    }

    result<std::size_t> copy_from(store::database& old) {
        auto rows =
            old.prepare("SELECT id, label, session_id, target, pcm, state, duration_ms, ends_at_ms FROM timers");
        if (!rows) return fail(std::move(rows));
        for (std::size_t taken = 0;; ++taken) {
            auto row = rows->step();
            if (!row) return fail(std::move(row));
            if (!*row) return taken;
            timer t{.id = rows->integer(0),
                    .label = rows->text(1),
                    .session_id = rows->text(2),
                    .target = rows->text(3),
                    .pcm = rows->integer(4) != 0,
                    .duration = milliseconds(rows->integer(6)),
                    .ends_at = from_unix_ms(rows->integer(7)),
                    .state = state_named(rows->text(5))};
            if (t.duration == 0ms) t.local_at = to_local(t.ends_at);
            if (auto saved = save(t); !saved) return fail(std::move(saved));
        }
    }

    static bool in_memory_alone(const timer& what) { return what.ephemeral && !what.action.empty(); }

    result<std::int64_t> insert(const timer& what) {
        auto row = file_.prepare(
            fmt::format("INSERT INTO timers ({}) VALUES (nullif(?, 0), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
                        "RETURNING id",
                        columns));
        if (!row) return fail(std::move(row));
        // The number is taken in any case.
        auto written = what;
        if (in_memory_alone(what)) written.action.clear();
        bind_row(*row, written);
        if (auto answered = row->step(); !answered) return fail(std::move(answered));
        const auto id = row->integer(0);
        if (auto committed = row->run(); !committed) return fail(std::move(committed));
        if (in_memory_alone(what))
            if (auto gone = erase_row(id); !gone) return fail(std::move(gone));
        return id;
    }

    result<void> save(const timer& what) {
        if (in_memory_alone(what)) return {};
        auto row = file_.prepare(fmt::format(
            "INSERT OR REPLACE INTO timers ({}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", columns));
        if (!row) return fail(std::move(row));
        bind_row(*row, what);
        return row->run();
    }

    void keep(const entry& one) {
        if (auto saved = save(one.what); !saved) log_.error(saved.error());
    }

    result<void> erase_row(std::int64_t id) {
        auto row = file_.prepare("DELETE FROM timers WHERE id = ?");
        if (!row) return fail(std::move(row));
        return row->bind(1, id).run();
    }

    result<timer> remove(std::int64_t id) {
        const auto found = find(id);
        if (found == entries_.end()) return fail(errc::not_found, "there is no timer {} any more", id);
        if (auto done = erase_row(id); !done) return fail(std::move(done));
        auto removed = describe(*found);
        entries_.erase(found);
        return removed;
    }

    const clock& clock_;
    const telemetry::logger log_;
    const std::size_t most_;

    mutable std::mutex mutex_;  // held while the disk is written: an answer says what is there
    std::condition_variable changed_, looked_;
    store::database file_;
    std::vector<entry> entries_;
    std::chrono::nanoseconds wall_offset_;  // wall minus steady time, when the rows were last right
    std::uint64_t looks_wanted_ = 0, looks_done_ = 0;
    bool stopping_ = false;

    on_ring on_ring_;
    std::thread thread_;
};

}  // namespace

std::string_view to_string(timer_state state) {
    switch (state) {
        case timer_state::paused:
            return "paused";
        case timer_state::ringing:
            return "ringing";
        case timer_state::running:
            break;
    }
    return "running";
}

result<std::unique_ptr<timer_service>> timer_service::open(const fs::path& file, const clock& clock,
                                                           telemetry::logger log, const fs::path& before,
                                                           std::size_t most) {
    fs::path aside;
    auto opened = store::open_database(file, timers_schema, store::durability::every_commit, clock, log, &aside);
    if (!opened) return fail(std::move(opened));
    auto service = std::make_unique<durable_timers>(std::move(*opened), clock, log, most);
    if (!aside.empty()) service->salvage(aside);
    std::error_code ignored;
    if (!before.empty() && fs::exists(before, ignored))
        if (auto taken = service->take_over(before); !taken) log.warn(taken.error());
    if (auto loaded = service->load(); !loaded) return fail(std::move(loaded));
    return service;
}

}  // namespace loqa::timers
