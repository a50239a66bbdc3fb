#include "../child_lines.hpp"

#include <gtest/gtest.h>

namespace loqa::cli {
namespace {

struct line_case {
    std::string_view name, process, line, shown;
};
class ChildLines : public testing::TestWithParam<line_case> {};

TEST_P(ChildLines, BeginWithTheProcessOnce) {
    const auto& c = GetParam();
    EXPECT_EQ(show_child_line(c.process, c.line, style{.colours = false}), c.shown) << c.name;
}

INSTANTIATE_TEST_SUITE_P(
    Forms, ChildLines,
    testing::Values(line_case{"a log line", "loqa-stt", "2026-11-23T14:30:00.123Z info  stt listening on port=8080",
                              "loqa-stt  2026-11-23T14:30:00.123Z info  listening on port=8080"},
                    line_case{"a short name is filled up", "loqad", "2026-11-23T14:30:00.123Z warn  core late",
                              "loqad     2026-11-23T14:30:00.123Z warn  late"},
                    line_case{"JSON stays as it is", "loqa-tts", R"({"time":"2026-11-23T14:30:00.123Z"})",
                              R"({"time":"2026-11-23T14:30:00.123Z"})"},
                    line_case{"a line of a library", "loqa-tts", "terminate called after",
                              "loqa-tts  terminate called after"},
                    line_case{"a time but no level", "loqad", "2026-11-23T14:30:00.123Z what ever",
                              "loqad     2026-11-23T14:30:00.123Z what ever"},
                    line_case{"no terminal is driven by it", "loqad", "\x1b[2Jgone", "loqad      [2Jgone"},
                    line_case{"empty", "loqad", "", "loqad     "}));

TEST(ChildLineColours, OnATerminalThereAreColoursAndTheHour) {
    const auto shown = show_child_line("loqad", "2026-11-23T14:30:00.123Z error core it broke", style{.colours = true});
    EXPECT_EQ(shown, "\x1b[34mloqad   \x1b[0m  \x1b[90m14:30:00.123\x1b[0m \x1b[31merror\x1b[0m it broke");
}

TEST(Complaint, IsWhatAnErrorLineSays) {
    EXPECT_EQ(complaint_in("2026-11-23T14:30:00.123Z error stt model is missing code=model_missing"),
              "model is missing code=model_missing");
    EXPECT_EQ(complaint_in(R"({"level":"error","message":"model is missing","hint":"run: loqa models pull x"})"),
              "model is missing hint=run: loqa models pull x");
    EXPECT_EQ(complaint_in("2026-11-23T14:30:00.123Z info  stt error"), "");
    EXPECT_EQ(complaint_in(R"({"level":"info","message":"ready"})"), "");
    EXPECT_EQ(complaint_in("{"), "");
    EXPECT_EQ(complaint_in("error"), "");
}

}  // namespace
}  // namespace loqa::cli
