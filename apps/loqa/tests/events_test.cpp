#include "../events.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "loqa/protocol/messages.hpp"

namespace loqa::cli {
namespace {

namespace p = protocol;

bus::message on(std::string subject, std::string payload, p::headers headers = {}) {
    return {std::move(subject), {}, std::move(headers), std::move(payload)};
}

bus::message pcm_frame(const std::string& session) {
    return on("audio.pcm." + session, std::string(640, '\0'),
              {{"Loqa-Session", session}, {"Loqa-Rate", "16000"}, {"Loqa-Channels", "1"}});
}

struct event_case {
    bus::message message;
    std::string session, told;
};
class Events : public testing::TestWithParam<event_case> {};

TEST_P(Events, AreToldInWords) {
    const auto& c = GetParam();
    EXPECT_EQ(describe(c.message), c.told);
    EXPECT_EQ(session_of(c.message), c.session);
}

INSTANTIATE_TEST_SUITE_P(
    Messages, Events,
    testing::Values(
        event_case{
            on("stt.text.final", p::encode(p::transcript{.session_id = "s", .text = "stop", .reason = "speech_end"})),
            "s", "heard \"stop\" (speech_end)"},
        event_case{on("stt.text.partial", p::encode(p::transcript{.session_id = "s", .text = "st", .partial = true})),
                   "s", "hears \"st\""},
        event_case{on("stt.text.final", p::encode(p::transcript{.session_id = "s", .reason = "no_speech"})), "s",
                   "heard nothing (no_speech)"},
        event_case{on("session.ended", p::encode(p::session_ended{
                                           .session_id = "s", .outcome = "answered", .stages_ms = {{"total", 712.4}}})),
                   "s", "ended, answered after 712 ms"},
        event_case{on("session.reply", p::encode(p::session_reply{"s", "t", "stop", "stop", "Stopped.", {}})), "s",
                   "answers \"Stopped.\" (stop)"},
        event_case{on("tts.done", p::encode(p::tts_done{.session_id = "s", .completed = false, .error = "queue full"})),
                   "s", "the answer was not spoken (queue full)"},
        event_case{on("ctrl.component.status.stt", p::encode(p::component_status{"stt", "n", "ready", "", 1})), "",
                   "stt is ready"},
        event_case{on("ctrl.node.heartbeat.n1", p::encode(p::node_heartbeat{"n1", "now"})), "", "heartbeat of node n1"},
        event_case{on("skill.timer.start", R"({"duration_ms": 90000, "label": "egg"})"), "",
                   "timer of 90 s is set (egg)"},
        event_case{on("somebody.elses", "text\x1b[31m"), "", "somebody.elses: text [31m"},
        event_case{on("stt.text.final", "garbage"), "", "7 bytes that cannot be read: not JSON: 7 bytes"},
        event_case{pcm_frame("abc"), "abc", "audio.pcm.abc: 640 bytes of sound"}));

TEST(AudioTally, CountsTheSoundOfASessionUntilItIsAskedFor) {
    audio_tally tally;
    for (int i = 0; i < 50; ++i) EXPECT_TRUE(tally.add(pcm_frame("one")));
    EXPECT_TRUE(tally.add(pcm_frame("two")));
    EXPECT_FALSE(tally.add(on("stt.speech.started", R"({"session_id": "one"})")));

    const auto sums = tally.take("one");
    ASSERT_EQ(sums.size(), 1u);
    EXPECT_EQ(describe(sums[0]), "sent 1.00 s of sound (50 messages, 32000 bytes)");
    EXPECT_TRUE(tally.take("one").empty());
    EXPECT_EQ(tally.take("").size(), 1u);
}

TEST(EventsAsJson, HaveSoundAsItsSize) {
    const auto raw = nlohmann::json::parse(to_json(pcm_frame("abc"), "now"));
    EXPECT_EQ(raw["bytes"], 640);
    EXPECT_EQ(raw["headers"]["Loqa-Rate"], "16000");
    EXPECT_FALSE(raw.contains("payload"));

    const auto frame = nlohmann::json::parse(
        to_json(on("audio.frame", p::encode(p::audio_frame{.session_id = "s", .pcm = std::string(640, '\0')})), "now"));
    EXPECT_EQ(frame["payload"]["pcm_bytes"], 640);
    EXPECT_FALSE(frame["payload"].contains("pcm"));
    EXPECT_EQ(frame["session_id"], "s");
}

TEST(EventsAsJson, SurviveWhatIsNoJsonAndNoUtf8) {
    const auto odd = nlohmann::json::parse(to_json(on("a.b\xff", "\xff\xfe"), "now"));
    EXPECT_EQ(odd["bytes"], 2);
}

}  // namespace
}  // namespace loqa::cli
