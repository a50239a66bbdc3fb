#include "loqa/stt/plausible.hpp"

#include <string>

#include <gtest/gtest.h>

namespace loqa::stt {
namespace {

struct plausible_case {
    std::string text;
    milliseconds speech;
    bool plausible;
};

class Plausible : public ::testing::TestWithParam<plausible_case> {};

TEST_P(Plausible, Decides) {
    const auto& [text, speech, expected] = GetParam();
    EXPECT_EQ(plausible(text, speech), expected) << text;
}

INSTANTIATE_TEST_SUITE_P(
    Readings, Plausible,
    ::testing::Values(plausible_case{"", milliseconds{0}, true}, plausible_case{"Stop.", milliseconds{200}, true},
                      plausible_case{"Temperature.", milliseconds{300}, true},
                      plausible_case{"Set the bedroom temperature to twenty-one degrees.", milliseconds{1900}, true},
                      plausible_case{"No, no, no, no.", milliseconds{800}, true},
                      plausible_case{"Thank you for watching the video.", milliseconds{300}, false},
                      plausible_case{"the the the the the the the the", milliseconds{5000}, false},
                      plausible_case{"You're not a flip-flip-flip-flip-flip-flip-flip-", milliseconds{15'000}, false},
                      plausible_case{"The first thing I've seen is the first thing I've seen.", milliseconds{5000},
                                     false},
                      plausible_case{"Set a timer for ten minutes and set a timer for two.", milliseconds{5000}, true},
                      plausible_case{"The the THE the the the", milliseconds{5000}, false}));

}  // namespace
}  // namespace loqa::stt
