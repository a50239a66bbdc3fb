#include "loqa/intent/matcher.hpp"

#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "house.hpp"

namespace loqa::intent {
namespace {

using testing_house::text_of;

struct match_case {
    std::string_view sentence;
    std::string_view meaning;  // "intent slot=value …", or why there is none
    std::string_view area = "";
};
std::ostream& operator<<(std::ostream& out, const match_case& c) { return out << '"' << c.sentence << '"'; }

class Matching : public testing::TestWithParam<match_case> {};

TEST_P(Matching, GivesIntentAndSlots) {
    static const auto house = testing_house::compiled();
    const auto& [sentence, meaning, area] = GetParam();
    const answer got = house->match(sentence, {.area = std::string(area), .values = {}});
    if (got) {
        EXPECT_EQ(text_of(*got), meaning) << got->sentence_template;
    } else {
        const miss& why = got.error();
        std::string text = "! " + std::string(to_string(why.reason));
        if (!why.list.empty()) text += " " + why.list;
        if (!why.word.empty()) text += ": " + why.word;
        EXPECT_EQ(text, meaning);
    }
}

using C = match_case;
INSTANTIATE_TEST_SUITE_P(Ranking, Matching,
                         testing::Values(C{"turn on the sink light", "HassTurnOn name=Sink Light"},
                                         C{"Turn on the lights in the kitchen.",
                                           "HassTurnOn area=Kitchen domain=light"},
                                         C{"turn on the kitchen lights", "HassTurnOn area=Kitchen domain=light"},
                                         C{"turn on the lights in the lounge", "HassTurnOn area=lounge domain=light"},
                                         // where the satellite stands
                                         C{"turn on the lights", "HassTurnOn area=Bedroom domain=light", "Bedroom"},
                                         C{"turn on the lights", "! missing_context: area"},
                                         // longest name, permutations, templates in names
                                         C{"turn on porch light", "HassTurnOn name=Porch Light"},
                                         C{"turn the porch on", "HassTurnOn name=Porch"},
                                         C{"switch on sink light", "HassTurnOn name=Sink Light"},
                                         C{"on switch sink light", "HassTurnOn name=Sink Light"},
                                         // context conditions
                                         C{"lock the front door", "HassTurnOn name=Front Door"},
                                         C{"turn on the front door", "! wrong_kind name: front door"},
                                         C{"open the garage door", "HassTurnOn name=Garage Door"},
                                         C{"open the front door", "! wrong_kind name: front door"}));
INSTANTIATE_TEST_SUITE_P(
    Values, Matching,
    testing::Values(C{"set the sink light to 50%", "HassLightSet brightness=50 name=Sink Light"},
                    C{"set the sink light to fifty percent", "HassLightSet brightness=50 name=Sink Light"},
                    C{"set the sink light to 50 %", "HassLightSet brightness=50 name=Sink Light"},
                    C{"set the sink light to 101%", "! unknown_words"},
                    C{"set the temperature to 21.5°", "HassClimateSetTemperature temperature=21.5"},
                    C{"set the temperature to twenty one point five degrees",
                      "HassClimateSetTemperature temperature=21.5"},
                    C{"set the temperature to 21.3°", "! unknown_words"},
                    C{"set the temperature to 21,5", "HassClimateSetTemperature temperature=21.5"},
                    C{"set the kitchen lights to azure", "HassLightSet area=Kitchen color=blue"},
                    C{"play jazz on channel 30", "HassMediaSearchAndPlay channel=15 song=jazz"},
                    C{"play jazz on channel thirty", "HassMediaSearchAndPlay channel=15 song=jazz"},
                    C{"play jazz on channel 35", "HassMediaSearchAndPlay song=jazz on channel 35"},
                    C{"play Bohemian Rhapsody in the living room",
                      "HassMediaSearchAndPlay area=Living Room song=Bohemian Rhapsody"},
                    C{"play can you feel it", "HassMediaSearchAndPlay song=can you feel it"}));
INSTANTIATE_TEST_SUITE_P(Spelling, Matching,
                         testing::Values(C{"TURN ON THE SINK LIGHT!", "HassTurnOn name=Sink Light"},
                                         C{"turn  on\tthe sink-light", "HassTurnOn name=Sink Light"},
                                         C{"Please, turn on the sink light, please.", "HassTurnOn name=Sink Light"},
                                         C{"could you turn on my sink light", "HassTurnOn name=Sink Light"}));
INSTANTIATE_TEST_SUITE_P(Misses, Matching,
                         testing::Values(C{"", "! empty"}, C{"?!", "! empty"}, C{"please", "! empty"},
                                         C{"turn on the lights in the sauna", "! unknown_name area: sauna"},
                                         C{"turn on the toaster", "! unknown_name name: toaster"},
                                         C{"turn on the lights on the third floor", "! unknown_name floor: third"},
                                         C{"what is the meaning of life", "! unknown_words"}));

// Never everything, and never another room: whatever word stands for the room.
TEST(Misses, AnUnknownRoomIsNeverAnotherOne) {
    const auto house = testing_house::compiled();
    for (const char* room :
         {"sauna", "kitch", "kitchens", "kit", "bed", "bath room", "everything", "", "a", "the", "all"}) {
        const std::string sentence = fmt::format("turn off the lights in the {}", room);
        const answer got = house->match(sentence);
        EXPECT_FALSE(got) << sentence << " gave " << text_of(*got);
    }
}

TEST(Feed, KnowsWhatMayComeNext) {
    const auto house = testing_house::compiled();
    struct feed_case {
        std::string_view partial;
        bool complete, can_grow, open_text;
        std::vector<std::string> some_next;
    };
    for (const auto& [partial, complete, can_grow, open_text, some_next] : std::vector<feed_case>{
             {"turn", false, true, false, {"on", "off"}},
             {"turn on the", false, true, false, {"light", "kitchen", "sink"}},
             {"turn on the kitchen", false, true, false, {"light"}},
             {"turn on the kitchen lights", true, false, false, {}},
             {"set the sink light to", false, true, false, {"five", "twenty"}},
             {"set the sink light to 50", true, true, false, {"percent"}},
             {"play", false, true, true, {}},
             {"play some jazz", true, false, true, {"in"}},
             {"banana", false, false, false, {}},
         }) {
        const progress got = house->feed(partial);
        EXPECT_EQ(got.complete, complete) << partial;
        EXPECT_EQ(got.can_grow, can_grow) << partial;
        EXPECT_EQ(got.open_text, open_text) << partial;
        for (const auto& word : some_next) EXPECT_THAT(got.next_words, testing::Contains(word)) << partial;
    }
}

TEST(Matcher, MatchesFromManyThreads) {
    const auto house = testing_house::compiled();
    std::vector<std::jthread> threads;
    std::atomic<int> wrong = 0;
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&] {
            for (int i = 0; i < 500; ++i) {
                const answer a = house->match("turn on the kitchen lights");
                const answer b = house->match("set the sink light to 50%");
                if (!a || !b || text_of(*a) != "HassTurnOn area=Kitchen domain=light" ||
                    text_of(*b) != "HassLightSet brightness=50 name=Sink Light")
                    ++wrong;
            }
        });
    threads.clear();
    EXPECT_EQ(wrong, 0);
}

TEST(Matcher, UsersOwnSentencesWin) {
    collection all = testing_house::sentences();
    auto own = parse_collection(R"(
intents:
  MovieNight:
    data:
      - sentences: ["turn on the sink light"]
        metadata: {custom: true}
)",
                                "own.yaml");
    ASSERT_TRUE(own) << own.error().text();
    all.merge(std::move(*own));
    auto compiled = matcher::compile(all, testing_house::house());
    ASSERT_TRUE(compiled) << compiled.error().text();
    EXPECT_EQ((*compiled)->match("turn on the sink light")->intent, "MovieNight");
}

struct hostile_case {
    std::string_view name, yaml, complaint;
};
std::ostream& operator<<(std::ostream& out, const hostile_case& c) { return out << c.name; }
class Hostile : public testing::TestWithParam<hostile_case> {};

TEST_P(Hostile, IsRefusedWithFileAndText) {
    auto sentences = parse_collection(GetParam().yaml, "evil.yaml");
    if (!sentences) {
        EXPECT_THAT(sentences.error().message,
                    testing::AllOf(testing::HasSubstr("evil.yaml"), testing::HasSubstr(GetParam().complaint)));
        return;
    }
    auto compiled = matcher::compile(*sentences, home{});
    ASSERT_FALSE(compiled);
    EXPECT_THAT(compiled.error().message,
                testing::AllOf(testing::HasSubstr("evil.yaml"), testing::HasSubstr(GetParam().complaint)));

    // Left out, the rest works.
    std::vector<error> left_out;
    sentences->merge(*parse_collection("intents: {Good: {data: [{sentences: [all is well]}]}}", "good.yaml"));
    auto rest = matcher::compile(*sentences, home{}, {}, &left_out);
    ASSERT_TRUE(rest) << rest.error().text();
    EXPECT_FALSE(left_out.empty());
    EXPECT_EQ((*rest)->match("all is well")->intent, "Good");
}

using H = hostile_case;
INSTANTIATE_TEST_SUITE_P(
    Templates, Hostile,
    testing::Values(
        H{"cycle", "{expansion_rules: {a: x <b>, b: y <a>}, intents: {I: {data: [{sentences: [\"<a>\"]}]}}}",
          "refers to itself"},
        H{"explosion",
          "{expansion_rules: {a: (1|2|3|4|5|6|7|8) , b: <a><a><a><a><a><a><a><a>, c: <b><b><b><b><b><b><b><b>, d: "
          "<c><c><c><c><c><c><c><c>, e: <d><d><d><d><d><d>}, intents: {I: {data: [{sentences: [\"<e>\"]}]}}}",
          "more than"},
        H{"permutation", "{intents: {I: {data: [{sentences: [\"(a;b;c;d;e;f;g;h;i;j)\"]}]}}}", "permuted"},
        H{"nesting",
          "{intents: {I: {data: [{sentences: [\"((((((((((((((((((((((((((((((a))))))))))))))))))))))))))))))\"]}]}}}",
          "deeper"},
        H{"unclosed", "{intents: {I: {data: [{sentences: [\"turn (on\"]}]}}}", "never closed"},
        H{"stray", "{intents: {I: {data: [{sentences: [\"turn on)\"]}]}}}", "closes nothing"},
        H{"empty", "{intents: {I: {data: [{sentences: [\"turn []\"]}]}}}", "empty group"},
        H{"no list", "{intents: {I: {data: [{sentences: [\"turn {what}\"]}]}}}", "no list"},
        H{"no rule", "{intents: {I: {data: [{sentences: [\"turn <what>\"]}]}}}", "no rule"},
        H{"endless range", "{lists: {n: {range: {from: 5, to: 1}}}, intents: {}}", "range"},
        H{"not yaml", "intents: [", "evil.yaml:1"}));

// Too large to stand in a table.
TEST(Hostile, WhatIsHugeIsRefusedSoon) {
    const auto complaint = [](const std::string& yaml) -> std::string {
        auto sentences = parse_collection(yaml, "evil.yaml");
        if (!sentences) return sentences.error().message;
        auto compiled = matcher::compile(*sentences, home{});
        return compiled ? "" : compiled.error().message;
    };
    const auto template_of = [](const std::string& text) {
        return "intents: {I: {data: [{sentences: [\"" + text + "\"]}]}}";
    };
    std::string alternatives = "(a", choices, rules;
    for (int i = 0; i < 5'000; ++i) alternatives += "|word" + std::to_string(i);
    for (int i = 0; i < 40; ++i) choices += "(a|b)";
    for (int i = 1; i < 60; ++i) rules += fmt::format("r{}: \"<r{}> <r{}>\", ", i, i - 1, i - 1);
    EXPECT_THAT(complaint(template_of(alternatives + ")")),
                testing::AllOf(testing::HasSubstr("evil.yaml"), testing::HasSubstr("bytes")));
    EXPECT_THAT(complaint("lists: {l: {values: [\"" + choices + "\"]}}"),
                testing::AllOf(testing::HasSubstr("evil.yaml"), testing::HasSubstr("spellings")));
    EXPECT_THAT(complaint("expansion_rules: {" + rules + "r0: a}\n" + template_of("<r59>")),
                testing::AllOf(testing::HasSubstr("evil.yaml"), testing::HasSubstr("refused")));
    EXPECT_THAT(complaint("lists: {n: {range: {from: 0, to: 100000000000}}}"), testing::HasSubstr("evil.yaml"));
    EXPECT_THAT(
        complaint("a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\n"
                  "d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e]"),
        testing::HasSubstr("evil.yaml"));
    // The widest range that is allowed costs no more than a narrow one.
    auto wide = parse_collection(
        "language: en\nlists: {n: {range: {from: 0, to: 1000000000}}}\n" + template_of("say {n}"), "w.yaml");
    ASSERT_TRUE(wide) << wide.error().text();
    auto compiled = matcher::compile(*wide, home{});
    ASSERT_TRUE(compiled) << compiled.error().text();
    EXPECT_LT((*compiled)->stats().bytes, 1'000'000u);
    EXPECT_EQ((*compiled)->match("say nine hundred thousand and one")->text_of("n"), "900001");
}

// Ambiguous to the point of hopelessness: answered within the limit on work all the same.
TEST(Hostile, AmbiguityCostsNoMoreThanTheLimit) {
    std::string options, words;
    for (int i = 0; i < 40; ++i) {
        options += "[a ]";
        words += "a ";
    }
    auto sentences =
        parse_collection(fmt::format("intents: {{I: {{data: [{{sentences: [\"{}b\"]}}]}}}}", options), "a.yaml");
    ASSERT_TRUE(sentences) << sentences.error().text();
    auto compiled = matcher::compile(*sentences, home{});
    ASSERT_TRUE(compiled) << compiled.error().text();
    EXPECT_FALSE((*compiled)->match(words + "c"));
    EXPECT_TRUE((*compiled)->match(words + "b"));
}

// Read as an empty one it would take every name away.
TEST(Hostile, AHomeWhoseThingsAreNoListIsRefused) {
    for (const auto* key : {"floors", "areas", "entities"}) {
        EXPECT_TRUE(parse_home(fmt::format("{}:\n", key), "home.yaml"));
        for (const auto* content : {"7", "{id: light.one, name: Lamp}"}) {
            const auto read = parse_home(fmt::format("\n{}: {}\n", key, content), "home.yaml");
            ASSERT_FALSE(read) << key << " " << content;
            EXPECT_THAT(read.error().text(), testing::HasSubstr(fmt::format("{} must be a list", key)));
            EXPECT_THAT(read.error().text(), testing::HasSubstr("home.yaml:2"));
        }
    }
}

}  // namespace
}  // namespace loqa::intent
