// The home that ships, what intents do to it, and that it is remembered.
#include "loqa/house/house.hpp"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loqa/base/ids.hpp"
#include "loqa/house/plan.hpp"
#include "loqa/intent/live.hpp"
#include "loqa/telemetry/log.hpp"

namespace loqa::house {
namespace {

using testing::ElementsAre;

class House : public testing::Test {
protected:
    static void SetUpTestSuite() {
        auto read = intent::load_home(fs::path(LOQA_SHARE) / "homes" / "house.yaml");
        ASSERT_TRUE(read) << read.error().text();
        ::setenv("LOQA_SHARE_DIR", LOQA_SHARE, 1);
        ::setenv("LOQA_CACHE_DIR", LOQA_CACHE, 1);
        as_built = new intent::home(*read);
        auto made = intent::build({.language = "en", .own = {}}, std::make_shared<const intent::home>(*read));
        ASSERT_TRUE(made) << made.error().text();
        EXPECT_TRUE((*made)->broken.empty());
        sentences = new std::shared_ptr<const intent::built>(*made);
    }
    static void TearDownTestSuite() {
        delete std::exchange(as_built, nullptr);
        delete std::exchange(sentences, nullptr);
    }
    void SetUp() override {
        fs::create_directories(folder);
        open();
    }
    void TearDown() override {
        home.reset();
        fs::remove_all(folder);
    }
    void open() {
        home.reset();
        auto opened = simulated_home::open(folder / "home.db", *as_built, clock, telemetry::logger::silent());
        ASSERT_TRUE(opened) << opened.error().text();
        home = std::move(*opened);
    }

    std::string state(const std::string& id) const {
        const auto now = home->snapshot();
        const auto found = std::ranges::find(now->entities, id, &intent::entity::id);
        return found == now->entities.end() ? "?" : found->state;
    }
    std::string attribute(const std::string& id, const std::string& key) const {
        const auto now = home->snapshot();
        const auto found = std::ranges::find(now->entities, id, &intent::entity::id);
        if (found == now->entities.end() || !found->attributes.contains(key)) return "?";
        return intent::to_string(found->attributes.at(key));
    }
    // What is said when a sentence is carried out; "!key" when it is refused, "?" when it means nothing.
    std::string say(const std::string& sentence, const std::string& area = {}) {
        const auto understood = (*sentences)->meaning->understand(sentence, {.area = area});
        if (!understood) return "?" + understood.error().sentence();
        const auto& what = understood->commands.front().what;
        const auto planned = plan_for(*home, what, clock.wall());
        if (!planned) return "? " + what.intent;
        if (!*planned) return "!" + planned->error().key;
        if (const auto done = home->apply((*planned)->changes); !done) return "!" + done.error().message;
        return intent::render(*(*sentences)->sentences, what, (*planned)->values).value_or("Done");
    }

    static inline intent::home* as_built = nullptr;
    static inline std::shared_ptr<const intent::built>* sentences = nullptr;
    fs::path folder = fs::path(testing::TempDir()) / ("loqa-house-" + random_hex(4));
    manual_clock clock;
    std::unique_ptr<simulated_home> home;
};

struct command_case {
    std::string_view sentence, area, answer, entity, state, attribute = {}, value = {};
};
class HouseCommand : public House, public testing::WithParamInterface<command_case> {};

TEST_P(HouseCommand, ChangesTheHomeAndSaysSo) {
    const auto& c = GetParam();
    EXPECT_EQ(say(std::string(c.sentence), std::string(c.area)), c.answer) << c.sentence;
    EXPECT_EQ(state(std::string(c.entity)), c.state);
    if (c.attribute.empty()) return;
    EXPECT_EQ(attribute(std::string(c.entity), std::string(c.attribute)), c.value);
}

INSTANTIATE_TEST_SUITE_P(
    Sentences, HouseCommand,
    testing::Values(
        command_case{"turn on the porch light", "", "Turned on the porch light", "light.porch", "on"},
        command_case{"turn on the lights", "Kitchen", "Turned on the lights", "light.counter", "on"},
        command_case{"turn on the kitchen lights", "", "Turned on the lights", "light.kitchen_ceiling", "on"},
        command_case{"turn off the radio", "", "Turned off the radio", "media_player.kitchen_radio", "off"},
        command_case{"turn on the coffee machine", "", "Turned on the coffee machine", "switch.coffee_machine", "on"},
        command_case{"set the reading lamp brightness to 30 percent", "", "Brightness set to 30 percent",
                     "light.reading_lamp", "on", "brightness", "30"},
        command_case{"set the bedside lamp to red", "", "Set to red", "light.bedside_lamp", "on", "color", "red"},
        command_case{"lock the front door", "", "Locked the front door", "lock.front_door", "locked"},
        command_case{"unlock the front door", "", "Unlocked the front door", "lock.front_door", "unlocked"},
        command_case{"open the bedroom curtains", "", "Opening the bedroom curtains", "cover.bedroom_curtains", "open",
                     "current_position", "100"},
        command_case{"set the bedroom curtains to 40 percent", "", "Set to 40 percent", "cover.bedroom_curtains",
                     "open", "current_position", "40"},
        command_case{"set the temperature in the bedroom to 19 degrees", "", "Set to 19 degrees", "climate.bedroom",
                     "heat", "temperature", "19"},
        command_case{"set the kitchen radio volume to 55 percent", "", "Volume set to 55 percent",
                     "media_player.kitchen_radio", "playing", "volume_level", "55"},
        command_case{"turn the volume up", "Kitchen", "Volume 30 percent", "media_player.kitchen_radio", "playing",
                     "volume_level", "30"},
        command_case{"turn up the volume on the kitchen radio", "", "Volume 30 percent", "media_player.kitchen_radio",
                     "playing", "volume_level", "30"},
        command_case{"make the kitchen radio quieter", "", "Volume 10 percent", "media_player.kitchen_radio", "playing",
                     "volume_level", "10"},
        command_case{"pause the music", "Kitchen", "Paused", "media_player.kitchen_radio", "paused"},
        command_case{"next track", "Kitchen", "Playing next", "media_player.kitchen_radio", "playing", "media_track",
                     "2"},
        command_case{"start dusty", "", "Dusty starts cleaning", "vacuum.dusty", "cleaning"},
        command_case{"start the vacuum", "", "Dusty starts cleaning", "vacuum.dusty", "cleaning"},
        command_case{"send the vacuum cleaner back to its base", "", "Dusty returns to its base", "vacuum.dusty",
                     "docked"},
        command_case{"set the ceiling fan speed to 70 percent", "", "Speed set to 70 percent", "fan.ceiling", "on",
                     "percentage", "70"},
        command_case{"add milk to my shopping list", "", "Added milk", "todo.shopping_list", "1"},
        command_case{"is the front door locked", "", "Yes", "lock.front_door", "locked"},
        command_case{"is the kitchen window open", "", "No, closed", "binary_sensor.kitchen_window", "off"},
        command_case{"are any lights on in the kitchen", "", "No", "light.counter", "off"},
        command_case{"what is the kitchen temperature", "", "The Kitchen Temperature is 22.5 °C",
                     "sensor.kitchen_temperature", "22.5"},
        command_case{"what is the humidity in the bathroom", "", "The Bathroom Humidity is 61 %",
                     "sensor.bathroom_humidity", "61"},
        command_case{"how high is the bathroom humidity", "", "The Bathroom Humidity is 61 %",
                     "sensor.bathroom_humidity", "61"},
        command_case{"what is the temperature in the living room", "", "It is 20.5 degrees", "climate.living_room",
                     "heat"},
        command_case{"where is robin", "", "Robin is away", "person.robin", "not_home"}));

struct refusal_case {
    std::string_view sentence, area, refused;
};
class HouseRefusal : public House, public testing::WithParamInterface<refusal_case> {};

TEST_P(HouseRefusal, ChangesNothing) {
    const auto& c = GetParam();
    const auto before = home->snapshot();
    EXPECT_THAT(say(std::string(c.sentence), std::string(c.area)), testing::StartsWith(std::string(c.refused)));
    EXPECT_EQ(home->snapshot(), before);
}

INSTANTIATE_TEST_SUITE_P(Sentences, HouseRefusal,
                         testing::Values(refusal_case{"turn on the lights in the dungeon", "", "?"},
                                         refusal_case{"turn on the fans in the office", "", "!no_domain_in_area"},
                                         refusal_case{"what is the humidity in the kitchen", "",
                                                      "!no_device_class_in_area"},
                                         refusal_case{"what is the weather", "", "!no_weather"},
                                         refusal_case{"pause the music", "Living Room", "!nothing_plays"},
                                         refusal_case{"check off milk from my shopping list", "", "!not_on_list"}));

TEST_F(House, IsRememberedAfterARestart) {
    EXPECT_EQ(say("turn on the porch light"), "Turned on the porch light");
    EXPECT_EQ(say("set the reading lamp brightness to 30 percent"), "Brightness set to 30 percent");
    EXPECT_EQ(say("add milk to my shopping list"), "Added milk");
    EXPECT_EQ(say("add bread to my shopping list"), "Added bread");
    EXPECT_EQ(say("check off milk from my shopping list"), "Checked off milk");
    open();
    EXPECT_EQ(state("light.porch"), "on");
    EXPECT_EQ(attribute("light.reading_lamp", "brightness"), "30");
    EXPECT_EQ(state("light.counter"), "off");
    EXPECT_THAT(home->items("todo.shopping_list"), ElementsAre(list_item{"milk", true}, list_item{"bread", false}));
}

TEST_F(House, OfAPrivateTurnKeepsTheWordsInMemoryAlone) {
    ASSERT_TRUE(home->apply({.items = {{.list_id = "todo.shopping_list", .text = "xylophone"}}, .ephemeral = true}));
    ASSERT_TRUE(home->apply({.states = {{"media_player.kitchen_radio", "playing", {{"media_title", "xylophone"}}}},
                             .items = {},
                             .ephemeral = true}));
    EXPECT_EQ(say("add bread to my shopping list"), "Added bread");
    EXPECT_THAT(home->items("todo.shopping_list"), testing::SizeIs(2));
    EXPECT_EQ(attribute("media_player.kitchen_radio", "media_title"), "xylophone");
    for (const auto& entry : fs::directory_iterator(folder))
        EXPECT_EQ(read_file(entry.path())->find("xylophone"), std::string::npos) << entry.path();
    open();
    EXPECT_EQ(state("media_player.kitchen_radio"), "playing");
    EXPECT_NE(attribute("media_player.kitchen_radio", "media_title"), "xylophone");
    EXPECT_THAT(home->items("todo.shopping_list"), ElementsAre(list_item{"bread", false}));
}

TEST_F(House, AnEditedFileKeepsTheStatesOfWhatStays) {
    EXPECT_EQ(say("turn on the porch light"), "Turned on the porch light");
    auto edited = *as_built;
    std::erase_if(edited.entities, [](const intent::entity& one) { return one.id == "light.counter"; });
    home->rebuild(edited);
    EXPECT_EQ(state("light.porch"), "on");
    EXPECT_EQ(state("light.counter"), "?");
}

TEST_F(House, AChangeIsAllOrNothing) {
    const changes half{.states = {{"light.porch", "on", {}}, {"light.of_nobody", "on", {}}}, .items = {}};
    const auto done = home->apply(half);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, errc::not_found);
    EXPECT_EQ(state("light.porch"), "off");
}

TEST_F(House, WhoListensIsToldWhatChanged) {
    std::vector<std::string> told;
    home->tell([&](const std::vector<intent::entity>& changed) {
        for (const auto& one : changed) told.push_back(one.id + "=" + one.state);
    });
    say("turn on the kitchen lights");
    EXPECT_THAT(told, ElementsAre("light.kitchen_ceiling=on", "light.counter=on"));
}

TEST_F(House, ASceneSwitchesWhatItNames) {
    say("turn on the reading lamp");
    EXPECT_EQ(say("activate movie night"), "Movie Night it is");
    EXPECT_EQ(state("light.reading_lamp"), "off");
    EXPECT_EQ(state("media_player.tv"), "idle");
}

TEST_F(House, ReadsBackAsAHome) {
    say("turn on the porch light");
    const auto read = intent::parse_home(to_json(*home, 3, 4), "home.json");
    ASSERT_TRUE(read) << read.error().text();
    EXPECT_EQ(read->floors.size(), as_built->floors.size());
    EXPECT_EQ(read->areas.size(), as_built->areas.size());
    ASSERT_EQ(read->entities.size(), as_built->entities.size());
    const auto porch = std::ranges::find(read->entities, std::string("light.porch"), &intent::entity::id);
    EXPECT_EQ(porch->state, "on");
    EXPECT_EQ(porch->area, "garden");
}

}  // namespace
}  // namespace loqa::house
