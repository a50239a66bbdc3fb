#include "../turn.hpp"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "loqa/bus/testing/fake_connection.hpp"
#include "loqa/protocol/messages.hpp"

namespace loqa::cli {
namespace {

namespace p = protocol;
using testing::ElementsAre;

// Blocks as fast as they are asked for; after `blocks` of them there is silence.
class quick_source final : public source {
public:
    explicit quick_source(int blocks) : blocks_(blocks) {}
    pcm_format format() const override { return {16'000, 1}; }
    result<std::optional<std::string>> read(std::stop_token stop) override {
        if (stop.stop_requested()) return std::nullopt;
        if (++read_ == blocks_) ended_ = std::chrono::steady_clock::now();
        return std::string(640, read_ <= blocks_ ? 'x' : '\0');
    }
    bool endless() const override { return blocks_ == 0; }
    std::optional<steady_time> ended() const override { return ended_; }

private:
    const int blocks_;
    int read_ = 0;
    std::optional<steady_time> ended_;
};

class kept_sound final : public sink {
public:
    result<void> play(std::string_view pcm, pcm_format format, const part_of& of) override {
        if (of.generation <= flushed_to) return {};
        played += pcm;
        if (!pcm.empty()) formats.push_back(format.sample_rate_hz);
        if (of.last && !slow) tell_({of.generation, milliseconds(40), true});
        return {};
    }
    void flush(std::uint64_t /*from*/, std::uint64_t to) override {
        flushed_to = to;
        tell_({to, milliseconds(10), false});
    }
    void close() override {
        if (!played.empty()) tell_({1, milliseconds(20), false});
    }
    void on_heard(std::function<void(const audio::heard&)> tell) override { tell_ = std::move(tell); }
    milliseconds left() const override { return milliseconds(0); }
    result<void> finish() override {
        finished = true;
        return {};
    }
    std::string where() const override { return "kept"; }

    std::string played;
    std::vector<int> formats;
    bool finished = false;
    bool slow = false;  // what it was given is not heard yet
    std::uint64_t flushed_to = 0;

private:
    std::function<void(const audio::heard&)> tell_;
};

// Stands for the services: does something when the n-th frame of a session is there.
class TurnTest : public testing::Test {
protected:
    void at_frame(std::size_t n, std::function<void(const std::string& session)> act) {
        subscriptions_.push_back(
            std::move(*bus_.subscribe("audio.pcm.>", [=, this, seen = std::size_t{0}](const bus::message& m) mutable {
                frames_.push_back(m);
                if (++seen == n) act(std::string(p::find(m.headers, "Loqa-Session")));
            })));
    }
    void say(std::string_view subject, const std::string& payload) { ASSERT_TRUE(bus_.publish(subject, payload)); }
    void hear(const std::string& session, std::string text, std::string reason = "speech_end") {
        say("stt.text.final",
            p::encode(p::transcript{.session_id = session, .text = std::move(text), .reason = std::move(reason)}));
    }
    void sound(const std::string& session, std::string pcm, bool last) {
        p::headers headers{{"Loqa-Session", session},
                           {"Loqa-Rate", "22050"},
                           {"Loqa-Channels", "1"},
                           {"Loqa-Target", "den"},
                           {"Loqa-Generation", "1"}};
        if (last) headers.emplace_back("Loqa-Final", "1");
        ASSERT_TRUE(bus_.publish("tts.pcm." + session, pcm, headers));
    }
    void reply(const std::string& session, std::string text) {
        say("session.reply",
            p::encode(p::session_reply{session, "turn", "what time is it", "clock.time", std::move(text), {}}));
    }
    void end(const std::string& session, std::string outcome, std::string text = "It is noon.") {
        say("session.ended", p::encode(p::session_ended{.session_id = session,
                                                        .turn_id = "turn",
                                                        .outcome = std::move(outcome),
                                                        .reply = std::move(text),
                                                        .stages_ms = {{"total", 700}}}));
    }
    void answer(const std::string& session) {
        hear(session, "what time is it");
        reply(session, "It is noon.");
        sound(session, "ab", false);
        sound(session, "cd", false);
        sound(session, "", true);
        end(session, "answered");
    }
    turn_report say_blocks(int blocks, bool mark_end = false, milliseconds patience = seconds(10)) {
        quick_source from(blocks);
        return say_turn(bus_, clock_, from, speaker_, {.patience = patience, .mark_end = mark_end});
    }
    std::vector<bus::message> marked_frames() const {
        std::vector<bus::message> found;
        for (const auto& m : frames_)
            if (p::find(m.headers, "Loqa-Final") == "1") found.push_back(m);
        return found;
    }

    const real_clock clock_;
    bus::testing::fake_connection bus_;
    kept_sound speaker_;
    std::vector<bus::message> frames_;
    std::vector<std::unique_ptr<bus::subscription>> subscriptions_;
};

TEST_F(TurnTest, IsSpokenUntilItIsHeardAndTheAnswerIsPlayed) {
    at_frame(8, [this](const auto& session) { answer(session); });
    const auto report = say_blocks(5);

    ASSERT_FALSE(report.failed) << report.failed->text();
    EXPECT_TRUE(report.answered());
    EXPECT_EQ(report.heard, "what time is it");
    EXPECT_EQ(report.reply, "It is noon.");
    EXPECT_EQ(report.intent, "clock.time");
    EXPECT_EQ(report.turn_id, "turn");
    EXPECT_EQ(report.stages_ms.at("total"), 700);
    EXPECT_TRUE(report.after_source_ms);
    EXPECT_EQ(speaker_.played, "abcd");
    EXPECT_THAT(speaker_.formats, ElementsAre(22'050, 22'050));
    EXPECT_TRUE(speaker_.finished);
    EXPECT_EQ(report.out, "kept");

    EXPECT_TRUE(marked_frames().empty()) << "the recogniser is not told where the end is";
    ASSERT_GE(frames_.size(), 8u);
    const auto& first = frames_.front();
    EXPECT_EQ(p::find(first.headers, "Loqa-Sequence"), "0");
    EXPECT_EQ(p::find(first.headers, "Loqa-Rate"), "16000");
    EXPECT_EQ(p::find(first.headers, "Loqa-Audio"), "pcm");
    EXPECT_EQ(first.payload, std::string(640, 'x'));
    EXPECT_EQ(frames_[5].payload, std::string(640, '\0')) << "silence after the end";
}

TEST_F(TurnTest, SaysOnceThatItPlays) {
    at_frame(3, [this](const auto& session) { answer(session); });
    const auto report = say_blocks(2);
    const auto said = bus_.published("playback.started");
    ASSERT_EQ(said.size(), 1u);
    const auto started = p::decode<p::playback_started>(said[0].payload);
    ASSERT_TRUE(started);
    EXPECT_EQ(started->session_id, report.session_id);
    EXPECT_EQ(started->target, "den");
}

TEST_F(TurnTest, SaysHowMuchOfTheAnswerWasHeard) {
    at_frame(3, [this](const auto& session) { answer(session); });
    const auto report = say_blocks(2);
    const auto said = bus_.published("playback.stopped");
    ASSERT_EQ(said.size(), 1u);
    const auto stopped = p::decode<p::playback_stopped>(said[0].payload);
    ASSERT_TRUE(stopped);
    EXPECT_EQ(stopped->session_id, report.session_id);
    EXPECT_EQ(stopped->target, "den");
    EXPECT_EQ(stopped->generation, 1u);
    EXPECT_EQ(stopped->played_ms, 40);
    EXPECT_TRUE(stopped->completed);
}

TEST_F(TurnTest, AnAnswerThatIsFlushedIsOver) {
    speaker_.slow = true;
    at_frame(3, [this](const auto& session) {
        answer(session);
        say("tts.flush." + session, p::encode(p::tts_flush{.session_id = session, .from = 1, .generation = 1}));
        sound(session, "late", true);
    });
    const auto report = say_blocks(2);
    EXPECT_FALSE(report.failed);
    EXPECT_EQ(speaker_.played, "abcd");
    const auto said = bus_.published("playback.stopped");
    ASSERT_EQ(said.size(), 1u);
    EXPECT_FALSE(p::decode<p::playback_stopped>(said[0].payload)->completed);
}

TEST_F(TurnTest, TheEndIsMarkedWhenAsked) {
    at_frame(4, [this](const auto& session) { answer(session); });
    EXPECT_TRUE(say_blocks(4, true).answered());
    EXPECT_EQ(frames_.size(), 4u);
    EXPECT_EQ(marked_frames().size(), 1u);
    EXPECT_EQ(p::find(frames_.back().headers, "Loqa-Final"), "1");
}

TEST_F(TurnTest, ANoiseBeforeTheWordsIsNotTheTurn) {
    at_frame(2, [this](const auto& session) {
        hear(session, "", "no_speech");
        end(session, "nothing_heard", "");
    });
    at_frame(20, [this](const auto& session) { answer(session); });
    EXPECT_TRUE(say_blocks(10).answered());
}

TEST_F(TurnTest, ATurnThatAnotherTookThePlaceOfIsNotTheEnd) {
    at_frame(8, [this](const auto& session) {
        say("session.ended",
            p::encode(p::session_ended{.session_id = session, .outcome = "cancelled", .reason = "superseded"}));
        answer(session);
    });
    EXPECT_TRUE(say_blocks(5).answered());
}

TEST_F(TurnTest, NothingHeardEndsItWithoutASound) {
    at_frame(6, [this](const auto& session) {
        hear(session, "", "no_speech");
        end(session, "nothing_heard", "");
    });
    const auto report = say_blocks(5);
    EXPECT_FALSE(report.failed);
    EXPECT_EQ(report.outcome, "nothing_heard");
    EXPECT_FALSE(report.answered());
    EXPECT_FALSE(speaker_.finished);
}

TEST_F(TurnTest, OthersAreNotListenedTo) {
    at_frame(6, [this](const auto& session) {
        hear("another", "stop");
        end("another", "cancelled");
        answer(session);
    });
    const auto report = say_blocks(5);
    EXPECT_EQ(report.heard, "what time is it");
    EXPECT_TRUE(report.answered());
}

TEST_F(TurnTest, SoundThatComesAfterTheEndOfTheTurnIsWaitedFor) {
    at_frame(6, [this](const auto& session) {
        hear(session, "what time is it");
        end(session, "answered");
        sound(session, "ab", false);
        sound(session, "cd", true);
    });
    EXPECT_TRUE(say_blocks(5).answered());
    EXPECT_EQ(speaker_.played, "abcd");
}

TEST_F(TurnTest, SpeechThatFailsIsNotWaitedFor) {
    at_frame(6, [this](const auto& session) {
        hear(session, "what time is it");
        say("tts.done", p::encode(p::tts_done{.session_id = session, .completed = false, .error = "no voice"}));
        end(session, "apologised");
    });
    const auto report = say_blocks(5);
    EXPECT_FALSE(report.failed);
    EXPECT_EQ(report.outcome, "apologised");
}

TEST_F(TurnTest, TheRecognisersErrorIsTheTurns) {
    at_frame(2, [this](const auto& session) {
        say("stt.error", p::encode(p::stt_error{session, "busy", "64 sessions are going on"}));
    });
    const auto report = say_blocks(5);
    ASSERT_TRUE(report.failed);
    EXPECT_EQ(report.failed->code, errc::busy);
    EXPECT_EQ(report.failed->message, "64 sessions are going on");
}

TEST_F(TurnTest, NobodyAnswering) {
    const auto report = say_blocks(2, true, milliseconds(50));
    ASSERT_TRUE(report.failed);
    EXPECT_EQ(report.failed->code, errc::timed_out);
}

TEST_F(TurnTest, NobodySpeakingIntoAMicrophone) {
    const auto report = say_blocks(0, false, milliseconds(50));
    ASSERT_TRUE(report.failed);
    EXPECT_EQ(report.failed->code, errc::timed_out);
    EXPECT_NE(report.failed->message.find("nobody was heard"), std::string::npos);
}

TEST_F(TurnTest, ALostBusIsAnError) {
    at_frame(2, [this](const auto&) { bus_.set_connected(false); });
    const auto report = say_blocks(5);
    ASSERT_TRUE(report.failed);
    EXPECT_EQ(report.failed->code, errc::unavailable);
}

TEST_F(TurnTest, WrittenItIsATranscriptThatAsksForSound) {
    std::vector<bus::message> asked;
    const auto service = bus_.subscribe("stt.text.final", [&](const bus::message& m) {
        asked.push_back(m);
        const auto session = p::decode<p::transcript>(m.payload)->session_id;
        reply(session, "It is noon.");
        sound(session, "ab", true);
        end(session, "answered");
    });
    const auto report = ask_turn(bus_, clock_, "what time is it", &speaker_, {});
    EXPECT_TRUE(report.answered());
    EXPECT_EQ(speaker_.played, "ab");
    ASSERT_EQ(asked.size(), 1u);
    EXPECT_EQ(p::decode<p::transcript>(asked[0].payload)->text, "what time is it");
    EXPECT_EQ(p::read_turn(asked[0].headers).audio, p::audio_form::pcm);
}

TEST_F(TurnTest, WrittenAndOnlyReadItNeedsNoSound) {
    const auto service = bus_.subscribe("stt.text.final", [&](const bus::message& m) {
        const auto session = p::decode<p::transcript>(m.payload)->session_id;
        reply(session, "Sorry, I did not understand.");
        end(session, "apologised", "Sorry, I did not understand.");
    });
    const auto report = ask_turn(bus_, clock_, "colourless green ideas", nullptr, {});
    EXPECT_FALSE(report.failed);
    EXPECT_EQ(report.outcome, "apologised");
    EXPECT_EQ(report.reply, "Sorry, I did not understand.");
}

TEST(TurnReport, IsAJsonObjectForPrograms) {
    turn_report report{
        .session_id = "s", .turn_id = "t", .heard = "a\xff", .reply = "b", .intent = "i", .outcome = "answered"};
    const auto good = nlohmann::json::parse(to_json(report, "a.wav"));
    EXPECT_EQ(good["file"], "a.wav");
    EXPECT_EQ(good["outcome"], "answered");
    EXPECT_TRUE(good["out"].is_null());
    EXPECT_FALSE(good.contains("error"));

    report.failed = error{errc::timed_out, "no answer", "wait"};
    const auto bad = nlohmann::json::parse(to_json(report, ""));
    EXPECT_EQ(bad["outcome"], "failed");
    EXPECT_EQ(bad["error"]["code"], "timed_out");
}

}  // namespace
}  // namespace loqa::cli
