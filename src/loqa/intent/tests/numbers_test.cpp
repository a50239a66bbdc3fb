// Numbers in words, in the four languages: what is spelled is read again, and the hard ones by name.
#include <algorithm>

#include <gtest/gtest.h>

#include "loqa/intent/matcher.hpp"
#include "loqa/intent/spoken_numbers.hpp"
#include "loqa/intent/text.hpp"

namespace loqa::intent {
namespace {

struct number_case {
    std::string_view language, said;
    std::optional<std::int64_t> meant;
};
std::ostream& operator<<(std::ostream& out, const number_case& c) { return out << c.language << ": " << c.said; }

class Numbers : public testing::TestWithParam<number_case> {};

TEST_P(Numbers, AreRead) {
    const auto& [language, said, meant] = GetParam();
    EXPECT_EQ(parse_number(language, said), meant);
}

using N = number_case;
INSTANTIATE_TEST_SUITE_P(English, Numbers,
                         testing::Values(N{"en", "zero", 0}, N{"en", "twenty-five", 25}, N{"en", "twenty five", 25},
                                         N{"en", "a hundred", 100}, N{"en", "one hundred and twenty", 120},
                                         N{"en", "fifteen hundred", 1500}, N{"en", "two thousand six", 2006},
                                         N{"en", "two thousand and six", 2006},
                                         N{"en", "nine hundred ninety nine thousand nine hundred ninety nine", 999'999},
                                         N{"en", "a million", 1'000'000},
                                         N{"en", "one million two hundred thousand", 1'200'000},
                                         N{"en", "minus twelve", -12}, N{"en", "1500", 1500}, N{"en", "Twelve", 12},
                                         N{"en", "twelve of", {}}, N{"en", "seven eight", {}}, N{"en", "", {}},
                                         N{"en", "hundred hundred", {}}));
INSTANTIATE_TEST_SUITE_P(
    German, Numbers,
    testing::Values(N{"de", "null", 0}, N{"de", "eins", 1}, N{"de", "vierundzwanzig", 24}, N{"de", "einundzwanzig", 21},
                    N{"de", "siebzehn", 17}, N{"de", "dreißig", 30}, N{"de", "dreissig", 30}, N{"de", "hundert", 100},
                    N{"de", "hunderteins", 101}, N{"de", "hundertundeins", 101}, N{"de", "zwo", 2},
                    N{"de", "zweihundertfünfundsiebzig", 275}, N{"de", "tausend", 1000},
                    N{"de", "zweitausenddreihundertvierundzwanzig", 2324}, N{"de", "neunzehnhundert", 1900},
                    N{"de", "neunhundertneunundneunzigtausendneunhundertneunundneunzig", 999'999},
                    N{"de", "eine million", 1'000'000}, N{"de", "zwei millionen dreihunderttausend", 2'300'000},
                    N{"de", "minus fünf", -5}, N{"de", "zwanzigvier", {}}));
INSTANTIATE_TEST_SUITE_P(French, Numbers,
                         testing::Values(N{"fr", "zéro", 0}, N{"fr", "vingt et un", 21}, N{"fr", "vingt-et-une", 21},
                                         N{"fr", "soixante-dix", 70}, N{"fr", "soixante et onze", 71},
                                         N{"fr", "quatre-vingts", 80}, N{"fr", "quatre-vingt-un", 81},
                                         N{"fr", "quatre-vingt-dix-sept", 97}, N{"fr", "quatre vingt dix sept", 97},
                                         N{"fr", "septante", 70}, N{"fr", "septante et un", 71},
                                         N{"fr", "nonante-neuf", 99}, N{"fr", "cent", 100}, N{"fr", "deux cents", 200},
                                         N{"fr", "deux cent trois", 203}, N{"fr", "mille", 1000},
                                         N{"fr", "mille neuf cent quatre-vingt-dix", 1990}, N{"fr", "deux mille", 2000},
                                         N{"fr", "cent vingt mille", 120'000}, N{"fr", "un million", 1'000'000},
                                         N{"fr", "deux millions cinq cent mille", 2'500'000},
                                         N{"fr", "moins douze", -12}, N{"fr", "vingt mille mille", {}}));
INSTANTIATE_TEST_SUITE_P(Spanish, Numbers,
                         testing::Values(N{"es", "cero", 0}, N{"es", "veintitrés", 23}, N{"es", "veintitres", 23},
                                         N{"es", "dieciséis", 16}, N{"es", "veintiuno", 21}, N{"es", "veintiún", 21},
                                         N{"es", "veintiuna", 21}, N{"es", "treinta y una", 31}, N{"es", "cien", 100},
                                         N{"es", "ciento uno", 101}, N{"es", "doscientas cincuenta", 250},
                                         N{"es", "quinientos", 500}, N{"es", "setecientos siete", 707},
                                         N{"es", "mil", 1000}, N{"es", "mil novecientos noventa y nueve", 1999},
                                         N{"es", "veintiún mil", 21'000}, N{"es", "cien mil", 100'000},
                                         N{"es", "un millón", 1'000'000}, N{"es", "dos millones", 2'000'000},
                                         N{"es", "menos tres", -3}, N{"es", "treinta y", {}}));

TEST(Numbers, EverySpellingIsReadAgain) {
    for (const char* language : {"en", "de", "fr", "es"})
        for (std::int64_t n = 0; n <= 1'000'000; n += n < 2'000 ? 1 : n < 20'000 ? 37 : 4'999)
            for (const auto& spelled : spell_number(language, n)) {
                const auto found = numbers_at(language, to_lower(decode_utf8(spelled)), 0);
                const std::size_t length = decode_utf8(spelled).size();
                EXPECT_TRUE(std::ranges::find(found, number_in_text{n, length}) != found.end())
                    << language << ": " << spelled;
            }
}

TEST(Numbers, AndAHalfIsAHalf) {
    for (const auto& [language, words] :
         std::vector<std::pair<std::string, std::string>>{{"en", "twenty-one and a half"},
                                                          {"de", "einundzwanzigeinhalb"},
                                                          {"fr", "vingt et un et demi"},
                                                          {"es", "veintiuno y medio"}}) {
        const auto all = spell_number(language, 21, 5);
        EXPECT_NE(std::ranges::find(all, words), all.end()) << language;
    }
}

// A range too large to be spelled out is read as it comes.
TEST(Numbers, LargeRangesAreReadInWords) {
    for (const auto& [language, sentence, meant] : std::vector<std::tuple<std::string, std::string, std::string>>{
             {"en", "set it to two thousand seven hundred kelvin", "2700"},
             {"en", "set it to twelve thousand kelvin", ""},
             {"en", "set it to 2700 kelvin", "2700"},
             {"de", "set it to zweitausendsiebenhundert kelvin", "2700"},
             {"fr", "set it to deux mille sept cents kelvin", "2700"},
             {"es", "set it to dos mil setecientos kelvin", "2700"},
         }) {
        auto sentences = parse_collection("language: " + language + R"(
lists: {warmth: {range: {from: 1000, to: 10000}}}
intents: {Warm: {data: [{sentences: ["set it to {warmth} kelvin"]}]}}
)",
                                          "test.yaml");
        ASSERT_TRUE(sentences) << sentences.error().text();
        const auto compiled = matcher::compile(*sentences, home{});
        ASSERT_TRUE(compiled) << compiled.error().text();
        const answer got = (*compiled)->match(sentence);
        EXPECT_EQ(got ? got->text_of("warmth") : "", meant) << sentence;
    }
}

}  // namespace
}  // namespace loqa::intent
