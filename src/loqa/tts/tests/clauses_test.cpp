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
                    spoken_case{"2-3 minutes", "2 to 3 minutes"}, spoken_case{"555-1234", "5 5 5, 1 2 3 4"},
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
                                         spoken_case{"0:05", "0 oh 5"}, spoken_case{"00:00", "midnight"},
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
                    spoken_case{"2 = 2", "2 equals 2"}, spoken_case{"Mr. Smith", "Mr. Smith"},
                    spoken_case{"Mt. Everest", "Mount Everest"}, spoken_case{"Ms. Jones", "Miz Jones"},
                    spoken_case{"Prof. Dr. Meier", "Professor Dr. Meier"}, spoken_case{"ms. of it", "ms. of it"},
                    spoken_case{"the LED strip", "the L E D strip"}, spoken_case{"it led there", "it led there"},
                    spoken_case{"CO₂ 800 ppm", "C O 2 800 parts per million"},
                    spoken_case{"the A/C is on", "the A C is on"}, spoken_case{"50/50", "50 50"},
                    spoken_case{"https://example.com/path", "example.com/path"}));
INSTANTIATE_TEST_SUITE_P(
    TimesOfSeveralParts, Spoken,
    testing::Values(spoken_case{"It is 12:00 AM.", "It is 12 AM."}, spoken_case{"7:00 p.m.", "7 p.m."},
                    spoken_case{"9:00-17:30", "9 o'clock to 17 30"},
                    spoken_case{"9:00–17:30 today", "9 o'clock to 17 30 today"},
                    spoken_case{"9:00 - 17:30", "9 o'clock to 17 30"}, spoken_case{"9am-5pm", "9 a.m. to 5 p.m."},
                    spoken_case{"9-5pm", "9 to 5 p.m."}, spoken_case{"Mon-Fri", "Monday to Friday"},
                    spoken_case{"Mon–Fri, 8:00–18:00", "Monday to Friday, 8 o'clock to 18 hundred"},
                    spoken_case{"non-Fri", "non-Fri"}, spoken_case{"1h30m left", "1 hour 30 minutes left"},
                    spoken_case{"1h 30m left", "1 hour 30 minutes left"}, spoken_case{"30m 1s", "30 minutes 1 second"},
                    spoken_case{"2d4h", "2 days 4 hours"}, spoken_case{"30m1h", "30m1h"},
                    spoken_case{"02:45 min.", "2 minutes 45 seconds."}, spoken_case{"1:01 h", "1 hour 1 minute"},
                    spoken_case{"24:00", "midnight"}, spoken_case{"29.11.2026", "November 29th, 20 26"},
                    spoken_case{"31.13.2026", "31 point 13 point 2026"},
                    spoken_case{"Fri Nov 27", "Friday, November 27th"}, spoken_case{"the 1990s", "the 19 nineties"},
                    spoken_case{"the '90s", "the 'nineties"}, spoken_case{"in the 80s", "in the eighties"},
                    spoken_case{"the 90s timer", "the 90 seconds timer"}, spoken_case{"the 2000s", "the 2 thousands"},
                    spoken_case{"the 1900s", "the 19 hundreds"}));
INSTANTIATE_TEST_SUITE_P(
    Arithmetic, Spoken,
    testing::Values(spoken_case{"10 - 4 = 6", "10 minus 4 equals 6"},
                    spoken_case{"4 - 10 = -6", "4 minus 10 equals minus 6"},
                    spoken_case{"10 - 15 °C", "10 to 15 degrees Celsius"}, spoken_case{"6 / 2", "6 divided by 2"},
                    spoken_case{"3 x 4", "3 times 4"}, spoken_case{"3 * 4", "3 times 4"},
                    spoken_case{"3*4", "3 times 4"}, spoken_case{"3x faster", "3 times faster"},
                    spoken_case{"2x4", "2 by 4"}, spoken_case{"1920×1080", "1920 by 1080"},
                    spoken_case{"16:9", "16 to 9"}, spoken_case{"3:2", "3 to 2"}, spoken_case{"~5", "about 5"},
                    spoken_case{"≈ 5 °C", "about 5 degrees Celsius"}, spoken_case{"<5", "less than 5"},
                    spoken_case{"> 5 km", "more than 5 kilometers"}, spoken_case{"<= -3", "at most minus 3"},
                    spoken_case{"a > b", "a > b"}, spoken_case{"~", "~"}, spoken_case{".5", "0.5"},
                    spoken_case{"-.5 °C", "minus 0.5 degrees Celsius"}, spoken_case{"...5", "...5"},
                    spoken_case{"-10–-5 °C", "minus 10 to minus 5 degrees Celsius"}, spoken_case{"⅝", "5 eighths"},
                    spoken_case{"2⁄3", "2 thirds"}));
INSTANTIATE_TEST_SUITE_P(
    Digits, Spoken,
    testing::Values(spoken_case{"Call 555-123-4567.", "Call 5 5 5, 1 2 3, 4 5 6 7."},
                    spoken_case{"(555) 123-4567", "(5 5 5) 1 2 3, 4 5 6 7"}, spoken_case{"(555) left", "(555) left"},
                    spoken_case{"192.168.1.10", "192 dot 168 dot 1 dot 10"},
                    spoken_case{"v1.2.3", "version 1 point 2 point 3"}, spoken_case{"v1", "v1"},
                    spoken_case{"5'10\"", "5 foot 10\""}, spoken_case{"6 ft 2 in", "6 feet 2 inches"},
                    spoken_case{"1 in 3", "1 in 3"}, spoken_case{"4K", "4K"}, spoken_case{"2700K", "2700 kelvins"},
                    spoken_case{"10k steps", "10 thousand steps"}, spoken_case{"20 degrees C", "20 degrees Celsius"},
                    spoken_case{"plan C", "plan C"}, spoken_case{"5 USD", "5 US dollars"}, spoken_case{"1 €", "1 euro"},
                    spoken_case{"$1.5M", "1.5 million dollars"}, spoken_case{"-£3bn", "minus 3 billion pounds"},
                    spoken_case{"$5x", "$5x"}));
INSTANTIATE_TEST_SUITE_P(Markup, Spoken,
                         testing::Values(spoken_case{"It is **very** cold.", "It is very cold."},
                                         spoken_case{"*now*", "now"}, spoken_case{"`loqa up`", "loqa up"},
                                         spoken_case{"# Title", "Title"}, spoken_case{"### Title", "Title"},
                                         spoken_case{"#1", "number 1"}, spoken_case{"a\n* b\n* c", "a\nb\nc"},
                                         spoken_case{"a*b", "a*b"}, spoken_case{"a * b", "a * b"},
                                         spoken_case{"Done 😀!", "Done !"}, spoken_case{"❤️", ""},
                                         spoken_case{"a → b", "a to b"}, spoken_case{"\xF0", "\xF0"},
                                         spoken_case{"\xE2\x98", "\xE2\x98"}));

}  // namespace
}  // namespace loqa::tts
