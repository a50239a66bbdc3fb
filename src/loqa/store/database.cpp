#include "loqa/store/database.hpp"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include "loqa/store/schema.hpp"

namespace loqa::store {
namespace {

constexpr int busy_timeout_ms = 5000;

failure failed(sqlite3* handle, int code, std::string_view path) {
    const int error_number = handle != nullptr ? sqlite3_system_errno(handle) : 0;
    switch (code & 0xff) {
        case SQLITE_FULL:
            return fail(errc::io_failed, "{} cannot be written: the disk is full", path).hint("free some space");
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

// What stands at the beginning of a file, as far as it says whose it is.
enum class content : std::uint8_t { nothing, database, zeros, foreign };

result<content> content_of(const database& file) {
    const auto text = file.head(16);
    if (!text) return fail(text);
    if (text->empty()) return content::nothing;
    if (*text == std::string_view("SQLite format 3\0", 16)) return content::database;
    // Some file systems leave zeros where a power cut came between a file's growth and its content.
    return std::ranges::all_of(*text, [](char c) { return c == '\0'; }) ? content::zeros : content::foreign;
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

result<fs::path> put_aside(const fs::path& path, const schema& form, const clock& time, const telemetry::logger& log) {
    auto stamp = to_rfc3339(time.wall());
    std::erase_if(stamp, [](char c) { return c == ':' || c == '-' || c == '.'; });
    const std::string aside = fmt::format("{}.damaged-{}", path.string(), stamp);
    // The write-ahead log goes along: it may hold the last thing that can be saved.
    for (const char* part : {"", "-wal", "-shm"}) {
        const auto from = path.string() + part;
        if (::rename(from.c_str(), (aside + part).c_str()) != 0 && errno != ENOENT)
            return fail(errc::io_failed, "{} is damaged and cannot be renamed: {}", from, errno_text(errno));
    }
    log.error("{} is damaged: it is now {}, and a new one is begun. {} that were in it are not in the new one",
              path.string(), aside, form.holds);
    return fs::path(aside);
}

result<void> make_private_file(const fs::path& path, const schema& form) {
    const auto folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
    if (auto made = make_writable_folder(folder); !made)
        return fail(std::move(made)).hint("{} names it", form.path_key);
    // SQLite gives its side files the mode of the file itself: what people said is for this user alone. A file that is
    // there already is not touched (see database::head).
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno != EEXIST)
        return fail(errc::io_failed, "{} cannot be opened: {}", path.string(), errno_text(errno));
    if (fd >= 0) ::close(fd);
    return {};
}

result<void> migrate(database& file, const schema& form) {
    const auto newest_version = static_cast<std::int64_t>(form.migrations.size());
    auto version = file.integer("PRAGMA user_version");
    if (!version) return fail(std::move(version));
    if (*version == newest_version) return {};
    if (*version > newest_version)
        return fail(errc::invalid_config, "{} was written by a later version of Loqa (its form is {}, known is {})",
                    file.path(), *version, newest_version)
            .hint("install that version again, or set {} to a new file", form.path_key);
    auto change = transaction::begin(file);
    if (!change) return fail(std::move(change));
    // Another connection may have done it between the two looks.
    version = file.integer("PRAGMA user_version");
    if (!version) return fail(std::move(version));
    for (auto step = *version; step < newest_version; ++step)
        if (auto done = file.execute(form.migrations[static_cast<std::size_t>(step)]); !done) return done;
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

statement& statement::bind_blob(int index, std::string_view bytes) {
    sqlite3_bind_blob64(handle_.get(), index, bytes.empty() ? "" : bytes.data(), bytes.size(), SQLITE_TRANSIENT);
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

std::string statement::blob(int column) const {
    const auto* bytes = static_cast<const char*>(sqlite3_column_blob(handle_.get(), column));
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

result<std::string> database::head(int count) const {
    // Its length from the file system: SQLite takes a file of one byte for an empty one.
    std::error_code unknown;
    const auto size = fs::file_size(*path_, unknown);
    std::string bytes(unknown ? 0 : std::min(size, static_cast<std::uintmax_t>(count)), '\0');
    if (bytes.empty()) return bytes;
    sqlite3_file* file = nullptr;
    int code = sqlite3_file_control(handle_.get(), "main", SQLITE_FCNTL_FILE_POINTER, static_cast<void*>(&file));
    if (code == SQLITE_OK) code = file->pMethods->xRead(file, bytes.data(), static_cast<int>(bytes.size()), 0);
    if (code != SQLITE_OK) return failed(handle_.get(), code, *path_);
    return bytes;
}

result<std::int64_t> database::integer(std::string_view sql) {
    auto query = prepare(sql);
    if (!query) return fail(std::move(query));
    auto row = query->step();
    if (!row) return fail(std::move(row));
    return *row ? query->integer(0) : 0;
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

result<database> open_database(const fs::path& path, const schema& form, durability how, const clock& time,
                               const telemetry::logger& log, fs::path* set_aside) {
    if (auto made = make_private_file(path, form); !made) return fail(std::move(made));
    auto opened = connect(path);
    if (!opened) return opened;
    const auto begins = content_of(*opened);
    if (!begins) return fail(begins);
    if (*begins == content::foreign)
        return fail(errc::invalid_config, "{} is not an SQLite database", path.string())
            .hint("move the file away, or set {} to another one", form.path_key);
    bool damaged = *begins == content::zeros;
    if (*begins == content::database) {
        auto whole = sound(*opened);
        if (!whole) return fail(std::move(whole));
        damaged = !*whole;
    }
    if (damaged) {
        opened = fail(errc::invalid_message, "{} is damaged", path.string());  // closes it
        auto aside = put_aside(path, form, time, log);
        if (!aside) return fail(std::move(aside));
        if (set_aside != nullptr) *set_aside = *aside;
        if (auto made = make_private_file(path, form); !made) return fail(std::move(made));
        opened = connect(path);
        if (!opened) return opened;
    }
    // auto_vacuum counts for a file that has no table yet.
    const char* settings =
        how == durability::every_commit
            ? "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL"
            : "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL";
    if (auto done = opened->execute(settings); !done) return fail(std::move(done));
    if (auto done = migrate(*opened, form); !done) return fail(std::move(done));
    return opened;
}

result<database> open_database(const fs::path& path, durability how, const clock& time, const telemetry::logger& log) {
    return open_database(path, event_schema, how, time, log);
}

}  // namespace loqa::store
