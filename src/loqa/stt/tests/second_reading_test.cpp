#include "loqa/stt/second_reading.hpp"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loqa/intent/collection.hpp"

namespace loqa::stt {
namespace {

constexpr token begin = 0, end = 1;

const std::vector<std::string> words = {"<s>", "</s>",     ".",      "?",     " turn", " Turn",    " on",    " off",
                                        " of", " the",     " ki",    "tchen", "tten",  " kitchen", " light", " lamps",
                                        "s",   " a",       " timer", " set",  " for",  " ",        "1",      "2",
                                        "0",   " minutes", " thank", " you",  " chair"};

std::shared_ptr<const token_table> tokens() { return std::make_shared<const token_table>(words); }

std::shared_ptr<expectation> commands() {
    auto read = intent::parse_collection(R"(
language: en
intents:
  HassTurnOn:
    data:
      - sentences: ["turn on [the] {thing}"]
  HassTurnOff:
    data:
      - sentences: ["turn off [the] {thing}"]
  Timer:
    data:
      - sentences: ["set a timer for {minutes} minutes"]
  HassRespond:
    data:
      - sentences: ["thank you"]
lists:
  thing:
    values: [{in: "kitchen light[s]", out: "kitchen"}, "lamps"]
  minutes:
    range: {from: 1, to: 100}
)",
                                         "test");
    EXPECT_TRUE(read) << read.error().text();
    const auto house = std::make_shared<const intent::home>();
    auto compiled = intent::matcher::compile(*read, *house);
    EXPECT_TRUE(compiled) << compiled.error().text();
    return std::make_shared<expectation>(std::make_shared<const intent::interpreter>(*compiled, house));
}

// A model that heard these tokens one after the other, each as probable as it says; all others are as good as
// impossible. It does not care for what was written before.
class heard final : public spelling {
public:
    using step = std::vector<std::pair<std::string, double>>;  // token, logarithm of its probability
    explicit heard(std::vector<step> steps) : steps_(std::move(steps)) {}

    result<std::vector<float>> next(std::span<const branch> texts) override {
        most_texts = std::max(most_texts, texts.size());
        std::vector<float> all(texts.size() * words.size(), -40);
        for (std::size_t row = 0; row < texts.size(); ++row)
            for (const auto& [text, score] : at_ < steps_.size() ? steps_[at_] : step{{"</s>", 0}})
                all[row * words.size() + place_of(text)] = static_cast<float>(score);
        ++at_;
        return all;
    }
    std::size_t vocabulary() const override { return words.size(); }

    std::size_t steps() const { return at_; }
    std::size_t most_texts = 0;

private:
    static std::size_t place_of(const std::string& text) {
        return static_cast<std::size_t>(std::ranges::find(words, text) - words.begin());
    }
    std::vector<step> steps_;
    std::size_t at_ = 0;
};

heard::step certain(std::string text) { return {{std::move(text), -0.1}}; }

std::optional<nearest_command> listened(const first_reading& first, heard& model,
                                        const second_reading_options& options = {}) {
    second_reading again(tokens(), begin, end, options);
    auto found = again.listen(first, model, commands());
    EXPECT_TRUE(found) << found.error().text();
    return found ? *found : std::nullopt;
}

TEST(SecondReading, FindsTheCommandThatSoundsLikeWhatWasHeard) {
    heard model({certain(" Turn"),
                 certain(" on"),
                 certain(" the"),
                 {{" ki", -0.2}},
                 {{"tten", -0.3}, {"tchen", -2}},
                 certain(" light"),
                 certain("s"),
                 certain("."),
                 certain("</s>")});
    const auto found = listened({"Turn on the kitten lights.", -1.2}, model);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->text, "Turn on the kitchen lights.");
    EXPECT_NEAR(found->behind, 1.7, 0.01);
    EXPECT_TRUE(found->likely);
}

TEST(SecondReading, IsLessLikelyTheLessTheModelBelievesInIt) {
    for (const auto& [score, likely] : {std::pair{-5.0, true}, {-8.5, false}}) {
        heard model({certain(" Turn"),
                     certain(" on"),
                     certain(" the"),
                     certain(" ki"),
                     {{"tten", -0.1}, {"tchen", score}},
                     certain(" light"),
                     certain("s"),
                     certain("."),
                     certain("</s>")});
        const auto found = listened({"Turn on the kitten lights.", -1}, model);
        ASSERT_TRUE(found) << score;
        EXPECT_EQ(found->likely, likely) << score;
    }
}

TEST(SecondReading, DoesNothingWhereSomethingElseIsNearlyAsProbable) {
    heard model({certain(" Turn"),
                 {{" of", -0.5}, {" off", -1}, {" on", -1.4}},
                 certain(" the"),
                 certain(" kitchen"),
                 certain(" light"),
                 certain("s"),
                 certain("."),
                 certain("</s>")});
    const auto found = listened({"Turn of the kitchen lights.", -1.2}, model);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->text, "Turn off the kitchen lights.");
    EXPECT_NEAR(found->lead, 0.4, 0.01);
    EXPECT_FALSE(found->likely);
}

TEST(SecondReading, IsInDoubtWhereItIsNeitherClearNorHopeless) {
    struct {
        double on, kitchen;
        bool likely, doubtful;
    } const cases[] = {{-5, -0.5, true, false},   // clear
                       {-2.5, -0.5, true, true},  // the lamps may go on instead of off
                       {-1.2, -0.5, false, false},
                       {-5, -5.5, true, true},  // far from what was heard
                       {-5, -9, false, false}};
    for (const auto& [on, kitchen, likely, doubtful] : cases) {
        heard model({certain(" Turn"),
                     {{" of", -0.5}, {" off", -0.6}, {" on", on}},
                     certain(" the"),
                     {{" kitchen", kitchen}},
                     certain(" light"),
                     certain("s"),
                     certain("."),
                     certain("</s>")});
        const auto found = listened({"Turn of the kitchen lights.", -1.2}, model);
        ASSERT_TRUE(found) << on << " " << kitchen;
        EXPECT_EQ(found->likely, likely) << on << " " << kitchen;
        EXPECT_EQ(found->doubtful, doubtful) << on << " " << kitchen;
    }
}

TEST(SecondReading, DoesNotAskAboutWhatOnlyIsSaid) {
    heard model({{{" thank", -0.2}, {" turn", -1}},
                 {{" you", -0.2}, {" on", -0.2}},
                 {{"</s>", -0.2}, {" the", -0.2}},
                 certain(" lamps"),
                 certain("</s>")});
    const auto found = listened({"think two of", -1}, model);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->text, "thank you");
    EXPECT_FALSE(found->likely) << found->lead;
}

TEST(SecondReading, CountsAllSpellingsOfACommandForIt) {
    heard model({certain(" Turn"),
                 certain(" on"),
                 certain(" the"),
                 {{" kitchen", -0.5}, {" lamps", -1.5}},
                 {{" light", -0.1}, {"</s>", -0.1}},
                 {{"s", -0.7}, {"</s>", -0.7}},
                 {{"</s>", 0}}});
    const auto found = listened({"Turn on the kitten light", -1}, model);
    ASSERT_TRUE(found);
    // The light alone leads the lamps by 0.3; the lights are the same.
    EXPECT_NEAR(found->lead, 0.3 + std::log(2), 0.01);
}

TEST(SecondReading, TakesTheBeginningOfACommandForWhatWasSaidOnlyUntilItIsOver) {
    heard model({certain(" set"), certain(" a"), certain(" timer"), {{" for", -0.2}, {"</s>", -2}}, {{"</s>", -0.1}}});
    const auto found = listened({"said a time or four", -1}, model);
    ASSERT_TRUE(found);
    EXPECT_TRUE(found->begins);
    EXPECT_FALSE(found->likely);
}

TEST(SecondReading, TakesOtherSpellingsOfTheSameForTheSame) {
    heard model({{{" Turn", -0.1}, {" turn", -0.4}},
                 certain(" on"),
                 {{" the", -0.2}, {" kitchen", -30}},
                 certain(" kitchen"),
                 {{" chair", -0.2}, {" light", -1}},
                 {{"s", -0.5}, {".", -0.6}},
                 {{".", -0.5}, {"</s>", -0.6}},
                 certain("</s>")});
    const auto found = listened({"Turn on the kitchen chair.", -1}, model);
    ASSERT_TRUE(found);
    EXPECT_TRUE(found->likely) << found->text << " leads by " << found->lead;
}

TEST(SecondReading, WritesNumbersAsTheModelDoes) {
    heard model({certain(" set"),
                 certain(" a"),
                 {{" chair", -0.2}, {" timer", -1.5}},
                 certain(" for"),
                 certain(" "),
                 certain("1"),
                 certain("0"),
                 certain(" minutes"),
                 certain("</s>")});
    const auto found = listened({"set a chair for 10 minutes", -1}, model);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->text, "set a timer for 10 minutes");
    EXPECT_TRUE(found->likely);
}

TEST(SecondReading, IsNoShortCommandInPlaceOfMuchThatWasSaid) {
    heard model({{{" the", -0.1}, {" thank", -2}},
                 {{" chair", -0.1}, {" you", -0.3}},
                 {{" turn", -0.1}, {".", -0.2}},
                 {{" off", -0.1}, {"</s>", -0.2}}});
    const auto found = listened({"The chair that we had turned off its hinges.", -1}, model);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->text, "");
    EXPECT_FALSE(found->likely);
}

TEST(SecondReading, IsNotKeptFromACommandByAShorterOne) {
    // "Thank you" is nearly as probable as all that begins like it, and not what somebody says who says so much.
    heard model({{{" turn", -0.2}, {" thank", -0.2}},
                 {{" on", -0.2}, {" you", -0.2}},
                 {{" the", -0.2}, {"</s>", -1}},
                 certain(" kitchen"),
                 certain(" light"),
                 certain("s"),
                 certain("</s>")});
    const auto found = listened({"turn on the kitten lights", -1}, model);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->text, "turn on the kitchen lights");
    EXPECT_TRUE(found->likely) << found->lead;
}

TEST(SecondReading, CountsAFigureAsTheWordThatItIs) {
    heard model({certain(" set"), certain(" a"), certain(" timer"), certain(" for"), certain(" "), certain("1"),
                 certain("2"), certain(" minutes"), certain("</s>")});
    const auto found = listened({"sent a time or for the twelve little minutes", -1}, model);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->text, "set a timer for 12 minutes");
    EXPECT_TRUE(found->likely);
}

TEST(SecondReading, IsSurerOfALongCommandThanOfAShortOne) {
    for (const auto& [words, likely] : {std::pair{std::vector{" thank", " you"}, false},
                                        {std::vector{" turn", " on", " the", " kitchen", " light"}, true}}) {
        std::vector<heard::step> steps;
        for (const auto* word : words) steps.push_back({{word, -4.5 / static_cast<double>(words.size())}});
        std::string text;
        for (const auto* word : words) text += word;
        heard model(steps);
        const auto found = listened({std::string(words.size() * 4, 'x'), 0}, model);
        ASSERT_TRUE(found) << text;
        EXPECT_NEAR(found->behind, 4.5, 0.01) << text;
        EXPECT_EQ(found->likely, likely) << text;
    }
}

TEST(SecondReading, StopsWhenNothingIsNear) {
    heard model({certain(" chair"), certain(" chair"), certain(" chair"), certain("</s>")});
    EXPECT_FALSE(listened({"Chair chair chair.", -1}, model));
    EXPECT_EQ(model.steps(), 1);
}

TEST(SecondReading, IsNotNeededForACommandOrForNothing) {
    for (const std::string_view text : {"Turn on the kitchen lights.", "set a timer for 10 minutes", "Yes.", ""}) {
        heard model({certain(" Turn")});
        EXPECT_FALSE(listened({std::string(text), -1}, model)) << text;
        EXPECT_EQ(model.steps(), 0) << text;
    }
}

TEST(SecondReading, WritesNoMoreTextsSideBySideThanItMay) {
    heard::step all;
    for (const auto& each : words) all.emplace_back(each, -1);
    for (const std::size_t most : {1, 3, 8}) {
        heard model(std::vector<heard::step>(60, all));
        listened({"Turn in the kitten lights.", -1}, model,
                 {.margin = 60, .lead = 20, .side_by_side = most, .longest = 12});
        EXPECT_LE(model.most_texts, most);
        EXPECT_LE(model.steps(), 12);
    }
}

}  // namespace
}  // namespace loqa::stt
