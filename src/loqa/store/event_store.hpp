// The event store: what happened in which session, kept as long as the configuration says.
//
// One for a process. append() puts the event in a bounded queue and returns; a thread of the store waits a few
// milliseconds for what comes with it, writes all of that in one transaction, and deletes what is too old. A process
// that is killed loses what it appended in these milliseconds and while the transaction ran; one that ends in order
// loses nothing. Readers have a connection of their own and see what has been written: call flush() first, which waits
// for no more to come, to see what was just appended. Every function may be called from any thread.
//
// The stricter of an event's scope and the store's mode counts: "ephemeral" never reaches the disk, of "session" (and
// whatever else is not "persistent") what is too old or too much is deleted, "persistent" stays. Where the disk is full
// what was accepted waits in memory until there is room.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "loqa/base/bounded_queue.hpp"
#include "loqa/base/clock.hpp"
#include "loqa/base/files.hpp"
#include "loqa/base/result.hpp"
#include "loqa/store/database.hpp"
#include "loqa/telemetry/log.hpp"
#include "loqa/telemetry/metrics.hpp"

namespace loqa::store {

inline constexpr std::string_view ephemeral = "ephemeral";
inline constexpr std::string_view persistent = "persistent";

struct event {
    std::int64_t id = 0;  // given by the store, rising
    std::string session_id;
    std::string trace_id;
    std::string actor_id;
    std::string type;     // e.g. stt.text.final, session.ended, skill.invoke.start
    std::string payload;  // JSON
    std::string privacy_scope = "session";
    wall_time created_at{};  // filled by append() when it is not set
};

struct session_row {
    std::string session_id, actor_id, privacy_scope;
    wall_time created_at{};
    wall_time last_event_at{};
    std::int64_t events = 0;
};

struct query {
    std::string session_id;  // empty: of every session
    std::string trace_id;    // empty: of every trace
    std::string type;        // empty: of every type
    std::int64_t after_id = 0;
    std::size_t limit = 1000;
    bool newest = false;  // where there are more, the last ones instead of the first
};

enum class retention : std::uint8_t {
    ephemeral,   // nothing is written
    session,     // everything as long as keep_for and max_sessions say
    persistent,  // events of the scope "persistent" for ever, others as above
};

struct options {
    fs::path path;
    retention mode = retention::session;
    std::chrono::days keep_for{30};
    std::int64_t max_sessions = 10'000;
    bool vacuum_on_start = false;
    seconds prune_every{3600};
    milliseconds retry_every{1000};  // while the disk says no
    milliseconds gather_for{5};      // after the first event of a transaction, unless it is full or asked for before
};

class event_store {
public:
    static constexpr std::size_t max_queued_events = 8192;
    static constexpr std::size_t max_queued_bytes = 32u << 20;
    static constexpr std::size_t max_payload_bytes = 256u << 10;

    static result<std::unique_ptr<event_store>> open(options with, const clock& time, telemetry::logger log,
                                                     telemetry::metrics& metrics);

    // Writes what is queued, then ends the thread.
    ~event_store();
    event_store(const event_store&) = delete;
    event_store& operator=(const event_store&) = delete;

    // Never waits for the disk. busy when the queue is full: the event is lost and counted.
    result<void> append(event what);

    // Waits until everything that was appended before the call has been written, or could not be. The deadline is one
    // of std::chrono::steady_clock.
    result<void> flush(steady_time deadline);

    result<std::vector<event>> events(const query& which) const;               // oldest first
    result<std::vector<session_row>> sessions(std::size_t limit = 100) const;  // the one with the newest event first

    // With all its events, those that wait to be written too. Answers how many went; not_found when there is none.
    result<std::int64_t> delete_session(const std::string& session_id);

    // Deletes events older than keep_for, by their own age, and the sessions beyond max_sessions that were silent
    // longest. The store does so itself at start and every prune_every. Answers how many events went.
    result<std::int64_t> prune();

private:
    event_store(options with, const clock& time, telemetry::logger log, telemetry::metrics& metrics);
    void run();
    void wait_for_more();
    bool no_more_waited_for() const;  // holding mutex_
    std::vector<event> gather(event first);
    result<void> write(const std::vector<event>& batch);
    void write_in_the_end(const std::vector<event>& batch);
    result<void> give_back_space();
    result<std::vector<std::pair<std::string, std::string>>> surplus_sessions();
    result<std::int64_t> delete_in_steps(std::string_view sql, std::string_view first, std::string_view second);

    const options options_;
    const clock& clock_;
    const telemetry::logger log_;
    telemetry::rate_limited write_failed_, queue_full_;
    telemetry::counter &lost_full_, &lost_failed_;
    telemetry::histogram& write_ms_;

    // Held for one transaction at a time. Empty in ephemeral mode, as is reader_.
    std::mutex writer_mutex_;
    std::optional<database> writer_;
    mutable std::mutex reader_mutex_;
    mutable std::optional<database> reader_;

    mutable std::mutex mutex_;
    std::condition_variable settled_changed_, hurry_;
    bool closing_ = false;
    std::uint64_t flush_until_ = 0;  // of the accepted ones, those that somebody waits for
    bounded_queue<event> queue_{max_queued_events, overflow::reject_newest};
    std::size_t queued_bytes_ = 0;
    std::uint64_t accepted_ = 0;  // events that were queued
    std::uint64_t settled_ = 0;   // of those, the ones that were written or lost

    std::thread thread_;
};

}  // namespace loqa::store
