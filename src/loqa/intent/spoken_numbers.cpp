#include "loqa/intent/spoken_numbers.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace loqa::intent {
namespace {

using words = std::vector<std::string>;

words joined(const words& heads, std::string_view between, const words& tails) {
    words out;
    for (const auto& head : heads)
        for (const auto& tail : tails) out.push_back(fmt::format("{}{}{}", head, between, tail));
    return out;
}

constexpr std::array<std::string_view, 20> english_small{
    "zero", "one",    "two",    "three",    "four",     "five",    "six",     "seven",     "eight",    "nine",
    "ten",  "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"};
constexpr std::array<std::string_view, 10> english_tens{"",      "",      "twenty",  "thirty", "forty",
                                                        "fifty", "sixty", "seventy", "eighty", "ninety"};

words english(std::int64_t n) {
    if (n < 20) return {std::string(english_small[static_cast<std::size_t>(n)])};
    if (n < 100) {
        const std::string tens(english_tens[static_cast<std::size_t>(n / 10)]);
        return n % 10 == 0 ? words{tens} : words{tens + "-" + english(n % 10).front()};
    }
    const std::int64_t unit = n < 1000 ? 100 : 1000;
    const std::string unit_name = unit == 100 ? "hundred" : "thousand";
    words heads = joined(english(n / unit), " ", {unit_name});
    if (n / unit == 1) heads.push_back(fmt::format("a {}", unit_name));
    if (n % unit == 0) return heads;
    words out = joined(heads, " ", english(n % unit));
    if (n % unit < 100)
        for (auto& form : joined(heads, " and ", english(n % unit))) out.push_back(std::move(form));
    return out;
}

constexpr std::array<std::string_view, 20> german_small{
    "null", "ein", "zwei",  "drei",     "vier",     "fünf",     "sechs",    "sieben",   "acht",     "neun",
    "zehn", "elf", "zwölf", "dreizehn", "vierzehn", "fünfzehn", "sechzehn", "siebzehn", "achtzehn", "neunzehn"};
constexpr std::array<std::string_view, 10> german_tens{"",        "",        "zwanzig", "dreißig", "vierzig",
                                                       "fünfzig", "sechzig", "siebzig", "achtzig", "neunzig"};

// As it stands in front of another part of the number.
std::string german_stem(std::int64_t n) {
    if (n < 20) return std::string(german_small[static_cast<std::size_t>(n)]);
    if (n < 100) {
        const std::string tens(german_tens[static_cast<std::size_t>(n / 10)]);
        return n % 10 == 0 ? tens : german_stem(n % 10) + "und" + tens;
    }
    const std::int64_t unit = n < 1000 ? 100 : 1000;
    return german_stem(n / unit) + (unit == 100 ? "hundert" : "tausend") + (n % unit == 0 ? "" : german_stem(n % unit));
}

words german(std::int64_t n) {
    const std::string stem = german_stem(n);
    words out;
    if (n % 100 == 1) {
        for (const std::string_view ending : {"s", "", "e", "em", "en", "er", "es"})
            out.push_back(fmt::format("{}{}", stem, ending));
    } else {
        out.push_back(stem);
    }
    // "hundert", "tausend": the leading "ein" may go unsaid.
    if (stem.starts_with("einhundert") || stem.starts_with("eintausend"))
        for (std::size_t i = 0, count = out.size(); i < count; ++i) out.push_back(out[i].substr(3));
    return out;
}

constexpr std::array<std::string_view, 17> french_small{"zéro",  "un",     "deux",     "trois",  "quatre", "cinq",
                                                        "six",   "sept",   "huit",     "neuf",   "dix",    "onze",
                                                        "douze", "treize", "quatorze", "quinze", "seize"};
constexpr std::array<std::string_view, 7> french_tens{"",         "dix",       "vingt",   "trente",
                                                      "quarante", "cinquante", "soixante"};

words french_below_hundred(std::int64_t n) {
    if (n == 1) return {"un", "une"};
    if (n < 17) return {std::string(french_small[static_cast<std::size_t>(n)])};
    if (n < 20) return {fmt::format("dix-{}", french_small[static_cast<std::size_t>(n - 10)])};
    if (n < 70 || (n >= 70 && n < 80)) {
        const std::int64_t base = n < 70 ? n / 10 * 10 : 60;
        const std::string tens(french_tens[static_cast<std::size_t>(base / 10)]);
        if (n == base) return {tens};
        const bool with_et = (n - base) % 10 == 1;
        words out = joined({tens}, with_et ? "-et-" : "-", french_below_hundred(n - base));
        if (with_et)
            for (auto& form : joined({tens}, " et ", french_below_hundred(n - base))) out.push_back(std::move(form));
        return out;
    }
    if (n == 80) return {"quatre-vingts", "quatre-vingt"};
    return joined({"quatre-vingt"}, "-", french_below_hundred(n - 80));
}

words french(std::int64_t n) {
    if (n < 100) return french_below_hundred(n);
    const std::int64_t unit = n < 1000 ? 100 : 1000;
    const std::string name = unit == 100 ? "cent" : "mille";
    words heads;
    if (n / unit == 1) {
        heads = {name};
    } else {
        for (const auto& head : french(n / unit)) {
            if (n / unit % 100 == 1 && head.ends_with("une")) continue;
            heads.push_back(head + " " + name);
        }
    }
    if (n % unit != 0) return joined(heads, " ", french(n % unit));
    if (unit == 100 && n / unit > 1)
        for (auto& head : heads) head += "s";
    return heads;
}

constexpr std::array<std::string_view, 30> spanish_small{
    "cero",         "uno",         "dos",        "tres",        "cuatro",     "cinco",      "seis",      "siete",
    "ocho",         "nueve",       "diez",       "once",        "doce",       "trece",      "catorce",   "quince",
    "dieciséis",    "diecisiete",  "dieciocho",  "diecinueve",  "veinte",     "veintiuno",  "veintidós", "veintitrés",
    "veinticuatro", "veinticinco", "veintiséis", "veintisiete", "veintiocho", "veintinueve"};
constexpr std::array<std::string_view, 10> spanish_tens{"",          "",        "",        "treinta", "cuarenta",
                                                        "cincuenta", "sesenta", "setenta", "ochenta", "noventa"};
constexpr std::array<std::string_view, 10> spanish_hundreds{
    "",         "ciento",    "doscient",  "trescient", "cuatrocient",
    "quinient", "seiscient", "setecient", "ochocient", "novecient"};

// Which form the last word takes: 0 "uno", 1 "un", 2 "una"; hundreds are -os but for 2.
std::string spanish_form(std::int64_t n, int form) {
    if (n == 1) return form == 0 ? "uno" : form == 1 ? "un" : "una";
    if (n == 21) return form == 0 ? "veintiuno" : form == 1 ? "veintiún" : "veintiuna";
    if (n < 30) return std::string(spanish_small[static_cast<std::size_t>(n)]);
    if (n < 100) {
        const std::string tens(spanish_tens[static_cast<std::size_t>(n / 10)]);
        return n % 10 == 0 ? tens : tens + " y " + spanish_form(n % 10, form);
    }
    if (n == 100) return "cien";
    if (n < 1000) {
        std::string head(spanish_hundreds[static_cast<std::size_t>(n / 100)]);
        if (n >= 200) head += form == 2 ? "as" : "os";
        return n % 100 == 0 ? head : head + " " + spanish_form(n % 100, form);
    }
    const std::string head = n / 1000 == 1 ? "mil" : spanish_form(n / 1000, form == 2 ? 2 : 1) + " mil";
    return n % 1000 == 0 ? head : head + " " + spanish_form(n % 1000, form);
}

words spanish(std::int64_t n) {
    words out;
    for (int form = 0; form < 3; ++form)
        if (auto text = spanish_form(n, form); std::ranges::find(out, text) == out.end())
            out.push_back(std::move(text));
    return out;
}

struct number_language {
    std::string_view code, minus, point;
    words (*spell)(std::int64_t);
};

constexpr std::array<number_language, 4> languages{{{"en", "minus", "point", english},
                                                    {"de", "minus", "komma", german},
                                                    {"fr", "moins", "virgule", french},
                                                    {"es", "menos", "coma", spanish}}};

const number_language* find(std::string_view language) {
    const auto family = language.substr(0, language.find_first_of("-_"));
    for (const auto& known : languages)
        if (known.code == family) return &known;
    return nullptr;
}

}  // namespace

bool knows_numbers(std::string_view language) { return find(language) != nullptr; }

std::vector<std::string> spell_number(std::string_view language, std::int64_t whole, int tenths) {
    const number_language* known = find(language);
    if (known == nullptr || whole < -999'999 || whole > 999'999) return {};
    words out = known->spell(whole < 0 ? -whole : whole);
    if (tenths != 0) out = joined(out, fmt::format(" {} ", known->point), known->spell(tenths));
    if (whole < 0)
        for (auto& form : out) form = fmt::format("{} {}", known->minus, form);
    return out;
}

}  // namespace loqa::intent
