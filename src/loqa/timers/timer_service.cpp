#include "loqa/timers/timer_service.hpp"

#include <algorithm>

#include "loqa/base/ids.hpp"
#include "loqa/base/text.hpp"

namespace loqa::timers {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t max_label_bytes = 200;

// How often the thread looks whether somebody has changed the time, while there is a timer at all.
constexpr milliseconds look_again = 1s;

// A ring that comes this much after its time needs no apology.
constexpr milliseconds moment = 2s;

// A smaller step of the wall clock is its ordinary regulation.
constexpr std::chrono::nanoseconds wall_jump = 1s;

std::int64_t to_unix_ms(wall_time time) {
    return std::chrono::duration_cast<milliseconds>(time.time_since_epoch()).count();
}
wall_time from_unix_ms(std::int64_t ms) { return wall_time(milliseconds(ms)); }

std::chrono::nanoseconds wall_offset(const clock& time) {
    return time.wall().time_since_epoch() - time.steady().time_since_epoch();
}

}  // namespace

std::string_view to_string(state value) { return value == state::ringing ? "ringing" : "running"; }

result<std::unique_ptr<timer_service>> timer_service::open(const fs::path& database, const clock& time,
                                                           telemetry::logger log, std::size_t max_timers) {
    auto file = store::open_database(database, store::durability::every_commit, time, log);
    if (!file) return fail(std::move(file));
    auto service =
        std::unique_ptr<timer_service>(new timer_service(std::move(*file), time, std::move(log), max_timers));
    if (auto loaded = service->load(); !loaded) return fail(std::move(loaded));
    return service;
}

timer_service::timer_service(store::database file, const clock& time, telemetry::logger log, std::size_t max_timers)
    : clock_(time),
      log_(std::move(log)),
      max_timers_(max_timers),
      file_(std::move(file)),
      wall_offset_(wall_offset(time)) {}

timer_service::~timer_service() {
    {
        std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
}

result<void> timer_service::load() {
    auto rows =
        file_.prepare("SELECT id, label, session_id, target, state, duration_ms, due_at_ms, created_at_ms FROM timers");
    if (!rows) return fail(std::move(rows));
    for (;;) {
        auto row = rows->step();
        if (!row) return fail(std::move(row));
        if (!*row) return {};
        entry one;
        one.timer.id = rows->text(0);
        one.timer.label = rows->text(1);
        one.timer.session_id = rows->text(2);
        one.timer.target = rows->text(3);
        one.timer.state = rows->text(4) == to_string(state::ringing) ? state::ringing : state::running;
        one.timer.duration = milliseconds(rows->integer(5));
        one.timer.due_at = from_unix_ms(rows->integer(6));
        one.timer.created_at = from_unix_ms(rows->integer(7));
        entries_.push_back(std::move(one));
    }
}

void timer_service::start_ringing(std::function<void(const ring&)> on_ring) {
    on_ring_ = std::move(on_ring);
    thread_ = std::thread([this] { run(); });
}

void timer_service::run() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
        const auto due = take_due_locked();
        if (!due.empty()) {
            lock.unlock();
            for (const auto& one : due) on_ring_(one);
            lock.lock();
            continue;  // what has changed meanwhile nobody could tell this thread
        }
        std::optional<milliseconds> next;
        for (const auto& one : entries_)
            if (one.timer.state == state::running) next = std::min(next.value_or(look_again), remaining(one));
        if (next)
            changed_.wait_for(lock, std::max(*next, 1ms));
        else
            changed_.wait(lock);
    }
}

std::vector<ring> timer_service::take_due() {
    std::lock_guard lock(mutex_);
    return take_due_locked();
}

std::vector<ring> timer_service::take_due_locked() {
    follow_wall_clock();
    std::vector<ring> rings;
    for (auto& one : entries_) {
        if (one.timer.state == state::running && remaining(one) <= 0ms) {
            one.timer.state = state::ringing;
            // The row stays what it was if this fails: after a restart the timer is due, and rings as well.
            if (auto saved = update(one.timer); !saved) log_.error(saved.error(), {{"timer", one.timer.id}});
        }
        if (one.timer.state != state::ringing || one.rung) continue;
        one.rung = true;
        const auto late = -remaining(one);
        rings.push_back({.timer = describe(one), .late_by = late >= moment ? late : 0ms});
    }
    std::ranges::sort(rings, {}, [](const ring& r) { return r.timer.due_at; });
    return rings;
}

// Rows know wall time only. When somebody has set the clock, those of durations are written anew, or a restart would
// find them due too early or too late.
void timer_service::follow_wall_clock() {
    const auto offset = wall_offset(clock_);
    if (std::chrono::abs(offset - wall_offset_) < wall_jump) return;
    wall_offset_ = offset;
    for (auto& one : entries_) {
        if (!one.due || one.timer.state != state::running) continue;
        one.timer.due_at = clock_.wall() + remaining(one);
        if (auto saved = update(one.timer); !saved) log_.error(saved.error(), {{"timer", one.timer.id}});
    }
}

result<timer> timer_service::start(start_request what) {
    const auto now = clock_.wall();
    const auto length = what.at ? std::chrono::ceil<milliseconds>(*what.at - now) : what.duration;
    if (length < shortest)
        return what.at ? fail(errc::invalid_argument, "a timer cannot ring at {}, which is past or only just to come",
                              to_rfc3339(*what.at))
                       : fail(errc::invalid_argument, "a timer is 1 second or longer, asked for were {} ms",
                              length.count());
    if (length > longest)
        return fail(errc::too_long, "a timer is 7 days or shorter, asked for were {} hours",
                    std::chrono::duration_cast<std::chrono::hours>(length).count());
    const auto label = to_lower(trim(what.label));
    if (label.size() > max_label_bytes)
        return fail(errc::too_long, "a timer's name has at most {} bytes, this one has {}", max_label_bytes,
                    label.size());

    std::lock_guard lock(mutex_);
    follow_wall_clock();
    if (entries_.size() >= max_timers_)
        return fail(errc::busy, "there are {} timers already, which is the most there can be", entries_.size())
            .hint("cancel some: loqa timers");
    entry one{.timer = {.id = random_hex(8),
                        .label = label,
                        .session_id = std::move(what.session_id),
                        .target = std::move(what.target),
                        .duration = what.at ? milliseconds(0) : what.duration,
                        .due_at = now + length,
                        .created_at = now},
              .due = {}};
    if (!what.at) one.due = clock_.steady() + what.duration;
    if (auto saved = insert(one.timer); !saved) return fail(std::move(saved));
    entries_.push_back(std::move(one));
    changed_.notify_all();
    return describe(entries_.back());
}

std::vector<timer> timer_service::list() const {
    std::lock_guard lock(mutex_);
    return sorted();
}

result<timer> timer_service::find(std::string_view label) const {
    std::lock_guard lock(mutex_);
    return find_locked(label);
}

result<timer> timer_service::cancel(std::string_view label) {
    std::lock_guard lock(mutex_);
    auto found = find_locked(label);
    if (!found) return found;
    return remove_locked(found->id);
}

result<timer> timer_service::cancel_id(std::string_view id) {
    std::lock_guard lock(mutex_);
    return remove_locked(id);
}

result<std::vector<timer>> timer_service::cancel_all() {
    std::lock_guard lock(mutex_);
    auto all = sorted();
    if (auto done = file_.execute("DELETE FROM timers"); !done) return fail(std::move(done));
    entries_.clear();
    return all;
}

result<void> timer_service::acknowledge(std::string_view id) {
    std::lock_guard lock(mutex_);
    auto removed = remove_locked(id);
    if (!removed) return fail(std::move(removed));
    return {};
}

milliseconds timer_service::remaining(const entry& of) const {
    // Rounded up: 0 means due, for the thread that waits this long as for the person who asks.
    return of.due ? std::chrono::ceil<milliseconds>(*of.due - clock_.steady())
                  : std::chrono::ceil<milliseconds>(of.timer.due_at - clock_.wall());
}

timer timer_service::describe(const entry& of) const {
    auto out = of.timer;
    out.remaining = remaining(of);
    return out;
}

std::vector<timer> timer_service::sorted() const {
    std::vector<timer> all;
    for (const auto& one : entries_) all.push_back(describe(one));
    std::ranges::stable_sort(all, {}, &timer::remaining);
    return all;
}

result<timer> timer_service::find_locked(std::string_view label) const {
    const auto all = sorted();
    if (all.empty()) return fail(errc::not_found, "there is no timer");
    const auto wanted = to_lower(trim(label));
    if (wanted.empty()) {
        if (all.size() == 1) return all.front();
        return fail(errc::invalid_argument, "there are {} timers, and no name says which is meant", all.size());
    }
    const auto found = std::ranges::find(all, wanted, &timer::label);
    if (found == all.end()) return fail(errc::not_found, "there is no timer named {}", wanted);
    return *found;
}

result<timer> timer_service::remove_locked(std::string_view id) {
    const auto found = std::ranges::find(entries_, id, [](const entry& one) { return std::string_view(one.timer.id); });
    if (found == entries_.end()) return fail(errc::not_found, "there is no timer {}", id);
    auto row = file_.prepare("DELETE FROM timers WHERE id = ?");
    if (!row) return fail(std::move(row));
    if (auto done = row->bind(1, id).run(); !done) return fail(std::move(done));
    auto removed = describe(*found);
    entries_.erase(found);
    return removed;
}

result<void> timer_service::insert(const timer& what) {
    auto row = file_.prepare(
        "INSERT INTO timers (id, label, session_id, target, state, duration_ms, due_at_ms, created_at_ms) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
    if (!row) return fail(std::move(row));
    row->bind(1, what.id).bind(2, what.label).bind(3, what.session_id).bind(4, what.target);
    row->bind(5, to_string(what.state)).bind(6, what.duration.count());
    return row->bind(7, to_unix_ms(what.due_at)).bind(8, to_unix_ms(what.created_at)).run();
}

result<void> timer_service::update(const timer& what) {
    auto row = file_.prepare("UPDATE timers SET state = ?, due_at_ms = ? WHERE id = ?");
    if (!row) return fail(std::move(row));
    return row->bind(1, to_string(what.state)).bind(2, to_unix_ms(what.due_at)).bind(3, what.id).run();
}

}  // namespace loqa::timers
