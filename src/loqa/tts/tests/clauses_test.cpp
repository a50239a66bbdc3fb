#include "loqa/tts/clauses.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loqa/tts/spoken.hpp"

namespace loqa::tts {
namespace {

// Units as text: phrases with their marks, units apart by " | ".
std::string shown(const std::vector<unit>& units) {
    std::string out;
    for (const auto& unit : units) {
        if (!out.empty()) out += " |";
        for (const auto& phrase : unit.phrases) out += (out.empty() ? "" : " ") + phrase.text + phrase.mark;
    }
    return out;
}

struct split_case {
    std::string_view name, text, units;
};
class Split : public testing::TestWithParam<split_case> {};

TEST_P(Split, CutsWhereAPersonWouldPause) { EXPECT_EQ(shown(split_into_units(GetParam().text)), GetParam().units); }

INSTANTIATE_TEST_SUITE_P(
    Texts, Split,
    testing::Values(
        split_case{"nothing", "", ""}, split_case{"only_marks", " ... !", ""},
        split_case{"no_mark_at_the_end", "It is ten past seven", "It is ten past seven."},
        split_case{"sentences", "Done. The lights are on! Anything else?",
                   "Done. | The lights are on! | Anything else?"},
        split_case{"short_phrases_stay_together", "Yes, sure, done.", "Yes, sure, done."},
        split_case{"a_long_reply_opens_with_its_first_phrase",
                   "Tomorrow will be sunny, with a light wind, and warm in the evening.",
                   "Tomorrow will be sunny, | with a light wind, and warm in the evening."},
        split_case{"a_short_rest_is_not_cut_off", "I set a timer for you, done.", "I set a timer for you, done."},
        split_case{"numbers", "It is 3.5 degrees at 7:30, or 1,000 steps.",
                   "It is 3.5 degrees at 7:30, | or 1,000 steps."},
        split_case{"title", "Mr. Smith called. He is home.", "Mr. Smith called. | He is home."},
        split_case{"a_lower_case_word_goes_on", "At 7 a.m. tomorrow.", "At 7 a.m. tomorrow."},
        split_case{"half_of_the_day_at_the_end", "Set for 7 p.m. Anything else?", "Set for 7 p.m. | Anything else?"},
        split_case{"initials", "Read J. R. Smith. Then stop.", "Read J. R. Smith. | Then stop."},
        split_case{"several_marks", "Really?! Well... ok", "Really? | Well. | ok."},
        split_case{"quotation", "He said \"stop.\" Then he left.", "He said \"stop. | Then he left."},
        split_case{"lines", "Eggs\nMilk\n\nBread", "Eggs. | Milk. | Bread."},
        split_case{"typographic", "It’s late — go to bed…", "It's late, go to bed."},
        split_case{"address", "See loqa.example/help:me, please.", "See loqa.example/help:me, please."}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(Split, NoUnitIsLongerThanItMayBe) {
    std::string words;
    for (int i = 0; i < 200; ++i) words += "word ";
    const std::string one_word(700, 'x');
    const std::string beyond_ascii = [] {
        std::string s;
        for (int i = 0; i < 300; ++i) s += "é";
        return s;
    }();
    for (const auto& text : {words, one_word, beyond_ascii}) {
        std::string joined;
        for (const auto& unit : split_into_units(text, {.shortest_opening = 12, .longest = 101})) {
            std::size_t bytes = 0;
            for (const auto& phrase : unit.phrases) {
                bytes += phrase.text.size();
                joined += phrase.text;
                EXPECT_NE(static_cast<unsigned char>(phrase.text[0]) & 0xC0, 0x80) << "cut inside a character";
            }
            EXPECT_LE(bytes, 101U);
        }
        std::string wanted = text;
        std::erase(wanted, ' ');
        std::erase(joined, ' ');
        EXPECT_EQ(joined, wanted) << "words were lost";
    }
}

struct spoken_case {
    std::string_view written, said;
};
class Spoken : public testing::TestWithParam<spoken_case> {};

TEST_P(Spoken, IsHowAPersonReadsIt) { EXPECT_EQ(spoken(GetParam().written), GetParam().said); }

INSTANTIATE_TEST_SUITE_P(
    Signs, Spoken,
    testing::Values(spoken_case{"", ""}, spoken_case{"Hello, world.", "Hello, world."},
                    spoken_case{"It is 7:30.", "It is 7 30."}, spoken_case{"15:05", "15 oh 5"},
                    spoken_case{"at 12:00!", "at 12 o'clock!"}, spoken_case{"15:00", "15 hundred"},
                    spoken_case{"7:00pm", "7 p.m."}, spoken_case{"7:05AM", "7 oh 5 a.m."}, spoken_case{"7:65", "7:65"},
                    spoken_case{"1:2:3", "1:2:3"}, spoken_case{"21°C", "21 degrees Celsius"},
                    spoken_case{"(-1 °F)", "(-1 degrees Fahrenheit)"}, spoken_case{"1 min", "1 minute"},
                    spoken_case{"10 min.", "10 minutes."}, spoken_case{"45%", "45 percent"},
                    spoken_case{"1,250 km/h", "1,250 kilometers per hour"},
                    spoken_case{"0.5 kWh", "0.5 kilowatt hours"}, spoken_case{"grade W", "grade W"},
                    spoken_case{"$5", "5 dollars"}, spoken_case{"$1.50", "1 dollar and 50 cents"},
                    spoken_case{"£2.00", "2 pounds"}, spoken_case{"on 2026-11-23,", "on November 23rd, 2026,"},
                    spoken_case{"2026-13-01", "2026-13-01"}, spoken_case{"$", "$"},
                    spoken_case{"99999999999:00", "99999999999:00"}),
    [](const auto& row) { return "row_" + std::to_string(row.index); });

}  // namespace
}  // namespace loqa::tts
