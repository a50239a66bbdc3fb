#include "loqa/stt/settling.hpp"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace loqa::stt {
namespace {

using ::testing::ElementsAreArray;

struct settling_case {
    std::string name;
    std::vector<std::string> readings;
    std::vector<std::string> told;  // settled words | the others
    std::size_t overruled = 0;
};

class Settling : public ::testing::TestWithParam<settling_case> {};

TEST_P(Settling, WordsThatWereAgreedOnStay) {
    settling by;
    std::vector<std::string> told;
    for (const auto& text : GetParam().readings) {
        const auto made = by.take({text, 1});
        told.push_back(made.text.substr(0, made.settled) + "|" + made.text.substr(made.settled));
    }
    EXPECT_THAT(told, ElementsAreArray(GetParam().told));
    EXPECT_EQ(by.overruled(), GetParam().overruled);
}

INSTANTIATE_TEST_SUITE_P(
    Readings, Settling,
    ::testing::Values(
        settling_case{"nothing_settles_at_once",
                      {"Set a timer", "Set a timer for ten", "Set a time of four ten minutes"},
                      {"|Set a timer", "|Set a timer for ten", "Set a| time of four ten minutes"}},
        settling_case{
            "what_three_agree_on_settles",
            {"Set a", "Set a timer", "Set a timer for", "Set a timer for ten", "Set a timer for ten minutes"},
            {"|Set a", "|Set a timer", "Set| a timer for", "Set a| timer for ten", "Set a timer| for ten minutes"}},
        settling_case{"a_settled_word_is_not_spelled_anew",
                      {"Set a timer for", "Set a timer for", "Set a timer for", "set, a timer for ten."},
                      {"|Set a timer for", "|Set a timer for", "Set| a timer for", "Set a| timer for ten."}},
        settling_case{"another_word_in_its_place_is_overruled",
                      {"Set a timer for", "Set a timer for", "Set a timer for", "Sat a timer for ten"},
                      {"|Set a timer for", "|Set a timer for", "Set| a timer for", "Set a| timer for ten"},
                      1},
        settling_case{
            "a_word_that_is_lost_stays",
            {"Please set a timer now", "Please set a timer now", "Please set a timer now", "timer now"},
            {"|Please set a timer now", "|Please set a timer now", "Please set| a timer now", "Please set| timer now"},
            1},
        settling_case{"nothing_heard_says_nothing",
                      {"Set a timer for", "Set a timer for", "Set a timer for", ""},
                      {"|Set a timer for", "|Set a timer for", "Set| a timer for", "|"}}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace loqa::stt
