#include "loqa/skills/storage.hpp"

#include <gmock/gmock.h>

#include "loqa/base/ids.hpp"

namespace loqa::skills {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class Storage : public testing::Test {
protected:
    void SetUp() override { open(); }
    void TearDown() override {
        storage_.reset();
        for (const auto* suffix : {"", "-wal", "-shm"}) fs::remove(file_.string() + suffix);
    }
    void open() {
        storage_.reset();
        storage_ = storage::open(file_, clock_, telemetry::logger::silent()).value();
    }
    storage_view view(const std::string& skill, std::size_t quota = 1000) { return {*storage_, skill, quota}; }

    fs::path file_ = fs::temp_directory_path() / ("loqa-storage-" + random_hex(8) + ".db");
    manual_clock clock_;
    std::unique_ptr<storage> storage_;
};

TEST_F(Storage, KeepsWhatWasCommitted) {
    auto first = view("a");
    ASSERT_TRUE(first.set("one", std::string_view("\0ü\xff", 4)));
    ASSERT_TRUE(first.set("two", ""));
    ASSERT_TRUE(first.commit());
    open();

    const auto second = view("a");
    EXPECT_EQ(second.get("one").value(), std::string("\0ü\xff", 4));
    EXPECT_EQ(second.get("two").value(), "");
    EXPECT_EQ(second.get("three").error().code, errc::not_found);
    EXPECT_THAT(second.keys("").value(), ElementsAre("one", "two"));
    EXPECT_THAT(second.keys("t").value(), ElementsAre("two"));
    EXPECT_THAT(view("b").keys("").value(), IsEmpty());
}

TEST_F(Storage, WhatIsNotCommittedWasNever) {
    {
        auto lost = view("a");
        ASSERT_TRUE(lost.set("one", "1"));
        EXPECT_EQ(lost.get("one").value(), "1");
    }
    EXPECT_EQ(view("a").get("one").error().code, errc::not_found);
}

TEST_F(Storage, AViewSeesItsOwnChanges) {
    auto first = view("a");
    ASSERT_TRUE(first.set("one", "1"));
    ASSERT_TRUE(first.set("two", "2"));
    ASSERT_TRUE(first.commit());
    auto second = view("a");
    ASSERT_TRUE(second.remove("one"));
    ASSERT_TRUE(second.set("three", "3"));

    EXPECT_EQ(second.get("one").error().code, errc::not_found);
    EXPECT_THAT(second.keys("").value(), ElementsAre("three", "two"));
    ASSERT_TRUE(second.commit());
    EXPECT_THAT(view("a").keys("").value(), ElementsAre("three", "two"));
}

TEST_F(Storage, QuotaIsOfAllValuesTogether) {
    auto first = view("a", 100);
    ASSERT_TRUE(first.set("one", std::string(60, 'x')));
    ASSERT_TRUE(first.commit());
    auto second = view("a", 100);
    ASSERT_TRUE(second.set("two", std::string(60, 'x')));
    EXPECT_EQ(second.commit().error().code, errc::too_long);
    EXPECT_EQ(view("a").get("two").error().code, errc::not_found);

    auto third = view("a", 100);
    ASSERT_TRUE(third.remove("one"));
    ASSERT_TRUE(third.set("two", std::string(60, 'x')));
    EXPECT_TRUE(third.commit());
    EXPECT_EQ(view("a", 10).set("k", std::string(20, 'x')).error().code, errc::too_long);
    EXPECT_EQ(view("a").set("", "x").error().code, errc::too_long);
    EXPECT_EQ(view("a").set(std::string(max_key_bytes + 1, 'k'), "x").error().code, errc::too_long);
}

}  // namespace
}  // namespace loqa::skills
