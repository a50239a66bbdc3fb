// Turns about the home that ships: what is done, by whom, when, and what is said of it.
#include <algorithm>
#include <array>
#include <cstdlib>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loqa/base/ids.hpp"
#include "loqa/bus/testing/fake_connection.hpp"
#include "loqa/protocol/subjects.hpp"
#include "loqa/session/conductor.hpp"

namespace loqa::session {
namespace {

namespace subject = protocol::subject;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class HomeTurns : public testing::Test {
protected:
    static void SetUpTestSuite() {
        ::setenv("LOQA_SHARE_DIR", LOQA_SHARE, 1);
        ::setenv("LOQA_CACHE_DIR", LOQA_CACHE, 1);
        ::setenv("TZ", "UTC", 1);
        auto read = intent::load_home(fs::path(LOQA_SHARE) / "homes" / "house.yaml");
        ASSERT_TRUE(read) << read.error().text();
        as_built = new intent::home(*read);
        auto made = intent::live_interpreter::start({}, std::make_shared<const intent::home>(*read));
        ASSERT_TRUE(made) << made.error().text();
        sentences = made->release();
    }
    static void TearDownTestSuite() {
        delete std::exchange(sentences, nullptr);
        delete std::exchange(as_built, nullptr);
    }
    void SetUp() override {
        fs::create_directories(folder);
        const auto file = folder / "events.db";
        auto opened = store::event_store::open({.path = file}, clock, log, metrics);
        ASSERT_TRUE(opened) << opened.error().text();
        events = std::move(*opened);
        auto timer_file = timers::timer_service::open(folder / "timers.db", clock, log);
        ASSERT_TRUE(timer_file) << timer_file.error().text();
        timers = std::move(*timer_file);
        auto house = house::simulated_home::open(file, *as_built, clock, log);
        ASSERT_TRUE(house) << house.error().text();
        home = std::move(*house);
        home_answers = std::make_unique<house_answers>(clock, *home, *sentences);
        turns = std::make_unique<conductor>(
            conductor_config{.beep = true, .areas = {{"kitchen-satellite", "Kitchen"}}},
            conductor::parts{clock, bus, *timers, *events, tracer, metrics, log, home_answers.get()}, *sentences);
        bus.forget_published();
    }
    void TearDown() override {
        turns.reset();
        home_answers.reset();
        home.reset();
        timers.reset();
        events.reset();
        fs::remove_all(folder);
    }

    // The answer to a sentence; nothing while it is waited for. `first` is what the recogniser made of it before it
    // listened again.
    std::vector<std::string> say(const std::string& text, const std::string& session = "s",
                                 const std::string& first = "", bool doubtful = false) {
        bus.forget_published();
        const protocol::transcript said{.session_id = session, .text = text, .heard = first, .doubtful = doubtful};
        turns->handle({std::string(subject::stt_final), {}, {}, protocol::encode(said)});
        return spoken();
    }
    std::vector<std::string> spoken() {
        std::vector<std::string> texts;
        for (const auto& m : bus.published(subject::tts_request))
            texts.push_back(protocol::decode<protocol::tts_request>(m.payload)->text);
        return texts;
    }
    std::string state(const std::string& id) const {
        const auto now = home->snapshot();
        return std::ranges::find(now->entities, id, &intent::entity::id)->state;
    }
    void declare(const std::string& intents) {
        turns->handle(
            {std::string(subject::intent_declare), {}, {}, R"({"handler": "h", "intents": )" + intents + "}"});
    }
    bus::message asked(const std::string& intent) {
        const auto all = bus.published("intent." + intent);
        return all.empty() ? bus::message{} : all.back();
    }
    void answer(const bus::message& request, const std::string& payload, protocol::headers headers = {}) {
        turns->handle({request.reply, {}, std::move(headers), payload});
    }

    static inline intent::home* as_built = nullptr;
    static inline intent::live_interpreter* sentences = nullptr;
    fs::path folder = fs::path(testing::TempDir()) / ("loqa-home-" + random_hex(4));
    manual_clock clock;
    telemetry::logger log = telemetry::logger::silent();
    telemetry::metrics metrics;
    telemetry::tracer tracer{"test", {}, metrics, log};
    bus::testing::fake_connection bus;
    std::unique_ptr<store::event_store> events;
    std::unique_ptr<timers::timer_service> timers;
    std::unique_ptr<house::simulated_home> home;
    std::unique_ptr<house_answers> home_answers;
    std::unique_ptr<conductor> turns;
};

TEST_F(HomeTurns, ACommandActsAndIsSaid) {
    EXPECT_THAT(say("turn on the porch light"), ElementsAre("Turned on the porch light."));
    EXPECT_EQ(state("light.porch"), "on");
}

TEST_F(HomeTurns, WhatAnotherToldOfIsNotActedOnAsIfItWereSimulated) {
    auto told = *as_built;
    std::ranges::find(told.entities, "light.porch", &intent::entity::id)->source = "hub";
    home->rebuild(told);
    const auto apology = ElementsAre("Sorry, Porch Light belongs to hub, and no skill that controls it is running.");
    EXPECT_THAT(say("turn on the porch light"), apology);
    EXPECT_THAT(say("turn on the coffee machine and the porch light"), apology);
    EXPECT_EQ(state("switch.coffee_machine"), "off");
    EXPECT_EQ(state("light.porch"), "off");
    EXPECT_THAT(say("is the porch light on"), ElementsAre(HasSubstr("off")));
    EXPECT_THAT(say("turn on the coffee machine"), ElementsAre(HasSubstr("coffee machine")));

    declare(R"(["HassTurnOn"])");
    EXPECT_THAT(say("turn on the porch light"), IsEmpty());
    answer(asked("HassTurnOn"), R"({"handled": true, "speech": "The hub did it."})");
    EXPECT_THAT(spoken(), ElementsAre("The hub did it."));
    say("turn on the porch light");
    answer(asked("HassTurnOn"), R"({"handled": false})");
    EXPECT_THAT(spoken(), apology);
}

TEST_F(HomeTurns, TheSatellitesRoomIsKnown) {
    say("turn on the lights", "kitchen-satellite");
    EXPECT_EQ(state("light.counter"), "on");
    EXPECT_EQ(state("light.porch"), "off");
}

TEST_F(HomeTurns, WhatIsDoneInTheRoomItselfIsConfirmedWithASound) {
    EXPECT_THAT(say("turn on the coffee machine", "kitchen-satellite"), ElementsAre("\a"));
    EXPECT_THAT(say("turn on the porch light", "kitchen-satellite"), ElementsAre("Turned on the porch light."));
    EXPECT_THAT(say("is the kettle on", "kitchen-satellite"), ElementsAre("No, off."));
}

TEST_F(HomeTurns, AnUnknownNameIsAMissThatNamesIt) {
    EXPECT_THAT(say("turn on the lights in the dungeon"), ElementsAre(HasSubstr("dungeon")));
    EXPECT_THAT(bus.published(subject::home_state), IsEmpty());
}

TEST_F(HomeTurns, WhatOpensTheHouseIsAskedFirst) {
    EXPECT_THAT(say("unlock the front door"), ElementsAre("Shall I really unlock the front door?"));
    EXPECT_THAT(say("no"), ElementsAre("Okay."));
    EXPECT_EQ(state("lock.front_door"), "locked");
    say("unlock the front door");
    EXPECT_THAT(say("yes"), ElementsAre("Unlocked the front door."));
    EXPECT_EQ(state("lock.front_door"), "unlocked");
}

TEST_F(HomeTurns, ACommandThatWasHeardOnlyTheSecondTimeIsAskedAboutWhereMuchHangsOnIt) {
    EXPECT_THAT(say("lock the front door", "s", "look the fronted oar"),
                ElementsAre(HasSubstr("lock the front door?")));
    EXPECT_THAT(say("yes"), ElementsAre(HasSubstr("front door")));
    EXPECT_THAT(say("lock the front door"), ElementsAre(Not(HasSubstr("?"))));
    EXPECT_THAT(say("turn on the porch light", "s", "turn on the pour chlight"),
                ElementsAre("Turned on the porch light."));
}

TEST_F(HomeTurns, WhatWasHeardWithDoubtIsAskedAboutBeforeAnythingIsDone) {
    EXPECT_THAT(say("turn on the porch light", "s", "turn on the pour chlight", true),
                ElementsAre("Did you mean: turn on the porch light?"));
    EXPECT_EQ(state("light.porch"), "off");
    EXPECT_THAT(say("yes"), ElementsAre("Turned on the porch light."));
    EXPECT_EQ(state("light.porch"), "on");
    EXPECT_THAT(say("is the porch light on", "s", "is the pour chlight on", true), ElementsAre(Not(HasSubstr("?"))));
}

TEST_F(HomeTurns, AQuestionThatWasHeardOpensTheMicrophone) {
    const auto tell = [&](std::string_view on, const std::string& payload) {
        turns->handle({std::string(on), {}, {}, payload});
    };
    say("unlock the front door");
    tell(subject::tts_started, protocol::encode(protocol::tts_started{.session_id = "s"}));
    tell(subject::tts_done,
         protocol::encode(protocol::tts_done{.session_id = "s", .completed = true, .audio_ms = 2'000}));
    EXPECT_THAT(bus.published(subject::session_listen), IsEmpty()) << "it is still being asked";
    tell(subject::playback_stopped,
         protocol::encode(protocol::playback_stopped{.session_id = "s", .played_ms = 2'000, .completed = true}));
    ASSERT_EQ(bus.published(subject::session_listen).size(), 1u);
    EXPECT_EQ(
        protocol::decode<protocol::session_listen>(bus.published(subject::session_listen).front().payload)->expects,
        "yes_or_no");
}

TEST_F(HomeTurns, TheMicrophoneStaysClosedWhileAQuestionIsAskedInWhateverOrderThatIsTold) {
    std::array<std::pair<std::string_view, std::string>, 3> told{{
        {subject::tts_started, protocol::encode(protocol::tts_started{.session_id = "s"})},
        {subject::tts_done,
         protocol::encode(protocol::tts_done{.session_id = "s", .completed = true, .audio_ms = 2'000})},
        {subject::playback_started, protocol::encode(protocol::playback_started{.session_id = "s", .generation = 0})},
    }};
    std::ranges::sort(told);
    std::size_t asked = 0;
    do {
        turns->handle({std::string(subject::stt_final),
                       {},
                       protocol::write_turn({.audio = protocol::audio_form::pcm}),
                       protocol::encode(protocol::transcript{.session_id = "s", .text = "unlock the front door"})});
        for (const auto& [on, payload] : told) turns->handle({std::string(on), {}, {}, payload});
        turns->tick();
        EXPECT_EQ(bus.published(subject::session_listen).size(), asked) << told[0].first << ", " << told[1].first;
        turns->handle({std::string(subject::playback_stopped),
                       {},
                       {},
                       protocol::encode(protocol::playback_stopped{
                           .session_id = "s", .generation = 0, .played_ms = 2'000, .completed = true})});
        EXPECT_EQ(bus.published(subject::session_listen).size(), ++asked);
    } while (std::ranges::next_permutation(told).found);
}

TEST_F(HomeTurns, TheMicrophoneOpensForASpeakerThatSaysNothingWhenTheQuestionIsOver) {
    say("unlock the front door");
    turns->handle(
        {std::string(subject::tts_started), {}, {}, protocol::encode(protocol::tts_started{.session_id = "s"})});
    turns->handle({std::string(subject::tts_done),
                   {},
                   {},
                   protocol::encode(protocol::tts_done{.session_id = "s", .completed = true, .audio_ms = 2'000})});
    clock.advance(seconds(2));
    turns->tick();
    EXPECT_THAT(bus.published(subject::session_listen), IsEmpty());
    clock.advance(turns->next_deadline() - clock.steady());
    clock.advance(seconds(1));
    turns->tick();
    EXPECT_EQ(bus.published(subject::session_listen).size(), 1u);
}

TEST_F(HomeTurns, SeveralCommandsAreDoneTogetherOrNotAtAll) {
    EXPECT_THAT(say("turn on the porch light and turn on the printer"),
                ElementsAre("Turned on the porch light. Turned on the printer."));
    EXPECT_THAT(say("turn off the porch light and turn on the fans in the office"),
                ElementsAre("Sorry, there is no fan in the Office."));
    EXPECT_EQ(state("light.porch"), "on");
}

TEST_F(HomeTurns, ACommandForLaterWaitsInATimerAndRuns) {
    EXPECT_THAT(say("turn on the porch light in ten minutes"),
                ElementsAre("I'll turn on the porch light in 10 minutes."));
    EXPECT_EQ(state("light.porch"), "off");
    auto waiting = timers->list().value();
    ASSERT_EQ(waiting.size(), 1u);
    EXPECT_EQ(waiting[0].duration, std::chrono::minutes(10));
    bus.forget_published();
    turns->ring(waiting[0]);
    EXPECT_EQ(state("light.porch"), "on");
    EXPECT_THAT(spoken(), ElementsAre("Turned on the porch light."));
    EXPECT_THAT(timers->list().value(), IsEmpty());
    EXPECT_THAT(bus.published(subject::timer_status), IsEmpty()) << "no timer of a person's has rung";
}

TEST_F(HomeTurns, TheRoomOfALaterCommandIsTheOneItWasSaidIn) {
    say("turn on the lights in ten minutes", "kitchen-satellite");
    turns->ring(timers->list().value().at(0));
    EXPECT_EQ(state("light.counter"), "on");
}

TEST_F(HomeTurns, WhatWasPutOffIsTakenBackRightAfter) {
    for (const char* words : {"cancel that", "Never mind.", "no, don't"}) {
        say("turn on the porch light in ten minutes");
        EXPECT_THAT(say(words), ElementsAre("Okay, I won't turn on the porch light.")) << words;
        EXPECT_THAT(timers->list().value(), IsEmpty()) << words;
    }
    say("turn on the porch light and turn on the printer in ten minutes");
    EXPECT_THAT(say("forget it"),
                ElementsAre("Okay, I won't turn on the porch light. Okay, I won't turn on the printer."));
    EXPECT_THAT(timers->list().value(), IsEmpty());
    EXPECT_THAT(say("cancel that"), ElementsAre("Okay.")) << "there is nothing to take back any more";
}

TEST_F(HomeTurns, WhatWasPutOffIsTakenBackByWhatItIs) {
    say("turn off the lights in the living room in ten minutes");
    say("turn on the printer in an hour");
    EXPECT_THAT(say("don't turn off the lights in the kitchen"), ElementsAre("That is not planned."));
    EXPECT_THAT(say("don't turn off the lights in the living room"),
                ElementsAre("Okay, I won't turn off the lights in the living room."));
    EXPECT_THAT(say("what is planned"), ElementsAre("One command is planned: turn on the printer in 1 hour."));
    EXPECT_THAT(say("cancel turning on the printer"), ElementsAre("Okay, I won't turn on the printer."));
    EXPECT_THAT(say("what is planned"), ElementsAre("Nothing is planned."));
    EXPECT_THAT(say("don't turn on the printer"), ElementsAre("Nothing is planned."));
    EXPECT_EQ(state("switch.printer"), "off") << "what is not to be done is not done";
}

TEST_F(HomeTurns, OfSeveralThatWaitIsAskedWhich) {
    say("turn on the porch light in ten minutes");
    say("turn on the printer tomorrow at seven");
    EXPECT_THAT(
        say("cancel the delayed command", "t"),
        ElementsAre("2 commands are planned: turn on the porch light in 10 minutes and turn on the printer tomorrow "
                    "at 7 AM. Which one should I cancel?"));
    EXPECT_THAT(say("cancel all planned commands", "t"), ElementsAre("2 planned commands cancelled."));
    EXPECT_THAT(timers->list().value(), IsEmpty());
}

TEST_F(HomeTurns, WhatFellDueMeanwhileSaysThatItIsLate) {
    say("turn on the counter light in ten minutes", "kitchen-satellite");
    auto due = timers->list().value().at(0);
    due.late = std::chrono::minutes(3);
    bus.forget_published();
    turns->ring(due);
    EXPECT_EQ(state("light.counter"), "on");
    EXPECT_THAT(spoken(), ElementsAre("Sorry, this is 3 minutes late. Turned on the counter light."));
}

TEST_F(HomeTurns, WhatOpensOrLocksIsNotDoneLateWithoutAsking) {
    struct late_case {
        const char *command, *thing, *before, *after;
        std::chrono::minutes late;
    };
    for (const auto& [command, thing, before, after, late] : std::initializer_list<late_case>{
             {"unlock the back door in ten minutes", "lock.back_door", "locked", "unlocked", std::chrono::minutes(2)},
             {"close the living room blinds in ten minutes", "cover.living_room_blinds", "open", "closed",
              std::chrono::minutes(2)},
             {"turn on the printer in ten minutes", "switch.printer", "off", "on", std::chrono::hours(5)}}) {
        say(command);
        if (timers->list().value().empty()) say("yes");
        auto due = timers->list().value().at(0);
        due.late = late;
        bus.forget_published();
        turns->ring(due);
        EXPECT_EQ(state(thing), before);
        EXPECT_THAT(spoken(), ElementsAre(HasSubstr("Shall I do it now?")));
        EXPECT_THAT(timers->list().value(), IsEmpty());
        say("yes");
        EXPECT_EQ(state(thing), after);
    }
}

TEST_F(HomeTurns, AnAlarmIsArmedAtAWordAndDisarmedAfterAYes) {
    EXPECT_THAT(say("arm the alarm for the night"), ElementsAre("The House Alarm is armed in night mode."));
    EXPECT_EQ(state("alarm_control_panel.house"), "armed_night");
    EXPECT_THAT(say("is the alarm armed"), ElementsAre("The House Alarm is armed night."));
    EXPECT_THAT(say("disarm the alarm"), ElementsAre("Shall I really disarm the alarm?"));
    EXPECT_EQ(state("alarm_control_panel.house"), "armed_night");
    EXPECT_THAT(say("yes"), ElementsAre("The House Alarm is disarmed."));
    EXPECT_EQ(state("alarm_control_panel.house"), "disarmed");
}

TEST_F(HomeTurns, AnAlarmWithACodeWantsIt) {
    auto guarded = *home->snapshot();
    std::ranges::find(guarded.entities, "alarm_control_panel.house", &intent::entity::id)->attributes["code"] =
        std::int64_t{4711};
    home->rebuild(guarded);
    EXPECT_THAT(say("arm the house"), ElementsAre("The House Alarm is armed."));
    EXPECT_THAT(say("disarm the house"), ElementsAre(HasSubstr("needs the code")));
    EXPECT_THAT(say("disarm the alarm with code one two three four"), ElementsAre("Sorry, that code is wrong."));
    EXPECT_EQ(state("alarm_control_panel.house"), "armed_away");
    EXPECT_THAT(say("disarm the alarm with the code four seven one one"),
                ElementsAre("Shall I really disarm the alarm?"))
        << "the code is not said aloud";
    EXPECT_THAT(say("yes"), ElementsAre("The House Alarm is disarmed."));
    EXPECT_THAT(house::to_json(*home, 1, 1), testing::Not(HasSubstr("4711"))) << "nobody is shown it";
}

TEST_F(HomeTurns, AnAnnouncementIsHeardOnEveryOtherSpeaker) {
    turns->handle({std::string(subject::playback_started),
                   {},
                   {},
                   protocol::encode(protocol::playback_started{.session_id = "bedroom-satellite"})});
    EXPECT_THAT(say("announce dinner is ready", "kitchen-satellite"), ElementsAre("dinner is ready", "Announced."));
    const auto said = bus.published(subject::tts_request).front();
    EXPECT_EQ(protocol::decode<protocol::tts_request>(said.payload)->target, "bedroom-satellite");
    EXPECT_EQ(protocol::read_turn(said.headers).urgency, protocol::urgency::announcement);
}

TEST_F(HomeTurns, ADeclaredHandlerIsAskedInsteadOfTheHome) {
    declare(R"(["HassTurnOn"])");
    EXPECT_THAT(say("turn on the porch light"), IsEmpty());
    const auto request = asked("HassTurnOn");
    EXPECT_THAT(request.payload, HasSubstr("\"Porch Light\""));
    answer(request, R"({"handled": true, "speech": "Let there be light."})");
    EXPECT_THAT(spoken(), ElementsAre("Let there be light."));
    EXPECT_EQ(state("light.porch"), "off");
}

TEST_F(HomeTurns, AHandlerIsToldWhatWouldChangeAndWhatWouldBeSaid) {
    declare(R"(["HassLightSet", "HassTurnOn"])");
    say("set the porch light to 40 percent");
    const auto request = asked("HassLightSet");
    EXPECT_THAT(request.payload,
                HasSubstr(R"("changes":[{"attributes":{"brightness":40},"id":"light.porch","state":"on"}])"));
    EXPECT_THAT(request.payload, HasSubstr(R"("speech":"Brightness set to 40 percent.")"));
    answer(request, R"({"handled": true, "speech": "Done."})");
    EXPECT_EQ(state("light.porch"), "off");
}

TEST_F(HomeTurns, WhatAHandlerDoesNotWantTheHomeDoes) {
    declare(R"(["HassTurnOn"])");
    say("turn on the porch light");
    answer(asked("HassTurnOn"), R"({"handled": false})");
    EXPECT_THAT(spoken(), ElementsAre("Turned on the porch light."));
}

TEST_F(HomeTurns, ADeclarationEnds) {
    declare(R"(["HassTurnOn"])");
    clock.advance(declaration_holds + seconds(1));
    EXPECT_THAT(say("turn on the porch light"), ElementsAre("Turned on the porch light."));
    declare(R"(["HassTurnOn"])");
    declare("[]");
    EXPECT_THAT(say("turn off the porch light"), ElementsAre("Turned off the porch light."));
}

TEST_F(HomeTurns, AHandlerThatIsGoneIsApologisedFor) {
    declare(R"(["HassTurnOn"])");
    say("turn on the porch light");
    answer(asked("HassTurnOn"), "", {{"Status", "503"}});
    EXPECT_THAT(spoken(), ElementsAre("Sorry, what does that is not here right now."));
}

TEST_F(HomeTurns, AHandlerThatIsSlowIsApologisedForAndItsAnswerDropped) {
    declare(R"(["HassTurnOn"])");
    say("turn on the porch light");
    const auto request = asked("HassTurnOn");
    EXPECT_LE(turns->next_deadline(), clock.steady() + seconds(3));
    clock.advance(seconds(3));
    turns->tick();
    EXPECT_THAT(spoken(), ElementsAre("Sorry, that took too long."));
    answer(request, R"({"handled": true, "speech": "Too late."})");
    EXPECT_THAT(spoken(), ElementsAre("Sorry, that took too long."));
}

TEST_F(HomeTurns, AHandlerMayAskAndIsAskedAgainAfterAYes) {
    declare(R"(["HassTurnOn"])");
    say("turn on the porch light");
    answer(asked("HassTurnOn"), R"({"handled": true, "ask": true, "speech": "At this hour?"})");
    EXPECT_THAT(spoken(), ElementsAre("At this hour?"));
    say("yes");
    const auto again = asked("HassTurnOn");
    EXPECT_THAT(again.payload, HasSubstr("\"confirmed\":true"));
    answer(again, R"({"handled": true, "speech": "As you wish."})");
    EXPECT_THAT(spoken(), ElementsAre("As you wish."));
}

TEST_F(HomeTurns, ATimerNamedAfterARoomIsNoneOfTheRoomsThings) {
    say("set a kitchen timer for thirty minutes");
    say("set a timer for twenty minutes");
    EXPECT_THAT(say("how much time is left on the kitchen timer"),
                ElementsAre("30 minutes left on the kitchen timer."));
    EXPECT_THAT(say("cancel the kitchen timer"), ElementsAre("Kitchen timer cancelled."));
    EXPECT_THAT(say("cancel my timer", "kitchen-satellite"), ElementsAre("20 minute timer cancelled."));
}

TEST_F(HomeTurns, TheConversationGoesOn) {
    say("turn on the porch light");
    say("turn it off again");
    EXPECT_EQ(state("light.porch"), "off");
    say("turn on the lights in the kitchen");
    say("and in the garage");
    EXPECT_EQ(state("light.garage"), "on");
}

TEST_F(HomeTurns, WhatWouldBeSaidIsKnownWithoutDoingIt) {
    const auto meaning = sentences->now()->meaning->understand("turn on the porch light");
    ASSERT_TRUE(meaning);
    EXPECT_EQ(home_answers->preview(meaning->commands.front().what, {}), "Turned on the porch light.");
    EXPECT_EQ(state("light.porch"), "off");
}

}  // namespace
}  // namespace loqa::session
