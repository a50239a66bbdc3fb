#include "../terminal.hpp"

#include <gtest/gtest.h>

#include "../output.hpp"

namespace loqa::cli {
namespace {

struct fit_case {
    std::string_view text;
    std::size_t width;
    std::string_view fitted;
};
class Fit : public testing::TestWithParam<fit_case> {};

TEST_P(Fit, GivesJustTheWidth) {
    const auto& c = GetParam();
    EXPECT_EQ(fit(c.text, c.width), c.fitted);
    EXPECT_EQ(columns(fit(c.text, c.width)), c.width);
}

INSTANTIATE_TEST_SUITE_P(Texts, Fit,
                         testing::Values(fit_case{"abc", 5, "abc  "}, fit_case{"abc", 3, "abc"},
                                         fit_case{"abcd", 3, "ab…"}, fit_case{"äöüß", 4, "äöüß"},
                                         fit_case{"äöüß", 3, "äö…"}, fit_case{"abc", 1, "…"}, fit_case{"abc", 0, ""},
                                         fit_case{"", 2, "  "}));

TEST(Printable, DrivesNoTerminal) { EXPECT_EQ(printable("a\x1b[31mb\r\nc\x7f"), "a [31mb  c "); }

TEST(Numbered, GoesBeforeTheExtension) {
    EXPECT_EQ(numbered("answer.wav", 2), "answer-2.wav");
    EXPECT_EQ(numbered("/tmp/a.b/answer", 1), "/tmp/a.b/answer-1");
}

}  // namespace
}  // namespace loqa::cli
