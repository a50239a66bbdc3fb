#include "loqa/audio/recording.hpp"

#include <gtest/gtest.h>

#include "loqa/audio/vad.hpp"

namespace loqa::audio {
namespace {

struct recorded {
    const char* name;
    int sample_rate_hz, channels;
};

class Recording : public testing::TestWithParam<recorded> {};

TEST_P(Recording, BecomesWhatRecognisersTake) {
    const auto [name, rate, channels] = GetParam();
    clip one_second{.sample_rate_hz = rate, .channels = channels, .samples = {}};
    one_second.samples.assign(static_cast<std::size_t>(rate) * static_cast<std::size_t>(channels), 16'384);
    const auto speech = speech_of(one_second);
    ASSERT_TRUE(speech) << speech.error().text();
    EXPECT_NEAR(static_cast<double>(speech->size()), speech_rate_hz, 2);
    EXPECT_NEAR((*speech)[speech->size() / 2], 0.5, 0.01);
}

INSTANTIATE_TEST_SUITE_P(Forms, Recording,
                         testing::Values(recorded{"mono_16k", 16'000, 1}, recorded{"stereo_48k", 48'000, 2},
                                         recorded{"mono_8k", 8'000, 1}),
                         [](const auto& test) { return test.param.name; });

TEST(RecordingFile, ThatIsNotThereIsNamed) {
    const auto speech = read_speech("/no/such.wav");
    ASSERT_FALSE(speech);
    EXPECT_NE(speech.error().message.find("/no/such.wav"), std::string::npos);
}

}  // namespace
}  // namespace loqa::audio
