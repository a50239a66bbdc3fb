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
                    spoken_case{"(-1 °F)", "(minus 1 degree Fahrenheit)"}, spoken_case{"1 min", "1 minute"},
                    spoken_case{"10 min.", "10 minutes."}, spoken_case{"45%", "45 percent"},
                    spoken_case{"1,250 km/h", "1,250 kilometers per hour"},
                    spoken_case{"0.5 kWh", "0.5 kilowatt hours"}, spoken_case{"grade W", "grade W"},
                    spoken_case{"$5", "5 dollars"}, spoken_case{"$1.50", "1 dollar and 50 cents"},
                    spoken_case{"£2.00", "2 pounds"}, spoken_case{"on 2026-11-23,", "on November 23rd, 20 26,"},
                    spoken_case{"2026-13-01", "2026-13-01"}, spoken_case{"$", "$"},
                    spoken_case{"99999999999:00", "99999999999:00"}),
    [](const auto& row) { return "row_" + std::to_string(row.index); });

INSTANTIATE_TEST_SUITE_P(
    Temperatures, Spoken,
    testing::Values(spoken_case{"-5°C", "minus 5 degrees Celsius"}, spoken_case{"−5 °C", "minus 5 degrees Celsius"},
                    spoken_case{"+3°", "plus 3 degrees"}, spoken_case{"1°C", "1 degree Celsius"},
                    spoken_case{"21.5 °C.", "21.5 degrees Celsius."}, spoken_case{"70℉", "70 degrees Fahrenheit"},
                    spoken_case{"18-21 °C", "18 to 21 degrees Celsius"},
                    spoken_case{"18–21°C", "18 to 21 degrees Celsius"}, spoken_case{"300 K", "300 kelvins"}));
INSTANTIATE_TEST_SUITE_P(
    Numbers, Spoken,
    testing::Values(spoken_case{"-5", "minus 5"}, spoken_case{"+5", "plus 5"}, spoken_case{"5", "5"},
                    spoken_case{"1,250.5", "1,250.5"}, spoken_case{"21st", "21st"}, spoken_case{"10-15", "10 to 15"},
                    spoken_case{"2-3 minutes", "2 to 3 minutes"}, spoken_case{"555-1234", "555-1234"},
                    spoken_case{"2019-2024", "20 19 to 20 24"}, spoken_case{"#1", "number 1"},
                    spoken_case{"No. 5", "number 5"}, spoken_case{"No. It is not.", "No. It is not."},
                    spoken_case{"1/2", "a half"}, spoken_case{"3/4 cup", "3 quarters cup"},
                    spoken_case{"2 1/2 hours", "2 and a half hours"}, spoken_case{"2½ hours", "2 and a half hours"},
                    spoken_case{"⅔", "2 thirds"}, spoken_case{"1/100", "1/100"}, spoken_case{"5/3", "5/3"},
                    spoken_case{"0%", "0 percent"}, spoken_case{"45 %", "45 percent"},
                    spoken_case{"99.5%!", "99.5 percent!"}, spoken_case{"±2", "±2"}, spoken_case{"-", "-"},
                    spoken_case{"--", "--"}, spoken_case{"COVID-19", "COVID-19"}));
INSTANTIATE_TEST_SUITE_P(
    Units, Spoken,
    testing::Values(spoken_case{"5 m", "5 meters"}, spoken_case{"5m", "5 meters"}, spoken_case{"I'm 5", "I'm 5"},
                    spoken_case{"6 ft", "6 feet"}, spoken_case{"1 ft", "1 foot"}, spoken_case{"2 lbs", "2 pounds"},
                    spoken_case{"10 m/s", "10 meters per second"}, spoken_case{"20 m²", "20 square meters"},
                    spoken_case{"12 µg/m³", "12 micrograms per cubic meter"},
                    spoken_case{"1013 hPa", "1013 hectopascals"}, spoken_case{"50Hz", "50 hertz"},
                    spoken_case{"230 V", "230 volts"}, spoken_case{"1 A", "1 ampere"},
                    spoken_case{"100 Mbit/s", "100 megabits per second"}, spoken_case{"8 GB", "8 gigabytes"},
                    spoken_case{"2 hrs", "2 hours"}, spoken_case{"1 hr", "1 hour"},
                    spoken_case{"30 secs", "30 seconds"}, spoken_case{"1 mAh", "1 milliampere hour"},
                    spoken_case{"plan A", "plan A"}, spoken_case{"vitamin K", "vitamin K"},
                    spoken_case{"2 tbsp", "2 tablespoons"}));
INSTANTIATE_TEST_SUITE_P(Times, Spoken,
                         testing::Values(spoken_case{"7:30 PM", "7 30 PM"}, spoken_case{"7:30p.m.", "7 30 p.m."},
                                         spoken_case{"0:05", "0 oh 5"}, spoken_case{"00:00", "24 hundred"},
                                         spoken_case{"1:02:03", "1 hour, 2 minutes and 3 seconds"},
                                         spoken_case{"1:02:63", "1:02:63"},
                                         spoken_case{"from 9:00 to 17:30", "from 9 o'clock to 17 30"}));
INSTANTIATE_TEST_SUITE_P(
    Dates, Spoken,
    testing::Values(spoken_case{"Jan 31", "January 31st"}, spoken_case{"Jan. 31, 2026", "January 31st, 20 26"},
                    spoken_case{"31 Jan 2026", "31 January 20 26"},
                    spoken_case{"Sat, Jan 31", "Saturday, January 31st"}, spoken_case{"Mar 3rd", "March 3rd"},
                    spoken_case{"Mar the paint", "Mar the paint"}, spoken_case{"Sun is out", "Sun is out"},
                    spoken_case{"May 2", "May 2nd"}, spoken_case{"May I", "May I"},
                    spoken_case{"1/31/2026", "January 31st, 20 26"}, spoken_case{"31/1/2026", "January 31st, 20 26"},
                    spoken_case{"13/13/2026", "13/13/2026"},
                    spoken_case{"2026-01-31T08:15:00Z", "January 31st, 20 26, at 8 15"},
                    spoken_case{"in 1999", "in 19 99"}, spoken_case{"in 2005.", "in 2005."},
                    spoken_case{"since 1905", "since 19 oh 5"}, spoken_case{"in 1500 meters", "in 1500 meters"},
                    spoken_case{"in 1500 m", "in 1500 meters"}, spoken_case{"1999 steps", "1999 steps"},
                    spoken_case{"January 2026", "January 20 26"}));
INSTANTIATE_TEST_SUITE_P(Money, Spoken,
                         testing::Values(spoken_case{"$1", "1 dollar"}, spoken_case{"$0.99", "99 cents"},
                                         spoken_case{"$0.01", "1 cent"}, spoken_case{"-$5", "minus 5 dollars"},
                                         spoken_case{"5€", "5 euros"}, spoken_case{"¥500", "500 yen"},
                                         spoken_case{"$1.5 million", "1.5 million dollars"},
                                         spoken_case{"£3 billion.", "3 billion pounds."},
                                         spoken_case{"$1,000", "1,000 dollars"},
                                         spoken_case{"£1.01", "1 pound and 1 penny"}, spoken_case{"$HOME", "$HOME"}));
INSTANTIATE_TEST_SUITE_P(
    ShortForms, Spoken,
    testing::Values(spoken_case{"Fruit, e.g. apples", "Fruit, for example apples"},
                    spoken_case{"i.e. now", "that is now"}, spoken_case{"approx. 5", "approximately 5"},
                    spoken_case{"cats vs. dogs", "cats versus dogs"}, spoken_case{"max. 5", "maximum 5"},
                    spoken_case{"tea w/ milk", "tea with milk"}, spoken_case{"open 24/7", "open 24 7"},
                    spoken_case{"2 = 2", "2 equals 2"}, spoken_case{"Mr. Smith", "Mr. Smith"}));

}  // namespace
}  // namespace loqa::tts
