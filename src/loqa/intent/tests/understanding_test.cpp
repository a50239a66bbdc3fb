#include "loqa/intent/understanding.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "house.hpp"

namespace loqa::intent {
namespace {

using testing_house::text_of;
using namespace std::chrono_literals;

std::string text_of(const understanding& u) {
    std::string out;
    for (const auto& one : u.commands) {
        if (!out.empty()) out += "; ";
        out += text_of(one.what);
        if (one.delay) out += fmt::format(" +{}s", one.delay->count());
        if (one.at) out += fmt::format(" @{:02}:{:02}", one.at->hour, one.at->minute);
    }
    if (u.mended) out += " (mended)";
    if (u.ask_first) out += " (ask)";
    return out;
}

const interpreter& house_interpreter() {
    static const auto made = [] {
        collection all = testing_house::sentences();
        auto ours = load_collection(fs::path(LOQA_SHARE) / "intents/en/loqa.yaml");
        EXPECT_TRUE(ours) << ours.error().text();
        all.merge(std::move(*ours));
        auto m = matcher::compile(all, testing_house::house());
        EXPECT_TRUE(m) << m.error().text();
        return std::make_unique<interpreter>(*m, std::make_shared<home>(testing_house::house()));
    }();
    return *made;
}

struct understanding_case {
    std::string_view sentence, meaning;
};
std::ostream& operator<<(std::ostream& out, const understanding_case& c) { return out << '"' << c.sentence << '"'; }
class Understanding : public testing::TestWithParam<understanding_case> {};

TEST_P(Understanding, GivesCommands) {
    const auto got = house_interpreter().understand(GetParam().sentence);
    if (got) {
        EXPECT_EQ(text_of(*got), GetParam().meaning);
    } else {
        EXPECT_EQ("! " + got.error().sentence(), GetParam().meaning);
    }
}

using U = understanding_case;
INSTANTIATE_TEST_SUITE_P(
    Mended, Understanding,
    testing::Values(U{"turn on the kitchen lights", "HassTurnOn area=Kitchen domain=light"},
                    U{"Turn on the kit chin lights.", "HassTurnOn area=Kitchen domain=light (mended)"},
                    U{"set a time er for ten minutes", "HassStartTimer minutes=10 (mended)"},
                    U{"turn of the sink light", "HassTurnOff name=Sink Light (mended)"},
                    U{"plaay Bohemian Rhapsody in the kitchen",
                      "HassMediaSearchAndPlay area=Kitchen song=Bohemian Rhapsody (mended)"},
                    U{"turn on the sing light", "HassTurnOn name=Sink Light (mended)"},
                    U{"set a timer for tin minutes", "! I didn't understand \"tin\"."},
                    // Words that are words stay what they are: no number, room or direction is guessed at.
                    U{"turn on the lights in the sauna", "! I don't know an area called sauna."},
                    U{"turn on the toaster", "! I don't know anything called toaster."},
                    U{"what is the meaning of life", "! I didn't understand that."}, U{"", "! I heard nothing."}));
INSTANTIATE_TEST_SUITE_P(
    Several, Understanding,
    testing::Values(U{"turn on the porch light and turn off the sink light",
                      "HassTurnOn name=Porch Light; HassTurnOff name=Sink Light"},
                    U{"Turn on the sink light and lock the front door.",
                      "HassTurnOn name=Sink Light; HassTurnOn name=Front Door"},
                    U{"turn off the sink light, the table light and the ceiling fan",
                      "HassTurnOff name=Sink Light; HassTurnOff name=Table Light; HassTurnOff name=Ceiling Fan"},
                    U{"turn off the lights in the kitchen and the bedroom",
                      "HassTurnOff area=Kitchen domain=light; HassTurnOff area=Bedroom domain=light"},
                    U{"turn on the sink light and make me a sandwich", "! I didn't understand that."},
                    U{"turn on the sink light and the lights in the sauna", "! I don't know an area called sauna."},
                    U{"set a timer for one hour and five minutes", "HassStartTimer hours=1 minutes=5"},
                    U{"set two timers, one for three minutes and one for nine",
                      "HassStartTimer minutes=3; HassStartTimer minutes=9"},
                    U{"Set two timers, one for three and one for nine minutes.",
                      "HassStartTimer minutes=3; HassStartTimer minutes=9"},
                    U{"set three timers, one for three minutes and one for nine", "! I didn't understand that."},
                    U{"set a timer for five minutes and turn off the sink light",
                      "HassStartTimer minutes=5; HassTurnOff name=Sink Light"}));
INSTANTIATE_TEST_SUITE_P(
    Later, Understanding,
    testing::Values(
        U{"turn off the sink light in ten minutes", "HassTurnOff name=Sink Light +600s"},
        U{"turn off the sink light at half past nine", "HassTurnOff name=Sink Light @09:30"},
        U{"Tomorrow at seven, turn on the sink light.", "HassTurnOn name=Sink Light @07:00"},
        U{"turn on the sink light tomorrow at quarter to eight in the evening", "HassTurnOn name=Sink Light @19:45"},
        U{"turn off the sink light and the table light in ten minutes",
          "HassTurnOff name=Sink Light +600s; HassTurnOff name=Table Light +600s"},
        U{"turn off the sink light in half an hour", "HassTurnOff name=Sink Light +1800s"},
        U{"turn off the lights in the kitchen in an hour and a half", "HassTurnOff area=Kitchen domain=light +5400s"},
        U{"in two hours turn off the sink light", "HassTurnOff name=Sink Light +7200s"},
        U{"turn on the sink light on friday at six", "HassTurnOn name=Sink Light @06:00"},
        U{"turn off the toaster in ten minutes", "! I don't know anything called toaster."}));
INSTANTIATE_TEST_SUITE_P(Asked, Understanding,
                         testing::Values(U{"unlock the front door", "HassTurnOff name=Front Door (ask)"},
                                         U{"lock the front door", "HassTurnOn name=Front Door"},
                                         U{"open the garage door", "HassTurnOn name=Garage Door (ask)"},
                                         U{"close the garage door", "HassTurnOff name=Garage Door"},
                                         U{"lock the frunt door", "HassTurnOn name=Front Door (mended) (ask)"},
                                         U{"turn on all the lights", "HassTurnOn domain=light (ask)"}));

// Names that differ in a number alone are told apart by it, or not at all.
TEST(Mending, NumbersInNamesAreNotGuessed) {
    home house = testing_house::house();
    house.entities.push_back({"light.desk_2", "Desk Lamp 2", "kitchen", {}, "on", "", {}});
    house.entities.push_back({"light.desk_3", "Desk Lamp 3", "kitchen", {}, "on", "", {}});
    auto compiled = matcher::compile(testing_house::sentences(), house);
    ASSERT_TRUE(compiled) << compiled.error().text();
    const interpreter all(*compiled, std::make_shared<home>(house));
    const auto got = all.understand("turn on the desk lamb 3");
    ASSERT_TRUE(got) << got.error().sentence();
    EXPECT_EQ(got->commands.front().what.text_of("name"), "Desk Lamp 3");
    EXPECT_TRUE(got->ask_first);  // a number beside a mended word
    EXPECT_FALSE(all.understand("turn on the desk lamb"));
}

// Words that stand for opposites are never made of each other, and what was heard half is asked back.
TEST(Mending, NeverTurnsACommandRound) {
    struct round_case {
        std::string_view heard, never;
    };
    for (const auto& [heard, never] : std::vector<round_case>{{"turn of the sink light", "HassTurnOn"},
                                                              {"turn up the sink light", "HassTurnOff"},
                                                              {"and lock the front door", "HassTurnOff"},
                                                              {"lock the frunt door", "HassTurnOff"},
                                                              {"unlock the frunt door", "HassTurnOn"},
                                                              {"open the garaj door", "HassTurnOff"},
                                                              {"clothes the garage door", "HassTurnOn"}}) {
        const auto got = house_interpreter().understand(heard);
        if (!got || got->ask_first) continue;
        EXPECT_NE(got->commands.front().what.intent, never) << heard;
    }
}

TEST(Conversation, RemembersTheLastTurn) {
    struct turn_case {
        std::string_view first, then, meaning;
    };
    const steady_time start{};
    for (const auto& [first, then, meaning] : std::vector<turn_case>{
             {"turn on the lights in the kitchen", "and the bedroom", "HassTurnOn area=Bedroom domain=light"},
             {"turn on the kitchen lights", "what about the living room?", "HassTurnOn area=Living Room domain=light"},
             {"turn on the sink light", "turn it off again", "HassTurnOff name=Sink Light"},
             {"turn on the sink light", "and the table light", "HassTurnOn name=Table Light"},
             {"turn on the kitchen lights", "turn them off", "HassTurnOff area=Kitchen domain=light"},
             {"turn on the sink light", "the table light too", "HassTurnOn name=Table Light"},
             {"turn on the sink light", "and the sauna", "! I didn't understand that."},
             {"set the temperature to 21 degrees", "make it warmer", "HassClimateSetTemperature temperature=22"},
             {"set the temperature to 21.5 degrees", "a bit cooler please",
              "HassClimateSetTemperature temperature=20.5"},
             {"set the sink light to 50%", "Brighter!", "HassLightSet brightness=70 name=Sink Light"},
             {"set the sink light to 90%", "make it brighter", "HassLightSet brightness=100 name=Sink Light"},
             {"turn on the sink light", "make it warmer", "! I didn't understand that."},
         }) {
        const auto before = house_interpreter().understand(first);
        ASSERT_TRUE(before) << first;
        const conversation so_far{before->commands, start};
        const auto got = house_interpreter().understand(then, {}, so_far, start + 20s);
        EXPECT_EQ(got ? text_of(*got) : "! " + got.error().sentence(), meaning) << first << " / " << then;
        EXPECT_FALSE(house_interpreter().understand(then, {}, so_far, start + 5min)) << "remembered too long: " << then;
    }
}

TEST(Conversation, YesAndNo) {
    for (const char* yes : {"yes", "Yes.", "yeah", "Yes, please.", "okay", "Do it!"})
        EXPECT_EQ(yes_or_no(yes), true) << yes;
    for (const char* no : {"no", "No.", "no thanks", "nope", "Never mind.", "Stop!"})
        EXPECT_EQ(yes_or_no(no), false) << no;
    for (const char* other : {"", "turn on the light", "yesterday", "not now I said"})
        EXPECT_EQ(yes_or_no(other), std::nullopt) << other;
}

TEST(Times, AreUnderstoodAsSaid) {
    struct time_case {
        std::string_view said;
        std::optional<spoken_time> meant;
    };
    for (const auto& [said, meant] : std::vector<time_case>{
             {"seven", spoken_time{7, 0, false, -1}},
             {"at seven thirty", spoken_time{7, 30, false, -1}},
             {"7:30 p.m.", spoken_time{19, 30, true, -1}},
             {"7pm", spoken_time{19, 0, true, -1}},
             {"quarter to nine", spoken_time{8, 45, false, -1}},
             {"a quarter past nine", spoken_time{9, 15, false, -1}},
             {"half past ten in the evening", spoken_time{22, 30, true, -1}},
             {"ten to one", spoken_time{0, 50, false, -1}},
             {"five past noon", spoken_time{12, 5, true, -1}},
             {"quarter to midnight", spoken_time{23, 45, true, -1}},
             {"quarter to noon", spoken_time{11, 45, true, -1}},
             {"half eight", spoken_time{8, 30, false, -1}},
             {"half past eight tomorrow morning", spoken_time{8, 30, true, 1}},
             {"the day after tomorrow at six", spoken_time{6, 0, false, 2}},
             {"on friday at six", spoken_time{6, 0, false, -1, 5}},
             {"at six on friday", spoken_time{6, 0, false, -1, 5}},
             {"next monday morning at seven thirty", spoken_time{7, 30, true, -1, 1}},
             {"sunday night at half past ten", spoken_time{22, 30, true, -1, 0}},
             {"on the third of may at noon", spoken_time{12, 0, true, -1, -1, 5, 3}},
             {"at noon on may 3rd", spoken_time{12, 0, true, -1, -1, 5, 3}},
             {"on december twenty first at five pm", spoken_time{17, 0, true, -1, -1, 12, 21}},
             {"on the twenty second at nine", spoken_time{9, 0, false, -1, -1, 0, 22}},
             {"on the fortieth of may at noon", std::nullopt},
             {"friday", std::nullopt},
             {"noon", spoken_time{12, 0, true, -1}},
             {"midnight", spoken_time{0, 0, true, -1}},
             {"tomorrow at eight o'clock", spoken_time{8, 0, false, 1}},
             {"tonight at nine", spoken_time{21, 0, true, 0}},
             {"seven oh five", spoken_time{7, 5, false, -1}},
             {"22:15", spoken_time{22, 15, true, -1}},
             {"twenty-five to six", spoken_time{5, 35, false, -1}},
             {"banana", std::nullopt},
             {"seven eight nine", std::nullopt},
             {"25:00", std::nullopt},
             {"", std::nullopt},
         })
        EXPECT_EQ(parse_spoken_time(said), meant) << said;
}

TEST(Times, TheNextOccurrenceIsMeant) {
    using namespace std::chrono;
    const local_seconds noon = local_days{2026y / November / 23} + 12h;
    EXPECT_EQ(next_occurrence({7, 0, false, -1}, noon),
              local_days{2026y / November / 23} + 19h);  // seven: this evening
    EXPECT_EQ(next_occurrence({7, 0, true, -1}, noon),
              local_days{2026y / November / 24} + 7h);  // seven in the morning: tomorrow
    EXPECT_EQ(next_occurrence({22, 15, true, -1}, noon), local_days{2026y / November / 23} + 22h + 15min);
    EXPECT_EQ(next_occurrence({8, 0, false, 1}, noon), local_days{2026y / November / 24} + 8h);
    // 23 November 2026 is a Monday.
    EXPECT_EQ(next_occurrence({6, 0, false, -1, 5}, noon), local_days{2026y / November / 27} + 6h);
    EXPECT_EQ(next_occurrence({11, 0, true, -1, 1}, noon), local_days{2026y / November / 30} + 11h);
    EXPECT_EQ(next_occurrence({7, 0, false, -1, 1}, noon), local_days{2026y / November / 23} + 19h);
    EXPECT_EQ(next_occurrence({12, 0, true, -1, -1, 5, 3}, noon), local_days{2027y / May / 3} + 12h);
    EXPECT_EQ(next_occurrence({9, 0, false, -1, -1, 0, 22}, noon), local_days{2026y / December / 22} + 9h);
    EXPECT_EQ(next_occurrence({9, 0, true, -1, -1, 2, 29}, noon), local_days{2028y / February / 29} + 9h);
}

TEST(Durations, AreUnderstoodAsSaid) {
    struct duration_case {
        std::string_view said;
        std::chrono::seconds meant;  // 0: none
    };
    for (const auto& [said, meant] : std::vector<duration_case>{
             {"ten minutes", 10min},
             {"10 minutes", 10min},
             {"a minute", 1min},
             {"an hour", 1h},
             {"one hour and five minutes", 65min},
             {"2 hours, 5 minutes and 10 seconds", 2h + 5min + 10s},
             {"half an hour", 30min},
             {"half a minute", 30s},
             {"an hour and a half", 90min},
             {"one and a half hours", 90min},
             {"two and a half hours", 150min},
             {"two hours and a quarter", 135min},
             {"a quarter of an hour", 15min},
             {"three quarters of an hour", 45min},
             {"one hundred and twenty minutes", 2h},
             {"a couple of minutes", 2min},
             {"two days", 48h},
             {"twenty-five seconds", 25s},
             {"", 0s},
             {"ten", 0s},
             {"ten minutes and", 0s},
             {"minutes ten", 0s},
             {"five minutes and two hours", 0s},
             {"zero minutes", 0s},
             {"the kitchen", 0s},
         })
        EXPECT_EQ(parse_spoken_duration(said).value_or(0s), meant) << said;
}

}  // namespace
}  // namespace loqa::intent
