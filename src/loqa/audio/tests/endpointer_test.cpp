#include "loqa/audio/endpointer.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace loqa::audio {
namespace {

constexpr auto none = endpoint_event::none;
constexpr auto started = endpoint_event::started;
constexpr auto paused = endpoint_event::paused;
constexpr auto resumed = endpoint_event::resumed;
constexpr auto ended = endpoint_event::ended;
constexpr auto cut_short = endpoint_event::cut_short;

// Frames of 32 ms that all have one score.
struct run {
    std::int64_t frames;
    std::optional<float> score;
};

struct happened {
    std::int64_t frame;  // counted from 1 over the whole stream
    endpoint_event event;
    bool operator==(const happened&) const = default;
};

void PrintTo(const happened& what, std::ostream* out) {
    *out << "{" << what.frame << ", " << static_cast<int>(what.event) << "}";
}

struct endpoint_case {
    std::string name;
    std::vector<run> stream;
    std::vector<happened> events;
};

class Endpointing : public testing::TestWithParam<endpoint_case> {};

TEST_P(Endpointing, SaysWhatHappenedInTheFrameInWhichItDid) {
    // Pause 2 frames, as rooms with an echo want it, silence 16 frames, utterance 63 frames.
    endpointer decide({.pause = milliseconds{64}, .silence = milliseconds{500}, .max_utterance = milliseconds{2016}});
    std::vector<happened> events;
    std::int64_t frame = 0;
    for (const auto& part : GetParam().stream) {
        for (std::int64_t i = 0; i < part.frames; ++i) {
            const auto event = decide.push(part.score);
            ++frame;
            if (event != none) events.push_back({frame, event});
        }
    }
    EXPECT_EQ(events, GetParam().events);
}

constexpr std::nullopt_t unknown = std::nullopt;

INSTANTIATE_TEST_SUITE_P(
    Streams, Endpointing,
    testing::Values(
        endpoint_case{"silence_yields_nothing", {{500, 0.02F}}, {}},
        endpoint_case{"a_command", {{10, 0.1F}, {30, 0.9F}, {20, 0.1F}}, {{12, started}, {42, paused}, {56, ended}}},
        endpoint_case{
            "a_command_of_400_ms", {{10, 0.1F}, {12, 0.9F}, {20, 0.1F}}, {{12, started}, {24, paused}, {38, ended}}},
        endpoint_case{"a_click_is_not_speech", {{10, 0.1F}, {1, 0.99F}, {10, 0.1F}, {1, 0.99F}, {10, 0.1F}}, {}},
        endpoint_case{"a_hum_just_below_the_threshold", {{100, 0.49F}}, {}},
        endpoint_case{"a_pause_is_not_the_end",
                      {{20, 0.9F}, {12, 0.1F}, {10, 0.9F}, {20, 0.1F}},
                      {{2, started}, {22, paused}, {33, resumed}, {44, paused}, {58, ended}}},
        endpoint_case{"one_low_frame_is_no_pause", {{20, 0.9F}, {1, 0.1F}, {10, 0.9F}}, {{2, started}}},
        endpoint_case{"quiet_speech_goes_on_above_the_release", {{10, 0.9F}, {30, 0.4F}}, {{2, started}}},
        endpoint_case{"silence_goes_on_through_an_echo",
                      {{10, 0.9F}, {3, 0.1F}, {5, 0.45F}, {8, 0.1F}},
                      {{2, started}, {12, paused}, {26, ended}}},
        endpoint_case{"too_long", {{70, 0.9F}}, {{2, started}, {63, cut_short}, {65, started}}},
        endpoint_case{
            "the_limit_falls_into_a_pause", {{60, 0.9F}, {10, 0.1F}}, {{2, started}, {62, paused}, {63, cut_short}}},
        endpoint_case{"two_utterances",
                      {{10, 0.9F}, {20, 0.1F}, {10, 0.9F}, {20, 0.1F}},
                      {{2, started}, {12, paused}, {26, ended}, {32, started}, {42, paused}, {56, ended}}},
        endpoint_case{"a_detector_that_warms_up_hides_no_later_speech",
                      {{24, unknown}, {10, 0.9F}, {16, 0.1F}},
                      {{26, started}, {36, paused}, {50, ended}}},
        endpoint_case{"no_score_is_not_silence", {{10, 0.9F}, {40, unknown}, {2, 0.9F}}, {{2, started}}}),
    [](const auto& test) { return test.param.name; });

TEST(Endpointer, TheWaitCanBeShortenedForOneUtterance) {
    endpointer decide({});
    for (int i = 0; i < 10; ++i) decide.push(0.9F);
    decide.set_silence(milliseconds{96});
    EXPECT_EQ(decide.push(0.1F), paused);
    EXPECT_EQ(decide.push(0.1F), none);
    EXPECT_EQ(decide.push(0.1F), ended);
    for (int i = 0; i < 10; ++i) decide.push(0.9F);
    for (int i = 0; i < 15; ++i) EXPECT_NE(decide.push(0.1F), ended);
    EXPECT_EQ(decide.push(0.1F), ended);
}

TEST(Endpointer, AWaitThatIsShortenedMayBeOverAlready) {
    endpointer decide({});
    for (int i = 0; i < 10; ++i) decide.push(0.9F);
    EXPECT_FALSE(decide.due());
    for (int i = 0; i < 4; ++i) decide.push(0.1F);
    EXPECT_FALSE(decide.due());
    decide.set_silence(milliseconds{160});
    EXPECT_FALSE(decide.due());
    decide.set_silence(milliseconds{96});
    EXPECT_TRUE(decide.due());
    decide.push(0.9F);
    EXPECT_FALSE(decide.due());
}

TEST(Endpointer, ABeginningCanBeMadeHarder) {
    endpointer decide({});
    decide.set_onset(0.8F, milliseconds{128});
    for (int i = 0; i < 20; ++i) EXPECT_EQ(decide.push(0.7F), none);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(decide.push(0.9F), none);
    EXPECT_EQ(decide.push(0.9F), started);
    EXPECT_EQ(decide.frames(), 4);
    for (int i = 0; i < 20; ++i) EXPECT_EQ(decide.push(0.6F), none);  // what has begun goes on as ever
    EXPECT_EQ(decide.speech_end(), 24);
}

TEST(Endpointer, CountsWhatTheUtteranceIsMadeOf) {
    endpointer decide({});
    for (const float score : {0.1F, 0.9F, 0.9F, 0.9F, 0.4F, 0.1F, 0.1F}) decide.push(score);
    EXPECT_EQ(decide.frames(), 6);
    EXPECT_EQ(decide.speech_end(), 4);
    EXPECT_EQ(decide.voiced(), 3);
}

}  // namespace
}  // namespace loqa::audio
