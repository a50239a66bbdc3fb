// An SQLite file of a node: the event store, the timers, and whatever else of loqad outlives a restart.
//
// open_database() makes or checks the file. A connection and its statements belong to one thread at a time. SQLite's
// errors come back as sentences that name the file.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
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

    statement& bind_blob(int index, std::string_view bytes);

    result<bool> step();  // true when a row stands ready
    result<void> run();   // to the end and back to the start, ready for other values

    std::int64_t integer(int column) const;
    std::string text(int column) const;
    std::string blob(int column) const;

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
    result<void> execute(const char* sql);               // one or several statements without values
    result<std::int64_t> integer(std::string_view sql);  // the first column of the first row; 0 when there is none
    std::int64_t changed() const;                        // rows, by the last statement

    const std::string& path() const { return *path_; }

    // The file's first bytes, at most `count`. Read through this connection: a process that opens and closes the file
    // beside SQLite loses the locks of all its connections, and another process may then take the log away from them.
    result<std::string> head(int count) const;

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

// What a file is for, and its tables: the steps that lead from an empty file to the present. A file's user_version says
// how many of them it has taken; a step that was released never changes.
struct schema {
    std::span<const char* const> migrations;
    std::string_view holds;     // "Past sessions": what is missing when a damaged file was put aside
    std::string_view path_key;  // the configuration key that names the file
};

// Opens the file for reading and writing, makes it when it is not there (readable by this user alone), brings its
// tables to this version's form. A damaged file is renamed to <path>.damaged-<time>, which is logged and told in
// `put_aside`, and a new one begun: a node whose history is gone still answers. A file that is no database, or was
// written by a later version, is an error.
result<database> open_database(const fs::path& path, const schema& form, durability how, const clock& time,
                               const telemetry::logger& log, fs::path* put_aside = nullptr);

// The same for the event store's file, which other modules of loqad may share.
result<database> open_database(const fs::path& path, durability how, const clock& time, const telemetry::logger& log);

// A file that is there already, as it is.
result<database> connect(const fs::path& path);

}  // namespace loqa::store
