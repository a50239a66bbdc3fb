// The SQLite file of a node: event store, timers, and whatever else of loqad outlives a restart.
//
// open_database() makes or checks the file; each module then holds a connection of its own. A connection and its
// statements belong to one thread at a time. SQLite's errors come back as sentences that name the file.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "loqa/base/clock.hpp"
#include "loqa/base/files.hpp"
#include "loqa/base/result.hpp"
#include "loqa/telemetry/log.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace loqa::store {

// A prepared statement. Values are bound from 1, columns read from 0, as SQLite counts them.
class statement {
public:
    statement& bind(int index, std::int64_t value);
    statement& bind(int index, std::string_view value);

    result<bool> step();  // true when a row stands ready
    result<void> run();   // to the end and back to the start, ready for other values

    std::int64_t integer(int column) const;
    std::string text(int column) const;

private:
    friend class database;
    struct finalize {
        void operator()(sqlite3_stmt* handle) const;
    };
    statement(sqlite3_stmt* handle, const std::string* path) : handle_(handle), path_(path) {}

    std::unique_ptr<sqlite3_stmt, finalize> handle_;
    const std::string* path_;  // of the database, which outlives its statements
};

class database {
public:
    result<statement> prepare(std::string_view sql);
    result<void> execute(const char* sql);  // one or several statements without values
    std::int64_t changed() const;           // rows, by the last statement

    const std::string& path() const { return *path_; }

private:
    friend result<database> connect(const fs::path& path);
    struct close {
        void operator()(sqlite3* handle) const;
    };
    database(sqlite3* handle, std::string path)
        : handle_(handle), path_(std::make_unique<std::string>(std::move(path))) {}

    std::unique_ptr<sqlite3, close> handle_;
    std::unique_ptr<std::string> path_;  // statements point to it, so it stays where it is when the database moves
};

// Takes everything back unless commit() succeeded.
class transaction {
public:
    static result<transaction> begin(database& on);
    transaction(transaction&& other) noexcept : on_(std::exchange(other.on_, nullptr)) {}
    transaction& operator=(transaction&&) = delete;
    ~transaction();
    result<void> commit();

private:
    explicit transaction(database& on) : on_(&on) {}
    database* on_;
};

enum class durability : std::uint8_t {
    after_checkpoint,  // a power cut may cost the last seconds, never the file
    every_commit,      // what was committed is on the disk
};

// Opens the file for reading and writing, makes it when it is not there (readable by this user alone), brings its
// tables to this version's form. A damaged file is renamed to <path>.damaged-<time>, which is logged, and a new one
// begun: a node whose history is gone still answers. A file that is no database, or was written by a later version, is
// an error.
result<database> open_database(const fs::path& path, durability how, const clock& time, const telemetry::logger& log);

}  // namespace loqa::store
