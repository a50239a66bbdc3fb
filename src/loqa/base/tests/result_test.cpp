#include "loqa/base/result.hpp"

#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

namespace loqa {
namespace {

result<int> half(int n) {
    if (n % 2 != 0) return fail(errc::invalid_argument, "{} is odd", n).hint("try {}", n + 1);
    return n / 2;
}

result<std::string> words(int n) {
    auto h = half(n);
    if (!h) return fail(std::move(h));
    return std::to_string(*h);
}

TEST(Result, AFailureKeepsCodeSentenceAndHintThroughEveryLayer) {
    const auto w = words(3);
    ASSERT_FALSE(w);
    EXPECT_EQ(w.error().code, errc::invalid_argument);
    EXPECT_EQ(w.error().message, "3 is odd");
    EXPECT_EQ(w.error().hint, "try 4");
    EXPECT_EQ(w.error().text(), "3 is odd\n  try 4");
    EXPECT_EQ(words(8).value(), "4");
}

TEST(Result, EveryCodeHasANameOfItsOwn) {
    std::vector<std::string> names;
    for (int i = 0; i <= static_cast<int>(errc::internal); ++i) names.emplace_back(to_string(static_cast<errc>(i)));
    std::ranges::sort(names);
    EXPECT_EQ(std::ranges::adjacent_find(names), names.end());
}

}  // namespace
}  // namespace loqa
