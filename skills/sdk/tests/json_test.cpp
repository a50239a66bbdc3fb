// The SDK's JSON, compiled for this machine.
#include "loqa/json.hpp"

#include <gtest/gtest.h>

namespace loqa::json {
namespace {

TEST(SkillJson, WritesWhatItRead) {
    for (const std::string_view text :
         {"null", "true", "false", "0", "-1", "17", "0.5", "-2.25", "8007199254740991", "\"\"", "\"a\"", "[]", "{}",
          "[1,[2,[]],\"x\"]", R"({"a":{"b":[true,null]},"c":"d"})", R"("\"\\\n\u0001é€𝄞")"}) {
        const auto read = parse(text);
        ASSERT_TRUE(read) << text;
        EXPECT_EQ(read->dump(), text);
    }
}

TEST(SkillJson, ReadsEveryFormOfIt) {
    EXPECT_EQ(parse(" \t\r\n[ 1 , 2 ] ")->dump(), "[1,2]");
    EXPECT_EQ(parse(R"("\u0041\u00e9\u20ac\ud834\udd1e\/\b\f\r\t")")->text(), "Aé€𝄞/\b\f\r\t");
    EXPECT_EQ(parse("1.5e3")->number(), 1500);
    EXPECT_EQ(parse("25E-1")->number(), 2.5);
    EXPECT_EQ(parse("-0.125")->number(), -0.125);
    EXPECT_EQ((*parse(R"({"a":1,"a":2})"))["a"].integer(), 2);
}

TEST(SkillJson, RefusesWhatIsNone) {
    for (const std::string_view text :
         {"",       " ",          "nul",  "tru",     "+1",          "01",          "1.",
          ".5",     "1e",         "-",    "[1,]",    "[1",          "{\"a\"}",     "{\"a\":}",
          "{a:1}",  "{\"a\":1,}", "\"",   "\"\\x\"", "\"\\u12g4\"", "\"\\ud834\"", "\"\\udd1e\"",
          "\"\n\"", "1 2",        "[] x", "'a'"})
        EXPECT_FALSE(parse(text)) << text;
    EXPECT_TRUE(parse(std::string(64, '[') + std::string(64, ']')));
    EXPECT_FALSE(parse(std::string(65, '[') + std::string(65, ']')));
    EXPECT_FALSE(parse(std::string(100'000, '[')));
}

TEST(SkillJson, WhatIsNotThereIsNull) {
    const auto read = *parse(R"({"a":[1],"t":"x","n":1e300})");
    EXPECT_FALSE(read["b"]);
    EXPECT_FALSE(read["a"][7]);
    EXPECT_FALSE(read["t"]["x"]["y"]);
    EXPECT_EQ(read["t"].number(3), 3);
    EXPECT_EQ(read["a"].text("other"), "other");
    EXPECT_TRUE(read["t"].truth(true));
    EXPECT_EQ(read["n"].integer(-1), -1);
    EXPECT_EQ(read["n"].dump(), "null");
}

TEST(SkillJson, IsBuilt) {
    auto made = object({{"label", "egg"}, {"seconds", 300}, {"on", true}});
    made.set("label", "tea").set("list", list({1, "a"}));
    EXPECT_EQ(made.dump(), R"({"label":"tea","seconds":300,"on":true,"list":[1,"a"]})");
    EXPECT_EQ(value(0.1 + 0.2).dump(), "0.3");
    EXPECT_EQ(value(-0.9999999).dump(), "-1");
    EXPECT_EQ(value(1234.000001).dump(), "1234.000001");
}

}  // namespace
}  // namespace loqa::json
