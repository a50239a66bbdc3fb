#include "loqa/protocol/messages.hpp"

#include <gtest/gtest.h>

#include "loqa/protocol/subjects.hpp"
#include "loqa/protocol/turn_headers.hpp"

namespace loqa::protocol {
namespace {

TEST(Messages, AnAudioFrameOfAnOldClientIsRead) {
    const auto m = decode<audio_frame>(
        R"({"session_id":"s1","sequence":3,"sample_rate":16000,"channels":1,"pcm":"AQACAA==","final":true,"new":[1]})");
    ASSERT_TRUE(m) << m.error().text();
    EXPECT_EQ(m->session_id, "s1");
    EXPECT_EQ(m->sequence, 3);
    EXPECT_EQ(m->pcm, std::string("\1\0\2\0", 4));
    EXPECT_TRUE(m->final);
}

TEST(Messages, WhatIsEncodedIsDecodedTheSame) {
    const auto frame =
        decode<tts_audio>(encode(tts_audio{"s", "kitchen", 7, 22'050, 1, std::string("\0\1\2\3", 4), true}));
    ASSERT_TRUE(frame) << frame.error().text();
    EXPECT_EQ(frame->target, "kitchen");
    EXPECT_EQ(frame->pcm, std::string("\0\1\2\3", 4));
    EXPECT_TRUE(frame->final);

    const auto ended = decode<session_ended>(encode(session_ended{
        "s", "t", "answered", "", "what time is it", "It is noon.", "HassGetCurrentTime", {{"stt", 12.5}}}));
    ASSERT_TRUE(ended);
    EXPECT_EQ(ended->stages_ms.at("stt"), 12.5);

    const auto ready = decode<readiness>(encode(readiness{true, {{"stt", "n", "ready", "warm", 12}}}));
    ASSERT_TRUE(ready);
    EXPECT_EQ(ready->components.at(0).detail, "warm");

    const auto announce =
        decode<node_announce>(encode(node_announce{"n", "edge", {{"stt", "fast", {{"lang", "en"}}}}, "now"}));
    ASSERT_TRUE(announce);
    EXPECT_EQ(announce->capabilities.at(0).attributes.at("lang"), "en");

    const auto reply = decode<session_reply>(encode(session_reply{"s", "t", "h", "i", "r", {{"minutes", "5"}}}));
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->slots.at(0).second, "5");
}

TEST(Messages, OptionalFieldsAreLeftOutWhenEmpty) {
    EXPECT_EQ(encode(tts_request{"", "hello", "", "", ""}), R"({"text":"hello"})");
    EXPECT_EQ(encode(timer_status{"tea", "started", 60}),
              R"({"label":"tea","seconds_remaining":60,"state":"started"})");
}

TEST(Messages, TextThatIsNotUtf8IsSentWithReplacementInsteadOfFailing) {
    EXPECT_EQ(encode(tts_request{"", "a\xff", "", "", ""}), "{\"text\":\"a\xEF\xBF\xBD\"}");
}

struct bad_case {
    std::string_view name, payload, sentence;
    errc code = errc::invalid_message;
};
void PrintTo(const bad_case& c, std::ostream* out) { *out << c.name; }
class BadAudioFrame : public testing::TestWithParam<bad_case> {};

TEST_P(BadAudioFrame, IsRefusedWithASentenceThatNamesTheField) {
    const auto m = decode<audio_frame>(GetParam().payload);
    ASSERT_FALSE(m);
    EXPECT_EQ(m.error().code, GetParam().code);
    EXPECT_EQ(m.error().message, GetParam().sentence);
}

INSTANTIATE_TEST_SUITE_P(
    FromOutside, BadAudioFrame,
    testing::Values(
        bad_case{"empty", "", "not JSON: 0 bytes"}, bad_case{"garbage", "\xff\x00{", "not JSON: 1 bytes"},
        bad_case{"list", "[1]", "JSON is not an object but array"},
        bad_case{"no session", "{}", "field session_id is missing"},
        bad_case{"session of the wrong type", R"({"session_id":5})", "field session_id is number, wanted text"},
        bad_case{"rate", R"({"session_id":"s","sample_rate":44,"pcm":""})",
                 "field sample_rate is 44, allowed are 8000 to 48000"},
        bad_case{"rate not finite", R"({"session_id":"s","sample_rate":1e400})", "not JSON: 38 bytes"},
        bad_case{"channels", R"({"session_id":"s","channels":9})", "field channels is 9, allowed are 1 to 2"},
        bad_case{"base64", R"({"session_id":"s","pcm":"*"})", "field pcm is not base64: 1 characters, unreadable at 0"},
        bad_case{"half a sample", R"({"session_id":"s","pcm":"AQ=="})",
                 "field pcm has 1 bytes, not whole samples of 1 channels"}),
    [](const auto& param_info) {
        std::string name(param_info.param.name);
        for (auto& c : name)
            if (c == ' ') c = '_';
        return name;
    });

TEST(Messages, NestingDeeperThanAnyMessageIsRefused) {
    std::string deep = R"({"a":)" + std::string(100'000, '[') + std::string(100'000, ']') + "}";
    EXPECT_FALSE(decode<audio_frame>(deep));
}

TEST(Messages, MoreTextThanTheLimitIsTooLong) {
    const auto m = decode<tts_request>(encode(tts_request{"", std::string(max_text_bytes + 1, 'a'), "", "", ""}));
    ASSERT_FALSE(m);
    EXPECT_EQ(m.error().code, errc::too_long);
}

TEST(TurnHeaders, AreReadBackAsWritten) {
    turn_headers turn{.turn_id = "t1",
                      .traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                      .budget = std::chrono::milliseconds(2500),
                      .age = std::chrono::duration<double, std::milli>(83.25),
                      .privacy = "ephemeral",
                      .audio = audio_form::pcm};
    const auto back = read_turn(write_turn(turn));
    EXPECT_EQ(back.turn_id, turn.turn_id);
    EXPECT_EQ(back.traceparent, turn.traceparent);
    EXPECT_EQ(back.budget, turn.budget);
    EXPECT_EQ(back.age, turn.age);
    EXPECT_EQ(back.privacy, turn.privacy);
    EXPECT_EQ(back.audio, turn.audio);
}

TEST(TurnHeaders, OnesThatCannotBeReadAreSimplyNotThere) {
    const auto turn =
        read_turn({{"loqa-budget-ms", "soon"}, {"Loqa-Age-Ms", "inf"}, {"Loqa-Turn", std::string(65, 'a')}});
    EXPECT_FALSE(turn.budget || turn.age);
    EXPECT_EQ(turn.turn_id, "");
    EXPECT_EQ(turn.audio, audio_form::json);
    EXPECT_EQ(read_turn({{"LOQA-BUDGET-MS", "20"}}).budget, std::chrono::milliseconds(20));
}

TEST(Subjects, AnyTextBecomesOneToken) {
    EXPECT_EQ(token("Kitchen_1-a"), "Kitchen_1-a");
    EXPECT_EQ(token("a.b *>"), "a%2Eb%20%2A%3E");
    EXPECT_EQ(join("tts.pcm", ""), "tts.pcm.%");
}

}  // namespace
}  // namespace loqa::protocol
