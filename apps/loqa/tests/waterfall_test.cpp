#include "../waterfall.hpp"

#include <gmock/gmock.h>

namespace loqa::cli {
namespace {

using telemetry::span;
using testing::ElementsAre;
using testing::HasSubstr;

const wall_time noon{std::chrono::days(20'000)};

span make(std::string id, std::string parent, std::string name, int at_ms, int length_ms) {
    return {.trace_id = std::string(32, 'a'),
            .span_id = std::move(id),
            .parent_span_id = std::move(parent),
            .name = std::move(name),
            .process = "core",
            .start = noon + milliseconds(at_ms),
            .end = noon + milliseconds(at_ms + length_ms),
            .attributes = {},
            .failed = false,
            .status_message = {}};
}

std::vector<std::string> names(const std::vector<std::string>& lines) {
    std::vector<std::string> found;
    for (std::size_t i = 1; i < lines.size(); ++i) {
        const auto end = lines[i].find_first_of(' ', lines[i].find_first_not_of(' '));
        found.push_back(lines[i].substr(0, end));
    }
    return found;
}

TEST(Waterfall, IndentsBelowTheParentInOrderOfTime) {
    const auto lines = waterfall({make("4", "1", "tts", 60, 30), make("3", "2", "decode", 20, 20),
                                  make("1", "", "voice.session", 0, 100), make("2", "1", "stt", 10, 40)},
                                 {.colours = false, .width = 80});
    EXPECT_THAT(names(lines), ElementsAre("voice.session", "  stt", "    decode", "  tts"));
}

TEST(Waterfall, BarsBeginAndEndWhereTheTimeDoes) {
    const auto lines =
        waterfall({make("1", "", "all", 0, 1000), make("2", "1", "half", 500, 500)}, {.colours = false, .width = 71});
    const auto bar_of = [](const std::string& line) { return line.substr(line.find("█")); };
    EXPECT_EQ(columns(bar_of(lines[1])), 2 * columns(bar_of(lines[2])));
    EXPECT_EQ(columns(lines[1]), columns(lines[2])) << "both end together";
    EXPECT_THAT(lines[2], HasSubstr("500"));
}

TEST(Waterfall, IsNeverWiderThanTheTerminal) {
    std::vector<span> spans{make("0", "", "root", 0, 20'000)};
    for (int i = 1; i < 20; ++i)
        spans.push_back(make(std::to_string(i), std::to_string(i - 1), "a.span.with.quite.a.long.name", i, 20'000 - i));
    spans.back().failed = true;
    spans.back().status_message = std::string(300, 'x');
    for (const std::size_t width : {40, 80, 200})
        for (const auto& line : waterfall(spans, {.colours = false, .width = width}))
            EXPECT_LE(columns(line), width) << line;
}

TEST(Waterfall, SpansWithoutTheirParentAndInCirclesAreShownOnce) {
    const auto lines = waterfall({make("1", "gone", "orphan", 0, 5), make("2", "3", "chicken", 1, 5),
                                  make("3", "2", "egg", 2, 5), make("4", "4", "own.parent", 3, 5)},
                                 {.colours = false, .width = 80});
    EXPECT_THAT(names(lines), ElementsAre("orphan", "chicken", "  egg", "own.parent"));
}

TEST(Waterfall, AClockThatIsBehindDoesNoHarm) {
    const auto lines = waterfall({make("1", "", "root", 100, 50), make("2", "1", "other.node", 0, 20),
                                  make("3", "1", "ends.before.it.begins", 120, -10)},
                                 {.colours = false, .width = 80});
    EXPECT_EQ(lines.size(), 4u);
}

TEST(Waterfall, FailuresAreRedAndSayWhy) {
    auto failed = make("1", "", "tts", 0, 10);
    failed.failed = true;
    failed.status_message = "no\nvoice";
    const auto lines = waterfall({failed}, {.colours = true, .width = 80});
    EXPECT_THAT(lines[1], HasSubstr("\x1b[31m█"));
    EXPECT_THAT(lines[2], HasSubstr("failed: no voice"));
}

TEST(Waterfall, OfNothingIsNothing) { EXPECT_TRUE(waterfall({}, {}).empty()); }

}  // namespace
}  // namespace loqa::cli
