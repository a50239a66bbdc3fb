// The turns, with a bus in memory and a clock that stands still: real intents, real timers, a real event store.
#include "loqa/session/conductor.hpp"

#include <algorithm>
#include <mutex>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loqa/base/files.hpp"
#include "loqa/base/ids.hpp"
#include "loqa/bus/testing/fake_connection.hpp"
#include "loqa/intent/collection.hpp"
#include "loqa/protocol/subjects.hpp"

namespace loqa::session {
namespace {

namespace subject = protocol::subject;
using testing::ElementsAre;
using testing::HasSubstr;

class Conductor : public testing::Test {
protected:
    void SetUp() override {
        fs::create_directories(folder);
        auto sentences = intent::load_collection_folder(fs::path(LOQA_SHARE) / "intents" / "en");
        ASSERT_TRUE(sentences.broken.empty()) << sentences.broken.front().text();
        auto compiled = intent::matcher::compile(sentences.sentences, {});
        ASSERT_TRUE(compiled) << compiled.error().text();
        auto opened = store::event_store::open({.path = folder / "events.db"}, clock, log, metrics);
        ASSERT_TRUE(opened) << opened.error().text();
        events = std::move(*opened);
        auto timer_file = timers::timer_service::open(folder / "timers.db", clock, log);
        ASSERT_TRUE(timer_file) << timer_file.error().text();
        timers = std::move(*timer_file);
        timers->run([this](const timers::timer& t) {
            std::lock_guard lock(due_mutex);
            due.push_back(t);
        });
        const auto house = std::make_shared<const intent::home>();
        meaning = std::make_shared<const intent::interpreter>(std::move(*compiled), house);
        make(meaning);
    }
    void TearDown() override {
        turns.reset();
        timers.reset();
        events.reset();
        fs::remove_all(folder);
    }

    void make(std::shared_ptr<const intent::interpreter> interpreter, conductor_config config = {}) {
        config.required_components = {"stt", "tts"};
        turns = std::make_unique<conductor>(std::move(config),
                                            conductor::parts{clock, bus, *timers, *events, tracer, metrics, log},
                                            std::move(interpreter));
    }

    static protocol::headers headers(const std::string& turn, protocol::audio_form form = protocol::audio_form::json) {
        return protocol::write_turn(
            {.turn_id = turn, .age = std::chrono::duration<double, std::milli>(80), .audio = form});
    }
    template <class T>
    void hear(std::string_view on, const T& m, protocol::headers with = {}) {
        turns->handle({std::string(on), {}, std::move(with), protocol::encode(m)});
    }
    void say(const std::string& text, const std::string& session = "s", const std::string& turn = "t",
             protocol::audio_form form = protocol::audio_form::json, const std::string& reason = "speech_end") {
        hear(subject::stt_final, protocol::transcript{.session_id = session, .text = text, .reason = reason},
             headers(turn, form));
    }
    void begin_to_speak(const std::string& session = "s", const std::string& turn = "t") {
        hear(subject::stt_started, protocol::speech_started{.session_id = session}, headers(turn));
    }
    void say_so_far(const std::string& text, const std::string& session = "s", const std::string& turn = "t") {
        hear(subject::stt_ahead, protocol::transcript{.session_id = session, .text = text, .partial = true},
             headers(turn));
    }
    std::vector<std::string> prepared() {
        std::vector<std::string> texts;
        for (const auto& r : sent<protocol::tts_prepare>(subject::tts_prepare)) texts.push_back(r.text);
        return texts;
    }
    double counted(const std::string& outcome) {
        return metrics.counter("loqa_session_speculations_total", "", {{"outcome", outcome}}).value();
    }
    void speak(const std::string& session = "s", const std::string& turn = "t") {
        hear(subject::tts_started, protocol::tts_started{.session_id = session}, headers(turn));
        hear(subject::tts_done, protocol::tts_done{.session_id = session, .completed = true}, headers(turn));
    }
    void component(const std::string& name, const std::string& state, int pid) {
        hear(protocol::join(subject::component_status, name),
             protocol::component_status{.name = name, .node_id = "n", .state = state, .pid = pid});
    }

    template <class T>
    std::vector<T> sent(std::string_view on) {
        std::vector<T> all;
        for (const auto& m : bus.published(on)) all.push_back(protocol::decode<T>(m.payload).value());
        return all;
    }
    std::vector<std::string> spoken() {
        std::vector<std::string> texts;
        for (const auto& r : sent<protocol::tts_request>(subject::tts_request)) texts.push_back(r.text);
        return texts;
    }
    std::vector<std::string> outcomes() {
        std::vector<std::string> all;
        for (const auto& e : sent<protocol::session_ended>(subject::session_ended)) all.push_back(e.outcome);
        return all;
    }
    void pass(std::chrono::nanoseconds time) {
        clock.advance(time);
        turns->tick();
    }
    // Time goes by, and what is due rings.
    void let_ring(std::chrono::nanoseconds time) {
        clock.advance(time);
        timers->clock_moved();
        std::lock_guard lock(due_mutex);
        for (const auto& t : std::exchange(due, {})) turns->ring(t);
    }
    std::string ringing_turn() {
        return protocol::read_turn(bus.published(subject::tts_request).back().headers).turn_id;
    }

    fs::path folder = fs::path(testing::TempDir()) / ("loqa-session-" + random_hex(4));
    manual_clock clock;
    telemetry::logger log = telemetry::logger::silent();
    telemetry::metrics metrics;
    telemetry::tracer tracer{"test", {}, metrics, log};
    bus::testing::fake_connection bus;
    std::unique_ptr<store::event_store> events;
    std::shared_ptr<const intent::interpreter> meaning;
    std::mutex due_mutex;
    std::vector<timers::timer> due;
    std::unique_ptr<timers::timer_service> timers;
    std::unique_ptr<conductor> turns;
};

// The words first, of a turn that may be taken up again; what is done, only once it was said that it is taken up.
TEST_F(Conductor, AsksForTheWordsBeforeItTellsOfThem) {
    const auto told = [this](const std::string& text) {
        bus.forget_published();
        say(text);
        std::vector<std::string> all;
        for (const auto& m : bus.published()) {
            all.push_back(m.subject);
            if (m.subject == subject::session_state)
                all.back() = protocol::decode<protocol::session_state>(m.payload)->state;
        }
        return all;
    };
    EXPECT_THAT(told("what time is it"),
                ElementsAre(subject::tts_request, "deciding", "speaking", subject::session_reply));
    speak();
    pass(seconds(1));  // it is not heard any more
    EXPECT_THAT(told("set a timer for five minutes").front(), "deciding");
}

TEST_F(Conductor, ASpokenQuestionIsAnsweredAndTheTurnEnds) {
    say("Set a timer for 10 minutes.");
    EXPECT_THAT(spoken(), ElementsAre("Timer set for 10 minutes."));
    EXPECT_THAT(outcomes(), ElementsAre());
    speak();
    EXPECT_THAT(outcomes(), ElementsAre("answered"));
    const auto ended = sent<protocol::session_ended>(subject::session_ended).at(0);
    EXPECT_EQ(ended.turn_id, "t");
    EXPECT_EQ(ended.heard, "Set a timer for 10 minutes.");
    EXPECT_EQ(ended.intent, "HassStartTimer");
    EXPECT_DOUBLE_EQ(ended.stages_ms.at("stt"), 80);
    EXPECT_EQ(turns->active_turns(), 0u);
}

TEST_F(Conductor, WhatIsHeardAheadIsMadeReadyAndNothingElseHappens) {
    begin_to_speak();
    const auto before = bus.published(">").size();
    say_so_far("set a timer for ten minutes");
    EXPECT_THAT(prepared(), ElementsAre("Timer set for 10 minutes."));
    EXPECT_EQ(bus.published(">").size(), before + 1);
    EXPECT_TRUE(timers->list()->empty());
    EXPECT_THAT(spoken(), ElementsAre());

    say("set a timer for ten minutes");
    EXPECT_THAT(spoken(), ElementsAre("Timer set for 10 minutes."));
    EXPECT_EQ(timers->list()->size(), 1u);
    EXPECT_EQ(counted("hit"), 1);
}

TEST_F(Conductor, NothingOfAGuessThatWasWrongIsSaidOrDone) {
    begin_to_speak();
    say_so_far("set a timer for ten minutes");
    say_so_far("cancel all timers");
    say_so_far("set a timer for ten minutes and thirty seconds");
    EXPECT_TRUE(timers->list()->empty());
    say("what day is it");
    EXPECT_EQ(prepared().size(), 3u);
    ASSERT_EQ(spoken().size(), 1u);
    EXPECT_THAT(spoken().front(), HasSubstr("Today is"));
    EXPECT_TRUE(timers->list()->empty());
    EXPECT_EQ(counted("hit"), 0);
    EXPECT_EQ(counted("miss"), 1);
    speak();
    EXPECT_THAT(outcomes(), ElementsAre("answered"));
}

TEST_F(Conductor, AGuessForATurnThatIsOverOrAnotherIsNothing) {
    say_so_far("what time is it");
    begin_to_speak();
    say_so_far("what time is it", "s", "another");
    say("stop");
    say_so_far("what time is it");
    EXPECT_THAT(prepared(), ElementsAre());
    EXPECT_THAT(spoken(), ElementsAre());
}

TEST_F(Conductor, TheSameGuessIsMadeReadyOnce) {
    begin_to_speak();
    say_so_far("what day is it");
    say_so_far("what day is it");
    say_so_far("what day is it today");
    EXPECT_EQ(prepared().size(), 1u);
}

TEST_F(Conductor, WhatIsSaidOfASessionIsHeardAheadAsItWillBe) {
    say("what day is it");
    speak();
    bus.forget_published();
    begin_to_speak("s", "u");
    say_so_far("repeat that", "s", "u");
    say("repeat that", "s", "u");
    EXPECT_EQ(prepared(), spoken());
    EXPECT_EQ(counted("hit"), 1);
}

TEST_F(Conductor, TheAnswersHeadersCarryTurnTraceAndWhatIsLeftOfItsTime) {
    say("what time is it");
    const auto request = bus.published(subject::tts_request).at(0);
    const auto h = protocol::read_turn(request.headers);
    EXPECT_EQ(h.turn_id, "t");
    EXPECT_TRUE(telemetry::parse_traceparent(h.traceparent));
    EXPECT_EQ(h.budget, milliseconds(10'000));
    EXPECT_EQ(h.audio, protocol::audio_form::json);
}

TEST_F(Conductor, ASpeakerThatSaysWhenItPlaysMakesTheTotalKnown) {
    say("what time is it", "s", "t", protocol::audio_form::pcm);
    clock.advance(milliseconds(50));
    hear(subject::tts_started, protocol::tts_started{.session_id = "s"}, headers("t"));
    hear(subject::tts_done, protocol::tts_done{.session_id = "s", .completed = true}, headers("t"));
    EXPECT_THAT(outcomes(), ElementsAre()) << "the speaker has not said that it plays";
    clock.advance(milliseconds(7));
    hear(subject::playback_started, protocol::playback_started{.session_id = "s"}, headers("t"));
    const auto ended = sent<protocol::session_ended>(subject::session_ended).at(0);
    EXPECT_DOUBLE_EQ(ended.stages_ms.at("tts"), 50);
    EXPECT_DOUBLE_EQ(ended.stages_ms.at("playback"), 7);
    EXPECT_DOUBLE_EQ(ended.stages_ms.at("total"), 137);
}

TEST_F(Conductor, ASpeakerThatNeverSaysSoDoesNotHoldTheTurn) {
    say("what time is it", "s", "t", protocol::audio_form::pcm);
    speak();
    pass(milliseconds(500));
    EXPECT_THAT(outcomes(), ElementsAre("answered"));
}

struct ending {
    std::string_view name, text, reason, outcome, words;
};
void PrintTo(const ending& e, std::ostream* out) { *out << e.name; }
class Endings : public Conductor, public testing::WithParamInterface<ending> {};

TEST_P(Endings, ATranscriptThatIsNoCommandEndsTheTurnToo) {
    const auto& c = GetParam();
    say(std::string(c.text), "s", "t", protocol::audio_form::json, std::string(c.reason));
    if (!c.words.empty()) {
        EXPECT_THAT(spoken(), ElementsAre(HasSubstr(std::string(c.words))));
        speak();
    } else {
        EXPECT_THAT(spoken(), ElementsAre());
    }
    EXPECT_THAT(outcomes(), ElementsAre(std::string(c.outcome)));
}
INSTANTIATE_TEST_SUITE_P(Transcripts, Endings,
                         testing::Values(ending{"silence", "", "no_speech", "nothing_heard", ""},
                                         ending{"mumbling", "", "speech_end", "apologised", "didn't catch"},
                                         ending{"no command", "purple elephants dance", "speech_end", "apologised",
                                                "can't help"},
                                         ending{"stop", "Stop.", "speech_end", "answered", ""},
                                         ending{"client gone", "", "cancelled", "nothing_heard", ""}),
                         [](const auto& param_info) {
                             std::string name(param_info.param.name);
                             std::ranges::replace(name, ' ', '_');
                             return name;
                         });

TEST_F(Conductor, SynthesisThatNeverStartsEndsTheTurnWithAWordOnTheBus) {
    say("what time is it");
    pass(milliseconds(3'999));
    EXPECT_THAT(outcomes(), ElementsAre());
    pass(milliseconds(1));
    EXPECT_THAT(outcomes(), ElementsAre("apologised"));
    EXPECT_EQ(sent<protocol::session_degraded>(subject::session_degraded).at(0).stage, "tts");
    EXPECT_EQ(bus.published(subject::tts_cancel).size(), 1u);
}

TEST_F(Conductor, SynthesisThatFailsEndsTheTurn) {
    say("what time is it");
    hear(subject::tts_done, protocol::tts_done{.session_id = "s", .completed = false, .error = "queue full"},
         headers("t"));
    EXPECT_THAT(outcomes(), ElementsAre("apologised"));
    EXPECT_EQ(sent<protocol::session_degraded>(subject::session_degraded).at(0).message, "queue full");
}

TEST_F(Conductor, ATranscriptThatNeverComesEndsInAnApology) {
    hear(subject::stt_started, protocol::speech_started{"s"}, headers("t"));
    pass(seconds(20));
    EXPECT_THAT(spoken(), ElementsAre(HasSubstr("lost you")));
    speak();
    EXPECT_THAT(outcomes(), ElementsAre("apologised"));
}

TEST_F(Conductor, ARestartOfRecognitionDuringSpeechEndsInAnApology) {
    component("stt", "ready", 10);
    hear(subject::stt_started, protocol::speech_started{"s"}, headers("t"));
    component("stt", "starting", 11);
    EXPECT_THAT(spoken(), ElementsAre(HasSubstr("lost you")));
}

TEST_F(Conductor, WhatADeadSynthesiserWasAskedIsAskedAgainWhenItIsBackAndOnlyThen) {
    component("tts", "ready", 20);
    say("what time is it");
    component("tts", "starting", 21);
    EXPECT_EQ(spoken().size(), 1u);
    component("tts", "ready", 21);
    EXPECT_EQ(spoken().size(), 2u);
    EXPECT_EQ(protocol::read_turn(bus.published(subject::tts_request).back().headers).again, "speaking")
        << "a process that was only not heard of for a while has it";
    component("tts", "ready", 21);
    EXPECT_EQ(spoken().size(), 2u);
    speak();
    EXPECT_THAT(outcomes(), ElementsAre("answered"));
}

TEST_F(Conductor, AnAnswerThatHadBegunIsNotSaidTwice) {
    component("tts", "ready", 20);
    say("what time is it");
    hear(subject::tts_started, protocol::tts_started{.session_id = "s"}, headers("t"));
    component("tts", "starting", 21);
    EXPECT_THAT(outcomes(), ElementsAre());
    component("tts", "ready", 21);
    const auto answer = spoken().front();
    EXPECT_THAT(spoken(), ElementsAre(answer, HasSubstr("cut off"), HasSubstr("cut off")));
    speak();
    EXPECT_THAT(outcomes(), ElementsAre("apologised"));
    say("repeat that", "s", "u");
    EXPECT_EQ(spoken().back(), answer);
}

TEST_F(Conductor, WordsThatDoNotComeAreAskedForAgainAndMarkedSo) {
    say("what time is it");
    pass(seconds(1));
    pass(seconds(1));
    const auto asked = bus.published(subject::tts_request);
    ASSERT_EQ(asked.size(), 3u);
    EXPECT_EQ(asked[0].payload, asked[2].payload);
    EXPECT_EQ(protocol::read_turn(asked[0].headers).again, "");
    EXPECT_EQ(protocol::read_turn(asked[1].headers).again, "speaking");
    hear(subject::tts_started, protocol::tts_started{.session_id = "s"}, headers("t"));
    pass(seconds(3));
    EXPECT_EQ(bus.published(subject::tts_request).size(), 3u);
}

TEST_F(Conductor, AVoiceThatIsOnItsWayBackIsWaitedForLonger) {
    component("tts", "ready", 20);
    say("what time is it");
    component("tts", "starting", 21);
    pass(seconds(5));
    EXPECT_THAT(outcomes(), ElementsAre());
    pass(seconds(5));
    EXPECT_THAT(outcomes(), ElementsAre("apologised"));
}

// What the recogniser tells again, by what it knew of the turn.
struct retold {
    std::string_view again;
    std::vector<std::string> words, outcomes;  // words: beginnings
    std::size_t timers;
};
class ToldAgain : public Conductor, public testing::WithParamInterface<retold> {};

TEST_P(ToldAgain, ByAProcessThatIsNewTakesUpWhatItCan) {
    const auto& c = GetParam();
    auto with = headers("t");
    with.emplace_back(protocol::header::again, c.again);
    for (int i = 0; i < 2; ++i)
        hear(subject::stt_final,
             protocol::transcript{.session_id = "s", .text = "set a timer for ten minutes", .reason = "speech_end"},
             with);
    ASSERT_EQ(spoken().size(), c.words.size());
    for (std::size_t i = 0; i < c.words.size(); ++i) EXPECT_THAT(spoken()[i], testing::StartsWith(c.words[i]));
    if (!c.words.empty()) speak();
    EXPECT_THAT(outcomes(), testing::ContainerEq(c.outcomes));
    EXPECT_EQ(timers->list()->size(), c.timers);
}
INSTANTIATE_TEST_SUITE_P(States, ToldAgain,
                         testing::Values(retold{"unknown", {"Timer set"}, {"answered"}, 1},
                                         retold{"deciding", {"Sorry, I was interrupted"}, {"apologised"}, 0},
                                         retold{"speaking", {}, {"answered", "answered"}, 0}),
                         [](const auto& param_info) { return std::string(param_info.param.again); });

TEST_F(Conductor, WordsThatAreToldAgainAreActedOnOnce) {
    say("set a timer for ten minutes");
    for (const auto* state : {"unknown", "deciding", "speaking"}) {
        auto with = headers("t");
        with.emplace_back(protocol::header::again, state);
        hear(subject::stt_final, protocol::transcript{.session_id = "s", .text = "set a timer for ten minutes"}, with);
    }
    EXPECT_EQ(spoken().size(), 1u);
    EXPECT_EQ(timers->list()->size(), 1u);
    EXPECT_EQ(turns->active_turns(), 1u);
}

TEST_F(Conductor, WordsOfATurnThatAnotherTookUpAreHandedOnToIt) {
    auto with = headers("t");
    with.emplace_back(protocol::header::again, "deciding");
    with.emplace_back(protocol::header::owner, "other");
    hear(subject::stt_again, protocol::transcript{.session_id = "s", .text = "set a timer for ten minutes"}, with);
    EXPECT_EQ(turns->active_turns(), 0u);
    const auto to_owner = bus.published(protocol::join(subject::stt_again, "other"));
    ASSERT_EQ(to_owner.size(), 1u);
    EXPECT_EQ(protocol::find(to_owner.front().headers, protocol::header::again), "deciding");

    // Nobody is there: it was the last life of that process.
    turns->handle({to_owner.front().reply, {}, {{"Status", "503"}}, {}});
    ASSERT_EQ(spoken().size(), 1u);
    EXPECT_THAT(spoken().front(), testing::StartsWith("Sorry, I was interrupted"));
}

TEST_F(Conductor, AnInterruptedTurnDoesNotDisturbNewerWords) {
    begin_to_speak("s", "newer");
    auto with = headers("t");
    with.emplace_back(protocol::header::again, "deciding");
    hear(subject::stt_final, protocol::transcript{.session_id = "s", .text = "set a timer for ten minutes"}, with);
    EXPECT_THAT(spoken(), ElementsAre());
    EXPECT_THAT(outcomes(), ElementsAre("cancelled"));
    EXPECT_EQ(turns->active_turns(), 1u);
}

TEST_F(Conductor, NewSpeechInASessionEndsTheTurnThatWasGoingOn) {
    say("what time is it");
    say("what is the date", "s", "t2");
    EXPECT_THAT(outcomes(), ElementsAre("cancelled"));
    EXPECT_EQ(bus.published(subject::tts_cancel).size(), 1u);
    speak("s", "t");  // late, of the turn that is over
    EXPECT_THAT(outcomes(), ElementsAre("cancelled"));
    speak("s", "t2");
    EXPECT_THAT(outcomes(), ElementsAre("cancelled", "answered"));
}

TEST_F(Conductor, SessionsDoNotDisturbEachOther) {
    say("what time is it", "a", "ta");
    say("what is the date", "b", "tb");
    speak("b", "tb");
    speak("a", "ta");
    EXPECT_THAT(outcomes(), ElementsAre("answered", "answered"));
}

TEST_F(Conductor, ATurnAboveTheLimitIsTurnedAwayWithAReason) {
    for (int i = 0; i < 64; ++i) say("what time is it", "s" + std::to_string(i), "t" + std::to_string(i));
    say("what time is it", "one more", "t");
    const auto last = sent<protocol::session_ended>(subject::session_ended).at(0);
    EXPECT_EQ(last.session_id, "one more");
    EXPECT_EQ(last.reason, "busy");
}

TEST_F(Conductor, ATimerRingsWhereItWasSetUntilItIsStopped) {
    say("set a pasta timer for five minutes");
    speak();
    let_ring(std::chrono::minutes(5));
    for (int i = 0; i < 3; ++i) {
        const auto rings = sent<protocol::tts_request>(subject::tts_request).back();
        EXPECT_EQ(rings.text, "Your pasta timer is done.");
        EXPECT_EQ(rings.target, "s");
        speak(rings.session_id, ringing_turn());
        EXPECT_EQ(turns->active_turns(), 0u);
        pass(seconds(9));
        EXPECT_EQ(turns->active_turns(), 0u) << "there is a pause between two announcements";
        pass(seconds(1));
        EXPECT_EQ(turns->active_turns(), 1u);
    }
    EXPECT_EQ(timers->list()->size(), 1u);
    std::vector<std::string> states;
    for (const auto& status : sent<protocol::timer_status>(subject::timer_status)) states.push_back(status.state);
    EXPECT_THAT(states, ElementsAre("completed")) << "told once";
    say("stop", "s", "t2");
    EXPECT_EQ(timers->list()->size(), 0u);
    pass(std::chrono::minutes(1));
    EXPECT_EQ(turns->active_turns(), 0u);
}

TEST_F(Conductor, StopSilencesARingForGood) {
    say("set a timer for five minutes");
    speak();
    let_ring(std::chrono::minutes(5));
    say("stop", "s", "t2");
    EXPECT_EQ(timers->list()->size(), 0u);
    EXPECT_GE(bus.published(subject::tts_cancel).size(), 2u);
}

TEST_F(Conductor, StopBetweenTwoAnnouncementsCountsAsWell) {
    say("set a timer for five minutes");
    speak();
    let_ring(std::chrono::minutes(5));
    speak("timer-1", ringing_turn());
    say("stop", "s", "t2");
    EXPECT_EQ(timers->list()->size(), 0u);
}

TEST_F(Conductor, ARingThatNobodyStopsIsOverAfterAWhile) {
    say("set a timer for five minutes");
    speak();
    let_ring(std::chrono::minutes(5));
    const auto before = spoken().size();
    for (int i = 0; i < 20; ++i) {
        if (turns->active_turns() > 0) speak("timer-1", ringing_turn());
        pass(seconds(10));
    }
    EXPECT_EQ(spoken().size() - before, 11u) << "twelve in all";
    EXPECT_EQ(timers->list()->size(), 0u);
}

TEST_F(Conductor, WhatCannotBeSaidStaysForWhenItCan) {
    say("set a timer for five minutes");
    speak();
    let_ring(std::chrono::minutes(5));
    for (int i = 0; i < 40; ++i) pass(seconds(5));
    EXPECT_EQ(timers->list()->size(), 1u) << "the voice has been away";
    component("tts", "ready", 2);
    EXPECT_EQ(turns->active_turns(), 1u);
}

TEST_F(Conductor, ARingThatItsSpeakerDoesNotPlayGoesToTheDefaultOne) {
    turns = std::make_unique<conductor>(conductor_config{.default_target = "hall"},
                                        conductor::parts{clock, bus, *timers, *events, tracer, metrics, log}, meaning);
    ASSERT_TRUE(timers->start({.duration = seconds(1), .session_id = "s", .target = "kitchen", .pcm = true}));
    let_ring(seconds(1));
    EXPECT_EQ(sent<protocol::tts_request>(subject::tts_request).back().target, "kitchen");
    speak("timer-1", ringing_turn());
    EXPECT_EQ(turns->active_turns(), 1u) << "the speaker has a moment to say that it plays";
    pass(seconds(2));
    turns->tick();
    EXPECT_EQ(sent<protocol::tts_request>(subject::tts_request).back().target, "hall");
    EXPECT_EQ(sent<protocol::tts_request>(subject::tts_request).size(), 2u);
}

TEST_F(Conductor, ARingThatItsSpeakerDoesNotPlayGoesToTheOneThatPlayedLastWhereNoneIsConfigured) {
    for (const std::string name : {"attic", "hall"}) {
        hear(subject::playback_started, protocol::playback_started{.session_id = name}, headers("before"));
        pass(seconds(1));
    }
    ASSERT_TRUE(timers->start({.duration = seconds(1), .session_id = "kitchen", .pcm = true}));
    let_ring(seconds(1));
    std::vector<std::string> rang;
    for (int i = 0; i < 3; ++i) {
        rang.push_back(sent<protocol::tts_request>(subject::tts_request).back().target);
        speak("timer-1", ringing_turn());
        pass(seconds(2));
        turns->tick();
        if (i > 0) pass(seconds(10));  // the pause between announcements
    }
    EXPECT_THAT(rang, ElementsAre("kitchen", "hall", "attic")) << "nobody plays it";
}

TEST_F(Conductor, ARingIsPutOffByVoice) {
    say("set a pasta timer for five minutes");
    speak();
    let_ring(std::chrono::minutes(5));
    say("snooze", "s", "t2");
    EXPECT_EQ(spoken().back(), "Okay, again in 9 minutes.");
    speak("s", "t2");
    EXPECT_EQ(turns->active_turns(), 0u);
    let_ring(std::chrono::minutes(9));
    EXPECT_EQ(spoken().back(), "Your pasta timer is done.");
}

TEST_F(Conductor, ARingIsStoppedOverTheBus) {
    say("set a pasta timer for five minutes");
    speak();
    let_ring(std::chrono::minutes(5));
    turns->handle({std::string(subject::timers_change), "inbox", {}, R"({"label":"pasta","change":"stop"})"});
    EXPECT_EQ(timers->list()->size(), 0u);
    EXPECT_EQ(turns->active_turns(), 0u);
    EXPECT_EQ(outcomes().back(), "cancelled");
}

TEST_F(Conductor, ADryRunSaysWhatWouldBeDoneAndDoesNothing) {
    const auto ask = [&](const std::string& request) {
        turns->handle({std::string(subject::dry_run), "inbox", {}, request});
        return bus.published("inbox").back().payload;
    };
    EXPECT_EQ(
        ask(R"({"text":"set a pasta timer for ten minutes"})"),
        R"({"asked_first":false,"commands":[{"intent":"HassStartTimer","later":false,"slots":{"minutes":"10",)"
        R"("name":"pasta"}}],"reply":"Pasta timer set for 10 minutes.","reply_depends":false,"understood":true})");
    EXPECT_THAT(ask(R"({"text":"the quick brown fox"})"), HasSubstr(R"("understood":false)"));
    EXPECT_THAT(ask("{broken"), HasSubstr(R"("error")"));
    EXPECT_THAT(*timers->list(), testing::IsEmpty());
    EXPECT_THAT(spoken(), testing::IsEmpty());
    EXPECT_EQ(turns->active_turns(), 0u);
}

TEST_F(Conductor, ATurnLeavesItsStepsInTheStore) {
    say("set a timer for ten minutes", "s", "t", protocol::audio_form::pcm);
    speak();
    hear(subject::playback_started, protocol::playback_started{.session_id = "s"}, headers("t"));
    ASSERT_TRUE(events->flush(std::chrono::steady_clock::now() + seconds(10)));
    std::vector<std::string> types;
    const auto kept = events->events({.session_id = "s"}).value();
    for (const auto& e : kept) types.push_back(e.type);
    EXPECT_THAT(types,
                ElementsAre("turn.heard", "turn.intent", "turn.action", "turn.reply", "turn.played", "turn.ended"));
}

TEST_F(Conductor, WhatTheRecogniserMangledIsMendedOrAskedAboutNeverGuessed) {
    say("Set a time er for ten minutes.");
    EXPECT_THAT(spoken().back(), testing::AnyOf("Timer set for 10 minutes.", HasSubstr("Did you mean")));
    if (timers->list()->empty()) {
        speak();
        say("Yes.", "s", "t2");
        EXPECT_EQ(spoken().back(), "Timer set for 10 minutes.");
    }
    EXPECT_EQ(timers->list()->size(), 1u);
}

TEST_F(Conductor, SeveralCommandsAreAllDoneAndAnsweredTogether) {
    say("set a timer for three minutes and set a timer for nine minutes");
    EXPECT_EQ(spoken().back(), "Timer set for 3 minutes. Timer set for 9 minutes.");
    EXPECT_EQ(timers->list()->size(), 2u);
}

struct talk {
    std::string_view says, answer;
};
TEST_F(Conductor, TimersAreSetAskedForAndCancelledByVoice) {
    int n = 0;
    for (const auto& [says, answer] : {
             talk{"how long is left on my timer", "No timer is running."},
             talk{"set a pasta timer for ten minutes", "Pasta timer set for 10 minutes."},
             talk{"How much time is left?", "10 minutes left on the pasta timer."},
             talk{"Set a timer for 3 minutes.", "Timer set for 3 minutes."},
             talk{"how long is left on the pasta timer", "10 minutes left on the pasta timer."},
             talk{"cancel the timer",
                  "There are 2 timers: the 3 minute timer and the pasta timer. Which one should I cancel?"},
             talk{"cancel the egg timer", "There is no such timer."},
             talk{"cancel the pasta timer", "Pasta timer cancelled."},
             talk{"repeat that", "Pasta timer cancelled."},
             talk{"cancel all timers", "Timer cancelled."},
         }) {
        const auto turn = "t" + std::to_string(n++);
        say(std::string(says), "s", turn);
        ASSERT_FALSE(spoken().empty()) << says;
        EXPECT_EQ(spoken().back(), answer) << says;
        speak("s", turn);
    }
}

// In a row, in one session: the words after a question complete the command that it was about.
TEST_F(Conductor, AQuestionForWordsIsAnsweredByThem) {
    int n = 0;
    for (const auto& [says, answer] : {
             talk{"set a timer", "For how long?"},
             talk{"Ten minutes.", "Timer set for 10 minutes."},
             talk{"set a pasta timer", "For how long?"},
             talk{"for three minutes please", "Pasta timer set for 3 minutes."},
             talk{"set a timer for tea", "For how long?"},
             talk{"what time is it", "It is midnight."},
             talk{"four minutes", "Sorry, I can't help with that."},
             talk{"set a pasta timer for four minutes", "Pasta timer set for 4 minutes."},
             talk{"cancel the pasta timer",
                  "There are 2 timers: the 3 minute pasta timer and the 4 minute pasta timer. Which one should I "
                  "cancel?"},
             talk{"the three minute one", "Pasta timer cancelled."},
             talk{"add five minutes",
                  "There are 2 timers: the pasta timer and the 10 minute timer. Which one should I add to?"},
             talk{"the pasta timer", "5 minutes added, 9 minutes left on the pasta timer."},
             talk{"pause the timer",
                  "There are 2 timers: the pasta timer and the 10 minute timer. Which one should I pause?"},
             talk{"the first", "10 minute timer paused with 10 minutes left."},
             talk{"cancel the timer",
                  "There are 2 timers: the pasta timer and the 10 minute timer. Which one should I cancel?"},
             talk{"never mind", "Okay."},
             talk{"cancel the timer",
                  "There are 2 timers: the pasta timer and the 10 minute timer. Which one should I cancel?"},
             talk{"no", "Okay."},
             talk{"cancel the timer",
                  "There are 2 timers: the pasta timer and the 10 minute timer. Which one should I cancel?"},
             talk{"all of them", "2 timers cancelled."},
             talk{"set an alarm", "For what time should the alarm be?"},
             talk{"set a zebra for ten days", "Sorry, I can't help with that."},
             talk{"set an alarm", "For what time should the alarm be?"},
             talk{"at half past seven in the morning every day", "Alarm set for 7:30 AM every day."},
             talk{"set an alarm called gym for 6 am every tuesday", "Gym alarm set for 6 AM every Tuesday."},
             talk{"cancel the alarm",
                  "There are 2 alarms: the 7:30 AM alarm and the gym alarm. Which one should I cancel?"},
             talk{"gym", "Gym alarm cancelled."},
             talk{"how long until my alarm", "The next alarm is for 7:30 AM every day."},
             talk{"gym", "Sorry, I can't help with that."},
         }) {
        const auto turn = "t" + std::to_string(n++);
        say(std::string(says), "s", turn);
        ASSERT_FALSE(spoken().empty()) << says;
        EXPECT_EQ(spoken().back(), answer) << says;
        speak("s", turn);
        // Until it is over its words are an echo.
        hear(subject::playback_stopped, protocol::playback_stopped{.session_id = "s", .completed = true},
             headers(turn));
    }
}

TEST_F(Conductor, AQuestionForWordsOpensTheMicrophoneAndIsForgottenInTime) {
    say("set a timer", "s", "t1");
    speak("s", "t1");
    pass(seconds(5));
    const auto listens = bus.published(subject::session_listen);
    ASSERT_EQ(listens.size(), 1u);
    EXPECT_EQ(protocol::decode<protocol::session_listen>(listens[0].payload)->expects, "words");

    clock.advance(seconds(31));
    say("ten minutes", "s", "t2");
    EXPECT_EQ(spoken().back(), "Sorry, I can't help with that.");
    EXPECT_TRUE(timers->list()->empty());
}

TEST_F(Conductor, TheOlderTimerSubjectsWork) {
    hear(subject::timer_start, protocol::timer_start{60'000, "Tea"});
    EXPECT_EQ(timers->list().value().at(0).label, "tea");
    hear(subject::timer_cancel, protocol::timer_cancel{"tea"});
    EXPECT_TRUE(timers->list()->empty());
    std::vector<std::string> states;
    for (const auto& s : sent<protocol::timer_status>(subject::timer_status)) states.push_back(s.state);
    EXPECT_THAT(states, ElementsAre("started", "cancelled"));
}

TEST_F(Conductor, ReadyIsWhenEveryRequiredPartIsAndLostWhenOneFallsSilent) {
    component("stt", "ready", 1);
    EXPECT_FALSE(turns->readiness().ready);
    component("tts", "ready", 2);
    EXPECT_TRUE(turns->readiness().ready);
    EXPECT_TRUE(sent<protocol::readiness>(subject::readiness).back().ready);
    clock.advance(seconds(2));
    component("tts", "ready", 2);
    pass(seconds(1));
    EXPECT_FALSE(turns->readiness().ready);
    EXPECT_EQ(turns->readiness().components.at(0).state, "lost");
    EXPECT_EQ(turns->readiness().components.at(1).state, "ready");
}

TEST_F(Conductor, WhatCannotBeReadIsCountedAndNothingElse) {
    for (const auto& on : {subject::stt_final, subject::tts_done, subject::stt_started, subject::trace_spans})
        turns->handle({std::string(on), {}, {}, "{broken"});
    EXPECT_EQ(metrics.counter("loqa_bus_unreadable_total", "Messages that could not be read", {{"subject", "session"}})
                  .value(),
              4);
    EXPECT_EQ(turns->active_turns(), 0u);
}

TEST_F(Conductor, AnEphemeralTurnLeavesNothingBehind) {
    auto h = headers("t");
    h.emplace_back(protocol::header::privacy, "ephemeral");
    hear(subject::stt_final, protocol::transcript{.session_id = "s", .text = "what time is it"}, h);
    speak();
    ASSERT_TRUE(events->flush(std::chrono::steady_clock::now() + seconds(10)));
    EXPECT_TRUE(events->events({.session_id = "s"})->empty());

    say("what time is it", "kept", "t2");
    speak("kept", "t2");
    ASSERT_TRUE(events->flush(std::chrono::steady_clock::now() + seconds(10)));
    std::vector<std::string> types;
    const auto kept = events->events({.session_id = "kept"});
    for (const auto& e : *kept) types.push_back(e.type);
    EXPECT_THAT(types, ElementsAre("turn.heard", "turn.intent", "turn.action", "turn.reply", "turn.ended"));
}

TEST_F(Conductor, WhoAsksForATraceAtTheEndOfATurnWaitsForItsLastSpans) {
    say("what time is it");
    speak();
    turns->handle({std::string(subject::trace_get), "inbox", {}, "{}"});
    EXPECT_TRUE(bus.published("inbox").empty());
    const auto context = telemetry::parse_traceparent(
        protocol::read_turn(bus.published(subject::tts_request).at(0).headers).traceparent);
    telemetry::span last{.trace_id = context->trace_id,
                         .span_id = random_hex(8),
                         .parent_span_id = context->span_id,
                         .name = "tts.synthesise"};
    turns->handle({std::string(subject::trace_spans), {}, {}, "[" + telemetry::span_to_json(last) + "]"});
    pass(turns->next_deadline() - clock.steady());
    ASSERT_EQ(bus.published("inbox").size(), 1u);
    EXPECT_THAT(bus.published("inbox").at(0).payload, HasSubstr("tts.synthesise"));
}

TEST_F(Conductor, CancelAllEndsEveryTurn) {
    say("what time is it");
    hear(subject::stt_started, protocol::speech_started{"other"}, headers("t2"));
    turns->cancel_all("stopping");
    EXPECT_THAT(outcomes(), ElementsAre("cancelled", "cancelled"));
    EXPECT_EQ(turns->active_turns(), 0u);
}

TEST_F(Conductor, RepeatMeansWhatWasHeard) {
    say("hello", "s", "t1");
    speak("s", "t1");
    say("thank you", "s", "t2");  // new words come before a sample of the answer
    say("repeat that", "s", "t3");
    EXPECT_THAT(spoken(), ElementsAre("Hello.", "You're welcome.", "Hello."));

    // What was heard in part was heard.
    speak("s", "t3");
    say("thank you", "s", "t4", protocol::audio_form::pcm);
    hear(subject::playback_started, protocol::playback_started{.session_id = "s"}, headers("t4"));
    say("repeat that", "s", "t5");
    EXPECT_EQ(spoken().back(), "You're welcome.");
}

TEST_F(Conductor, LouderAndQuieterAreToldToTheSynthesiser) {
    say("louder", "s", "t1");
    say("speak a bit quieter", "s", "t2");
    say("set your volume to 50 percent", "s", "t3");
    const auto wanted = sent<protocol::playback_volume>(subject::playback_volume);
    ASSERT_EQ(wanted.size(), 3u);
    EXPECT_GT(wanted[0].change, 0);
    EXPECT_LT(wanted[1].change, 0);
    EXPECT_EQ(wanted[2].percent, 50);
    EXPECT_FALSE(wanted[2].is);
    EXPECT_THAT(spoken(), ElementsAre("Louder.", "Quieter.", "Volume 50 percent."));
}

TEST_F(Conductor, AnEndThatIsHeardOfBeforeItsBeginEndsTheTurnInTime) {
    say("hello", "s", "t", protocol::audio_form::pcm);
    hear(subject::tts_done, protocol::tts_done{.session_id = "s", .completed = true}, headers("t"));
    hear(subject::tts_started, protocol::tts_started{.session_id = "s"}, headers("t"));
    pass(seconds(1));  // the speaker says nothing of what it plays
    EXPECT_THAT(outcomes(), ElementsAre("answered"));
}

TEST_F(Conductor, StopCallsOffAllButItself) {
    say("hello", "s", "t1");
    say("never mind", "s", "t2");
    const auto cancels = sent<protocol::tts_cancel>(subject::tts_cancel);
    ASSERT_EQ(cancels.size(), 2u);
    EXPECT_EQ(cancels[0].except_turn_id, "t2");
    EXPECT_EQ(cancels[1].session_id, "s");
    EXPECT_EQ(cancels[1].except_turn_id, "t2");
    EXPECT_EQ(spoken().back(), "Okay.");
}

// An answer that sounds for ten seconds.
class Interrupted : public Conductor {
protected:
    void answer_with(conductor_config config = {}) {
        make(meaning, std::move(config));
        say("what can you do", "s", "t", protocol::audio_form::pcm);
        hear(subject::tts_started, protocol::tts_started{.session_id = "s"}, headers("t"));
        hear(subject::playback_started, protocol::playback_started{.session_id = "s"}, headers("t"));
        hear(subject::tts_done, protocol::tts_done{.session_id = "s", .completed = true, .audio_ms = 10'000},
             headers("t"));
        EXPECT_THAT(outcomes(), ElementsAre("answered"));
        clock.advance(seconds(2));
        bus.forget_published();
    }
    std::size_t called_off() { return bus.published(subject::tts_cancel).size(); }
    std::vector<std::string> reasons() {
        std::vector<std::string> all;
        for (const auto& e : sent<protocol::session_ended>(subject::session_ended)) all.push_back(e.reason);
        return all;
    }
};

struct interruption {
    std::string_view name;
    barge_in policy;
    std::string_view words;
    bool at_once, then;  // whether the answer is called off when somebody begins to speak; when the words are known
    std::vector<std::string> reasons;
};
void PrintTo(const interruption& i, std::ostream* out) { *out << i.name; }
class Interruption : public Interrupted, public testing::WithParamInterface<interruption> {};

TEST_P(Interruption, CallsOffWhatSoundsByThePolicy) {
    const auto& c = GetParam();
    answer_with({.interrupts = c.policy});
    begin_to_speak("s", "u");
    EXPECT_EQ(called_off() > 0, c.at_once);
    say(std::string(c.words), "s", "u", protocol::audio_form::pcm);
    EXPECT_EQ(called_off() > 0, c.then);
    for (const auto& cancel : sent<protocol::tts_cancel>(subject::tts_cancel))
        EXPECT_EQ(cancel.except_turn_id, "u") << "what is said to these words may be asked for before it is heard";
    EXPECT_THAT(reasons(), testing::ContainerEq(c.reasons));
}
INSTANTIATE_TEST_SUITE_P(
    Policies, Interruption,
    testing::Values(interruption{"AnySpeech", barge_in::any, "what time is it", true, true, {}},
                    interruption{"AnySpeechStop", barge_in::any, "stop", true, true, {""}},
                    interruption{"StopStop", barge_in::stop, "stop", false, true, {""}},
                    interruption{"StopOther", barge_in::stop, "what time is it", false, false, {"speaking"}},
                    interruption{"StopNoise", barge_in::stop, "", false, false, {"speaking"}},
                    interruption{"OffStop", barge_in::off, "stop", false, false, {"speaking"}}),
    [](const auto& param_info) { return std::string(param_info.param.name); });

TEST_F(Interrupted, WhenTheAnswerIsOverAllIsAsEver) {
    answer_with({.interrupts = barge_in::off});
    hear(subject::playback_stopped,
         protocol::playback_stopped{.session_id = "s", .played_ms = 2'000, .completed = true}, headers("t"));
    begin_to_speak("s", "u");
    say("what time is it", "s", "u");
    EXPECT_EQ(spoken().size(), 1u);
    EXPECT_EQ(called_off(), 0u);
}

TEST_F(Interrupted, ASpeakerThatSaysNothingIsBelievedToPlayInTime) {
    answer_with({.interrupts = barge_in::off});
    clock.advance(seconds(9));
    begin_to_speak("s", "u");
    say("what time is it", "s", "u");
    EXPECT_EQ(spoken().size(), 1u);
}

TEST_F(Interrupted, WhatIsWrittenInterruptsAlways) {
    answer_with({.interrupts = barge_in::off});
    say("what time is it", "s", "u", protocol::audio_form::pcm, "");
    EXPECT_EQ(spoken().size(), 1u);
}

TEST_F(Interrupted, WordsOfTheAnswerItselfAreNoTurn) {
    make(meaning);
    say("what can you do", "s", "t", protocol::audio_form::pcm);
    const auto said = spoken().front();
    hear(subject::tts_started, protocol::tts_started{.session_id = "s"}, headers("t"));
    hear(subject::playback_started, protocol::playback_started{.session_id = "s"}, headers("t"));
    hear(subject::tts_done, protocol::tts_done{.session_id = "s", .completed = true, .audio_ms = 10'000}, headers("t"));
    bus.forget_published();
    say(said.substr(0, said.size() / 2), "s", "u", protocol::audio_form::pcm);
    EXPECT_THAT(reasons(), ElementsAre("echo"));
    EXPECT_THAT(spoken(), ElementsAre());
    EXPECT_EQ(called_off(), 0u);
    say("stop", "s", "v", protocol::audio_form::pcm);
    EXPECT_GT(called_off(), 0u);
}

TEST_F(Conductor, NewWordsWaitForTheAnswerToOlderOnesWhereThatIsTheRule) {
    make(meaning, {.queue_words = true});
    say("set a timer for ten minutes", "s", "t", protocol::audio_form::pcm);
    begin_to_speak("s", "u");
    say("set a timer for five minutes", "s", "u", protocol::audio_form::pcm);
    EXPECT_EQ(spoken().size(), 1u);
    EXPECT_THAT(outcomes(), ElementsAre());
    hear(subject::tts_started, protocol::tts_started{.session_id = "s"}, headers("t"));
    hear(subject::playback_started, protocol::playback_started{.session_id = "s"}, headers("t"));
    hear(subject::tts_done, protocol::tts_done{.session_id = "s", .completed = true, .audio_ms = 1'500}, headers("t"));
    EXPECT_THAT(outcomes(), ElementsAre("answered"));
    EXPECT_EQ(spoken().size(), 1u) << "the first answer is heard to its end";
    hear(subject::playback_stopped,
         protocol::playback_stopped{.session_id = "s", .played_ms = 1'500, .completed = true}, headers("t"));
    EXPECT_EQ(spoken().size(), 2u);
    EXPECT_EQ(timers->list()->size(), 2u);
}

TEST_F(Conductor, AQuestionThatWasHeardOpensTheMicrophone) {
    say("cancel all timers", "s", "t", protocol::audio_form::pcm);
    speak();
    bus.forget_published();
    say("set a timer for ten minutes", "s", "u", protocol::audio_form::pcm);
    speak("s", "u");
    pass(seconds(60));
    EXPECT_TRUE(bus.published(subject::session_listen).empty()) << "nothing was asked";
}
}  // namespace
}  // namespace loqa::session
