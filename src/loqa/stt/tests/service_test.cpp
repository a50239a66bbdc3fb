#include "loqa/stt/service.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loqa/bus/testing/fake_connection.hpp"
#include "loqa/protocol/messages.hpp"
#include "loqa/protocol/subjects.hpp"
#include "loqa/stt/tests/fakes.hpp"

namespace loqa::stt {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class Service : public ::testing::Test {
protected:
    Service() {
        options_.session.interim = false;
        options_.grace = seconds{30};
    }

    void start() {
        auto made = service::start(engine_, voices_, options_,
                                   {bus_, clock_, metrics_, tracer_, telemetry::logger::silent(),
                                    [this](std::string_view) { return form_.load(); }});
        ASSERT_TRUE(made) << made.error().text();
        service_ = std::move(*made);
    }

    // What is said in one message cannot be torn apart by a busy machine.
    void send_json(const std::string& session, std::string pcm, bool last = false,
                   std::string_view on = "audio.frame") {
        const protocol::audio_frame frame{session, sequence_++, 16'000, 1, std::move(pcm), last};
        ASSERT_TRUE(bus_.publish(on, protocol::encode(frame)));
    }
    void send_pcm(const std::string& session, const std::string& pcm, protocol::headers more = {}) {
        protocol::headers all = {{"Loqa-Session", session}, {"Loqa-Rate", "16000"}};
        all.insert(all.end(), more.begin(), more.end());
        ASSERT_TRUE(bus_.publish("audio.pcm." + session, pcm, all));
    }

    const std::string speech_ = testing::sound(true, milliseconds{640});
    const std::string silence_ = testing::sound(false, milliseconds{640});

    static protocol::transcript transcript(const bus::message& from) {
        return *protocol::decode<protocol::transcript>(from.payload);
    }
    std::vector<std::string> finals(std::size_t count) {
        std::vector<std::string> found;
        for (const auto& each : bus_.wait_for("stt.text.final", count)) {
            const auto said = transcript(each);
            found.push_back(said.session_id + ": " + said.text + " " + said.reason);
        }
        return found;
    }

    bus::testing::fake_connection bus_;
    real_clock clock_;
    telemetry::metrics metrics_;
    std::mutex spans_mutex_;
    std::vector<telemetry::span> spans_;
    telemetry::tracer tracer_{"stt",
                              [this] {
                                  std::vector<std::unique_ptr<telemetry::span_sink>> sinks;
                                  sinks.push_back(telemetry::callback_sink("test", [this](const auto& batch) {
                                      std::lock_guard lock(spans_mutex_);
                                      spans_.insert(spans_.end(), batch.begin(), batch.end());
                                  }));
                                  return sinks;
                              }(),
                              metrics_, telemetry::logger::silent()};
    testing::loudness voices_;
    testing::stopwatch engine_;
    service_options options_;
    std::atomic<phrase> form_ = phrase::unknown;
    std::int64_t sequence_ = 0;
    std::unique_ptr<service> service_;
};

TEST_F(Service, AClientThatSpeaksJsonAndNeverMarksTheEndIsUnderstood) {
    start();
    for (const std::string subject : {"audio.frame", "audio.frame.kitchen"}) {
        bus_.forget_published();
        send_json("a", speech_ + silence_, false, subject);
        const auto found = bus_.wait_for("stt.text.final");
        ASSERT_THAT(found, SizeIs(1));
        const auto said = transcript(found[0]);
        EXPECT_EQ(said.session_id, "a");
        EXPECT_THAT(said.text, HasSubstr(" ms"));
        EXPECT_EQ(said.reason, "speech_end");
        EXPECT_FALSE(said.partial);
        EXPECT_FALSE(said.timestamp.empty());
        EXPECT_EQ(said.confidence, 0.5);
        const auto turn = protocol::read_turn(found[0].headers);
        EXPECT_THAT(turn.turn_id, SizeIs(32));
        EXPECT_TRUE(telemetry::parse_traceparent(turn.traceparent));
        EXPECT_EQ(turn.audio, protocol::audio_form::json);
        ASSERT_TRUE(turn.age);
        EXPECT_LT(turn.age->count(), 5000);
        const auto begun = bus_.wait_for("stt.speech.started");
        ASSERT_THAT(begun, SizeIs(1));
        EXPECT_EQ(protocol::read_turn(begun[0].headers).turn_id, turn.turn_id);
    }
}

TEST_F(Service, AClientThatSpeaksPcmIsUnderstoodAndItsTurnIsKept) {
    start();
    const std::string turn_id(32, 'a');
    const protocol::headers mine = {{"Loqa-Turn", turn_id}};
    send_pcm("b", speech_, mine);
    send_pcm("b", "", {{"Loqa-Final", "1"}});
    const auto found = bus_.wait_for("stt.text.final");
    ASSERT_THAT(found, SizeIs(1));
    EXPECT_EQ(transcript(found[0]).reason, "client_final");
    const auto turn = protocol::read_turn(found[0].headers);
    EXPECT_EQ(turn.turn_id, turn_id);
    EXPECT_EQ(turn.audio, protocol::audio_form::pcm);
}

TEST_F(Service, WhoTakesUpATurnAtOnceIsKnownWhenItIsToldAgain) {
    start();
    const auto takes_up = bus_.subscribe("stt.text.final", [this](const bus::message& m) {
        const protocol::session_state taken{.session_id = "a",
                                            .turn_id = protocol::read_turn(m.headers).turn_id,
                                            .state = "deciding",
                                            .owner = "quick"};
        ASSERT_TRUE(bus_.publish("session.state", protocol::encode(taken)));
    });
    ASSERT_TRUE(takes_up);
    send_json("a", speech_ + silence_);
    const auto again = bus_.wait_for("stt.text.again");
    ASSERT_THAT(again, SizeIs(1));
    const auto turn = protocol::read_turn(again[0].headers);
    EXPECT_EQ(turn.again, "deciding");
    EXPECT_EQ(turn.owner, "quick");
}

TEST_F(Service, TheHopsOfATurnAreChildrenOfItsRoot) {
    start();
    const auto root = telemetry::new_trace();
    send_pcm("c", speech_ + silence_, {{"Loqa-Turn", std::string(32, 'b')}, {"traceparent", to_traceparent(root)}});
    ASSERT_THAT(bus_.wait_for("stt.text.final"), SizeIs(1));
    service_.reset();
    tracer_.shutdown(clock_.steady() + seconds{5});
    std::vector<std::string> names;
    for (const auto& each : spans_) {
        names.push_back(each.name);
        EXPECT_EQ(each.trace_id, root.trace_id);
        EXPECT_EQ(each.parent_span_id, root.span_id);
        EXPECT_LE(each.start, each.end);
    }
    EXPECT_THAT(names, ElementsAre("stt.listen", "stt.endpoint", "stt.decode"));
}

TEST_F(Service, WhatIsProbablyAllIsToldAheadOfTheEnd) {
    form_ = phrase::growable;
    start();
    send_pcm("a", speech_ + testing::sound(false, milliseconds{32}), {{"Loqa-Turn", std::string(32, 'a')}});
    const auto ahead = bus_.wait_for("stt.text.ahead");
    ASSERT_THAT(ahead, SizeIs(1));
    EXPECT_THAT(bus_.published("stt.text.final"), IsEmpty());
    EXPECT_TRUE(transcript(ahead[0]).partial);
    const auto turn = protocol::read_turn(ahead[0].headers);
    EXPECT_EQ(turn.turn_id, std::string(32, 'a'));
    EXPECT_EQ(turn.audio, protocol::audio_form::pcm);
    send_pcm("a", testing::sound(false, milliseconds{64}));
    const auto found = bus_.wait_for("stt.text.final");
    ASSERT_THAT(found, SizeIs(1));
    EXPECT_EQ(transcript(found[0]).text, transcript(ahead[0]).text);
    service_.reset();  // it counts after it has said so
    EXPECT_THAT(metrics_.text(), HasSubstr("loqa_stt_endpoints_total{phrase=\"growable\"} 1"));
    EXPECT_THAT(metrics_.text(), HasSubstr("loqa_stt_finals_total{reason=\"speech_end\"} 1"));
}

TEST_F(Service, AnAnswerToAQuestionIsListenedToInAnotherWay) {
    options_.session.asked.unknown = milliseconds{64};  // no text of the fake's is a yes
    options_.session.usual.unknown = seconds{5};
    start();
    ASSERT_TRUE(bus_.publish("session.state", encode(protocol::session_state{"asked", "t", "speaking", "yes_or_no"})));
    send_json("asked", speech_ + silence_);
    EXPECT_THAT(finals(1), ElementsAre(HasSubstr("asked: ")));
    send_json("asked", speech_ + silence_);  // the question was answered
    send_json("other", speech_ + silence_);
    send_json("end", speech_, true);
    EXPECT_THAT(finals(2), Contains(HasSubstr("end: ")));
    EXPECT_THAT(bus_.published("stt.text.final"), SizeIs(2));
}

TEST_F(Service, NothingSaidAtAllIsSaid) {
    options_.session.client_timeout = milliseconds{200};
    start();
    send_json("silent", silence_, true);
    send_json("gone", silence_);
    EXPECT_THAT(finals(2), ElementsAre("silent:  no_speech", "gone:  timeout"));
}

TEST_F(Service, WhatCannotBeReadIsCountedAndDropped) {
    start();
    ASSERT_TRUE(bus_.publish("audio.frame", "{"));
    ASSERT_TRUE(
        bus_.publish("audio.frame", R"({"session_id":"","sequence":0,"sample_rate":16000,"channels":1,"pcm":""})"));
    for (const protocol::headers& wrong : std::initializer_list<protocol::headers>{
             {{"Loqa-Rate", "4000"}}, {{"Loqa-Rate", "fast"}}, {{"Loqa-Channels", "3"}}, {{"Loqa-Sequence", "1x"}}}) {
        ASSERT_TRUE(bus_.publish("audio.pcm.x", "1234", wrong));
    }
    ASSERT_TRUE(bus_.publish("audio.pcm.x", "123", {}));
    ASSERT_TRUE(bus_.publish("audio.pcm.x", std::string(protocol::max_pcm_bytes + 2, '\0'), {}));
    send_json("still_there", speech_ + silence_);
    EXPECT_THAT(finals(1), SizeIs(1));
    EXPECT_THAT(metrics_.text(), HasSubstr("loqa_stt_errors_total{kind=\"invalid_message\"} 7"));
    EXPECT_THAT(metrics_.text(), HasSubstr("loqa_stt_errors_total{kind=\"too_long\"} 1"));
}

TEST_F(Service, OneSessionTooManyIsToldSoOnceAndHeardWhenThereIsRoom) {
    options_.max_sessions = 1;
    start();
    send_json("first", silence_);
    send_json("second", speech_);
    send_json("second", speech_, true);
    const auto refused = bus_.wait_for("stt.error");
    ASSERT_THAT(refused, SizeIs(1));
    const auto why = protocol::decode<protocol::stt_error>(refused[0].payload);
    ASSERT_TRUE(why);
    EXPECT_EQ(why->session_id, "second");
    EXPECT_EQ(why->code, "busy");
    send_json("first", "", true);
    ASSERT_THAT(finals(1), SizeIs(1));
    send_json("second", speech_, true);
    EXPECT_THAT(finals(2), Contains(HasSubstr("second: ")));
    EXPECT_THAT(bus_.published("stt.error"), SizeIs(1));
}

TEST_F(Service, AnEngineThatFailsIsSaidOnTheBus) {
    engine_.fails = true;
    start();
    send_json("d", speech_ + silence_);
    const auto found = bus_.wait_for("stt.error");
    ASSERT_THAT(found, SizeIs(1));
    const auto why = protocol::decode<protocol::stt_error>(found[0].payload);
    ASSERT_TRUE(why);
    EXPECT_EQ(why->code, "engine_failed");
    EXPECT_THAT(why->message, HasSubstr("the engine is broken"));
    EXPECT_THAT(protocol::read_turn(found[0].headers).turn_id, SizeIs(32));
    EXPECT_THAT(bus_.published("stt.text.final"), IsEmpty());
}

TEST_F(Service, TheEndOfTheProcessCancelsWhatIsSpokenAndFinishesWhatIsRead) {
    start();
    engine_.hold();
    send_json("done", speech_, true);
    engine_.wait_for_reading();
    send_json("speaking", speech_);
    bus_.wait_for("stt.speech.started", 2);
    std::thread ends([this] { service_.reset(); });
    bus_.wait_for("stt.text.final");
    engine_.release();
    ends.join();
    EXPECT_THAT(finals(2), ElementsAre("speaking:  cancelled", "done: 640 ms client_final"));
}

TEST_F(Service, SessionsOfClientsThatWentAwayAreToldAndFreed) {
    options_.session.client_timeout = milliseconds{200};
    options_.max_sessions = 200;
    start();
    for (int i = 0; i < 200; ++i) send_json("gone" + std::to_string(i), i % 2 == 0 ? speech_ : silence_);
    EXPECT_THAT(bus_.wait_for("stt.text.final", 200, seconds{60}), SizeIs(200));
    service_.reset();
    EXPECT_THAT(metrics_.text(), HasSubstr("loqa_stt_sessions 0"));
    EXPECT_THAT(metrics_.text(), HasSubstr("loqa_stt_finals_total{reason=\"timeout\"} 200"));
}

}  // namespace
}  // namespace loqa::stt
