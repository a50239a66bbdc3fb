// Another program that read and wrote the file while loqad ran took itself for the last one when it closed it, and
// deleted the write-ahead log: opening a second connection had cost the first its locks. All that loqad wrote from then
// on went into a file without a name, and was gone with the process.
#include <csignal>

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "loqa/base/ids.hpp"
#include "loqa/store/event_store.hpp"

namespace loqa::store {
namespace {

TEST(EventStoreRegression, AnotherProgramDoesNotTakeTheLogAway) {
    const auto folder = fs::temp_directory_path() / ("loqa-store-" + random_hex(6));
    fs::create_directories(folder);
    const auto file = folder / "events.db";
    int go[2];
    ASSERT_EQ(::pipe(go), 0);
    // Before any thread of ours.
    const auto other = ::fork();
    if (other == 0) {
        char byte = 0;
        sqlite3* db = nullptr;
        const bool done = ::read(go[0], &byte, 1) == 1 && sqlite3_open(file.c_str(), &db) == SQLITE_OK &&
                          sqlite3_exec(db, "UPDATE events SET payload = '[]'", nullptr, nullptr, nullptr) == SQLITE_OK;
        sqlite3_close(db);
        ::_exit(done ? 0 : 1);
    }
    const real_clock time;
    telemetry::metrics metrics;
    auto store = event_store::open({.path = file}, time, telemetry::logger::silent(), metrics).value();
    ASSERT_TRUE(store->append({.session_id = "a", .type = "one", .payload = "{}"}));
    ASSERT_TRUE(store->flush(std::chrono::steady_clock::now() + std::chrono::seconds(10)));
    const auto log = file.string() + "-wal";
    struct stat before = {}, after = {};
    ASSERT_EQ(::stat(log.c_str(), &before), 0);

    ASSERT_EQ(::write(go[1], "x", 1), 1);
    int status = 0;
    ASSERT_EQ(::waitpid(other, &status, 0), other);
    ASSERT_EQ(status, 0);

    ASSERT_EQ(::stat(log.c_str(), &after), 0) << "it deleted the log";
    EXPECT_EQ(before.st_ino, after.st_ino);
    ::close(go[0]);
    ::close(go[1]);
    store.reset();
    fs::remove_all(folder);
}

}  // namespace
}  // namespace loqa::store
