#include "loqa/store/event_store.hpp"

#include <csignal>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "loqa/base/ids.hpp"

namespace loqa::store {
namespace {

using namespace std::chrono_literals;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::MatchesRegex;
using testing::SizeIs;

class EventStore : public testing::Test {
protected:
    void SetUp() override { fs::create_directories(folder_); }
    void TearDown() override { fs::remove_all(folder_); }

    // The store prunes by itself at start only, so that a test which moves the clock prunes alone.
    result<std::unique_ptr<event_store>> open(options with) {
        with.prune_every = std::chrono::years(100);
        return event_store::open(std::move(with), clock_, log_, metrics_);
    }
    result<std::unique_ptr<event_store>> try_open() { return open({.path = file_}); }
    std::unique_ptr<event_store> open() { return try_open().value(); }

    static event made(std::string session, std::string type, std::string payload = "{}") {
        return {.session_id = std::move(session), .type = std::move(type), .payload = std::move(payload)};
    }

    void append(event_store& to, event what) {
        ASSERT_TRUE(to.append(std::move(what)));
        ASSERT_TRUE(to.flush(std::chrono::steady_clock::now() + 10s));
    }

    static std::vector<std::string> types(event_store& of, query which = {}) {
        std::vector<std::string> all;
        const auto found = of.events(which).value();
        for (const auto& e : found) all.push_back(e.type);
        return all;
    }

    // Every byte that the store has put on the disk.
    std::string on_disk() const {
        std::string all;
        for (const auto& entry : fs::directory_iterator(folder_)) all += read_file(entry.path()).value();
        return all;
    }

    // The file as any other program sees it.
    std::string ask(const char* sql) const { return ask(sql, file_); }
    static std::string ask(const char* sql, const fs::path& file) {
        sqlite3* db = nullptr;
        std::string answer;
        sqlite3_open(file.c_str(), &db);
        sqlite3_exec(
            db, sql,
            [](void* to, int columns, char** values, char**) {
                for (int i = 0; i < columns; ++i)
                    *static_cast<std::string*>(to) += values[i] != nullptr ? values[i] : "NULL";
                return 0;
            },
            &answer, nullptr);
        sqlite3_close(db);
        return answer;
    }

    std::vector<std::string> files() const {
        std::vector<std::string> names;
        for (const auto& entry : fs::directory_iterator(folder_)) names.push_back(entry.path().filename());
        return names;
    }

    const fs::path folder_ = fs::temp_directory_path() / ("loqa-store-" + random_hex(6));
    const fs::path file_ = folder_ / "events.db";
    manual_clock clock_;
    telemetry::metrics metrics_;
    std::vector<std::string> lines_;
    telemetry::logger log_ = telemetry::logger::to([this](std::string_view line) { lines_.emplace_back(line); }, "test",
                                                   telemetry::level::info, false);
};

TEST_F(EventStore, GivesBackWhatWasAppended) {
    auto store = open();
    append(*store, {.session_id = "kitchen",
                    .trace_id = "4bf92f",
                    .actor_id = "ann",
                    .type = "stt.text.final",
                    .payload = R"({"text":"what time is it ☀"})",
                    .privacy_scope = "local"});
    const auto all = store->events({.session_id = "kitchen"}).value();
    ASSERT_THAT(all, SizeIs(1));
    EXPECT_EQ(all[0].id, 1);
    EXPECT_EQ(all[0].trace_id, "4bf92f");
    EXPECT_EQ(all[0].actor_id, "ann");
    EXPECT_EQ(all[0].type, "stt.text.final");
    EXPECT_EQ(all[0].payload, R"({"text":"what time is it ☀"})");
    EXPECT_EQ(all[0].privacy_scope, "local");
    EXPECT_EQ(all[0].created_at, clock_.wall());
}

TEST_F(EventStore, EventsOutliveTheStore) {
    append(*open(), made("a", "one"));
    EXPECT_THAT(types(*open()), ElementsAre("one"));
}

TEST_F(EventStore, ClosingWritesWhatIsStillQueued) {
    {
        auto store = open();
        for (int i = 0; i < 1000; ++i) ASSERT_TRUE(store->append(made("a", "one")));
    }
    EXPECT_THAT(types(*open()), SizeIs(1000));
}

// Of many events at a time; nothing here waits for the time to pass.
class Gathering : public EventStore {
protected:
    std::unique_ptr<event_store> patient() {
        auto store = open({.path = file_, .gather_for = 1h}).value();
        append(*store, made("a", "first"));  // it has pruned
        return store;
    }
    bool written(event_store& of, std::size_t count) const {
        const auto give_up = std::chrono::steady_clock::now() + 20s;
        while (of.events({.limit = 10'000}).value().size() < count && std::chrono::steady_clock::now() < give_up)
            std::this_thread::sleep_for(1ms);
        return of.events({.limit = 10'000}).value().size() >= count;
    }
    int transactions() const {
        const auto text = metrics_.text();
        const std::string_view name = "\nloqa_store_write_ms_count ";
        return std::stoi(text.substr(text.find(name) + name.size()));
    }
};

TEST_F(Gathering, WhatComesTogetherIsOneTransactionInItsOrder) {
    auto store = patient();
    const auto before = transactions();
    for (int i = 0; i < 100; ++i) ASSERT_TRUE(store->append(made("a", fmt::format("{:03}", i))));
    ASSERT_TRUE(store->flush(std::chrono::steady_clock::now() + 20s));
    EXPECT_EQ(transactions(), before + 1);
    const auto found = types(*store);
    EXPECT_THAT(found, SizeIs(101));
    EXPECT_TRUE(std::ranges::is_sorted(std::span(found).subspan(1)));
}

TEST_F(Gathering, EndsByItself) {
    auto store = open();
    ASSERT_TRUE(store->append(made("a", "one")));
    EXPECT_TRUE(written(*store, 1));
}

TEST_F(Gathering, IsEndedByClosing) {
    {
        auto store = patient();
        ASSERT_TRUE(store->append(made("a", "two")));
    }
    EXPECT_THAT(types(*open()), ElementsAre("first", "two"));
}

TEST_F(Gathering, IsEndedByAFullTransactionAndByManyBytes) {
    auto store = patient();
    for (int i = 0; i < 256; ++i) ASSERT_TRUE(store->append(made("a", "one")));
    EXPECT_TRUE(written(*store, 257));
    const std::string large(event_store::max_payload_bytes - 100, 'x');
    for (std::size_t bytes = 0; bytes <= event_store::max_queued_bytes / 2; bytes += large.size())
        ASSERT_TRUE(store->append(made("b", "one", large)));
    EXPECT_TRUE(written(*store, 257 + 64));
}

TEST_F(EventStore, QueriesNarrowDown) {
    auto store = open();
    append(*store, made("a", "one"));
    append(*store, made("b", "one"));
    append(*store, made("a", "two"));
    auto traced = made("b", "three");
    traced.trace_id = "t";
    append(*store, traced);
    EXPECT_THAT(types(*store), ElementsAre("one", "one", "two", "three"));
    EXPECT_THAT(types(*store, {.session_id = "a"}), ElementsAre("one", "two"));
    EXPECT_THAT(types(*store, {.type = "one"}), ElementsAre("one", "one"));
    EXPECT_THAT(types(*store, {.after_id = 2}), ElementsAre("two", "three"));
    EXPECT_THAT(types(*store, {.after_id = 1, .limit = 1}), ElementsAre("one"));
    EXPECT_THAT(types(*store, {.trace_id = "t"}), ElementsAre("three"));
    EXPECT_THAT(types(*store, {.session_id = "a' OR 1=1 --"}), IsEmpty());
}

TEST_F(EventStore, SessionsComeWithTheNewestEventFirst) {
    auto store = open();
    append(*store, made("a", "one"));
    clock_.advance(1s);
    append(*store, made("b", "one"));
    clock_.advance(1s);
    append(*store, made("a", "two"));
    const auto all = store->sessions().value();
    ASSERT_THAT(all, SizeIs(2));
    EXPECT_EQ(all[0].session_id, "a");
    EXPECT_EQ(all[0].events, 2);
    EXPECT_EQ(all[0].last_event_at - all[0].created_at, 2s);
    EXPECT_EQ(all[1].session_id, "b");
    EXPECT_THAT(store->sessions(1).value(), SizeIs(1));
}

TEST_F(EventStore, HasTheTablesOfItsDocument) {
    const auto page = read_file(fs::path(LOQA_SHARE).parent_path() / "docs" / "events.md").value();
    const auto begin = page.find("```sql\n") + 7;
    const auto tables = page.substr(begin, page.find("```", begin) - begin);
    open();
    const auto documented = folder_ / "documented.db";
    ask(tables.c_str(), documented);
    for (const auto* table : {"sessions", "events"}) {
        const auto columns = fmt::format(
            "SELECT group_concat(name || ' ' || type || ' ' || \"notnull\" || ' ' || pk) FROM pragma_table_info('{}')",
            table);
        EXPECT_NE(ask(columns.c_str(), documented), "NULL");
        EXPECT_EQ(ask(columns.c_str()), ask(columns.c_str(), documented)) << table << " is not as docs/events.md says";
    }
    EXPECT_EQ(ask("PRAGMA journal_mode"), "wal");
}

TEST_F(EventStore, AFileOfLoqaCoreIsTakenOver) {
    ask("CREATE TABLE sessions (session_id TEXT PRIMARY KEY, actor_id TEXT, privacy_scope TEXT, created_at TIMESTAMP);"
        "CREATE TABLE events (id INTEGER PRIMARY KEY AUTOINCREMENT, session_id TEXT, trace_id TEXT, actor_id TEXT, "
        "event_type "
        "TEXT, payload BLOB, privacy_scope TEXT, created_at TIMESTAMP);"
        "INSERT INTO events VALUES (7, 's', NULL, NULL, 'skill.log', '{}', 'local', '2024-10-01 08:30:00.25 +0000 "
        "UTC')");
    auto store = open();
    const auto all = store->events({}).value();
    ASSERT_THAT(all, SizeIs(1));
    EXPECT_EQ(all[0].trace_id, "");
    EXPECT_EQ(to_rfc3339(all[0].created_at).substr(0, 19), "2024-10-01T08:30:00");
    append(*store, made("s", "new"));
    EXPECT_THAT(types(*store), ElementsAre("skill.log", "new"));
}

TEST_F(EventStore, TheFileIsForThisUserAlone) {
    auto store = open();
    append(*store, made("a", "one"));
    for (const auto& name : files()) {
        struct stat status = {};
        ASSERT_EQ(::stat((folder_ / name).c_str(), &status), 0);
        EXPECT_EQ(status.st_mode & 0777, 0600u) << name;
    }
}

TEST_F(EventStore, EphemeralEventsNeverReachTheDisk) {
    {
        auto store = open();
        auto secret = made("a", "one", R"({"text":"nobody-may-read-this"})");
        secret.privacy_scope = "ephemeral";
        append(*store, secret);
        append(*store, made("b", "two", R"({"text":"everybody-may"})"));
        EXPECT_THAT(types(*store), ElementsAre("two"));
        EXPECT_THAT(on_disk(), HasSubstr("everybody-may"));
        EXPECT_THAT(on_disk(), testing::Not(HasSubstr("nobody-may-read-this")));
    }
    EXPECT_THAT(on_disk(), testing::Not(HasSubstr("nobody-may-read-this")));
}

TEST_F(EventStore, EphemeralModeMakesNoFile) {
    auto store = open({.path = file_, .mode = retention::ephemeral}).value();
    append(*store, made("a", "one"));
    EXPECT_THAT(store->events({}).value(), IsEmpty());
    EXPECT_THAT(store->sessions().value(), IsEmpty());
    EXPECT_EQ(store->prune(), 0);
    EXPECT_THAT(files(), IsEmpty());
}

TEST_F(EventStore, AnEventWithoutSessionOrTypeAndOneTooLongAreRefused) {
    auto store = open();
    EXPECT_EQ(store->append(made("", "one")).error().code, errc::invalid_argument);
    EXPECT_EQ(store->append(made("a", "")).error().code, errc::invalid_argument);
    EXPECT_EQ(store->append(made("a", "one", std::string(event_store::max_payload_bytes, 'x'))).error().code,
              errc::too_long);
}

TEST_F(EventStore, OldEventsGoByTheirOwnAge) {
    auto store = open({.path = file_, .keep_for = std::chrono::days(30)}).value();
    append(*store, made("audit", "old"));
    append(*store, made("gone", "old"));
    clock_.advance(20 * 24h);
    append(*store, made("audit", "fresh"));
    clock_.advance(11 * 24h);
    EXPECT_EQ(store->prune(), 2);
    EXPECT_THAT(types(*store), ElementsAre("fresh")) << "of a session that is older than the limit";
    EXPECT_EQ(ask("SELECT group_concat(session_id) FROM sessions"), "audit");
}

TEST_F(EventStore, BeyondTheNumberTheSilentSessionsGo) {
    auto store = open({.path = file_, .max_sessions = 2}).value();
    for (const auto* session : {"first", "second", "third", "first"}) {
        append(*store, made(session, session));
        clock_.advance(1s);
    }
    EXPECT_EQ(store->prune(), 1);
    EXPECT_THAT(types(*store), ElementsAre("first", "third", "first"));
    EXPECT_EQ(ask("SELECT group_concat(session_id) FROM sessions ORDER BY session_id"), "first,third");
}

TEST_F(EventStore, MoreThanOneStepOfOldEventsGoes) {
    auto store = open();
    for (int i = 0; i < 1200; ++i) ASSERT_TRUE(store->append(made(fmt::format("a{}", i), "old")));
    ASSERT_TRUE(store->flush(std::chrono::steady_clock::now() + 10s));
    clock_.advance(31 * 24h);
    EXPECT_EQ(store->prune(), 1200);
    EXPECT_THAT(store->sessions().value(), IsEmpty());
}

TEST_F(EventStore, PrunesByItselfAtStart) {
    append(*open(), made("a", "old"));
    clock_.advance(31 * 24h);
    auto store = open();
    append(*store, made("b", "fresh"));  // written by the same thread, after it has pruned
    EXPECT_THAT(types(*store), ElementsAre("fresh"));
}

TEST_F(EventStore, TheStricterOfModeAndScopeCounts) {
    for (const auto mode : {retention::session, retention::persistent}) {
        auto store = open({.path = folder_ / fmt::format("{}.db", int(mode)), .mode = mode, .max_sessions = 1}).value();
        for (const auto* scope : {"ephemeral", "session", "local", "persistent"}) {
            auto one = made(scope, scope);
            one.privacy_scope = scope;
            append(*store, one);
            append(*store, [&] {
                auto other = made("mixed", scope);
                other.privacy_scope = scope;
                return other;
            }());
        }
        clock_.advance(31 * 24h);
        append(*store, made("fresh", "fresh"));
        ASSERT_TRUE(store->prune());
        if (mode == retention::persistent)
            EXPECT_THAT(types(*store), ElementsAre("persistent", "persistent", "fresh"));
        else
            EXPECT_THAT(types(*store), ElementsAre("fresh"));
    }
}

TEST_F(EventStore, ASessionIsDeletedWithAllOfIt) {
    auto store = open();
    append(*store, made("a", "one"));
    append(*store, made("b", "two"));
    ASSERT_TRUE(store->append(made("a", "three")));
    EXPECT_EQ(store->delete_session("a"), 2);
    EXPECT_THAT(types(*store), ElementsAre("two"));
    EXPECT_EQ(ask("SELECT group_concat(session_id) FROM sessions"), "b");
    EXPECT_EQ(store->delete_session("a").error().code, errc::not_found);
}

TEST_F(EventStore, PruningGivesItsSpaceBack) {
    auto store = open();
    for (int i = 0; i < 400; ++i) ASSERT_TRUE(store->append(made("a", "one", std::string(20'000, 'x'))));
    ASSERT_TRUE(store->flush(std::chrono::steady_clock::now() + 30s));
    const auto pages = std::stol(ask("PRAGMA page_count"));
    clock_.advance(31 * 24h);
    EXPECT_EQ(store->prune(), 400);
    EXPECT_LT(std::stol(ask("PRAGMA page_count")), pages / 2);
}

// A lock that another process holds stops the writer; appending goes on, then is refused and counted, and never waits.
TEST_F(EventStore, AppendingNeverWaitsForTheDisk) {
    auto store = open();
    sqlite3* other = nullptr;
    ASSERT_EQ(sqlite3_open(file_.c_str(), &other), SQLITE_OK);
    sqlite3_busy_timeout(other, 10'000);  // the store may still be looking what to delete
    ASSERT_EQ(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
    std::size_t refused = 0;
    const auto begun = std::chrono::steady_clock::now();
    for (std::size_t i = 0; i < event_store::max_queued_events + 1000; ++i)
        if (!store->append(made("a", "one"))) ++refused;
    EXPECT_LT(std::chrono::steady_clock::now() - begun, 2s);
    EXPECT_EQ(store->flush(std::chrono::steady_clock::now() + 1ms).error().code, errc::timed_out);
    EXPECT_GT(refused, 0u);
    EXPECT_EQ(metrics_.counter("loqa_store_lost_total", "", {{"reason", "queue_full"}}).value(),
              static_cast<double>(refused));
    sqlite3_exec(other, "ROLLBACK", nullptr, nullptr, nullptr);
    sqlite3_close(other);
    ASSERT_TRUE(store->flush(std::chrono::steady_clock::now() + 30s));
    EXPECT_EQ(store->events({.limit = 100'000}).value().size(), event_store::max_queued_events + 1000 - refused);
}

TEST_F(EventStore, TheQueueIsBoundedInBytesToo) {
    auto store = open();
    sqlite3* other = nullptr;
    ASSERT_EQ(sqlite3_open(file_.c_str(), &other), SQLITE_OK);
    sqlite3_busy_timeout(other, 10'000);  // the store may still be looking what to delete
    ASSERT_EQ(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
    const std::string large(event_store::max_payload_bytes - 100, 'x');
    std::size_t taken = 0;
    for (int i = 0; i < 1000; ++i)
        if (store->append(made("a", "one", large))) ++taken;
    EXPECT_LE(taken, event_store::max_queued_bytes / large.size() + 256 + 1) << "the queue and one batch";
    sqlite3_exec(other, "ROLLBACK", nullptr, nullptr, nullptr);
    sqlite3_close(other);
}

struct unusable_case {
    std::string_view name;
    std::string path;     // relative to the test's folder when it does not begin with /
    std::string content;  // of the file, when not empty
    std::string_view message;
};
std::ostream& operator<<(std::ostream& out, const unusable_case& c) { return out << c.name; }

class UnusableFile : public EventStore, public testing::WithParamInterface<unusable_case> {};

TEST_P(UnusableFile, IsAnErrorThatNamesIt) {
    const auto path = GetParam().path.starts_with("/") ? fs::path(GetParam().path) : folder_ / GetParam().path;
    if (!GetParam().content.empty()) std::ofstream(path) << GetParam().content;
    const auto store = open({.path = path});
    ASSERT_FALSE(store);
    EXPECT_THAT(store.error().message, MatchesRegex(std::string(GetParam().message)));
    EXPECT_NE(store.error().hint, "");
    if (!GetParam().content.empty()) {
        EXPECT_EQ(read_file(path), GetParam().content) << "it was touched";
    }
}

INSTANTIATE_TEST_SUITE_P(Store, UnusableFile,
                         testing::Values(unusable_case{"a folder that cannot be made", "/proc/loqa/events.db", "",
                                                       "folder /proc/loqa cannot be made: .*"},
                                         unusable_case{"somebody's text", "notes.txt",
                                                       "Dear diary, this is no database at all.\n",
                                                       ".*/notes.txt is not an SQLite database"},
                                         unusable_case{"somebody's short text", "short.txt", "x",
                                                       ".*/short.txt is not an SQLite database"}));

TEST_F(EventStore, AFolderInPlaceOfTheFileIsNamed) {
    fs::create_directories(file_);
    EXPECT_THAT(try_open().error().message, HasSubstr("events.db cannot be opened: Is a directory"));
}

TEST_F(EventStore, AFileOfALaterVersionIsLeftAlone) {
    open();
    ask("PRAGMA user_version = 99");
    const auto store = try_open();
    ASSERT_FALSE(store);
    EXPECT_THAT(store.error().message,
                HasSubstr("events.db was written by a later version of Loqa (its form is 99, known is "));
    EXPECT_EQ(ask("PRAGMA user_version"), "99");
}

enum class damage { overwritten_pages, cut_off, zeroed };

class DamagedFile : public EventStore, public testing::WithParamInterface<damage> {};

TEST_P(DamagedFile, IsPutAsideAndANewOneBegun) {
    {
        auto store = open();
        for (int i = 0; i < 500; ++i) append(*store, made("a", "one", std::string(200, 'x')));
    }
    const auto size = fs::file_size(file_);
    if (GetParam() == damage::cut_off) fs::resize_file(file_, size / 2);
    std::fstream file(file_, std::ios::binary | std::ios::in | std::ios::out);
    if (GetParam() == damage::overwritten_pages) {
        file.seekp(4096);
        file << std::string(size - 4096, '\x5a');
    }
    if (GetParam() == damage::zeroed) file << std::string(size, '\0');
    file.close();
    auto store = open();
    append(*store, made("b", "two"));
    EXPECT_THAT(types(*store), ElementsAre("two"));
    EXPECT_THAT(files(), Contains(MatchesRegex("events.db.damaged-20241004T000000000Z")));
    EXPECT_THAT(lines_, Contains(HasSubstr("events.db is damaged: it is now ")));
}

INSTANTIATE_TEST_SUITE_P(Store, DamagedFile,
                         testing::Values(damage::overwritten_pages, damage::cut_off, damage::zeroed));

// No file of this process may grow beyond what it has: what a full disk looks like from inside.
class full_disk {
public:
    explicit full_disk(rlim_t bytes) {
        ::getrlimit(RLIMIT_FSIZE, &before_);
        old_handler_ = std::signal(SIGXFSZ, SIG_IGN);
        const rlimit now{bytes, before_.rlim_max};
        ::setrlimit(RLIMIT_FSIZE, &now);
    }
    ~full_disk() {
        ::setrlimit(RLIMIT_FSIZE, &before_);
        std::signal(SIGXFSZ, old_handler_);
    }

private:
    rlimit before_{};
    void (*old_handler_)(int);
};

TEST_F(EventStore, OnAFullDiskWhatWasAcceptedWaitsForRoom) {
    auto store = open({.path = file_, .retry_every = 10ms}).value();
    append(*store, made("a", "before"));
    {
        const full_disk full(64 << 10);
        for (int i = 0; i < 20; ++i) ASSERT_TRUE(store->append(made("a", "waits", std::string(100 << 10, 'x'))));
        EXPECT_EQ(store->flush(std::chrono::steady_clock::now() + 100ms).error().code, errc::timed_out);
        EXPECT_THAT(types(*store), ElementsAre("before"));
    }
    append(*store, made("a", "after"));
    EXPECT_THAT(types(*store), SizeIs(22));
    EXPECT_THAT(lines_, Contains(HasSubstr("events wait to be written")));
    EXPECT_EQ(metrics_.counter("loqa_store_lost_total", "", {{"reason", "write_failed"}}).value(), 0);
}

TEST_F(EventStore, AProcessThatEndsOnAFullDiskDoesEndAndCountsItsLoss) {
    auto store = open({.path = file_, .retry_every = 1h}).value();
    append(*store, made("a", "before"));
    const full_disk full(64 << 10);
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(store->append(made("a", "waits", std::string(100 << 10, 'x'))));
    store.reset();
    EXPECT_EQ(metrics_.counter("loqa_store_lost_total", "", {{"reason", "write_failed"}}).value(), 20);
}

TEST_F(EventStore, AFullDiskAtStartIsAnErrorThatNamesTheFile) {
    const full_disk full(1 << 10);
    const auto store = try_open();
    ASSERT_FALSE(store);
    EXPECT_THAT(store.error().message, HasSubstr(file_.string()));
}

}  // namespace
}  // namespace loqa::store
