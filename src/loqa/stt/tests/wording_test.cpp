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

TEST(WithoutPunctuation, LeavesTheWords) {
    EXPECT_EQ(without_punctuation("Set a timer, please: it's 7!"), "set a timer please it's 7");
    EXPECT_EQ(without_punctuation(" ?! "), "");
}

}  // namespace
}  // namespace loqa::stt
