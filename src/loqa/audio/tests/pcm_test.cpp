#include "loqa/audio/pcm.hpp"

#include <cmath>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace loqa::audio {
namespace {

using testing::ElementsAre;
using testing::FloatNear;

TEST(Pcm, BytesBecomeOneChannel) {
    using namespace std::string_view_literals;
    EXPECT_THAT(mono_from_s16le("\x00\x40\x00\xc0\xff"sv, 1), ElementsAre(0.5F, -0.5F));
    EXPECT_THAT(mono_from_s16le("\x00\x40\x00\x20\x00\x80\x00\x80\x01\x02"sv, 2), ElementsAre(0.375F, -1.0F));
}

TEST(Pcm, WhatIsTooLoudIsClippedAndWhatIsNoNumberIsSilence) {
    const std::vector<float> wild{2.0F, -std::numeric_limits<float>::infinity(), std::nanf(""), 0.0F};
    EXPECT_THAT(from_s16le(to_s16le(wild)), ElementsAre(32767, -32767, 0, 0));
}

TEST(Pcm, IntegersSurviveTheWire) {
    const std::vector<std::int16_t> samples{0, 1, -1, 32767, -32768};
    EXPECT_EQ(from_s16le(to_s16le(samples)), samples);
}

TEST(Pcm, RootMeanSquare) {
    EXPECT_EQ(rms({}), 0);
    EXPECT_THAT(rms(std::vector<float>{0.5F, -0.5F}), FloatNear(0.5F, 1e-6F));
}

}  // namespace
}  // namespace loqa::audio
