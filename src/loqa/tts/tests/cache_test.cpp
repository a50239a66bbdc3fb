#include "loqa/tts/cache.hpp"

#include <atomic>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "loqa/base/ids.hpp"

namespace loqa::tts {
namespace {

sound_cache::found tone(std::int16_t value, std::size_t samples = 1000) {
    return std::make_shared<const sound>(sound{22'050, std::vector<std::int16_t>(samples, value)});
}

class SoundCache : public testing::Test {
protected:
    void SetUp() override { folder_ = fs::temp_directory_path() / ("loqa-cache-" + random_hex(4)); }
    void TearDown() override {
        cache_.reset();
        fs::remove_all(folder_);
    }

    sound_cache& open(cache_options options = {.disk_bytes = 1u << 20}) {
        cache_.reset();  // what was to be written is written
        options.folder = folder_;
        cache_ = std::make_unique<sound_cache>(std::move(options), clock_, metrics_, telemetry::logger::silent());
        return *cache_;
    }
    std::size_t files() const {
        std::size_t count = 0;
        if (fs::exists(folder_))
            for ([[maybe_unused]] const auto& each : fs::directory_iterator(folder_)) ++count;
        return count;
    }
    fs::path only_file() const { return fs::directory_iterator(folder_)->path(); }
    double broken() { return metrics_.counter("loqa_tts_cache_broken_total", "").value(); }

    fs::path folder_;
    manual_clock clock_;
    telemetry::metrics metrics_;
    std::unique_ptr<sound_cache> cache_;
    const std::string hello_ = sound_cache::key("joe", "Hello.");
};

TEST_F(SoundCache, TheKeyIsTheVoiceAndTheText) {
    EXPECT_EQ(hello_, sound_cache::key("joe", "Hello."));
    EXPECT_EQ(hello_.size(), 64U);
    EXPECT_NE(hello_, sound_cache::key("joe", "Hello!"));
    EXPECT_NE(hello_, sound_cache::key("amy", "Hello."));
}

TEST_F(SoundCache, KeepsWhatWasSaidOverARestart) {
    auto& first = open();
    EXPECT_EQ(first.find(hello_, trace::disk), nullptr);
    first.put(hello_, tone(7), trace::disk);
    EXPECT_EQ(first.find(hello_, trace::disk)->samples, tone(7)->samples);

    auto& second = open();
    EXPECT_TRUE(second.has(hello_));
    const auto kept = second.find(hello_, trace::disk);
    ASSERT_NE(kept, nullptr);
    EXPECT_EQ(kept->samples, tone(7)->samples);
    EXPECT_EQ(kept->sample_rate_hz, 22'050);
    EXPECT_EQ((fs::status(only_file()).permissions() & fs::perms::others_read), fs::perms::none);
}

TEST_F(SoundCache, WhatIsToLeaveNoTraceIsOnNoDisk) {
    auto& cache = open();
    cache.put(hello_, tone(7), trace::none);
    EXPECT_NE(cache.find(hello_, trace::none), nullptr);
    open();
    EXPECT_EQ(files(), 0U);

    // Once it is said where it may be kept, it is.
    auto& later = open();
    later.put(hello_, tone(7), trace::none);
    later.find(hello_, trace::disk);
    open();
    EXPECT_EQ(files(), 1U);

    // And asking for it in private leaves the file as it was.
    const auto time = fs::file_time_type::clock::now() - std::chrono::hours(5);
    fs::last_write_time(only_file(), time);
    open().find(hello_, trace::none);
    EXPECT_EQ(fs::last_write_time(only_file()), time);
    open().find(hello_, trace::disk);
    EXPECT_GT(fs::last_write_time(only_file()), time);
}

struct damage {
    std::string_view name;
    void (*apply)(const fs::path&);
};
class Damaged : public SoundCache, public testing::WithParamInterface<damage> {};

TEST_P(Damaged, FileIsIgnoredAndReplaced) {
    open().put(hello_, tone(7), trace::disk);
    open();
    GetParam().apply(only_file());
    auto& cache = open();
    EXPECT_EQ(cache.find(hello_, trace::disk), nullptr);
    EXPECT_EQ(broken(), 1);
    EXPECT_FALSE(cache.has(hello_));
    cache.put(hello_, tone(8), trace::disk);
    const auto anew = open().find(hello_, trace::disk);
    ASSERT_NE(anew, nullptr);
    EXPECT_EQ(anew->samples, tone(8)->samples);
}

void overwrite(const fs::path& path, std::string_view content) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
}

INSTANTIATE_TEST_SUITE_P(
    Ways, Damaged,
    testing::Values(damage{"truncated", [](const fs::path& p) { fs::resize_file(p, fs::file_size(p) - 100); }},
                    damage{"empty", [](const fs::path& p) { overwrite(p, ""); }},
                    damage{"garbage", [](const fs::path& p) { overwrite(p, std::string(500, '\xA5')); }},
                    damage{"longer", [](const fs::path& p) { fs::resize_file(p, fs::file_size(p) + 2); }},
                    damage{"absurd_header",
                           [](const fs::path& p) { overwrite(p, "loqa-speech 1 99999999999 -1 00\nabc"); }},
                    damage{"one_bit",
                           [](const fs::path& p) {
                               auto content = read_file(p).value();
                               content.back() = static_cast<char>(content.back() ^ 1);
                               overwrite(p, content);
                           }}),
    [](const auto& row) { return std::string(row.param.name); });

TEST_F(SoundCache, OnDiskTheLongestUnaskedGivesWay) {
    // Each takes three blocks of 4096 bytes; there is room for two.
    const cache_options two{.memory_bytes = 0, .disk_bytes = 25'000};
    const std::string a = sound_cache::key("v", "a"), b = sound_cache::key("v", "b"), c = sound_cache::key("v", "c");
    open(two).put(a, tone(1, 5000), trace::disk);
    open(two).put(b, tone(2, 5000), trace::disk);
    open(two);
    fs::last_write_time(folder_ / (a + ".speech"), fs::file_time_type::clock::now() - std::chrono::hours(2));
    fs::last_write_time(folder_ / (b + ".speech"), fs::file_time_type::clock::now() - std::chrono::hours(1));
    open(two).find(a, trace::disk);  // now b is the one
    open(two).put(c, tone(3, 5000), trace::disk);
    auto& cache = open(two);
    EXPECT_TRUE(cache.has(a));
    EXPECT_FALSE(cache.has(b));
    EXPECT_TRUE(cache.has(c));
    EXPECT_EQ(files(), 2U);

    // A smaller limit holds from the start on.
    open({.disk_bytes = 12'500});
    EXPECT_EQ(files(), 1U);
    // What is larger than all of the room is not written.
    open({.disk_bytes = 12'500}).put(b, tone(2, 20'000), trace::disk);
    open({.disk_bytes = 12'500});
    EXPECT_EQ(files(), 1U);
}

TEST_F(SoundCache, InMemoryTheLongestUnaskedGivesWay) {
    auto& cache = open({.memory_bytes = 5000});  // two of these
    cache.put("a", tone(1), trace::none);
    cache.put("b", tone(2), trace::none);
    EXPECT_NE(cache.find("a", trace::none), nullptr);
    cache.put("c", tone(3), trace::none);
    EXPECT_NE(cache.find("a", trace::none), nullptr);
    EXPECT_EQ(cache.find("b", trace::none), nullptr);
    EXPECT_NE(cache.find("c", trace::none), nullptr);
    cache.put("a", tone(4), trace::none);
    EXPECT_EQ(cache.find("a", trace::none)->samples.front(), 4);
    cache.put("d", tone(5, 10'000), trace::none);
    EXPECT_EQ(cache.find("d", trace::none), nullptr);
}

TEST_F(SoundCache, AFullDiskCostsNothingButTheFiles) {
    std::atomic<int> tried{0};
    auto full = [&tried](const fs::path& path, std::string_view) -> result<void> {
        ++tried;
        return fail(errc::io_failed, "{} cannot be written: No space left on device", path.string());
    };
    auto& cache = open({.disk_bytes = 1u << 20, .write = full});
    cache.put(hello_, tone(7), trace::disk);
    EXPECT_NE(cache.find(hello_, trace::disk), nullptr);
    open();
    EXPECT_GE(tried, 1);
    EXPECT_GE(metrics_.counter("loqa_tts_cache_unwritten_total", "").value(), 1);
    EXPECT_EQ(files(), 0U);
}

TEST_F(SoundCache, WorksWithoutAFolder) {
    std::ofstream(folder_.string()) << "a file stands where the folder should be";
    auto& cache = open();
    cache.put(hello_, tone(7), trace::disk);
    EXPECT_NE(cache.find(hello_, trace::disk), nullptr);
    EXPECT_TRUE(fs::is_regular_file(folder_));
}

TEST_F(SoundCache, ClearsAwayWhatAKilledProcessLeftAndNothingElse) {
    fs::create_directories(folder_);
    overwrite(folder_ / (hello_ + ".speech.0a1b2c3d.tmp"), "half a file");
    overwrite(folder_ / "notes.txt", "somebody's own");
    open();
    EXPECT_EQ(files(), 1U);
    EXPECT_TRUE(fs::exists(folder_ / "notes.txt"));
}

}  // namespace
}  // namespace loqa::tts
