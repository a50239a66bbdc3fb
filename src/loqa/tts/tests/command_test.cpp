#include "loqa/tts/command.hpp"

#include <chrono>

#include <gtest/gtest.h>

namespace loqa::tts {
namespace {

// A program whose standard input is in $request.
std::string program(std::string_view script) { return fmt::format("sh -c 'read -r request; {}'", script); }

constexpr std::string_view two_samples = R"(echo "{\"pcm_base64\": \"AEAAwA==\", \"final\": false}")";  // 0.5, -0.5
constexpr std::string_view the_end = R"(echo "{\"pcm_base64\": \"\", \"final\": true}")";

result<std::vector<float>> said_by(const std::string& command, int channels = 1, milliseconds timeout = seconds(20)) {
    auto voice = load_command(
        {.command = command, .voice = "anna", .sample_rate_hz = 16'000, .channels = channels, .timeout = timeout});
    if (!voice) return fail(std::move(voice));
    return say_all(**voice, "Hello.");
}

TEST(CommandVoice, ItsLinesAreTheReply) {
    const auto samples = said_by(program(fmt::format("{0}; echo; {0}; {1}", two_samples, the_end)));
    ASSERT_TRUE(samples) << samples.error().text();
    EXPECT_EQ(*samples, (std::vector<float>{0.5F, -0.5F, 0.5F, -0.5F}));
}

TEST(CommandVoice, ACleanExitEndsTheReplyToo) {
    const auto samples = said_by(program(two_samples));
    ASSERT_TRUE(samples) << samples.error().text();
    EXPECT_EQ(samples->size(), 2U);
}

TEST(CommandVoice, SeveralChannelsBecomeOne) {
    const auto samples = said_by(program(two_samples), 2);
    ASSERT_TRUE(samples) << samples.error().text();
    EXPECT_EQ(*samples, std::vector<float>{0.F});
}

TEST(CommandVoice, IsToldWhatToSayAndHow) {
    const auto told = [](std::string_view wanted) {
        return said_by(program(fmt::format(R"(case "$request" in *"{}"*) {};; esac)", wanted, two_samples)));
    };
    for (const auto* wanted : {R"(\"voice\":\"anna\")", R"(\"sample_rate\":16000)", R"(\"channels\":1)"})
        EXPECT_TRUE(told(wanted)) << wanted;
    EXPECT_FALSE(told("\\\"voice\\\":\\\"berta\\\""));
}

TEST(CommandVoice, AReplyThatIsNotWantedAnyMoreEndsTheProgram) {
    // The first word of all is the warm-up's.
    auto voice = load_command(
        {.command = program(fmt::format(R"({}; case "$request" in *Ready*) ;; *) sleep 60;; esac)", two_samples))});
    ASSERT_TRUE(voice) << voice.error().text();
    const auto begun = std::chrono::steady_clock::now();
    {
        auto speech = (*voice)->speak("Hello.");
        ASSERT_TRUE(speech) << speech.error().text();
        const auto first = (*speech)->next();
        ASSERT_TRUE(first) << first.error().text();
        EXPECT_EQ(first->samples.size(), 2U);
        EXPECT_FALSE(first->last);
    }
    EXPECT_LT(std::chrono::steady_clock::now() - begun, seconds(20));
}

struct fault_case {
    std::string_view name;
    std::string command;
    errc code;
    std::string_view words;
};
class CommandFault : public testing::TestWithParam<fault_case> {};

TEST_P(CommandFault, IsAnErrorThatSaysWhatHappened) {
    const auto said = said_by(GetParam().command, 1, milliseconds(300));
    ASSERT_FALSE(said);
    EXPECT_EQ(said.error().code, GetParam().code) << said.error().text();
    EXPECT_NE(said.error().text().find(GetParam().words), std::string::npos) << said.error().text();
}

INSTANTIATE_TEST_SUITE_P(Programs, CommandFault,
                         testing::Values(fault_case{"no_command", "", errc::invalid_config, "tts.command"},
                                         fault_case{"not_there", "/no/such/voice", errc::not_found, "/no/such/voice"},
                                         fault_case{"fails", program("echo no licence >&2; exit 3"),
                                                    errc::engine_failed, "no licence"},
                                         fault_case{"no_json", program("echo hello"), errc::engine_failed, "hello"},
                                         fault_case{"no_base64", program(R"(echo "{\"pcm_base64\": \"?\"}")"),
                                                    errc::engine_failed, "pcm_base64"},
                                         fault_case{"silent", program("true"), errc::engine_failed, "nothing"},
                                         fault_case{"hangs", program("sleep 60"), errc::timed_out, "300 ms"}),
                         [](const auto& row) { return std::string(row.param.name); });

}  // namespace
}  // namespace loqa::tts
