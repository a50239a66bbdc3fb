#include "loqa/tts/service.hpp"

#include <atomic>
#include <condition_variable>
#include <functional>
#include <limits>
#include <map>
#include <mutex>
#include <optional>
#include <string_view>
#include <thread>
#include <tuple>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loqa/audio/pcm.hpp"
#include "loqa/bus/testing/fake_connection.hpp"
#include "loqa/protocol/messages.hpp"
#include "loqa/protocol/subjects.hpp"

namespace loqa::tts {
namespace {

using protocol::tts_audio;
using protocol::tts_done;
using testing::ElementsAre;

constexpr std::size_t piece_samples = 500;

// Says each character of a text as one piece of samples, of the value (number of the piece + 1) / 100. "!" is where it
// fails, and a piece waits while the gate is shut.
class fake_voice final : public voice {
public:
    std::string name() const override { return "fake"; }
    int sample_rate_hz() const override { return 10'000; }
    result<std::unique_ptr<speech>> speak(std::string_view text) override;

    int spoken() const { return spoken_; }  // how many texts were begun
    void shut() { allow(0); }
    void open() { allow(std::numeric_limits<int>::max()); }
    void let_through(int pieces) { allow(pieces); }

    void pass() const {
        std::unique_lock lock(mutex_);
        ++waiting_;
        changed_.notify_all();
        changed_.wait(lock, [this] { return allowed_ > 0; });
        --waiting_;
        --allowed_;
    }
    // Until the synthesis thread stands at the shut gate.
    void wait_for_visitor() const {
        std::unique_lock lock(mutex_);
        ASSERT_TRUE(changed_.wait_for(lock, seconds(10), [this] { return waiting_ > 0 && allowed_ == 0; }));
    }

private:
    void allow(int pieces) {
        {
            std::lock_guard lock(mutex_);
            allowed_ = pieces;
        }
        changed_.notify_all();
    }
    mutable std::mutex mutex_;
    mutable std::condition_variable changed_;
    std::atomic<int> spoken_ = 0;
    mutable int waiting_ = 0;
    mutable int allowed_ = std::numeric_limits<int>::max();
};

class fake_speech final : public speech {
public:
    fake_speech(const fake_voice& voice, std::string text) : voice_(voice), text_(std::move(text)) {}
    result<piece> next() override {
        voice_.pass();
        if (text_.empty()) return piece{.samples = {}, .last = true};
        if (text_[at_] == '!') return fail(errc::engine_failed, "the voice broke");
        ++at_;
        return piece{.samples = std::vector<float>(piece_samples, static_cast<float>(at_) / 100),
                     .last = at_ == text_.size()};
    }

private:
    const fake_voice& voice_;
    const std::string text_;
    std::size_t at_ = 0;
};

result<std::unique_ptr<speech>> fake_voice::speak(std::string_view text) {
    ++spoken_;
    return std::make_unique<fake_speech>(*this, std::string(text));
}

const protocol::headers pcm{{"Loqa-Audio", "pcm"}};
protocol::headers pcm_of(std::string turn, std::string priority = "reply") {
    return {{"Loqa-Audio", "pcm"}, {"Loqa-Turn", std::move(turn)}, {"Loqa-Priority", std::move(priority)}};
}
std::uint64_t generation(const bus::message& frame) {
    return std::stoull(std::string(protocol::find(frame.headers, "Loqa-Generation")));
}

// Tells of each message before it is published.
class watched_connection final : public bus::testing::fake_connection {
public:
    std::function<void(std::string_view subject)> before;
    result<void> publish(std::string_view subject, std::string_view payload,
                         const protocol::headers& headers = {}) override {
        if (before) before(subject);
        return fake_connection::publish(subject, payload, headers);
    }
};

class Service : public testing::Test {
protected:
    void start(service_options options = {.sample_rate_hz = 10'000}, voice* fallback = nullptr) {
        auto started = service::start(bus_, voice_, fallback, cache_, options, clock_, metrics_, tracer_,
                                      telemetry::logger::silent());
        ASSERT_TRUE(started) << started.error().text();
        service_ = std::move(*started);
    }
    void TearDown() override {
        voice_.open();
        service_.reset();
    }

    void ask(std::string text, std::string session = "s", std::string target = "", protocol::headers headers = {}) {
        ASSERT_TRUE(
            bus_.publish("tts.request",
                         protocol::encode(protocol::tts_request{
                             .session_id = std::move(session), .text = std::move(text), .target = std::move(target)}),
                         headers));
    }
    std::vector<tts_done> done(std::size_t count) {
        std::vector<tts_done> all;
        for (const auto& message : bus_.wait_for("tts.done", count))
            all.push_back(*protocol::decode<tts_done>(message.payload));
        return all;
    }
    std::vector<tts_audio> frames() {
        std::vector<tts_audio> all;
        for (const auto& message : bus_.published("tts.audio"))
            all.push_back(*protocol::decode<tts_audio>(message.payload));
        return all;
    }

    watched_connection bus_;
    fake_voice voice_;
    manual_clock clock_;
    telemetry::metrics metrics_;
    telemetry::tracer tracer_{"test", {}, metrics_, telemetry::logger::silent()};
    sound_cache cache_{{}, clock_, metrics_, telemetry::logger::silent()};
    std::unique_ptr<service> service_;
};

TEST_F(Service, AnswersInJsonFramesThatEndWithTheFinalOne) {
    start();
    ask("abc", "s1", "kitchen");
    ASSERT_EQ(done(1).size(), 1U);
    const auto end = done(1)[0];
    EXPECT_TRUE(end.completed);
    EXPECT_EQ(end.session_id, "s1");
    EXPECT_EQ(end.target, "kitchen");
    EXPECT_EQ(end.error, "");

    const auto all = frames();
    ASSERT_EQ(all.size(), 3U);
    for (std::size_t i = 0; i < all.size(); ++i) {
        EXPECT_EQ(all[i].sequence, static_cast<std::int64_t>(i));
        EXPECT_EQ(all[i].session_id, "s1");
        EXPECT_EQ(all[i].target, "kitchen");
        EXPECT_EQ(all[i].sample_rate, 10'000);
        EXPECT_EQ(all[i].channels, 1);
        EXPECT_EQ(all[i].final, i == 2);
        const auto want = audio::to_s16le(std::vector<float>(piece_samples, static_cast<float>(i + 1) / 100));
        EXPECT_EQ(all[i].pcm, want) << "frame " << i;
    }
    EXPECT_EQ(bus_.published("tts.started").size(), 1U);
}

TEST_F(Service, AnswersInPlainSamplesWhenTheSessionSpeaksThem) {
    start();
    for (const auto& [text, session, target, subject] :
         {std::tuple{"ab", "s1", "living room", "tts.pcm.living%20room"}, std::tuple{"ba", "s2", "", "tts.pcm.s2"}}) {
        bus_.forget_published();
        ask(text, session, target,
            {{"Loqa-Audio", "pcm"},
             {"Loqa-Turn", "t1"},
             {"traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}});
        ASSERT_TRUE(done(1).at(0).completed);
        const auto sent = bus_.published("tts.pcm.>");
        ASSERT_EQ(sent.size(), 2U);
        EXPECT_EQ(sent[0].subject, subject);
        EXPECT_EQ(sent[0].payload.size(), 2 * piece_samples);
        EXPECT_EQ(protocol::find(sent[1].headers, "Loqa-Sequence"), "1");
        EXPECT_EQ(protocol::find(sent[1].headers, "Loqa-Rate"), "10000");
        EXPECT_EQ(protocol::find(sent[1].headers, "Loqa-Channels"), "1");
        EXPECT_EQ(protocol::find(sent[0].headers, "Loqa-Final"), "");
        EXPECT_EQ(protocol::find(sent[1].headers, "Loqa-Final"), "1");
        EXPECT_EQ(protocol::find(sent[1].headers, "Loqa-Session"), session);
        EXPECT_EQ(protocol::find(sent[1].headers, "Loqa-Turn"), "t1");
        EXPECT_TRUE(protocol::find(sent[1].headers, "traceparent").starts_with("00-0af7651916cd43dd8448eb211c80319c-"));
        EXPECT_TRUE(bus_.published("tts.audio").empty());
    }
}

TEST_F(Service, PublishesTheFirstPieceWhileTheNextIsStillToBeMade) {
    start();
    voice_.shut();
    ask("ab");
    voice_.wait_for_visitor();
    clock_.advance(milliseconds(70));
    voice_.let_through(1);
    const auto started = bus_.wait_for("tts.started");
    ASSERT_EQ(started.size(), 1U);
    EXPECT_DOUBLE_EQ(protocol::decode<protocol::tts_started>(started[0].payload)->first_chunk_ms, 70);
    ASSERT_EQ(frames().size(), 1U);
    EXPECT_FALSE(frames()[0].final);
    EXPECT_TRUE(bus_.published("tts.done").empty());
    voice_.open();
    EXPECT_TRUE(done(1).at(0).completed);
}

TEST_F(Service, CutsLongPiecesIntoChunks) {
    start({.chunk_duration = milliseconds(20), .sample_rate_hz = 10'000});  // 200 samples
    ask("ab");
    ASSERT_TRUE(done(1).at(0).completed);
    std::vector<std::size_t> bytes;
    for (const auto& frame : frames()) bytes.push_back(frame.pcm.size());
    EXPECT_THAT(bytes, ElementsAre(400, 400, 200, 400, 400, 200));
    EXPECT_TRUE(frames().back().final);
    EXPECT_EQ(std::ranges::count_if(frames(), &tts_audio::final), 1);
}

TEST_F(Service, ConvertsToTheConfiguredRateAndChannels) {
    start({.sample_rate_hz = 20'000, .channels = 2});
    ask("abcdef");
    ASSERT_TRUE(done(1).at(0).completed);
    std::size_t bytes = 0;
    for (const auto& frame : frames()) {
        EXPECT_EQ(frame.sample_rate, 20'000);
        EXPECT_EQ(frame.channels, 2);
        const auto samples = audio::from_s16le(frame.pcm);
        for (std::size_t i = 0; i + 1 < samples.size(); i += 2) ASSERT_EQ(samples[i], samples[i + 1]);
        bytes += frame.pcm.size();
    }
    EXPECT_NEAR(static_cast<double>(bytes), 6.0 * piece_samples * 2 * 2 * 2, 200);
    EXPECT_TRUE(frames().back().final);
}

TEST_F(Service, TextWithoutASoundIsDoneAtOnce) {
    start();
    ask("");
    EXPECT_TRUE(done(1).at(0).completed);
    EXPECT_TRUE(frames().empty());
}

TEST_F(Service, KeepsTheOrderOfRequests) {
    start();
    voice_.shut();
    for (const auto& [session, text] : {std::pair{"a", "xy"}, {"b", "yx"}, {"c", "xx"}}) ask(text, session, "kitchen");
    voice_.open();
    std::vector<std::string> order;
    for (const auto& each : done(3)) order.push_back(each.session_id);
    EXPECT_THAT(order, ElementsAre("a", "b", "c"));
    std::vector<std::string> of_frames;
    for (const auto& each : frames()) of_frames.push_back(each.session_id);
    EXPECT_THAT(of_frames, ElementsAre("a", "a", "b", "b", "c", "c"));
}

TEST_F(Service, ACancelStopsWhatIsSaidAndWhatWaits) {
    start();
    voice_.shut();
    ask("abcdef", "s1");
    voice_.wait_for_visitor();
    ask("gh", "s1");
    ask("i", "s2");
    ASSERT_TRUE(bus_.publish("tts.cancel", protocol::encode(protocol::tts_cancel{.session_id = "s1"})));
    voice_.open();
    const auto all = done(3);
    ASSERT_EQ(all.size(), 3U);
    for (const auto& each : all) {
        EXPECT_EQ(each.completed, each.session_id == "s2");
        EXPECT_EQ(each.error, each.session_id == "s2" ? "" : "cancelled");
    }
    for (const auto& frame : frames()) EXPECT_EQ(frame.session_id, "s2") << "said after its cancel";
}

struct refused_case {
    std::string_view name, text, error;
    protocol::headers headers;
};
class Refusal : public Service, public testing::WithParamInterface<refused_case> {};

TEST_P(Refusal, IsSaidOnTheBus) {
    start({.max_text_bytes = 20, .sample_rate_hz = 10'000});
    voice_.shut();
    ask("a", "before");
    voice_.wait_for_visitor();
    ask(std::string(GetParam().text), "s", "", GetParam().headers);
    clock_.advance(milliseconds(100));
    voice_.open();
    std::optional<tts_done> ours;
    for (const auto& each : done(2))
        if (each.session_id == "s") ours = each;
    ASSERT_TRUE(ours);
    EXPECT_EQ(ours->completed, GetParam().error.empty());
    EXPECT_EQ(ours->error, GetParam().error);
}

INSTANTIATE_TEST_SUITE_P(Reasons, Refusal,
                         testing::Values(refused_case{"too_long", "123456789012345678901", "too_long", {}},
                                         refused_case{"the_voice_fails", "ab!", "engine_failed", {}},
                                         refused_case{"too_late", "ab", "timed_out", {{"Loqa-Budget-Ms", "99"}}},
                                         refused_case{"just_in_time", "ab", "", {{"Loqa-Budget-Ms", "101"}}}),
                         [](const auto& row) { return std::string(row.param.name); });

TEST_F(Service, RefusesWhatItsQueueCannotHold) {
    start({.max_pending = 2, .sample_rate_hz = 10'000});
    voice_.shut();
    ask("a", "said");
    voice_.wait_for_visitor();
    for (const auto* session : {"queued", "queued", "refused", "refused"}) ask("b", session);
    for (const auto& each : done(2)) {
        EXPECT_EQ(each.session_id, "refused");
        EXPECT_EQ(each.error, "busy");
    }
    voice_.open();
    EXPECT_EQ(done(5).size(), 5U);
}

TEST_F(Service, AFloodIsRefusedAndEachRequestEndsOnce) {
    start({.max_pending = 8, .sample_rate_hz = 10'000});
    for (int i = 0; i < 2'000; ++i)
        ask("ab", "flood-" + std::to_string(i), std::to_string(i), i % 2 == 0 ? protocol::headers{} : pcm_of("t"));
    for (int i = 0; i < 2'000; ++i) ASSERT_TRUE(bus_.publish("tts.prepare", R"({"text": "x"})"));
    std::map<std::string, int> ends;
    for (const auto& each : done(2'000)) ++ends[each.session_id];
    EXPECT_EQ(ends.size(), 2'000U);
    EXPECT_TRUE(std::ranges::all_of(ends, [](const auto& each) { return each.second == 1; }));
    bus_.forget_published();
    ask("c", "after");
    EXPECT_TRUE(done(1).at(0).completed);
}

TEST_F(Service, OutlivesWhatItCannotRead) {
    start();
    for (const auto* payload : {"", "{", "[]", R"({"text": 5})", R"({"session_id": "s"})"})
        ASSERT_TRUE(bus_.publish("tts.request", payload));
    ASSERT_TRUE(bus_.publish("tts.cancel", "?"));
    ask("a");
    EXPECT_TRUE(done(1).at(0).completed);
    EXPECT_EQ(bus_.published("tts.done").size(), 1U);
    EXPECT_EQ(metrics_.counter("loqa_tts_unreadable_total", "Messages that could not be read").value(), 6);
}

TEST_F(Service, SaysAtItsEndWhatWasAskedForInTime) {
    start();
    voice_.shut();
    ask("a", "s1");
    ask("b", "s2");
    voice_.wait_for_visitor();
    std::jthread ending([this] { service_.reset(); });
    voice_.open();
    ending.join();
    for (const auto& each : done(2)) EXPECT_TRUE(each.completed) << each.error;
}

TEST_F(Service, CancelsAtItsEndWhatWouldTakeTooLong) {
    start({.sample_rate_hz = 10'000, .finish_within = seconds(0)});
    voice_.shut();
    ask("abc", "s1");
    ask("b", "s2");
    voice_.wait_for_visitor();
    std::jthread ending([this] { service_.reset(); });
    // The gate opens once the service no longer takes requests: then it is ending.
    while (bus_.request("tts.request", "{}", milliseconds(1)).error().code != errc::unavailable) {
    }
    clock_.advance(seconds(1));
    voice_.open();
    ending.join();
    const auto all = done(2);
    ASSERT_EQ(all.size(), 2U);
    for (const auto& each : all) EXPECT_EQ(each.error, "cancelled");
}

TEST_F(Service, AFallbackSaysWhatTheVoiceCannot) {
    class steady_voice final : public voice {
    public:
        std::string name() const override { return "steady"; }
        int sample_rate_hz() const override { return 20'000; }
        result<std::unique_ptr<speech>> speak(std::string_view text) override {
            return std::make_unique<steady_speech>(text.size());
        }

    private:
        class steady_speech final : public speech {
        public:
            explicit steady_speech(std::size_t samples) : samples_(samples) {}
            result<piece> next() override { return piece{.samples = std::vector<float>(samples_, 0.5F), .last = true}; }

        private:
            const std::size_t samples_;
        };
    } steady;
    start({.sample_rate_hz = 10'000}, &steady);

    ask("!" + std::string(999, 'x'), "s1");
    EXPECT_TRUE(done(1).at(0).completed);
    ASSERT_FALSE(frames().empty());
    EXPECT_EQ(frames().back().sample_rate, 10'000);
    EXPECT_TRUE(frames().back().final);
    const auto degraded = bus_.published("session.degraded");
    ASSERT_EQ(degraded.size(), 1U);
    const auto told = protocol::decode<protocol::session_degraded>(degraded[0].payload);
    ASSERT_TRUE(told);
    EXPECT_EQ(told->session_id, "s1");
    EXPECT_EQ(told->stage, "tts");
    EXPECT_EQ(told->reason, "engine_failed");

    // What was begun by one voice is not gone on with by another.
    bus_.forget_published();
    ask("ab!", "s2");
    EXPECT_EQ(done(1).at(0).error, "engine_failed");
    EXPECT_EQ(frames().size(), 2U);
    EXPECT_TRUE(bus_.published("session.degraded").empty());
}

TEST_F(Service, EachReplyHasANumberThatGrows) {
    start();
    ask("ab", "s1", "kitchen", pcm);
    ASSERT_TRUE(done(1).at(0).completed);
    ask("cd", "s2", "den", pcm);
    ASSERT_EQ(done(2).size(), 2U);
    const auto sent = bus_.published("tts.pcm.>");
    ASSERT_EQ(sent.size(), 4U);
    EXPECT_EQ(generation(sent[0]), generation(sent[1]));
    EXPECT_LT(generation(sent[1]), generation(sent[2]));
    EXPECT_EQ(protocol::find(sent[0].headers, "Loqa-Priority"), "");
    EXPECT_EQ(protocol::find(sent[0].headers, "Loqa-Duck"), "");
}

TEST_F(Service, AClientOfJsonIsSentNothingNew) {
    start();
    ask("ab", "s1", "kitchen");
    ask("cd", "s2", "kitchen");
    ASSERT_EQ(done(2).size(), 2U) << "one does not wait until the other has been heard";
    ASSERT_TRUE(bus_.publish("tts.cancel", protocol::encode(protocol::tts_cancel{.session_id = "s1"})));
    for (const auto& frame : bus_.published("tts.audio")) {
        EXPECT_EQ(protocol::find(frame.headers, "Loqa-Generation"), "");
        EXPECT_EQ(protocol::find(frame.headers, "Loqa-Duck"), "");
    }
    EXPECT_TRUE(bus_.published("tts.flush.>").empty());
}

TEST_F(Service, TheNextReplyOfATargetWaitsUntilTheSpeakerIsDone) {
    start();
    ask("ab", "s1", "kitchen", pcm);
    ASSERT_TRUE(done(1).at(0).completed);
    ask("cd", "s2", "kitchen", pcm);
    ask("ef", "s3", "den", pcm);
    ASSERT_EQ(done(2).size(), 2U);
    EXPECT_EQ(done(2).at(1).session_id, "s3");
    const auto first = generation(bus_.published("tts.pcm.kitchen").at(0));
    ASSERT_TRUE(bus_.publish("playback.started", protocol::encode(protocol::playback_started{"s1", "kitchen", first})));
    EXPECT_EQ(bus_.published("tts.pcm.kitchen").size(), 2U);
    ASSERT_TRUE(bus_.publish("playback.stopped",
                             protocol::encode(protocol::playback_stopped{"s1", "kitchen", first, 100, true})));
    EXPECT_EQ(done(3).back().session_id, "s2");
}

// The samples are all sent, and most of them not yet heard.
TEST_F(Service, ACancelFlushesWhatSpeakersHave) {
    start();
    ask("ab", "s1", "kitchen", pcm);
    ASSERT_TRUE(done(1).at(0).completed);
    ask("cd", "s2", "", pcm);
    ASSERT_EQ(done(2).size(), 2U);
    ASSERT_TRUE(bus_.publish("tts.cancel", protocol::encode(protocol::tts_cancel{.target = "kitchen"})));
    ASSERT_TRUE(bus_.publish("tts.cancel", protocol::encode(protocol::tts_cancel{.session_id = "s2"})));
    const auto flushes = bus_.published("tts.flush.>");
    ASSERT_EQ(flushes.size(), 2U);
    EXPECT_EQ(flushes[0].subject, "tts.flush.kitchen");
    EXPECT_EQ(flushes[1].subject, "tts.flush.s2");
    const auto flush = protocol::decode<protocol::tts_flush>(flushes[0].payload);
    EXPECT_EQ(flush->session_id, "s1");
    EXPECT_EQ(flush->generation, generation(bus_.published("tts.pcm.kitchen").at(0)));
    EXPECT_EQ(bus_.published("tts.done").size(), 2U) << "each request ends once";
    ask("ef", "s3", "kitchen", pcm);
    EXPECT_EQ(done(3).back().session_id, "s3") << "its place is free at once";
}

// While a piece is being made the flush is on its way already.
TEST_F(Service, ACancelDoesNotWaitForThePieceThatIsBeingMade) {
    start();
    voice_.let_through(1);
    ask("abc", "s1", "kitchen", pcm);
    bus_.wait_for("tts.pcm.kitchen");
    voice_.wait_for_visitor();
    ASSERT_TRUE(bus_.publish("tts.cancel", protocol::encode(protocol::tts_cancel{.session_id = "s1"})));
    EXPECT_EQ(bus_.published("tts.flush.kitchen").size(), 1U);
    EXPECT_TRUE(bus_.published("tts.done").empty());
    voice_.open();
    EXPECT_EQ(done(1).at(0).error, "cancelled");
    EXPECT_EQ(bus_.published("tts.pcm.>").size(), 1U);
}

// It is called off between the look whether it was and the frame that is sent then.
TEST_F(Service, NoFrameComesBehindTheFlushThatCallsItOff) {
    start();
    std::jthread canceller;
    bus_.before = [&, frames = 0](std::string_view subject) mutable {
        if (subject != "tts.pcm.kitchen" || ++frames != 2) return;
        canceller = std::jthread([this] {
            std::ignore = bus_.publish("tts.cancel", protocol::encode(protocol::tts_cancel{.session_id = "s1"}));
        });
        bus_.wait_for("tts.flush.kitchen", 1, milliseconds(100));  // it would be there by then
    };
    ask("abc", "s1", "kitchen", pcm);
    EXPECT_EQ(done(1).at(0).error, "cancelled");
    bus_.wait_for("tts.flush.kitchen");
    const auto all = bus_.published("tts.*.kitchen");
    ASSERT_EQ(all.size(), 3U);
    EXPECT_EQ(all.back().subject, "tts.flush.kitchen");
}

TEST_F(Service, ACancelMayNameATurnOrSpareOne) {
    start();
    voice_.shut();
    ask("a", "s", "kitchen", pcm_of("t0"));
    voice_.wait_for_visitor();
    for (const auto* turn : {"t1", "t2", "t3"}) ask("b", "s", std::string("target of ") + turn, pcm_of(turn));
    ASSERT_TRUE(bus_.publish("tts.cancel", protocol::encode(protocol::tts_cancel{.session_id = "s", .turn_id = "t1"})));
    ASSERT_TRUE(
        bus_.publish("tts.cancel", protocol::encode(protocol::tts_cancel{.session_id = "s", .except_turn_id = "t2"})));
    voice_.open();
    std::map<std::string, bool> completed;
    for (const auto& each : done(4)) completed[each.target] = each.completed;
    EXPECT_EQ(completed,
              (std::map<std::string, bool>{
                  {"kitchen", false}, {"target of t1", false}, {"target of t2", true}, {"target of t3", false}}));
}

TEST_F(Service, AnAnswerToNewerWordsFlushesTheOlderOne) {
    start();
    ask("ab", "s", "kitchen", pcm_of("t1"));
    ASSERT_TRUE(done(1).at(0).completed);
    ask("cd", "s", "kitchen", pcm_of("t2"));
    EXPECT_EQ(done(2).size(), 2U) << "it does not wait";
    ASSERT_EQ(bus_.published("tts.flush.kitchen").size(), 1U);
    const auto sent = bus_.published("tts.pcm.kitchen");
    EXPECT_EQ(protocol::decode<protocol::tts_flush>(bus_.published("tts.flush.kitchen")[0].payload)->generation,
              generation(sent.front()));
}

TEST_F(Service, AnAlarmIsHeardOverAReplyWhichIsQuietMeanwhile) {
    start();
    ask("ab", "s", "kitchen", pcm_of("t1"));
    ASSERT_TRUE(done(1).at(0).completed);
    ask("cde", "timer-1", "kitchen", pcm_of("ring", "alarm"));
    ASSERT_EQ(done(2).size(), 2U);
    std::vector<std::string> marks;
    for (const auto& frame : bus_.published("tts.pcm.kitchen"))
        if (protocol::find(frame.headers, "Loqa-Session") == "timer-1") {
            marks.emplace_back(protocol::find(frame.headers, "Loqa-Duck"));
            EXPECT_EQ(protocol::find(frame.headers, "Loqa-Priority"), "alarm");
        }
    EXPECT_THAT(marks, ElementsAre("begin", "", "end"));
    EXPECT_TRUE(bus_.published("tts.flush.>").empty());
}

TEST_F(Service, AnAlarmForAnotherTargetDoesNotWaitForALongReply) {
    start();
    voice_.let_through(1);
    ask("abcdefgh", "s", "kitchen", pcm);
    bus_.wait_for("tts.pcm.kitchen");
    ask("x", "timer-1", "den", pcm_of("ring", "alarm"));
    voice_.let_through(2);  // the piece that is under way, and one more
    EXPECT_EQ(done(1).at(0).session_id, "timer-1");
}

TEST_F(Service, SpeakersThatRunOutAreServedInTurn) {
    start();
    voice_.shut();
    ask("abcd", "s1", "kitchen", pcm);
    voice_.wait_for_visitor();
    ask("efgh", "s2", "den", pcm);
    voice_.open();
    ASSERT_EQ(done(2).size(), 2U);
    std::vector<std::string> order;
    for (const auto& frame : bus_.published("tts.pcm.>"))
        order.emplace_back(protocol::find(frame.headers, "Loqa-Session"));
    EXPECT_THAT(order, ElementsAre("s1", "s2", "s1", "s2", "s1", "s2", "s1", "s2"));
}

// A speaker plays what it has to its end, and is told that this is the end.
TEST_F(Service, AReplyThatBreaksOffHasALastFrame) {
    start();
    ask("ab!", "s1", "kitchen", pcm);
    EXPECT_EQ(done(1).at(0).error, "engine_failed");
    const auto sent = bus_.published("tts.pcm.kitchen");
    ASSERT_EQ(sent.size(), 3U);
    EXPECT_EQ(protocol::find(sent[2].headers, "Loqa-Final"), "1");
    EXPECT_EQ(sent[2].payload, "");
}

TEST_F(Service, ATargetIsAsLoudAsItWasAskedToBe) {
    start();
    const auto loudest = [&] {
        bus_.forget_published();
        ask("abcdefgh", "s", "kitchen");
        EXPECT_EQ(done(1).size(), 1U);
        std::int16_t most = 0;
        for (const auto& frame : frames())
            for (const auto sample : audio::from_s16le(frame.pcm)) most = std::max(most, sample);
        return most;
    };
    const auto before = loudest();
    ASSERT_TRUE(bus_.publish("playback.volume",
                             protocol::encode(protocol::playback_volume{.target = "kitchen", .change = -50})));
    const auto told = bus_.wait_for("playback.volume", 2);
    ASSERT_EQ(told.size(), 2U);
    const auto is = protocol::decode<protocol::playback_volume>(told[1].payload);
    EXPECT_TRUE(is->is);
    EXPECT_EQ(is->percent, 50);
    EXPECT_NEAR(loudest(), 0.5 * before, 1);
}

bool cached(const bus::message& started) { return protocol::decode<protocol::tts_started>(started.payload)->cached; }

TEST_F(Service, SaysAgainWhatItSaidBeforeWithoutMakingItAgain) {
    start();
    ask("abc", "s1");
    ask("abc", "s2");
    ask("abd", "s3");
    ASSERT_EQ(done(3).size(), 3U);
    const auto started = bus_.published("tts.started");
    ASSERT_EQ(started.size(), 3U);
    EXPECT_FALSE(cached(started[0]));
    EXPECT_TRUE(cached(started[1]));
    EXPECT_FALSE(cached(started[2]));
    EXPECT_EQ(voice_.spoken(), 2);
    std::map<std::string, std::string> said;
    for (const auto& frame : frames()) said[frame.session_id] += frame.pcm;
    EXPECT_EQ(said["s1"], said["s2"]);
    EXPECT_EQ(frames().back().final, true);
    EXPECT_EQ(std::ranges::count_if(frames(), &tts_audio::final), 3);
}

TEST_F(Service, WhatWasPreparedIsThereWhenItIsAskedFor) {
    start();
    ASSERT_TRUE(bus_.publish("tts.prepare", protocol::encode(protocol::tts_prepare{.text = "abc"})));
    auto& made = metrics_.counter("loqa_tts_prepares_total", "", {{"outcome", "made"}});
    const auto until = std::chrono::steady_clock::now() + seconds(10);
    while (made.value() == 0 && std::chrono::steady_clock::now() < until) std::this_thread::yield();
    EXPECT_TRUE(bus_.published("tts.audio").empty()) << "what is prepared is not played";
    EXPECT_TRUE(bus_.published("tts.done").empty());
    voice_.shut();  // nothing more can be made
    ask("abc");
    EXPECT_TRUE(done(1).at(0).completed);
    EXPECT_TRUE(cached(bus_.published("tts.started").at(0)));
    EXPECT_EQ(frames().size(), 1U);
}

TEST_F(Service, ARequestJoinsWhatIsBeingPrepared) {
    start();
    voice_.let_through(2);
    ASSERT_TRUE(bus_.publish("tts.prepare", protocol::encode(protocol::tts_prepare{.text = "abcd"})));
    voice_.wait_for_visitor();
    ask("abcd");
    voice_.let_through(1);
    bus_.wait_for("tts.started");  // with what was made before it was asked for
    voice_.open();
    EXPECT_TRUE(done(1).at(0).completed);
    EXPECT_EQ(voice_.spoken(), 1);
    std::string all;
    for (const auto& frame : frames()) all += frame.pcm;
    EXPECT_EQ(all.size(), 4 * 2 * piece_samples);
}

TEST_F(Service, WhatIsAskedForAgainIsSaidOnce) {
    start();
    auto once_more = pcm_of("t");
    once_more.emplace_back("Loqa-Again", "speaking");
    voice_.let_through(1);
    ask("abc", "s", "", pcm_of("t"));
    bus_.wait_for("tts.started");
    ask("abc", "s", "", once_more);  // it is being said, which is told again
    EXPECT_EQ(bus_.published("tts.started").size(), 2U);
    voice_.open();
    ASSERT_EQ(done(1).size(), 1U);
    ask("abc", "s", "", once_more);  // it was said, and that is told again
    EXPECT_EQ(done(2).size(), 2U);
    EXPECT_EQ(bus_.published("tts.started").size(), 3U);
    const auto frames = bus_.published("tts.pcm.s").size();
    ask("abc", "s", "", pcm_of("u"));  // another turn's words
    EXPECT_EQ(done(3).size(), 3U);
    EXPECT_GT(bus_.published("tts.pcm.s").size(), frames);
    EXPECT_EQ(voice_.spoken(), 1);
}

TEST_F(Service, AnApologyForATurnThatIsAnsweredAlreadyIsNotSaid) {
    start();
    auto taken_up = pcm_of("t");
    taken_up.emplace_back("Loqa-Again", "deciding");
    voice_.let_through(1);
    ask("abc", "s", "", pcm_of("t"));
    bus_.wait_for("tts.started");
    ask("sorry", "s", "", taken_up);  // by another process of loqad, which cannot know
    voice_.open();
    ASSERT_EQ(done(1).size(), 1U);
    EXPECT_TRUE(done(1).at(0).completed);
    ask("sorry", "s", "", taken_up);
    EXPECT_EQ(done(2).size(), 2U);
    EXPECT_EQ(voice_.spoken(), 1);
    ask("sorry", "s2", "", taken_up);  // nothing was said there
    EXPECT_EQ(done(3).size(), 3U);
    EXPECT_EQ(voice_.spoken(), 2);
}

TEST_F(Service, WhatIsAskedForAgainAndWasNeverHadIsSaid) {
    start();
    auto once_more = pcm_of("t");
    once_more.emplace_back("Loqa-Again", "speaking");
    ask("abc", "s", "", once_more);
    EXPECT_TRUE(done(1).at(0).completed);
    for (const auto& frame : bus_.published("tts.pcm.s")) EXPECT_EQ(protocol::find(frame.headers, "Loqa-Again"), "");
}

TEST_F(Service, ARequestForAnotherTextGoesFirst) {
    start();
    voice_.shut();
    ASSERT_TRUE(bus_.publish("tts.prepare", protocol::encode(protocol::tts_prepare{.text = "abcdefgh"})));
    voice_.wait_for_visitor();
    ask("xy");
    voice_.let_through(3);  // the piece that is under way, and two more
    EXPECT_TRUE(done(1).at(0).completed);
    EXPECT_EQ(frames().size(), 2U);
    // Then the other is gone on with.
    voice_.open();
    ask("abcdefgh", "s2");
    EXPECT_EQ(done(2).size(), 2U);
    EXPECT_EQ(voice_.spoken(), 2);
}

TEST_F(Service, PreparesAreBounded) {
    start({.sample_rate_hz = 10'000, .max_prepares = 2});
    voice_.shut();
    for (const auto* text : {"a", "b", "c", "d", "e"}) {
        ASSERT_TRUE(bus_.publish("tts.prepare", protocol::encode(protocol::tts_prepare{.text = text})));
        if (*text == 'a') voice_.wait_for_visitor();
    }
    EXPECT_EQ(metrics_.counter("loqa_tts_prepares_total", "", {{"outcome", "dropped"}}).value(), 2);
    voice_.open();
    auto& made = metrics_.counter("loqa_tts_prepares_total", "", {{"outcome", "made"}});
    const auto until = std::chrono::steady_clock::now() + seconds(10);
    while (made.value() < 3 && std::chrono::steady_clock::now() < until) std::this_thread::yield();
    EXPECT_EQ(made.value(), 3) << "a, d and e";
}

TEST_F(Service, WarmsTheCacheWhenNobodyWaits) {
    start();
    service_->warm({"abc", "abd"});
    auto& made = metrics_.counter("loqa_tts_prepares_total", "", {{"outcome", "made"}});
    const auto until = std::chrono::steady_clock::now() + seconds(10);
    while (made.value() < 2 && std::chrono::steady_clock::now() < until) std::this_thread::yield();
    ask("abd");
    EXPECT_TRUE(done(1).at(0).completed);
    EXPECT_TRUE(cached(bus_.published("tts.started").at(0)));
}

TEST_F(Service, GivesUpAReplyThatTheBusDoesNotTake) {
    start();
    voice_.shut();
    ask("ab", "s1");
    voice_.wait_for_visitor();
    bus_.set_connected(false);
    voice_.open();
    auto& failed =
        metrics_.counter("loqa_tts_requests_total", "Requests by how they ended", {{"outcome", "unavailable"}});
    const auto until = std::chrono::steady_clock::now() + seconds(10);
    while (failed.value() == 0 && std::chrono::steady_clock::now() < until) std::this_thread::yield();
    EXPECT_EQ(failed.value(), 1);
    bus_.set_connected(true);
    ask("c", "s2");
    bus_.wait_for("tts.audio");
    EXPECT_EQ(frames().at(0).session_id, "s2");
}

}  // namespace
}  // namespace loqa::tts
