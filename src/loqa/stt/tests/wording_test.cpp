#include "loqa/stt/wording.hpp"

#include <gtest/gtest.h>

namespace loqa::stt {
namespace {

TEST(UsualWords, PercentIsOneWord) {
    EXPECT_EQ(usual_words("Set it to thirty per cent."), "Set it to thirty percent.");
    EXPECT_EQ(usual_words("ten per cent or twenty per cent"), "ten percent or twenty percent");
    EXPECT_EQ(usual_words("One per centre, per hour."), "One per centre, per hour.");
    EXPECT_EQ(usual_words(""), "");
}

TEST(UsualWords, AWordIsNotWrittenTwice) {
    EXPECT_EQ(usual_words("Set the lamp to a 80%"), "Set the lamp to 80%");
    EXPECT_EQ(usual_words("Set it to an 80 percent."), "Set it to 80 percent.");
    EXPECT_EQ(usual_words("Set a pasta timer for 4-12 minutes."), "Set a pasta timer for 12 minutes.");
    EXPECT_EQ(usual_words("Set a 5 minute timer, add a 4-12 mix to a 6 pack list."),
              "Set a 5 minute timer, add a 4-12 mix to a 6 pack list.");
}

TEST(WithoutPunctuation, LeavesTheWords) {
    EXPECT_EQ(without_punctuation("Set a timer, please: it's 7!"), "set a timer please it's 7");
    EXPECT_EQ(without_punctuation(" ?! "), "");
}

}  // namespace
}  // namespace loqa::stt
