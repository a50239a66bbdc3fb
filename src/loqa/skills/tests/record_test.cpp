// Members of an event, as JSON text: what is written without a tree reads as what went through one.
#include "loqa/skills/record.hpp"

#include <gtest/gtest.h>

namespace loqa::skills {
namespace {

using protocol::json;

TEST(Record, ReadsAsItWasWritten) {
    const std::string_view texts[] = {
        "", "plain", "with \"quotes\" and \\", "two\nlines\tand \x01", "Grüße ☀", std::string_view("a\0b", 3), "\x7f"};
    for (const auto text : texts) {
        const auto read = json::parse("{" + members_text({{"text", text}, {"count", text.size()}}) + "}");
        EXPECT_EQ(read, (json{{"text", text}, {"count", text.size()}}));
    }
}

TEST(Record, WhatIsNoTextIsReplaced) { EXPECT_EQ(members_text({{"text", "a\xff"}}), "\"text\":\"a\xEF\xBF\xBD\""); }

TEST(Record, KnowsNegativeNumbersAndNothing) {
    EXPECT_EQ(members_text({{"code", -4}}), "\"code\":-4");
    EXPECT_EQ(members_text(std::initializer_list<member>{}), "");
}

TEST(Record, OfATreeLeavesOutTheBraces) {
    EXPECT_EQ(members_text(json{{"a", 1}, {"b", {1, 2}}}), R"("a":1,"b":[1,2])");
}

}  // namespace
}  // namespace loqa::skills
