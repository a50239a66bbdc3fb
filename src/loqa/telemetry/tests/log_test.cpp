#include "loqa/telemetry/log.hpp"

#include <regex>
#include <thread>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

namespace loqa::telemetry {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;

struct lines {
    std::vector<std::string> all;
    logger::line_sink sink() {
        return [this](std::string_view line) { all.emplace_back(line); };
    }
    nlohmann::json last() const { return nlohmann::json::parse(all.back()); }
};

TEST(Log, TextLineIsForPeople) {
    lines to;
    const auto log = logger::to(to.sink(), "loqad", level::info, false);
    log.with({{"session", "s1"}}).info("turn {} ended", 7);
    EXPECT_TRUE(std::regex_match(
        to.all.back(), std::regex(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z info  loqad turn 7 ended session=s1)")))
        << to.all.back();
}

TEST(Log, BelowTheMinimumNothingIsWritten) {
    lines to;
    const auto log = logger::to(to.sink(), "loqad", level::warn, false);
    log.info("no");
    log.warn("yes");
    EXPECT_THAT(to.all, ElementsAre(EndsWith("yes")));
    EXPECT_FALSE(log.enabled(level::info));
    EXPECT_FALSE(logger::silent().enabled(level::error));
    logger::silent().with({{"a", "b"}}).error("nowhere");
}

struct value_case {
    std::string_view name, value, in_text;
};

class LogValues : public ::testing::TestWithParam<value_case> {};

TEST_P(LogValues, AreEscapedInTextAndWholeInJson) {
    lines to;
    const fields more{{"key", std::string(GetParam().value)}};
    logger::to(to.sink(), "p", level::info, false).write(level::info, "m", more);
    EXPECT_THAT(to.all.back(), EndsWith(" key=" + std::string(GetParam().in_text)));
    logger::to(to.sink(), "p", level::info, true).write(level::info, "m", more);
    EXPECT_EQ(to.last()["key"], std::string(GetParam().value));
}

INSTANTIATE_TEST_SUITE_P(
    Log, LogValues,
    ::testing::Values(value_case{"plain", "abc", "abc"}, value_case{"empty", "", "\"\""},
                      value_case{"blank", "a b", "\"a b\""}, value_case{"equals", "a=b", "\"a=b\""},
                      value_case{"quote", "say \"hi\"", R"("say \"hi\"")"}, value_case{"newline", "a\nb", R"("a\nb")"},
                      value_case{"escape", "\x1b[2J", R"(\x1b[2J)"}, value_case{"umlaut", "Küche", "Küche"}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(Log, MessageCannotForgeALine) {
    lines to;
    logger::to(to.sink(), "p", level::info, false).info("{}", "a\n2026-01-01T00:00:00.000Z error p forged");
    EXPECT_THAT(to.all.back(), HasSubstr(R"(a\n2026)"));
}

TEST(Log, InvalidUtf8IsReplaced) {
    lines to;
    const std::string broken = "a\xff\xed\xa0\x80z";
    logger::to(to.sink(), "p", level::info, true).info("{}", broken);
    EXPECT_THAT(to.last()["message"].get<std::string>(), ::testing::StartsWith("a\xEF\xBF\xBD"));
    logger::to(to.sink(), "p", level::info, false).info("{}", broken);
    EXPECT_THAT(to.all.back(), EndsWith(" a\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBDz"));
}

TEST(Log, JsonFieldsCannotReplaceTheFixedOnes) {
    lines to;
    logger::to(to.sink(), "loqad", level::info, true)
        .with({{"trace_id", "outer"}, {"process", "other"}})
        .write(level::warn, "said", {{"trace_id", "inner"}, {"message", "forged"}});
    EXPECT_EQ(to.last()["process"], "loqad");
    EXPECT_EQ(to.last()["message"], "said");
    EXPECT_EQ(to.last()["level"], "warn");
    EXPECT_EQ(to.last()["trace_id"], "inner");
    EXPECT_TRUE(to.last()["time"].get<std::string>().ends_with("Z"));
}

TEST(Log, ErrorCarriesItsCodeAndHint) {
    lines to;
    const loqa::error failed{errc::model_missing, "no model", "loqa models pull x"};
    logger::to(to.sink(), "p", level::info, true).error(failed, {{"session", "s"}});
    EXPECT_EQ(to.last()["level"], "error");
    EXPECT_EQ(to.last()["message"], "no model");
    EXPECT_EQ(to.last()["code"], "model_missing");
    EXPECT_EQ(to.last()["hint"], "loqa models pull x");
    EXPECT_EQ(to.last()["session"], "s");
}

TEST(Log, WithLeavesTheOriginalAlone) {
    lines to;
    const auto log = logger::to(to.sink(), "p", level::info, false);
    const auto more = log.with({{"a", "1"}}).with({{"b", "2"}});
    more.info("x");
    log.info("y");
    EXPECT_THAT(to.all, ElementsAre(EndsWith(" x a=1 b=2"), EndsWith(" y")));
}

TEST(Log, LinesOfManyThreadsStayWhole) {
    lines to;
    const auto log = logger::to(to.sink(), "p", level::info, true);
    {
        std::vector<std::jthread> writers;
        for (int i = 0; i < 4; ++i) {
            writers.emplace_back([&log] {
                const auto own = log.with({{"a", "b"}});
                for (int n = 0; n < 250; ++n) own.info("line {}", n);
            });
        }
    }
    ASSERT_EQ(to.all.size(), 1000u);
    for (const auto& line : to.all) EXPECT_TRUE(nlohmann::json::accept(line)) << line;
}

TEST(Log, LevelsHaveTheirWords) {
    for (const auto word : {"trace", "debug", "info", "warn", "error"})
        EXPECT_EQ(to_string(parse_level(word).value()), word);
    EXPECT_FALSE(parse_level("Info"));
    EXPECT_FALSE(parse_level(""));
}

TEST(RateLimited, FirstAtOnceThenOneAPeriodWithTheCount) {
    lines to;
    manual_clock clock;
    rate_limited say(logger::to(to.sink(), "p", level::info, false), clock, level::warn, seconds(60));
    for (int i = 0; i < 42; ++i) say("cannot read message of {} bytes", i);
    EXPECT_THAT(to.all, ElementsAre(EndsWith("warn  p cannot read message of 0 bytes")));
    clock.advance(seconds(60));
    say("cannot read message of {} bytes", 99);
    EXPECT_THAT(to.all.back(), EndsWith("of 99 bytes not_shown_since=41"));
    clock.advance(seconds(60));
    say("again");
    EXPECT_THAT(to.all.back(), EndsWith("again"));
}

}  // namespace
}  // namespace loqa::telemetry
