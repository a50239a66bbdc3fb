// The tables of the event store's file. The timers in it are those of earlier versions, which their own file takes
// over.
#pragma once

#include "loqa/store/database.hpp"

namespace loqa::store {

inline constexpr const char* migrations[] = {
    // IF NOT EXISTS: a file of loqa-core has these two tables already, and user_version 0.
    R"sql(
CREATE TABLE IF NOT EXISTS sessions (
    session_id TEXT PRIMARY KEY,
    actor_id TEXT,
    privacy_scope TEXT,
    created_at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS events (
    id INTEGER PRIMARY KEY,
    session_id TEXT NOT NULL,
    trace_id TEXT,
    actor_id TEXT,
    event_type TEXT NOT NULL,
    payload TEXT,
    privacy_scope TEXT,
    created_at TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS events_by_session ON events (session_id, created_at);
CREATE INDEX IF NOT EXISTS events_by_age ON events (created_at);
CREATE TABLE timers (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    label TEXT NOT NULL,
    session_id TEXT NOT NULL,
    target TEXT NOT NULL,
    pcm INTEGER NOT NULL,
    state TEXT NOT NULL,
    duration_ms INTEGER NOT NULL,
    ends_at_ms INTEGER NOT NULL,
    remaining_ms INTEGER
);
)sql",
    "ALTER TABLE timers ADD COLUMN action TEXT NOT NULL DEFAULT ''",
    // What the simulated home remembers. IF NOT EXISTS: a file that was taken a step back has it already.
    R"sql(
CREATE TABLE IF NOT EXISTS home_states (
    entity_id TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    attributes TEXT NOT NULL,
    changed_at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS home_items (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    list_id TEXT NOT NULL,
    item TEXT NOT NULL,
    done INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS home_items_by_list ON home_items (list_id);
)sql",
    R"sql(
CREATE TABLE skill_values (
    skill TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (skill, key)
) WITHOUT ROWID;
)sql",
};

inline constexpr schema event_schema{
    .migrations = migrations, .holds = "Past sessions", .path_key = "event_store.path"};

}  // namespace loqa::store
