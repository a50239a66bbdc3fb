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

// How often the thread looks whether somebody has set the clock, while there is a timer at all.
constexpr milliseconds look_again = 1s;

// A ring that comes this much after its time is late; less needs no apology.
constexpr milliseconds moment = 2s;

// A smaller step of the wall clock is its ordinary regulation.
constexpr std::chrono::nanoseconds wall_jump = 1s;

constexpr std::string_view running_state = "running";
constexpr std::string_view ringing_state = "ringing";

std::int64_t to_unix_ms(wall_time time) {
    return std::chrono::duration_cast<milliseconds>(time.time_since_epoch()).count();
}
wall_time from_unix_ms(std::int64_t ms) { return wall_time(milliseconds(ms)); }

std::chrono::nanoseconds wall_offset(const clock& time) {
    return time.wall().time_since_epoch() - time.steady().time_since_epoch();
}

class durable_timers final : public timer_service {
public:
    durable_timers(store::database file, const clock& time, telemetry::logger log)
        : clock_(time), log_(std::move(log)), file_(std::move(file)), wall_offset_(wall_offset(time)) {}

    ~durable_timers() override {
        {
            std::lock_guard lock(mutex_);
            stopping_ = true;
        }
        changed_.notify_all();
        if (thread_.joinable()) thread_.join();
    }

    result<void> load() {
        auto rows = file_.prepare(
            "SELECT id, label, session_id, target, pcm, state, duration_ms, ends_at_ms, action FROM timers");
        if (!rows) return fail(std::move(rows));
        for (;;) {
            auto row = rows->step();
            if (!row) return fail(std::move(row));
            if (!*row) return {};
            entries_.push_back({.what = {.id = rows->integer(0),
                                         .label = rows->text(1),
                                         .session_id = rows->text(2),
                                         .target = rows->text(3),
                                         .pcm = rows->integer(4) != 0,
                                         .action = rows->text(8),
                                         .duration = milliseconds(rows->integer(6)),
                                         .ends_at = from_unix_ms(rows->integer(7)),
                                         .ringing = rows->text(5) == ringing_state}});
        }
    }

    void run(on_ring ring) override {
        on_ring_ = std::move(ring);
        thread_ = std::thread([this] { work(); });
    }

    result<timer> start(const new_timer& asked) override {
        const auto now = clock_.wall();
        const auto length = asked.at ? std::chrono::ceil<milliseconds>(*asked.at - now) : asked.duration;
        if (length < shortest && asked.at)
            return fail(errc::invalid_argument, "a timer cannot ring at {}, which is past or only just to come",
                        to_rfc3339(*asked.at));
        if (length < shortest)
            return fail(errc::invalid_argument, "a timer is 1 second or longer, asked for were {} ms", length.count());
        if (length > longest)
            return fail(errc::too_long, "a timer is 7 days or shorter, asked for were {} hours",
                        std::chrono::duration_cast<std::chrono::hours>(length).count());
        const auto label = to_lower(trim(asked.label));
        if (label.size() > max_label_bytes)
            return fail(errc::too_long, "a timer's name has at most {} bytes, this one has {}", max_label_bytes,
                        label.size());
        if (asked.action.size() > max_action_bytes)
            return fail(errc::too_long, "a timer's action has at most {} bytes, this one has {}", max_action_bytes,
                        asked.action.size());

        std::lock_guard lock(mutex_);
        follow_wall_clock();
        if (entries_.size() >= max_timers)
            return fail(errc::busy, "there are {} timers already, which is the most there can be", entries_.size())
                .hint("cancel some: loqa timers");
        entry one{.what = {.label = label,
                           .session_id = asked.session_id,
                           .target = asked.target,
                           .pcm = asked.pcm,
                           .action = asked.action,
                           .duration = asked.at ? 0ms : asked.duration,
                           .ends_at = now + length}};
        if (!asked.at) one.due = clock_.steady() + length;
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

    result<void> acknowledge(std::int64_t id) override {
        std::lock_guard lock(mutex_);
        auto removed = remove(id);
        if (!removed) return fail(std::move(removed));
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
        timer what;                           // but for `remaining` and `late`, which depend on when one asks
        std::optional<steady_time> due = {};  // by which it rings; none: by what.ends_at
        bool rung = false;                    // on_ring has been called, or is about to be
    };

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
                if (!one.what.ringing) next = std::min(next.value_or(look_again), remaining(one));
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
            if (!one.what.ringing && remaining(one) <= 0ms) {
                one.what.ringing = true;
                // The row stays what it was if this fails: after a restart the timer is overdue, and rings as well.
                if (auto saved = update(one.what); !saved) log_.error(saved.error());
            }
            if (!one.what.ringing || one.rung) continue;
            one.rung = true;
            due.push_back(describe(one));
            due.back().late = remaining(one) <= -moment;
        }
        std::ranges::sort(due, {}, &timer::ends_at);
        return due;
    }

    // Rows know wall time only. When somebody has set the clock, those of durations are written anew, or a restart
    // would find them ending too early or too late.
    void follow_wall_clock() {
        const auto offset = wall_offset(clock_);
        if (std::chrono::abs(offset - wall_offset_) < wall_jump) return;
        wall_offset_ = offset;
        for (auto& one : entries_) {
            if (!one.due || one.what.ringing) continue;
            one.what.ends_at = clock_.wall() + remaining(one);
            if (auto saved = update(one.what); !saved) log_.error(saved.error());
        }
    }

    // Rounded up, so that nothing is left exactly when it is due; negative once it is overdue.
    milliseconds remaining(const entry& of) const {
        return of.due ? std::chrono::ceil<milliseconds>(*of.due - clock_.steady())
                      : std::chrono::ceil<milliseconds>(of.what.ends_at - clock_.wall());
    }

    timer describe(const entry& of) const {
        auto out = of.what;
        out.remaining = std::max(remaining(of), 0ms);
        return out;
    }

    result<std::int64_t> insert(const timer& what) {
        auto row = file_.prepare(
            "INSERT INTO timers (label, session_id, target, pcm, state, duration_ms, ends_at_ms, action) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id");
        if (!row) return fail(std::move(row));
        row->bind(1, what.label).bind(2, what.session_id).bind(3, what.target).bind(4, std::int64_t{what.pcm});
        row->bind(5, running_state)
            .bind(6, what.duration.count())
            .bind(7, to_unix_ms(what.ends_at))
            .bind(8, what.action);
        if (auto answered = row->step(); !answered) return fail(std::move(answered));
        const auto id = row->integer(0);
        if (auto committed = row->run(); !committed) return fail(std::move(committed));
        return id;
    }

    result<void> update(const timer& what) {
        auto row = file_.prepare("UPDATE timers SET state = ?, ends_at_ms = ? WHERE id = ?");
        if (!row) return fail(std::move(row));
        row->bind(1, what.ringing ? ringing_state : running_state).bind(2, to_unix_ms(what.ends_at)).bind(3, what.id);
        return row->run();
    }

    result<timer> remove(std::int64_t id) {
        const auto found = std::ranges::find(entries_, id, [](const entry& one) { return one.what.id; });
        if (found == entries_.end()) return fail(errc::not_found, "there is no timer {} any more", id);
        auto row = file_.prepare("DELETE FROM timers WHERE id = ?");
        if (!row) return fail(std::move(row));
        if (auto done = row->bind(1, id).run(); !done) return fail(std::move(done));
        auto removed = describe(*found);
        entries_.erase(found);
        return removed;
    }

    const clock& clock_;
    const telemetry::logger log_;

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

result<std::unique_ptr<timer_service>> timer_service::open(const fs::path& file, const clock& clock,
                                                           telemetry::logger log) {
    auto opened = store::open_database(file, store::durability::every_commit, clock, log);
    if (!opened) return fail(std::move(opened));
    auto service = std::make_unique<durable_timers>(std::move(*opened), clock, std::move(log));
    if (auto loaded = service->load(); !loaded) return fail(std::move(loaded));
    return service;
}

}  // namespace loqa::timers
