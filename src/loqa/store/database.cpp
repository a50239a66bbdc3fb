#include "loqa/store/database.hpp"

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <iterator>

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include "loqa/store/schema.hpp"

namespace loqa::store {
namespace {

constexpr int busy_timeout_ms = 5000;
constexpr std::int64_t newest_version = std::size(migrations);

failure failed(sqlite3* handle, int code, std::string_view path) {
    const int error_number = handle != nullptr ? sqlite3_system_errno(handle) : 0;
    switch (code & 0xff) {
        case SQLITE_FULL:
            return fail(errc::io_failed, "{} cannot be written: the disk is full", path)
                .hint("free some space, or set event_store.path to another disk");
        case SQLITE_READONLY:
            return fail(errc::io_failed, "{} cannot be written: it is read-only", path);
        case SQLITE_CANTOPEN:
            return fail(errc::io_failed, "{} cannot be opened: {}", path,
                        error_number != 0 ? errno_text(error_number) : sqlite3_errstr(code));
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
            return fail(errc::busy, "{} is locked by another process", path);
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
            return fail(errc::invalid_message, "{} is damaged: {}", path, sqlite3_errmsg(handle))
                .hint("restart loqad: it puts the file aside and begins a new one");
        case SQLITE_IOERR:
            return fail(errc::io_failed, "{} cannot be read or written: {}", path,
                        error_number != 0 ? errno_text(error_number) : sqlite3_errstr(code));
        default:
            return fail(errc::internal, "{}: {}", path,
                        handle != nullptr ? sqlite3_errmsg(handle) : sqlite3_errstr(code));
    }
}

result<std::int64_t> read_integer(database& from, std::string_view sql) {
    auto query = from.prepare(sql);
    if (!query) return fail(std::move(query));
    auto row = query->step();
    if (!row) return fail(std::move(row));
    return *row ? query->integer(0) : 0;
}

// What stands at the beginning of a file, as far as it says whose it is.
enum class content : std::uint8_t { nothing, database, zeros, foreign };

result<content> content_of(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    if (!in) return fail(errc::io_failed, "{} cannot be read: {}", path.string(), errno_text(errno));
    char head[16] = {};
    in.read(head, sizeof head);
    const std::string_view text(head, static_cast<std::size_t>(in.gcount()));
    if (text.empty()) return content::nothing;
    if (text == std::string_view("SQLite format 3\0", 16)) return content::database;
    // Some file systems leave zeros where a power cut came between a file's growth and its content.
    return std::ranges::all_of(text, [](char c) { return c == '\0'; }) ? content::zeros : content::foreign;
}

// Whether every page of the file can be read and fits its neighbours.
result<bool> sound(database& file) {
    auto check = file.prepare("PRAGMA quick_check(1)");
    auto row = check ? check->step() : fail(check);
    if (row) return *row && check->text(0) == "ok";
    // Only what is said of the file's content: a lock or a failing disk is no reason to put a good file aside.
    if (row.error().code == errc::invalid_message) return false;
    return row;
}

result<void> put_aside(const fs::path& path, const clock& time, const telemetry::logger& log) {
    auto stamp = to_rfc3339(time.wall());
    std::erase_if(stamp, [](char c) { return c == ':' || c == '-' || c == '.'; });
    const std::string aside = fmt::format("{}.damaged-{}", path.string(), stamp);
    // The write-ahead log goes along: it may hold the last thing that can be saved.
    for (const char* part : {"", "-wal", "-shm"}) {
        const auto from = path.string() + part;
        if (::rename(from.c_str(), (aside + part).c_str()) != 0 && errno != ENOENT)
            return fail(errc::io_failed, "{} is damaged and cannot be renamed: {}", from, errno_text(errno));
    }
    log.error(
        "{} is damaged: it is now {}, and a new one is begun. Past sessions and timers that were running are not in it",
        path.string(), aside);
    return {};
}

result<void> make_private_file(const fs::path& path) {
    const auto folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
    if (auto made = make_writable_folder(folder); !made)
        return fail(std::move(made)).hint("event_store.path or data_dir names it");
    // SQLite gives its side files the mode of the file itself: what people said is for this user alone.
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return fail(errc::io_failed, "{} cannot be opened: {}", path.string(), errno_text(errno));
    ::close(fd);
    return {};
}

result<void> migrate(database& file) {
    auto version = read_integer(file, "PRAGMA user_version");
    if (!version) return fail(std::move(version));
    if (*version == newest_version) return {};
    if (*version > newest_version)
        return fail(errc::invalid_config, "{} was written by a later version of Loqa (its form is {}, known is {})",
                    file.path(), *version, newest_version)
            .hint("install that version again, or set event_store.path to a new file");
    auto change = transaction::begin(file);
    if (!change) return fail(std::move(change));
    // Another connection may have done it between the two looks.
    version = read_integer(file, "PRAGMA user_version");
    if (!version) return fail(std::move(version));
    for (auto step = *version; step < newest_version; ++step)
        if (auto done = file.execute(migrations[step]); !done) return done;
    if (auto done = file.execute(fmt::format("PRAGMA user_version = {}", newest_version).c_str()); !done) return done;
    return change->commit();
}

}  // namespace

void statement::finalize::operator()(sqlite3_stmt* handle) const { sqlite3_finalize(handle); }
void database::close::operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }

statement& statement::bind(int index, std::int64_t value) {
    sqlite3_bind_int64(handle_.get(), index, value);
    return *this;
}

statement& statement::bind(int index, std::string_view value) {
    // A view of nothing has no address, which SQLite would take for NULL.
    sqlite3_bind_text64(handle_.get(), index, value.empty() ? "" : value.data(), value.size(), SQLITE_TRANSIENT,
                        SQLITE_UTF8);
    return *this;
}

result<bool> statement::step() {
    const int code = sqlite3_step(handle_.get());
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
    return failed(sqlite3_db_handle(handle_.get()), code, *path_);
}

result<void> statement::run() {
    auto row = step();
    while (row && *row) row = step();
    sqlite3_reset(handle_.get());
    if (!row) return fail(std::move(row));
    return {};
}

std::int64_t statement::integer(int column) const { return sqlite3_column_int64(handle_.get(), column); }

std::string statement::text(int column) const {
    const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(handle_.get(), column));
    return bytes == nullptr ? std::string()
                            : std::string(bytes, static_cast<std::size_t>(sqlite3_column_bytes(handle_.get(), column)));
}

result<statement> database::prepare(std::string_view sql) {
    sqlite3_stmt* handle = nullptr;
    const int code = sqlite3_prepare_v2(handle_.get(), sql.data(), static_cast<int>(sql.size()), &handle, nullptr);
    if (code != SQLITE_OK) return failed(handle_.get(), code, *path_);
    return statement(handle, path_.get());
}

result<void> database::execute(const char* sql) {
    const int code = sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) return failed(handle_.get(), code, *path_);
    return {};
}

std::int64_t database::changed() const { return sqlite3_changes(handle_.get()); }

result<transaction> transaction::begin(database& on) {
    // IMMEDIATE: a transaction that begins by reading could not wait for its turn to write later.
    if (auto begun = on.execute("BEGIN IMMEDIATE"); !begun) return fail(std::move(begun));
    return transaction(on);
}

transaction::~transaction() {
    // Fails only when SQLite has taken everything back itself already.
    if (on_ != nullptr) [[maybe_unused]]
        const auto undone = on_->execute("ROLLBACK");
}

result<void> transaction::commit() {
    auto done = on_->execute("COMMIT");
    if (done) on_ = nullptr;
    return done;
}

result<database> connect(const fs::path& path) {
    sqlite3* handle = nullptr;
    const int code = sqlite3_open_v2(path.c_str(), &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
    database opened(handle, path.string());
    if (code != SQLITE_OK) return failed(handle, code, path.string());
    sqlite3_busy_timeout(handle, busy_timeout_ms);
    return opened;
}

result<database> open_database(const fs::path& path, durability how, const clock& time, const telemetry::logger& log) {
    if (auto made = make_private_file(path); !made) return fail(std::move(made));
    auto begins = content_of(path);
    if (!begins) return fail(std::move(begins));
    if (*begins == content::foreign)
        return fail(errc::invalid_config, "{} is not an SQLite database", path.string())
            .hint("move the file away, or set event_store.path to another one");
    bool damaged = *begins == content::zeros;
    if (*begins == content::database) {
        auto old = connect(path);
        if (!old) return old;
        auto whole = sound(*old);
        if (!whole) return fail(std::move(whole));
        damaged = !*whole;
    }
    if (damaged) {
        if (auto done = put_aside(path, time, log); !done) return fail(std::move(done));
        if (auto made = make_private_file(path); !made) return fail(std::move(made));
    }
    auto opened = connect(path);
    if (!opened) return opened;
    const char* settings = how == durability::every_commit ? "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL"
                                                           : "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL";
    if (auto done = opened->execute(settings); !done) return fail(std::move(done));
    if (auto done = migrate(*opened); !done) return fail(std::move(done));
    return opened;
}

}  // namespace loqa::store
