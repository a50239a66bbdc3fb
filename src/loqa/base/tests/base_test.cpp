#include <thread>

#include <gtest/gtest.h>

#include "loqa/base/bounded_queue.hpp"
#include "loqa/base/clock.hpp"
#include "loqa/base/files.hpp"
#include "loqa/base/ids.hpp"
#include "loqa/base/text.hpp"

namespace loqa {
namespace {

TEST(Clock, Rfc3339IsUtcWithMilliseconds) {
    EXPECT_EQ(to_rfc3339(wall_time{milliseconds{1'769'847'300'123}}), "2026-01-31T08:15:00.123Z");
    EXPECT_EQ(to_rfc3339(wall_time{milliseconds{-1}}), "1969-12-31T23:59:59.999Z");
}

TEST(Clock, AManualClockMovesBothTimesButJumpsOnlyTheWall) {
    manual_clock clock;
    const auto steady = clock.steady();
    const auto wall = clock.wall();
    clock.advance(seconds(5));
    clock.jump_wall(-seconds(60));
    EXPECT_EQ(clock.steady() - steady, seconds(5));
    EXPECT_EQ(clock.wall() - wall, -seconds(55));
}

TEST(BoundedQueue, WhenFullItsPolicySaysWhatGivesWayAndTheLossIsCounted) {
    bounded_queue<int> rejecting(2, overflow::reject_newest);
    EXPECT_TRUE(rejecting.push(1) && rejecting.push(2));
    EXPECT_FALSE(rejecting.push(3));
    EXPECT_EQ(rejecting.pop(), 1);
    EXPECT_EQ(rejecting.dropped(), 1u);

    bounded_queue<int> dropping(2, overflow::drop_oldest);
    EXPECT_TRUE(dropping.push(1) && dropping.push(2) && dropping.push(3));
    EXPECT_EQ(dropping.pop(), 2);
    EXPECT_EQ(dropping.dropped(), 1u);
}

TEST(BoundedQueue, CloseWakesTheWaiterAndLeavesWhatIsQueued) {
    bounded_queue<int> queue(4, overflow::reject_newest);
    std::thread closer([&] {
        queue.push(7);
        queue.close();
    });
    EXPECT_EQ(queue.pop(), 7);
    EXPECT_EQ(queue.pop(), std::nullopt);
    EXPECT_FALSE(queue.push(8));
    closer.join();
}

TEST(BoundedQueue, PopGivesUpAtItsDeadline) {
    bounded_queue<int> queue(1, overflow::reject_newest);
    EXPECT_EQ(queue.pop_until(std::chrono::steady_clock::now() + milliseconds(1)), std::nullopt);
}

TEST(Ids, Base64IsReversibleAndRefusesWhatIsNot) {
    const std::string bytes("\0\xff\x10 loqa", 8);
    const auto text = base64_encode(std::as_bytes(std::span(bytes)));
    EXPECT_EQ(text, "AP8QIGxvcWE=");
    EXPECT_EQ(base64_decode(text).value(), bytes);
    EXPECT_EQ(base64_decode("").value(), "");
    for (const auto* bad : {"AP8QIGxvcWE", "AP8Q*GxvcWE=", "A"}) EXPECT_FALSE(base64_decode(bad)) << bad;
}

TEST(Ids, RandomIdsHaveTheAskedLengthAndDiffer) {
    EXPECT_EQ(random_hex(16).size(), 32u);
    EXPECT_NE(random_hex(16), random_hex(16));
    EXPECT_EQ(random_secret().size(), 43u);
}

TEST(Ids, Sha256OfTheStandardsExample) {
    const std::string abc = "abc";  // FIPS 180-4, appendix B.1 of the original
    EXPECT_EQ(sha256_hex(std::as_bytes(std::span(abc))),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

class Files : public testing::Test {
protected:
    fs::path folder = fs::path(testing::TempDir()) / ("loqa-files-" + random_hex(4));
    void SetUp() override { fs::create_directories(folder); }
    void TearDown() override { fs::remove_all(folder); }
};

TEST_F(Files, AnAtomicWriteReplacesAndLeavesNothingBehind) {
    ASSERT_TRUE(write_file_atomically(folder / "a", "one", 0600));
    ASSERT_TRUE(write_file_atomically(folder / "a", "two", 0600));
    EXPECT_EQ(read_file(folder / "a").value(), "two");
    EXPECT_EQ(std::distance(fs::directory_iterator(folder), fs::directory_iterator()), 1);
    EXPECT_EQ(fs::status(folder / "a").permissions(), fs::perms::owner_read | fs::perms::owner_write);
}

TEST_F(Files, ErrorsNameTheFile) {
    EXPECT_EQ(read_file(folder / "none").error().code, errc::not_found);
    EXPECT_NE(read_file(folder / "none").error().message.find((folder / "none").string()), std::string::npos);
    ASSERT_TRUE(write_file_atomically(folder / "big", std::string(100, 'x')));
    EXPECT_EQ(read_file(folder / "big", 99).error().code, errc::too_long);
    EXPECT_EQ(read_file(folder).error().code, errc::io_failed);
    EXPECT_EQ(write_file_atomically(folder / "no" / "a", "x").error().code, errc::io_failed);
}

TEST_F(Files, AFolderThatCannotBeMadeIsAnError) {
    ASSERT_TRUE(write_file_atomically(folder / "file", ""));
    EXPECT_EQ(make_writable_folder(folder / "file" / "sub").error().code, errc::io_failed);
    EXPECT_TRUE(make_writable_folder(folder / "new" / "sub"));
    EXPECT_TRUE(fs::is_empty(folder / "new" / "sub"));
}

TEST(Text, TheNearestKeyIsSuggestedOnlyWhenNearEnough) {
    const std::vector<std::string> keys{"port", "bind", "endpoint_silence_ms"};
    EXPECT_EQ(nearest("prot", keys), "port");
    EXPECT_EQ(nearest("endpoint_silense_ms", keys), "endpoint_silence_ms");
    EXPECT_EQ(nearest("colour", keys), "");
    EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
    EXPECT_EQ(trim(" \t a b \n"), "a b");
    EXPECT_EQ(split("a,,b", ','), (std::vector<std::string>{"a", "", "b"}));
}

TEST(Text, TheFirstByteSaysHowLongACharacterIs) {
    EXPECT_EQ(utf8_length('a'), 1u);
    EXPECT_EQ(utf8_length("\u00e9"[0]), 2u);
    EXPECT_EQ(utf8_length("\u20ac"[0]), 3u);
    EXPECT_EQ(utf8_length("\U0001f600"[0]), 4u);
    EXPECT_EQ(utf8_length("\u00e9"[1]), 0u);
}

}  // namespace
}  // namespace loqa
