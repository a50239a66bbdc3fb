#include "../word_errors.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace loqa::cli {
namespace {

TEST(SpokenWords, AreTheSameHoweverTheyAreWritten) {
    struct row {
        std::string_view one, other;
    };
    for (const auto& [one, other] : {
             row{"Turn on the kitchen lights.", "turn on the kitchen lights"},
             row{"Set a timer for 10 minutes!", "set a timer for ten minutes"},
             row{"forty-five seconds", "45 seconds"},
             row{"It's 7:05 p.m.", "its seven oh five PM"},
             row{"at 7:00", "at seven"},
             row{"What's the 1st?", "whats the first"},
             row{"in 1984", "in nineteen eighty four"},
             row{"1,025 people", "one thousand twenty five people"},
             row{"105", "one hundred five"},
             row{"21%", "twenty one percent"},
             row{"Okay", "OK"},
             row{"don\u2019t", "don't"},
         })
        EXPECT_EQ(spoken_words(one), spoken_words(other)) << one;
    EXPECT_THAT(spoken_words(" \t. -- "), ::testing::IsEmpty());
}

TEST(WordErrors, AreTheFewestChanges) {
    struct row {
        std::string_view said, heard;
        std::size_t errors;
    };
    for (const auto& [said, heard, errors] : {
             row{"turn on the lights", "turn on the lights", 0},
             row{"turn on the lights", "turn off the lights", 1},
             row{"turn on the lights", "turn on lights", 1},
             row{"turn on the lights", "please turn on the lights now", 2},
             row{"timer", "time or", 2},
             row{"", "thank you", 2},
             row{"stop", "", 1},
             row{"", "", 0},
         })
        EXPECT_EQ(word_errors(spoken_words(said), spoken_words(heard)), errors) << said << " / " << heard;
}

}  // namespace
}  // namespace loqa::cli
