#include "loqa/base/watch.hpp"

#include <condition_variable>
#include <mutex>

#include <gtest/gtest.h>

#include "loqa/base/ids.hpp"

namespace loqa {
namespace {

class Watch : public testing::Test {
protected:
    void SetUp() override { fs::create_directories(folder); }
    void TearDown() override {
        watch.reset();
        fs::remove_all(folder);
    }
    void start(std::vector<fs::path> paths) {
        auto made = file_watch::start(
            std::move(paths),
            [this] {
                std::lock_guard lock(mutex);
                ++told;
                changed.notify_all();
            },
            milliseconds(20));
        ASSERT_TRUE(made) << made.error().text();
        watch = std::move(*made);
    }
    bool wait_for(int times) {
        std::unique_lock lock(mutex);
        return changed.wait_for(lock, seconds(10), [&] { return told >= times; });
    }
    int count() {
        std::lock_guard lock(mutex);
        return told;
    }

    fs::path folder = fs::path(testing::TempDir()) / ("loqa-watch-" + random_hex(4));
    std::mutex mutex;
    std::condition_variable changed;
    int told = 0;
    std::unique_ptr<file_watch> watch;
};

TEST_F(Watch, SeesAFileWrittenReplacedAndRemoved) {
    const auto file = folder / "home.yaml";
    start({file});
    ASSERT_TRUE(write_file_atomically(file, "one"));
    EXPECT_TRUE(wait_for(1));
    ASSERT_TRUE(write_file_atomically(file, "two"));
    EXPECT_TRUE(wait_for(2));
    fs::remove(file);
    EXPECT_TRUE(wait_for(3));
}

TEST_F(Watch, SeesTheFilesOfAFolderThatIsMadeLater) {
    const auto own = folder / "sentences";
    start({own});
    fs::create_directories(own);
    EXPECT_TRUE(wait_for(1));
    ASSERT_TRUE(write_file_atomically(own / "mine.yaml", "one"));
    EXPECT_TRUE(wait_for(2));
}

TEST_F(Watch, OtherFilesNextDoorAreNotToldOf) {
    const auto file = folder / "home.yaml";
    start({file});
    ASSERT_TRUE(write_file_atomically(folder / "other.yaml", "one"));
    ASSERT_TRUE(write_file_atomically(file, "one"));
    EXPECT_TRUE(wait_for(1));
    EXPECT_EQ(count(), 1);
}

}  // namespace
}  // namespace loqa
