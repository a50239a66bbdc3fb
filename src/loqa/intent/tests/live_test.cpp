// All sentences of a configuration in one matcher, and that edits are taken up.
#include "loqa/intent/live.hpp"

#include <condition_variable>
#include <cstdlib>
#include <mutex>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "house.hpp"
#include "loqa/base/ids.hpp"

namespace loqa::intent {
namespace {

using testing::HasSubstr;

class Live : public testing::Test {
protected:
    void SetUp() override {
        ::setenv("LOQA_SHARE_DIR", LOQA_SHARE, 1);
        ::setenv("LOQA_CACHE_DIR", (folder / "no-cache").c_str(), 1);  // Loqa's own sentences are enough here
        fs::create_directories(own);
    }
    void TearDown() override {
        live.reset();
        ::setenv("LOQA_CACHE_DIR", LOQA_CACHE, 1);
        fs::remove_all(folder);
    }
    void write(const std::string& name, const std::string& sentence) {
        ASSERT_TRUE(write_file_atomically(
            own / name, "language: en\nintents:\n  Mine:\n    data:\n      - sentences: [\"" + sentence + "\"]\n"));
    }
    void start() {
        auto made = live_interpreter::start({.language = "en", .own = own},
                                            std::make_shared<const home>(testing_house::house()),
                                            [this](const result<std::shared_ptr<const built>>& now) {
                                                std::lock_guard lock(mutex);
                                                if (now) seen = (*now)->revision;
                                                changed.notify_all();
                                            });
        ASSERT_TRUE(made) << made.error().text();
        live = std::move(*made);
    }
    bool wait_for_revision(std::uint64_t least) {
        std::unique_lock lock(mutex);
        return changed.wait_for(lock, seconds(20), [&] { return seen >= least; });
    }
    std::string intent_of(const std::string& sentence) const {
        const auto got = live->now()->meaning->understand(sentence);
        return got ? got->commands.front().what.intent : "";
    }

    fs::path folder = fs::path(testing::TempDir()) / ("loqa-live-" + random_hex(4));
    fs::path own = folder / "own";
    std::mutex mutex;
    std::condition_variable changed;
    std::uint64_t seen = 0;
    std::unique_ptr<live_interpreter> live;
};

TEST_F(Live, TheUsersSentencesWinOverThoseThatShip) {
    write("mine.yaml", "what time is it");
    start();
    EXPECT_EQ(intent_of("what time is it"), "Mine");
    EXPECT_EQ(intent_of("set a timer for ten minutes"), "HassStartTimer");
    EXPECT_EQ(live->now()->revision, 1u);
}

TEST_F(Live, EditsAreTakenUp) {
    start();
    EXPECT_EQ(intent_of("sesame seed bun"), "");
    write("mine.yaml", "sesame seed bun");
    ASSERT_TRUE(wait_for_revision(2));
    EXPECT_EQ(intent_of("sesame seed bun"), "Mine");
    fs::remove(own / "mine.yaml");
    ASSERT_TRUE(wait_for_revision(3));
    EXPECT_EQ(intent_of("sesame seed bun"), "");
}

TEST_F(Live, ABrokenFileIsNamedAndLeavesTheOthersWorking) {
    write("good.yaml", "sesame seed bun");
    write("half.yaml", "open (the (window");
    ASSERT_TRUE(write_file_atomically(own / "broken.yaml", "language: en\nintents:\n  Mine: [\n"));
    start();
    EXPECT_EQ(intent_of("sesame seed bun"), "Mine");
    std::string told;
    for (const auto& one : live->now()->broken) told += one.message + "\n";
    EXPECT_THAT(told, HasSubstr("broken.yaml:"));
    EXPECT_THAT(told, HasSubstr("half.yaml:5:"));
}

TEST_F(Live, AnotherHomeIsAnotherMatcher) {
    write("mine.yaml", "feed the {name}");
    start();
    EXPECT_EQ(intent_of("feed the dragon"), "");
    auto other = testing_house::house();
    other.entities.push_back({.id = "switch.dragon", .name = "Dragon"});
    live->rebuild(std::make_shared<const home>(std::move(other)));
    ASSERT_TRUE(wait_for_revision(2));
    EXPECT_EQ(intent_of("feed the dragon"), "Mine");
}

}  // namespace
}  // namespace loqa::intent
