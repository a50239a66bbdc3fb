#include "loqa/store/sound_store.hpp"

#include <thread>

#include <gtest/gtest.h>

#include "loqa/base/ids.hpp"

namespace loqa::store {
namespace {

class SoundStore : public testing::Test {
protected:
    void open(std::uintmax_t most_bytes = 1'000'000) {
        store_.reset();
        auto made = sound_store::open({.folder = folder_, .most_bytes = most_bytes, .keep_for = std::chrono::days(7)},
                                      clock_, telemetry::logger::silent(), metrics_);
        ASSERT_TRUE(made) << made.error().text();
        store_ = std::move(*made);
    }
    void TearDown() override {
        store_.reset();
        fs::remove_all(folder_);
    }
    // Once it was written.
    std::string kept(const std::string& session, const std::string& turn) {
        const auto until = std::chrono::steady_clock::now() + seconds(10);
        while (std::chrono::steady_clock::now() < until) {
            if (auto found = store_->find(session, turn)) return *found;
            std::this_thread::yield();
        }
        return "nothing";
    }
    std::size_t files() const {
        std::size_t count = 0;
        for (const auto& entry : fs::recursive_directory_iterator(folder_)) count += entry.is_regular_file() ? 1 : 0;
        return count;
    }

    fs::path folder_ = fs::path(testing::TempDir()) / ("loqa-sound-" + random_hex(4));
    manual_clock clock_;
    telemetry::metrics metrics_;
    std::unique_ptr<sound_store> store_;
};

TEST_F(SoundStore, WhatIsKeptIsFoundAlsoAfterARestart) {
    open();
    store_->keep("s", "t", "sound");
    EXPECT_EQ(kept("s", "t"), "sound");
    open();
    EXPECT_EQ(kept("s", "t"), "sound");
    EXPECT_EQ(store_->find("s", "other").error().code, errc::not_found);
}

TEST_F(SoundStore, NoIdLeavesTheFolder) {
    open();
    const std::string wide(300, '/');
    for (const auto* id : {"../../escaped", "/", "..", "%2F"}) {
        store_->keep(id, id, id);
        EXPECT_EQ(kept(id, id), id);
    }
    store_->keep(wide, wide, "wide");
    EXPECT_EQ(kept(wide, wide), "wide");
    EXPECT_EQ(files(), 5u);
}

TEST_F(SoundStore, OfTooMuchTheOldestGoes) {
    open(250);
    for (const auto* turn : {"1", "2", "3"}) {
        store_->keep("s", turn, std::string(100, 'x'));
        EXPECT_EQ(kept("s", turn).size(), 100u);
    }
    store_.reset();
    open(250);
    EXPECT_EQ(files(), 2u);
    EXPECT_FALSE(store_->find("s", "1"));
}

TEST_F(SoundStore, WhatIsTooOldGoesAtTheNextStart) {
    open();
    store_->keep("s", "t", "sound");
    EXPECT_EQ(kept("s", "t"), "sound");
    store_.reset();
    fs::last_write_time(folder_ / "s" / "t.pcm", fs::file_time_type::clock::now() - std::chrono::days(8));
    open();
    store_.reset();
    EXPECT_EQ(files(), 0u);
}

TEST_F(SoundStore, ASessionIsForgottenAlone) {
    open();
    store_->keep("s", "1", "a");
    store_->keep("s", "2", "b");
    store_->keep("other", "1", "c");
    EXPECT_EQ(kept("other", "1"), "c");
    EXPECT_EQ(store_->forget("s"), 2u);
    EXPECT_EQ(files(), 1u);
}

}  // namespace
}  // namespace loqa::store
