#include "loqa/store/event_store.hpp"

#include <algorithm>
#include <cstdio>

namespace loqa::store {
namespace {

constexpr std::size_t max_batch = 256;
constexpr std::size_t max_read = 10'000;
constexpr int deleted_at_once = 500;
constexpr std::int64_t spare_pages = 256;  // so many empty pages are kept for what comes next
constexpr std::int64_t incremental = 2;    // SQLite's number for that kind of auto_vacuum

std::size_t bytes_of(const event& e) {
    return e.session_id.size() + e.trace_id.size() + e.actor_id.size() + e.type.size() + e.payload.size();
}

// The beginning of RFC 3339 and of what other SQLite clients write: "2026-01-31T08:15:00.123…" or with a space. UTC is
// assumed.
wall_time parse_time(const std::string& text) {
    int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, ms = 0;
    if (std::sscanf(text.c_str(), "%d-%d-%d%*c%d:%d:%d.%3d", &year, &month, &day, &hour, &minute, &second, &ms) < 3)
        return {};
    using namespace std::chrono;
    const year_month_day date{std::chrono::year{year}, std::chrono::month{static_cast<unsigned>(month)},
                              std::chrono::day{static_cast<unsigned>(day)}};
    if (!date.ok()) return {};
    return sys_days(date) + hours(hour) + minutes(minute) + seconds(second) + milliseconds(ms);
}

}  // namespace

result<std::unique_ptr<event_store>> event_store::open(options with, const clock& time, telemetry::logger log,
                                                       telemetry::metrics& metrics) {
    auto store = std::unique_ptr<event_store>(new event_store(std::move(with), time, std::move(log), metrics));
    if (store->options_.mode == retention::ephemeral) return store;
    for (auto* connection : {&store->writer_, &store->reader_}) {
        auto opened = open_database(store->options_.path, durability::after_checkpoint, time, store->log_);
        if (!opened) return fail(std::move(opened));
        connection->emplace(std::move(*opened));
    }
    if (store->options_.vacuum_on_start)
        if (auto done = store->writer_->execute("VACUUM"); !done) store->log_.warn(done.error());
    store->thread_ = std::thread([raw = store.get()] { raw->run(); });
    return store;
}

event_store::event_store(options with, const clock& time, telemetry::logger log, telemetry::metrics& metrics)
    : options_(std::move(with)),
      clock_(time),
      log_(std::move(log)),
      write_failed_(log_, time, telemetry::level::error),
      queue_full_(log_, time),
      lost_full_(metrics.counter("loqa_store_lost_total", "Events that were not stored, by reason",
                                 {{"reason", "queue_full"}})),
      lost_failed_(metrics.counter("loqa_store_lost_total", "Events that were not stored, by reason",
                                   {{"reason", "write_failed"}})),
      write_ms_(metrics.histogram("loqa_store_write_ms", "How long one transaction of the event store takes",
                                  telemetry::latency_buckets_ms)) {}

event_store::~event_store() {
    {
        std::lock_guard lock(mutex_);
        closing_ = true;
    }
    hurry_.notify_all();
    queue_.close();
    if (thread_.joinable()) thread_.join();
}

result<void> event_store::append(event what) {
    if (what.session_id.empty() || what.type.empty())
        return fail(errc::invalid_argument, "an event needs a session and a type");
    const auto bytes = bytes_of(what);
    if (bytes > max_payload_bytes)
        return fail(errc::too_long, "the {} event of session {} has {} bytes, allowed are {}", what.type,
                    what.session_id, bytes, max_payload_bytes);
    if (!writer_ || what.privacy_scope == ephemeral) return {};
    if (what.created_at == wall_time{}) what.created_at = clock_.wall();
    {
        std::lock_guard lock(mutex_);
        if (queued_bytes_ + bytes <= max_queued_bytes && queue_.push(std::move(what))) {
            queued_bytes_ += bytes;
            ++accepted_;
            if (no_more_waited_for()) hurry_.notify_all();
            return {};
        }
    }
    lost_full_.add();
    queue_full_("the event store cannot keep up: an event was lost");
    return fail(errc::busy, "the event store's queue is full: the event was lost");
}

result<void> event_store::flush(steady_time deadline) {
    std::unique_lock lock(mutex_);
    const auto goal = accepted_;
    flush_until_ = goal;
    hurry_.notify_all();
    if (!settled_changed_.wait_until(lock, deadline, [&] { return settled_ >= goal; }))
        return fail(errc::timed_out, "the event store has still {} events to write", goal - settled_);
    return {};
}

void event_store::run() {
    auto prune_at = clock_.steady();
    for (;;) {
        if (clock_.steady() >= prune_at) {
            if (auto done = prune(); !done) write_failed_("old events cannot be deleted: {}", done.error().message);
            prune_at = clock_.steady() + options_.prune_every;
        }
        auto first = queue_.pop_until(std::chrono::steady_clock::now() + options_.prune_every);
        if (!first) {
            if (queue_.closed()) return;
            continue;
        }
        wait_for_more();
        const auto batch = gather(std::move(*first));
        write_in_the_end(batch);
        {
            std::lock_guard lock(mutex_);
            settled_ += batch.size();
        }
        settled_changed_.notify_all();
    }
}

// Events come in bursts, and each transaction costs more than its events do; woken for every one of them this thread
// would take the processor from whoever makes them.
void event_store::wait_for_more() {
    std::unique_lock lock(mutex_);
    hurry_.wait_for(lock, options_.gather_for, [this] { return no_more_waited_for(); });
}

bool event_store::no_more_waited_for() const {
    return closing_ || flush_until_ > settled_ || accepted_ - settled_ >= max_batch ||
           queued_bytes_ >= max_queued_bytes / 2;
}

// Tries until it is written: what was accepted is not given up for a disk that is full or locked just now. A process
// that ends tries once more.
void event_store::write_in_the_end(const std::vector<event>& batch) {
    for (;;) {
        const bool last = queue_.closed();
        const auto begun = clock_.steady();
        const auto done = write(batch);
        write_ms_.observe(to_ms(clock_.steady() - begun));
        if (done) return;
        const bool may_pass = done.error().code == errc::io_failed || done.error().code == errc::busy;
        if (last || !may_pass) {
            lost_failed_.add(static_cast<double>(batch.size()));
            write_failed_("{} events were lost: {}", batch.size(), done.error().message);
            return;
        }
        write_failed_("events wait to be written: {}", done.error().message);
        std::unique_lock lock(mutex_);
        hurry_.wait_for(lock, options_.retry_every, [this] { return closing_; });
    }
}

std::vector<event> event_store::gather(event first) {
    std::vector<event> batch;
    batch.push_back(std::move(first));
    while (batch.size() < max_batch) {
        auto next = queue_.try_pop();
        if (!next) break;
        batch.push_back(std::move(*next));
    }
    std::size_t bytes = 0;
    for (const auto& e : batch) bytes += bytes_of(e);
    std::lock_guard lock(mutex_);
    queued_bytes_ -= bytes;
    return batch;
}

result<void> event_store::write(const std::vector<event>& batch) {
    std::lock_guard lock(writer_mutex_);
    auto change = transaction::begin(*writer_);
    if (!change) return fail(std::move(change));
    auto session = writer_->prepare(
        "INSERT OR IGNORE INTO sessions (session_id, actor_id, privacy_scope, created_at) VALUES (?, ?, ?, ?)");
    if (!session) return fail(std::move(session));
    auto row = writer_->prepare(
        "INSERT INTO events (session_id, trace_id, actor_id, event_type, payload, privacy_scope, created_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)");
    if (!row) return fail(std::move(row));
    for (const auto& e : batch) {
        const auto at = to_rfc3339(e.created_at);
        auto done = session->bind(1, e.session_id).bind(2, e.actor_id).bind(3, e.privacy_scope).bind(4, at).run();
        if (!done) return done;
        row->bind(1, e.session_id).bind(2, e.trace_id).bind(3, e.actor_id).bind(4, e.type);
        done = row->bind(5, e.payload).bind(6, e.privacy_scope).bind(7, at).run();
        if (!done) return done;
    }
    return change->commit();
}

result<std::vector<event>> event_store::events(const query& which) const {
    std::vector<event> all;
    if (!reader_) return all;
    std::lock_guard lock(reader_mutex_);
    std::string sql =
        "SELECT id, session_id, trace_id, actor_id, event_type, payload, privacy_scope, created_at FROM events WHERE "
        "id > ?1";
    if (!which.session_id.empty()) sql += " AND session_id = ?2";
    if (!which.trace_id.empty()) sql += " AND trace_id = ?3";
    if (!which.type.empty()) sql += " AND event_type = ?4";
    // In the order of the index by session and time.
    sql += which.newest ? " ORDER BY created_at DESC, id DESC LIMIT ?5" : " ORDER BY id LIMIT ?5";
    auto rows = reader_->prepare(sql);
    if (!rows) return fail(std::move(rows));
    rows->bind(1, which.after_id).bind(2, which.session_id).bind(3, which.trace_id).bind(4, which.type);
    rows->bind(5, static_cast<std::int64_t>(std::min(which.limit, max_read)));
    for (;;) {
        auto row = rows->step();
        if (!row) return fail(std::move(row));
        if (!*row) break;
        all.push_back({.id = rows->integer(0),
                       .session_id = rows->text(1),
                       .trace_id = rows->text(2),
                       .actor_id = rows->text(3),
                       .type = rows->text(4),
                       .payload = rows->text(5),
                       .privacy_scope = rows->text(6),
                       .created_at = parse_time(rows->text(7))});
    }
    if (which.newest) std::ranges::reverse(all);
    return all;
}

result<std::vector<session_row>> event_store::sessions(std::size_t limit) const {
    std::vector<session_row> all;
    if (!reader_) return all;
    std::lock_guard lock(reader_mutex_);
    auto rows = reader_->prepare(
        "SELECT s.session_id, s.actor_id, s.privacy_scope, s.created_at, max(e.created_at) AS newest, count(e.id) "
        "FROM sessions s LEFT JOIN events e ON e.session_id = s.session_id "
        "GROUP BY s.session_id ORDER BY coalesce(newest, s.created_at) DESC LIMIT ?");
    if (!rows) return fail(std::move(rows));
    rows->bind(1, static_cast<std::int64_t>(std::min(limit, max_read)));
    for (;;) {
        auto row = rows->step();
        if (!row) return fail(std::move(row));
        if (!*row) return all;
        session_row one{.session_id = rows->text(0),
                        .actor_id = rows->text(1),
                        .privacy_scope = rows->text(2),
                        .created_at = parse_time(rows->text(3)),
                        .last_event_at = parse_time(rows->text(4)),
                        .events = rows->integer(5)};
        all.push_back(std::move(one));
    }
}

result<std::int64_t> event_store::prune() {
    if (!writer_) return 0;
    // Nothing has this scope that is to go in any mode.
    const std::string_view spared = options_.mode == retention::persistent ? persistent : std::string_view("-");
    const auto oldest = to_rfc3339(clock_.wall() - options_.keep_for);
    auto deleted = delete_in_steps(
        "DELETE FROM events WHERE id IN (SELECT id FROM events WHERE created_at < ?1 AND coalesce(privacy_scope, '') "
        "<> ?2 LIMIT ?3)",
        oldest, spared);
    if (!deleted) return deleted;
    auto surplus = surplus_sessions();
    if (!surplus) return fail(std::move(surplus));
    for (const auto& [session, newest] : *surplus) {
        if (queue_.closed()) break;
        // Not what has come since: then the session is silent no longer.
        auto more = delete_in_steps(
            options_.mode == retention::persistent
                ? "DELETE FROM events WHERE id IN (SELECT id FROM events WHERE session_id = ?1 AND created_at <= ?2 "
                  "AND coalesce(privacy_scope, '') <> 'persistent' LIMIT ?3)"
                : "DELETE FROM events WHERE id IN (SELECT id FROM events WHERE session_id = ?1 AND created_at <= ?2 "
                  "LIMIT ?3)",
            session, newest);
        if (!more) return more;
        *deleted += *more;
    }
    auto sessions = delete_in_steps(
        "DELETE FROM sessions WHERE session_id IN (SELECT session_id FROM sessions s WHERE NOT EXISTS "
        "(SELECT 1 FROM events e WHERE e.session_id = s.session_id) LIMIT ?3)",
        {}, {});
    if (!sessions) return sessions;
    if (auto given = give_back_space(); !given) return fail(std::move(given));
    return deleted;
}

// Pages that deleting has emptied, some at a time. Files that earlier versions made have none to give but by VACUUM.
result<void> event_store::give_back_space() {
    while (!queue_.closed()) {
        std::lock_guard lock(writer_mutex_);
        const auto kind = writer_->integer("PRAGMA auto_vacuum");
        if (!kind) return fail(kind);
        const auto empty = writer_->integer("PRAGMA freelist_count");
        if (!empty) return fail(empty);
        if (*kind != incremental || *empty < spare_pages) return {};
        if (auto done = writer_->execute("PRAGMA incremental_vacuum(256)"); !done) return done;
    }
    return {};
}

result<std::int64_t> event_store::delete_session(const std::string& session_id) {
    if (!writer_) return fail(errc::not_found, "nothing is kept of any session");
    // What is queued now is written before it is deleted.
    if (auto done = flush(std::chrono::steady_clock::now() + seconds(2)); !done) return fail(std::move(done));
    auto deleted = delete_in_steps(
        "DELETE FROM events WHERE id IN (SELECT id FROM events WHERE session_id = ?1 AND ?2 = '' LIMIT ?3)", session_id,
        {});
    if (!deleted) return deleted;
    auto row = delete_in_steps(
        "DELETE FROM sessions WHERE session_id IN (SELECT session_id FROM sessions WHERE session_id = ?1 AND ?2 = '' "
        "LIMIT ?3)",
        session_id, {});
    if (!row) return row;
    if (*deleted == 0 && *row == 0)
        return fail(errc::not_found, "there is no session \"{}\"", session_id).hint("loqa sessions lists them");
    return deleted;
}

// Beyond max_sessions, with the time of their newest event: by that a session that began long ago and still goes on is
// not an old one.
result<std::vector<std::pair<std::string, std::string>>> event_store::surplus_sessions() {
    std::lock_guard lock(writer_mutex_);
    auto rows = writer_->prepare(
        "SELECT session_id, max(created_at) AS newest FROM events GROUP BY session_id ORDER BY newest DESC LIMIT -1 "
        "OFFSET ?");
    if (!rows) return fail(std::move(rows));
    rows->bind(1, options_.max_sessions);
    std::vector<std::pair<std::string, std::string>> all;
    for (;;) {
        auto row = rows->step();
        if (!row) return fail(std::move(row));
        if (!*row) return all;
        all.emplace_back(rows->text(0), rows->text(1));
    }
}

// A few hundred rows a transaction, so that neither new events nor a timer on its own connection wait long for the
// lock. `sql` may use ?1 and ?2, and has ?3 for its limit.
result<std::int64_t> event_store::delete_in_steps(std::string_view sql, std::string_view first,
                                                  std::string_view second) {
    std::int64_t deleted = 0;
    for (;;) {
        std::lock_guard lock(writer_mutex_);
        auto step = writer_->prepare(sql);
        if (!step) return fail(std::move(step));
        if (auto done = step->bind(1, first).bind(2, second).bind(3, std::int64_t{deleted_at_once}).run(); !done)
            return fail(std::move(done));
        const auto changed = writer_->changed();
        deleted += changed;
        // A process that is asked to end does not wait for this: the next start goes on with it.
        if (changed < deleted_at_once || queue_.closed()) return deleted;
    }
}

}  // namespace loqa::store
