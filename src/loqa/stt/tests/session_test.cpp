#include "loqa/stt/session.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loqa/stt/tests/fakes.hpp"
#include "loqa/telemetry/trace.hpp"

namespace loqa::stt {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

struct request {
    std::uint64_t utterance;
    reading what;
    std::int64_t mark;
    std::size_t samples;  // of the utterance, this request's included
};

class Session : public ::testing::Test, public session_host {
protected:
    std::uint64_t next_utterance() override { return ++utterances_; }
    bool may_hear_itself(const std::string&, steady_time) const override { return hears_itself_; }
    void submit(std::uint64_t utterance, std::vector<float> samples, reading what, std::int64_t mark) override {
        samples_[utterance] += samples.size();
        requests_.push_back({utterance, what, mark, samples_[utterance]});
        if (answers_at_once_) answer();
    }
    void hurry(std::uint64_t utterance) override { hurried_.push_back(utterance); }
    void put_off(std::uint64_t utterance) override { put_off_.push_back(utterance); }
    void forget(std::uint64_t) override {}
    bool spare() const override { return spare_; }
    bool idle() const override { return idle_; }
    void on_started(const utterance& of) override {
        told_.push_back("started");
        turns_.push_back(of.turn);
    }
    void on_partial(const utterance&, const hypothesis& heard) override { told_.push_back("partial " + heard.text); }
    void on_ahead(const utterance&, const hypothesis& heard) override { told_.push_back("ahead " + heard.text); }
    void on_final(const utterance& of, const hypothesis& heard) override {
        told_.push_back("final \"" + heard.text + "\" " + std::string(to_string(of.reason)));
        last_ = of;
    }
    void on_failed(const utterance&, const error& why) override { told_.push_back("failed " + why.message); }

    void send(bool loud, milliseconds duration, bool last = false) {
        constexpr milliseconds step{20};
        for (; duration > milliseconds{0}; duration -= step) {
            clock_.advance(step);
            hear(testing::sound(loud, step), last && duration <= step);
        }
    }
    // Whole frames of the detector, at once.
    void send_frames(session& to, bool loud, int count) {
        for (int i = 0; i < count; ++i)
            to.hear({"s", 0, 16'000, 1, testing::sound(loud, milliseconds{32}), false, {}, clock_.steady()});
    }
    void speak(milliseconds duration) { send(true, duration); }
    void be_silent(milliseconds duration) { send(false, duration); }
    void hear(std::string pcm, bool last, int rate_hz = 16'000, int channels = 1) {
        session_.hear({"s", 0, rate_hz, channels, std::move(pcm), last, client_turn_, clock_.steady()});
    }
    void end_stream() { hear("", true); }

    // What the decoder would say to the latest request.
    void answer(result<hypothesis> heard = hypothesis{"hello", 1}) { answer(requests_.back(), std::move(heard)); }
    void answer(const std::string& text, phrase form) { answer(requests_.back(), hypothesis{text, 1}, form); }
    void answer(const request& to, result<hypothesis> heard = hypothesis{"hello", 1}, phrase form = phrase::unknown) {
        auto& made = answers_.emplace_back();
        made.utterance = to.utterance;
        made.what = to.what;
        made.mark = to.mark;
        made.heard = std::move(heard);
        made.form = form;
        if (!answers_at_once_) deliver();
    }
    void deliver() {
        for (const auto& each : std::exchange(answers_, {})) session_.take(each);
    }
    void let_pass(milliseconds duration) {
        clock_.advance(duration);
        session_.tick(clock_.steady());
    }

    manual_clock clock_;
    testing::loudness voices_;
    std::vector<request> requests_;
    std::deque<outcome> answers_;
    std::map<std::uint64_t, std::size_t> samples_;
    std::vector<std::uint64_t> hurried_, put_off_;
    bool hears_itself_ = false;
    std::vector<std::string> told_;
    std::vector<protocol::turn_headers> turns_;
    std::optional<utterance> last_;
    protocol::turn_headers client_turn_;
    bool answers_at_once_ = false;
    bool spare_ = true;
    bool idle_ = true;
    std::uint64_t utterances_ = 0;

    session_options options_ = [] {
        session_options made;
        made.interim = false;
        made.partial_every = milliseconds{0};
        return made;
    }();
    session session_{"s", options_, voices_.start(), clock_, *this};
};

TEST_F(Session, WhatWasReadInThePauseIsFinalAtTheEndpoint) {
    be_silent(milliseconds{400});
    speak(milliseconds{640});
    be_silent(milliseconds{140});
    ASSERT_THAT(requests_, SizeIs(1));
    EXPECT_EQ(requests_[0].what, reading::ahead);
    answer();
    EXPECT_THAT(told_, ElementsAre("started", "ahead hello"));
    be_silent(milliseconds{500});
    EXPECT_THAT(told_, ElementsAre("started", "ahead hello", "final \"hello\" speech_end"));
}

TEST_F(Session, TimesAreThoseOfTheFramesThatCarriedTheSpeech) {
    be_silent(milliseconds{320});
    const auto before = clock_.steady();
    speak(milliseconds{640});
    const auto after = clock_.steady();
    be_silent(milliseconds{140});
    answer();
    be_silent(milliseconds{500});
    ASSERT_TRUE(last_);
    EXPECT_NEAR(to_ms(last_->began - before), 64, 40);
    EXPECT_NEAR(to_ms(last_->speech_ended - after), 0, 40);
    EXPECT_NEAR(to_ms(last_->ended - after), 512, 40);
    EXPECT_EQ(last_->speech, milliseconds{640});
}

TEST_F(Session, AReadingStillUnderWayAtTheEndpointBecomesTheFinalOne) {
    speak(milliseconds{640});
    be_silent(milliseconds{900});
    EXPECT_THAT(hurried_, IsEmpty());  // nobody is cut off before it is known what they said
    be_silent(milliseconds{140});
    EXPECT_THAT(told_, ElementsAre("started"));
    EXPECT_THAT(hurried_, ElementsAre(1));
    EXPECT_THAT(requests_, SizeIs(1));
    answer();
    EXPECT_THAT(told_, ElementsAre("started", "final \"hello\" speech_end"));
}

TEST_F(Session, AReadingFromBeforeSpeechWentOnIsNotTheFinalOne) {
    speak(milliseconds{640});
    be_silent(milliseconds{200});
    const auto early = requests_.back();
    speak(milliseconds{640});
    be_silent(milliseconds{640});
    answer(early, hypothesis{"set a timer for", 1});
    EXPECT_THAT(told_, ElementsAre("started"));
    answer(hypothesis{"set a timer for ten minutes", 1});
    EXPECT_THAT(told_, ElementsAre("started", "ahead set a timer for ten minutes",
                                   "final \"set a timer for ten minutes\" speech_end"));
}

TEST_F(Session, WhatCameBeforeTheOnsetIsReadToo) {
    be_silent(milliseconds{2000});
    speak(milliseconds{640});
    be_silent(milliseconds{100});
    ASSERT_THAT(requests_, SizeIs(1));
    EXPECT_NEAR(static_cast<double>(requests_[0].samples) / 16, 300 + 640 + 64, 40);
}

TEST_F(Session, TheClientEndsTheUtterance) {
    speak(milliseconds{640});
    end_stream();
    ASSERT_THAT(requests_, SizeIs(1));
    EXPECT_EQ(requests_[0].what, reading::final);
    EXPECT_EQ(requests_[0].samples, 640u * 16);  // to the last sample
    EXPECT_FALSE(session_.over());
    answer();
    EXPECT_THAT(told_, ElementsAre("started", "final \"hello\" client_final"));
    EXPECT_TRUE(session_.over());
}

TEST_F(Session, AStreamWithoutSpeechEndsWithOneEmptyFinal) {
    be_silent(milliseconds{5000});
    EXPECT_THAT(told_, IsEmpty());
    end_stream();
    EXPECT_THAT(told_, ElementsAre("final \"\" no_speech"));
    EXPECT_TRUE(session_.over());
}

TEST_F(Session, AStreamOfNothingAtAllToo) {
    end_stream();
    EXPECT_THAT(told_, ElementsAre("final \"\" no_speech"));
}

TEST_F(Session, AStreamThatHadItsFinalGetsNoOtherAtItsEnd) {
    answers_at_once_ = true;
    speak(milliseconds{640});
    be_silent(milliseconds{200});
    deliver();
    be_silent(milliseconds{1000});
    end_stream();
    EXPECT_THAT(told_, ElementsAre("started", "ahead hello", "final \"hello\" speech_end"));
    EXPECT_TRUE(session_.over());
}

TEST_F(Session, ANoiseIsNotRead) {
    speak(milliseconds{40});
    be_silent(milliseconds{640});
    EXPECT_THAT(told_, ElementsAre("started", "final \"\" no_speech"));
}

TEST_F(Session, ACommandOf400MillisecondsIsHeard) {
    be_silent(milliseconds{1000});
    speak(milliseconds{400});
    be_silent(milliseconds{200});
    answer("stop", phrase::growable);
    EXPECT_THAT(told_, ElementsAre("started", "ahead stop", "final \"stop\" speech_end"));
}

TEST_F(Session, AClientThatStopsInTheMiddleOfSpeechIsNotWaitedForLong) {
    speak(milliseconds{640});
    let_pass(milliseconds{1000});
    EXPECT_THAT(requests_, IsEmpty());
    let_pass(milliseconds{20});
    ASSERT_THAT(requests_, SizeIs(1));
    answer();
    EXPECT_THAT(told_, ElementsAre("started", "final \"hello\" timeout"));
    EXPECT_FALSE(session_.over());
    let_pass(milliseconds{2000});
    EXPECT_TRUE(session_.over());
    EXPECT_THAT(told_, SizeIs(2));
}

TEST_F(Session, AClientThatIsGoneWithoutAWordGetsAnEmptyFinal) {
    be_silent(milliseconds{640});
    let_pass(milliseconds{3000});
    EXPECT_FALSE(session_.over());
    let_pass(milliseconds{20});
    EXPECT_THAT(told_, ElementsAre("final \"\" timeout"));
    EXPECT_TRUE(session_.over());
}

TEST_F(Session, WhoNeverStopsIsCutOffAndHeardAgain) {
    speak(milliseconds{15'020});
    ASSERT_THAT(requests_, SizeIs(1));
    answer();
    speak(milliseconds{200});
    EXPECT_THAT(told_, ElementsAre("started", "final \"hello\" timeout", "started"));
    EXPECT_NE(turns_[0].turn_id, turns_[1].turn_id);
}

TEST_F(Session, PartialsComeWhileThePersonSpeaksAndWhenTheyChange) {
    options_.interim = true;
    options_.partial_every = milliseconds{800};
    session hears("s", options_, voices_.start(), clock_, *this);
    const auto speak_to = [&](bool loud, int frames) {
        for (int i = 0; i < frames; ++i) {
            hears.hear({"s", 0, 16'000, 1, testing::sound(loud, milliseconds{32}), false, {}, clock_.steady()});
        }
    };
    const auto read = [&](std::string text) {
        outcome made;
        made.utterance = requests_.back().utterance;
        made.what = requests_.back().what;
        made.mark = requests_.back().mark;
        made.heard->text = std::move(text);
        hears.take(made);
    };
    speak_to(true, 26);
    ASSERT_THAT(requests_, SizeIs(1));
    EXPECT_EQ(requests_[0].what, reading::partial);
    read("set a");
    speak_to(true, 25);
    ASSERT_THAT(requests_, SizeIs(2));
    read("set a");
    speak_to(true, 25);
    read("set a timer");
    speak_to(false, 3);
    read("set a timer");
    speak_to(false, 20);
    EXPECT_THAT(told_, ElementsAre("started", "partial set a", "ahead set a", "partial set a timer",
                                   "ahead set a timer", "final \"set a timer\" speech_end"));
}

TEST_F(Session, TheClientNamesTheTurnOfOneUtterance) {
    answers_at_once_ = true;
    client_turn_.turn_id = "0123456789abcdef0123456789abcdef";
    client_turn_.traceparent = telemetry::to_traceparent(telemetry::new_trace());
    client_turn_.privacy = "ephemeral";
    client_turn_.audio = protocol::audio_form::pcm;
    for (int i = 0; i < 2; ++i) {
        speak(milliseconds{640});
        be_silent(milliseconds{60});
        deliver();
        be_silent(milliseconds{60});
        deliver();
        be_silent(milliseconds{500});
    }
    ASSERT_THAT(turns_, SizeIs(2));
    EXPECT_EQ(turns_[0].turn_id, client_turn_.turn_id);
    EXPECT_EQ(turns_[0].traceparent, client_turn_.traceparent);
    EXPECT_THAT(turns_[1].turn_id, SizeIs(32));
    EXPECT_NE(turns_[1].turn_id, client_turn_.turn_id);
    EXPECT_NE(turns_[1].traceparent, client_turn_.traceparent);
    EXPECT_TRUE(telemetry::parse_traceparent(turns_[1].traceparent));
    for (const auto& turn : turns_) {
        EXPECT_EQ(turn.privacy, "ephemeral");
        EXPECT_EQ(turn.audio, protocol::audio_form::pcm);
    }
}

TEST_F(Session, TheTurnIsNamedByAnyFrameBeforeTheSpeech) {
    client_turn_.turn_id = "0123456789abcdef0123456789abcdef";
    client_turn_.traceparent = telemetry::to_traceparent(telemetry::new_trace());
    be_silent(milliseconds{20});
    const auto named = std::exchange(client_turn_, {});
    speak(milliseconds{640});
    ASSERT_THAT(turns_, SizeIs(1));
    EXPECT_EQ(turns_[0].turn_id, named.turn_id);
    EXPECT_EQ(turns_[0].traceparent, named.traceparent);
}

TEST_F(Session, AClientMaySendASecondAtATime) {
    for (int i = 0; i < 3; ++i) {
        hear(testing::sound(true, milliseconds{1000}), false);
        let_pass(milliseconds{1050});
    }
    EXPECT_THAT(told_, ElementsAre("started"));
}

TEST_F(Session, AnEngineThatFailsIsSaid) {
    speak(milliseconds{640});
    end_stream();
    answer(fail(errc::engine_failed, "out of memory"));
    EXPECT_THAT(told_, ElementsAre("started", "failed out of memory"));
    EXPECT_TRUE(session_.over());
}

TEST_F(Session, AReadingThatFailsInAPauseIsTriedAgain) {
    speak(milliseconds{640});
    be_silent(milliseconds{200});
    answer(fail(errc::engine_failed, "out of memory"));
    be_silent(milliseconds{400});
    ASSERT_THAT(requests_, SizeIs(2));
    EXPECT_EQ(requests_[1].what, reading::final);
    answer();
    EXPECT_THAT(told_, ElementsAre("started", "final \"hello\" speech_end"));
}

TEST_F(Session, ADetectorThatFailsIsSaidOnceAndTriedAgainWithTheNextStream) {
    answers_at_once_ = true;
    voices_.fails = true;
    be_silent(milliseconds{640});
    EXPECT_THAT(told_, ElementsAre("failed the detector is broken"));
    end_stream();
    EXPECT_THAT(told_, SizeIs(1));
    EXPECT_TRUE(session_.over());
    voices_.fails = false;
    speak(milliseconds{640});
    EXPECT_THAT(told_, ElementsAre("failed the detector is broken", "started"));
}

struct wait_case {
    std::string name;
    phrase form;
    int waits_ms;  // from the end of speech
};
class SessionWaits : public Session, public ::testing::WithParamInterface<wait_case> {};

TEST_P(SessionWaits, AsLongAsWhatWasSaidDeserves) {
    const auto& [name, form, waits_ms] = GetParam();
    be_silent(milliseconds{400});
    speak(milliseconds{960});
    be_silent(milliseconds{60});
    ASSERT_THAT(requests_, SizeIs(1));
    answer("something said", form);
    const auto spoken = clock_.steady() - milliseconds{60};
    while (!last_ && clock_.steady() - spoken < seconds{3}) be_silent(milliseconds{20});
    ASSERT_TRUE(last_);
    EXPECT_NEAR(to_ms(clock_.steady() - spoken), waits_ms, 52);  // frames of 20 and of 32 ms
    EXPECT_EQ(last_->reason, end_reason::speech_end);
}

INSTANTIATE_TEST_SUITE_P(Phrases, SessionWaits,
                         ::testing::Values(wait_case{"complete", phrase::complete, 32},
                                           wait_case{"growable", phrase::growable, 64},
                                           wait_case{"unknown", phrase::unknown, 500},
                                           wait_case{"open", phrase::open, 1000}),
                         [](const auto& test) { return test.param.name; });

TEST_F(Session, APauseAfterTheBeginningOfACommandIsNoEnd) {
    speak(milliseconds{640});
    be_silent(milliseconds{60});
    answer("set a timer for", phrase::open);
    be_silent(milliseconds{640});
    speak(milliseconds{640});
    be_silent(milliseconds{60});
    answer("set a timer for ten minutes", phrase::growable);
    be_silent(milliseconds{100});
    EXPECT_THAT(told_, ElementsAre("started", "ahead set a timer for ten minutes",
                                   "final \"set a timer for ten minutes\" speech_end"));
}

TEST_F(Session, AReadingThatComesLateEndsWhatHasBeenSilentForLongEnough) {
    speak(milliseconds{640});
    be_silent(milliseconds{300});
    EXPECT_THAT(told_, ElementsAre("started"));
    answer("what time is it", phrase::growable);  // and no other frame
    EXPECT_THAT(told_, ElementsAre("started", "ahead what time is it", "final \"what time is it\" speech_end"));
}

TEST_F(Session, ACommandThatWentOnIsNotEndedByWhatItWasBefore) {
    speak(milliseconds{640});
    be_silent(milliseconds{40});
    answer("turn on the lights", phrase::growable);
    speak(milliseconds{320});
    told_.clear();
    be_silent(milliseconds{300});  // and its reading is not there yet
    EXPECT_THAT(told_, IsEmpty());
    answer("turn on the lights in the", phrase::open);
    be_silent(milliseconds{300});
    EXPECT_THAT(told_, IsEmpty());
}

TEST_F(Session, WhoIsLoudAgainGoesOnThoughTheDetectorHasNotSeenItYet) {
    be_silent(milliseconds{500});
    speak(milliseconds{640});
    be_silent(milliseconds{60});
    voices_.misses = true;
    speak(milliseconds{60});
    answer("turn on the lights", phrase::growable);
    EXPECT_THAT(told_, ElementsAre("started", "ahead turn on the lights"));
    voices_.misses = false;
    speak(milliseconds{300});
    be_silent(milliseconds{300});
    EXPECT_THAT(told_, ElementsAre("started", "ahead turn on the lights"));
    answer("turn on the lights and the fan", phrase::growable);
    EXPECT_THAT(told_, ElementsAre("started", "ahead turn on the lights", "ahead turn on the lights and the fan",
                                   "final \"turn on the lights and the fan\" speech_end"));
}

TEST_F(Session, WhatWasAskedForInAPauseIsNotUrgentWhenSpeechGoesOn) {
    be_silent(milliseconds{500});
    speak(milliseconds{640});
    be_silent(milliseconds{60});
    ASSERT_THAT(requests_, SizeIs(1));
    EXPECT_THAT(put_off_, IsEmpty());
    speak(milliseconds{60});
    EXPECT_THAT(put_off_, Contains(requests_[0].utterance));
}

TEST_F(Session, WhatStaysInDoubtIsWaitedForNoLonger) {
    const hypothesis doubtful{.text = "lock the door", .heard = "look the doll", .doubtful = true};
    speak(milliseconds{640});
    be_silent(milliseconds{120});
    answer(requests_.back(), doubtful);
    EXPECT_THAT(told_, ElementsAre("started", "ahead lock the door"));
    be_silent(milliseconds{100});
    ASSERT_THAT(requests_, SizeIs(2));
    answer(requests_.back(), doubtful);
    EXPECT_THAT(told_, ElementsAre("started", "ahead lock the door", "final \"lock the door\" speech_end"));
}

TEST_F(Session, WhoGoesOnLateIsWaitedForLikeWhoPauses) {
    be_silent(milliseconds{500});
    speak(milliseconds{640});
    be_silent(milliseconds{60});
    answer("set a timer for", phrase::open);
    be_silent(milliseconds{540});
    voices_.misses = true;
    speak(milliseconds{60});
    voices_.misses = false;
    speak(milliseconds{640});
    EXPECT_THAT(told_, ElementsAre("started"));
}

TEST_F(Session, WhatIsNotUnderstoodIsReadAgainWithSomeSilenceBehindIt) {
    speak(milliseconds{640});
    be_silent(milliseconds{40});
    answer("turn on the light is", phrase::open);
    be_silent(milliseconds{120});
    ASSERT_THAT(requests_, SizeIs(2));
    EXPECT_GE(requests_[1].mark, requests_[0].mark + 3);
    answer("turn on the lights", phrase::growable);
    EXPECT_THAT(told_, ElementsAre("started", "ahead turn on the lights", "final \"turn on the lights\" speech_end"));
}

TEST_F(Session, WhatWasReadInTheMiddleOfAWordIsListenedToAgainUnlessItIsACommand) {
    options_.partial_every = milliseconds{192};
    for (const auto& [form, looks] : {std::pair{phrase::unknown, 2}, {phrase::growable, 1}}) {
        session hears("s", options_, voices_.start(), clock_, *this);
        requests_.clear();
        while (requests_.empty()) send_frames(hears, true, 1);
        EXPECT_EQ(requests_[0].what, reading::partial);
        outcome made;
        made.utterance = requests_[0].utterance;
        made.mark = requests_[0].mark;
        made.heard->text = "turn on the whole way like";
        made.form = form;
        send_frames(hears, false, 1);
        hears.take(made);
        send_frames(hears, false, 1);
        ASSERT_EQ(std::ssize(requests_), looks);
        EXPECT_EQ(requests_.back().what, looks == 2 ? reading::ahead : reading::partial);
    }
}

TEST_F(Session, WhatWasReadAsTheWordEndedIsListenedToAgainBeforeTheDetectorSeesTheSilence) {
    options_.partial_every = milliseconds{192};
    session hears("s", options_, voices_.start(), clock_, *this);
    send_frames(hears, false, 15);  // what silence is here
    while (requests_.empty()) send_frames(hears, true, 1);
    outcome made;
    made.utterance = requests_[0].utterance;
    made.mark = requests_[0].mark;
    made.heard->text = "turn on the whole way like";
    voices_.lags = true;
    send_frames(hears, false, 1);
    hears.take(made);
    ASSERT_THAT(requests_, SizeIs(1));
    send_frames(hears, false, 1);
    ASSERT_THAT(requests_, SizeIs(2));
    EXPECT_EQ(requests_[1].what, reading::ahead);
}

// Nothing is known of what silence is here: the loudness tells nothing.
TEST_F(Session, WhatFadesIntoNoiseIsReadBeforeTheDetectorSeesTheSilence) {
    send_frames(session_, true, 20);
    voices_.unsure = true;
    send_frames(session_, true, 2);
    ASSERT_THAT(requests_, SizeIs(1));
    EXPECT_EQ(requests_[0].what, reading::ahead);
    answer("turn on the lights", phrase::growable);
    send_frames(session_, true, 1);
    EXPECT_THAT(told_, ElementsAre("started", "ahead turn on the lights"));
    voices_.unsure = false;
    send_frames(session_, false, 1);  // what faded counts as silence
    EXPECT_THAT(told_, ElementsAre("started", "ahead turn on the lights", "final \"turn on the lights\" speech_end"));
    EXPECT_THAT(requests_, SizeIs(1));
}

TEST_F(Session, WhoGoesOnUnclearlyIsNotDone) {
    send_frames(session_, true, 20);
    voices_.unsure = true;
    send_frames(session_, true, 2);
    answer("turn on the lights", phrase::growable);
    send_frames(session_, true, 8);
    voices_.unsure = false;
    send_frames(session_, false, 2);
    EXPECT_THAT(told_, ElementsAre("started", "ahead turn on the lights"));
}

TEST_F(Session, AfterAQuestionAYesIsEnoughAndOthersAreWaitedForLonger) {
    session_.attend(attention::asking);
    speak(milliseconds{320});
    be_silent(milliseconds{100});
    answer("Yes.", phrase::unknown);
    EXPECT_THAT(told_, ElementsAre("started", "ahead Yes.", "final \"Yes.\" speech_end"));
    told_.clear();
    speak(milliseconds{640});
    be_silent(milliseconds{60});
    answer("the one in the hall", phrase::unknown);
    be_silent(milliseconds{600});
    EXPECT_THAT(told_, ElementsAre("started", "ahead the one in the hall"));
    be_silent(milliseconds{300});
    EXPECT_THAT(told_, SizeIs(3));
}

TEST_F(Session, WhileLoqaSpeaksAShortSoundIsNoSpeech) {
    session_.attend(attention::speaking);
    speak(milliseconds{80});
    be_silent(milliseconds{100});
    EXPECT_THAT(told_, IsEmpty());
    speak(milliseconds{200});
    EXPECT_THAT(told_, ElementsAre("started"));
    be_silent(milliseconds{100});
    answer("stop", phrase::growable);
    session_.attend(attention::idle);
    be_silent(milliseconds{100});
    speak(milliseconds{100});
    EXPECT_EQ(told_.back(), "started");
}

// Whatever loqad says: a question of Loqa's sounds as an answer does, and words that interrupt nothing end nothing.
TEST_F(Session, WhileItMayHearItselfAShortSoundIsNoSpeech) {
    for (const auto how : {attention::asking, attention::idle}) {
        session_.attend(how);
        hears_itself_ = true;
        speak(milliseconds{80});
        be_silent(milliseconds{100});
        EXPECT_THAT(told_, IsEmpty());
        hears_itself_ = false;
        speak(milliseconds{80});
        EXPECT_THAT(told_, ElementsAre("started"));
        be_silent(milliseconds{1'500});
        told_.clear();
    }
}

TEST_F(Session, ReadsWhileThePersonSpeaksWhenThereIsTime) {
    options_.partial_every = milliseconds{192};
    session hears("s", options_, voices_.start(), clock_, *this);
    const auto speak_frames = [&](int frames) {
        for (int i = 0; i < frames; ++i)
            hears.hear({"s", 0, 16'000, 1, testing::sound(true, milliseconds{32}), false, {}, clock_.steady()});
    };
    const auto read = [&](const std::string& text, phrase form) {
        outcome made;
        made.utterance = requests_.back().utterance;
        made.what = requests_.back().what;
        made.mark = requests_.back().mark;
        made.heard->text = text;
        made.form = form;
        hears.take(made);
    };
    spare_ = false;
    speak_frames(10);
    EXPECT_THAT(requests_, IsEmpty());
    spare_ = true;
    speak_frames(1);
    ASSERT_THAT(requests_, SizeIs(1));
    EXPECT_EQ(requests_[0].what, reading::partial);
    EXPECT_EQ(requests_[0].mark, 11);
    speak_frames(10);
    EXPECT_THAT(requests_, SizeIs(1));  // one at a time
    read("turn on the lights", phrase::growable);
    EXPECT_THAT(told_, ElementsAre("started"));
    speak_frames(1);
    ASSERT_THAT(requests_, SizeIs(2));
    read("turn on the lights", phrase::growable);
    EXPECT_THAT(told_, ElementsAre("started", "ahead turn on the lights"));  // two readings agree
}

// A voice that is 7.5 dB below the one before it: somebody else's, or the same person's.
class SessionOverAQuieterVoice : public Session {
protected:
    void hear_frames(float level, int frames) {
        for (int i = 0; i < frames; ++i) {
            std::vector<float> samples(audio::vad_frame_samples);
            for (std::size_t at = 0; at < samples.size(); ++at)
                samples[at] = level * std::sin(static_cast<float>(at) * 0.14F);
            clock_.advance(audio::vad_frame_duration);
            hears_.hear({"s", 0, 16'000, 1, audio::to_s16le(audio::pcm_view(samples)), false, {}, clock_.steady()});
        }
    }
    void speak_up(int frames) { hear_frames(0.5F, frames); }
    void quietly(int frames) { hear_frames(0.21F, frames); }
    // What the decoder would say to the latest request of this number: the first for all that was said, the next one
    // for what came before the quieter voice.
    void read(std::uint64_t utterance, const std::string& text, phrase form) {
        const auto found = std::ranges::find(requests_.rbegin(), requests_.rend(), utterance, &request::utterance);
        ASSERT_NE(found, requests_.rend());
        outcome made;
        made.utterance = found->utterance;
        made.what = found->what;
        made.mark = found->mark;
        made.heard->text = text;
        made.form = form;
        EXPECT_TRUE(hears_.take(made));
    }
    // "Turn on the lights", and a quieter voice behind it, with so much of which `all` is read. The number of all of
    // it.
    std::uint64_t turn_on_the_lights(bool over_somebody, const std::string& all, phrase form) {
        if (over_somebody) quietly(10);
        speak_up(20);
        const auto first = requests_.back().utterance;
        read(first, "turn on the", phrase::open);
        quietly(over_somebody ? 6 : 16);
        read(first, all, form);
        quietly(1);
        read(first + 1, "turn on the lights", phrase::growable);
        return first;
    }
    bool over() const { return told_.back().starts_with("final"); }

    session hears_ = [&] {
        options_.partial_every = milliseconds{192};
        return session("s", options_, voices_.start(), clock_, *this);
    }();
};

TEST_F(SessionOverAQuieterVoice, ACommandThatNothingCanFollowIsOverWhileSomebodyElseGoesOn) {
    quietly(10);
    speak_up(20);
    read(1, "and turn on the", phrase::open);
    quietly(6);
    EXPECT_EQ(requests_.back().utterance, 1u) << "one reading at a time";
    read(1, "and turn on the light he", phrase::unknown);
    quietly(1);
    ASSERT_EQ(requests_.back().utterance, 2u);
    EXPECT_EQ(requests_.back().samples, (6u + 20 + 3) * audio::vad_frame_samples) << "with the ends of the words";
    read(2, "turn on the light", phrase::complete);
    EXPECT_EQ(told_.back(), "ahead turn on the light");
    quietly(4);
    EXPECT_FALSE(over());
    quietly(1);
    EXPECT_EQ(told_.back(), "final \"turn on the light\" speech_end");
    EXPECT_EQ(last_->speech, 30 * audio::vad_frame_duration);
    // Nor do they begin anything.
    const auto before = told_.size();
    quietly(60);
    EXPECT_EQ(told_.size(), before);
    speak_up(10);
    EXPECT_EQ(told_.back(), "started");
}

TEST_F(SessionOverAQuieterVoice, WhoGoesOnAloudIsNotCutOff) {
    quietly(10);
    speak_up(20);
    read(1, "turn on the", phrase::open);
    quietly(6);
    read(1, "turn on the light", phrase::complete);
    quietly(1);
    speak_up(1);
    read(2, "turn on the light", phrase::complete);
    speak_up(20);
    EXPECT_FALSE(over());
}

TEST_F(SessionOverAQuieterVoice, ACommandMayGoOnMoreQuietly) {
    for (const bool over_somebody : {true, false}) {
        const auto first = turn_on_the_lights(over_somebody, "turn on the lights in the", phrase::open);
        quietly(35);
        EXPECT_FALSE(over());
        hear_frames(0, 2);
        read(first, "turn on the lights in the kitchen", phrase::complete);
        hear_frames(0, 2);
        EXPECT_EQ(told_.back(), "final \"turn on the lights in the kitchen\" speech_end");
    }
}

TEST_F(SessionOverAQuieterVoice, ACommandThatMayGoOnIsOverWhenWhatFollowsMakesNoSense) {
    // Who was heard before the command is known to be somebody else sooner.
    for (const int frames : {13, 29}) {
        const bool over_somebody = frames == 13;
        const auto first = turn_on_the_lights(over_somebody, "turn on the lights he", phrase::unknown);
        quietly(over_somebody ? 5 : 6);
        read(first, "turn on the lights he said that", phrase::unknown);
        quietly(frames - (over_somebody ? 14 : 25));
        EXPECT_FALSE(over());
        quietly(2);
        EXPECT_EQ(told_.back(), "final \"turn on the lights\" speech_end");
        hear_frames(0, 300);
    }
}

TEST_F(SessionOverAQuieterVoice, AQuietWordAtTheEndIsNobodyElse) {
    speak_up(20);
    read(1, "turn off the", phrase::open);
    quietly(12);
    read(1, "turn off the lights in dark", phrase::unknown);
    hear_frames(0, 3);
    read(1, "turn off the lights in dark", phrase::unknown);
    hear_frames(0, 16);
    EXPECT_EQ(told_.back(), "final \"turn off the lights in dark\" speech_end") << "half a command is none";
    EXPECT_EQ(requests_.back().utterance, 1u);
}

TEST_F(SessionOverAQuieterVoice, NobodyIsReadApartWhileOthersWaitToBeRead) {
    idle_ = false;
    quietly(10);
    speak_up(20);
    read(1, "and turn on the", phrase::open);
    quietly(12);
    EXPECT_EQ(requests_.back().utterance, 1u);
    read(1, "and turn on the light", phrase::unknown);
    idle_ = true;
    quietly(1);
    EXPECT_EQ(requests_.back().utterance, 2u);
}

TEST_F(SessionOverAQuieterVoice, NobodyWaitsForSomebodyElseToComeToAnEnd) {
    quietly(10);
    speak_up(20);
    read(1, "and turn on", phrase::open);
    quietly(6);
    read(1, "and turn on the light he", phrase::unknown);
    quietly(1);
    read(2, "turn on the whole way", phrase::unknown);
    quietly(39);
    EXPECT_FALSE(over());
    read(1, "and turn on the whole way he said that", phrase::unknown);
    quietly(2);
    EXPECT_EQ(told_.back(), "final \"turn on the whole way\" speech_end");
}

TEST_F(Session, CancelEndsWhatIsBeingSaidAndLetsReadingsFinish) {
    speak(milliseconds{640});
    be_silent(milliseconds{1040});
    speak(milliseconds{200});
    told_.clear();
    session_.cancel(false);
    EXPECT_THAT(told_, ElementsAre("final \"\" cancelled"));
    EXPECT_TRUE(session_.awaits_reading());
    session_.cancel(true);
    EXPECT_THAT(told_, ElementsAre("final \"\" cancelled", "final \"\" cancelled"));
    EXPECT_TRUE(session_.over());
}

TEST_F(Session, WhatNobodyCanHaveSaidIsThrownAway) {
    speak(milliseconds{320});
    be_silent(milliseconds{200});
    answer(hypothesis{"Thank you for watching, and please subscribe to the channel.", 1});
    be_silent(milliseconds{500});
    EXPECT_THAT(told_, ElementsAre("started", "final \"\" speech_end"));
}

struct form {
    int rate_hz;
    int channels;
};
class SessionForms : public Session, public ::testing::WithParamInterface<form> {};

TEST_P(SessionForms, AnyRateAndOneOrTwoChannels) {
    const auto [rate, channels] = GetParam();
    for (int i = 0; i < 32; ++i) hear(testing::sound(true, milliseconds{20}, rate, channels), false, rate, channels);
    hear("", true, rate, channels);
    ASSERT_THAT(requests_, SizeIs(1));
    EXPECT_NEAR(static_cast<double>(requests_[0].samples), 640 * 16, 60);
}

INSTANTIATE_TEST_SUITE_P(Rates, SessionForms,
                         ::testing::Values(form{8'000, 1}, form{11'025, 2}, form{16'000, 2}, form{22'050, 1},
                                           form{44'100, 2}, form{48'000, 1}, form{48'000, 2}));

}  // namespace
}  // namespace loqa::stt
