#include "loqa/intent/spoken_numbers.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>

#include "loqa/intent/program.hpp"
#include "loqa/intent/text.hpp"

namespace loqa::intent {
namespace {

using words = std::vector<std::string>;

words joined(const words& heads, std::string_view between, const words& tails) {
    words out;
    for (const auto& head : heads)
        for (const auto& tail : tails) out.push_back(fmt::format("{}{}{}", head, between, tail));
    return out;
}

constexpr std::int64_t million = 1'000'000;

constexpr std::array<std::string_view, 20> english_small{
    "zero", "one",    "two",    "three",    "four",     "five",    "six",     "seven",     "eight",    "nine",
    "ten",  "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"};
constexpr std::array<std::string_view, 10> english_tens{"",      "",      "twenty",  "thirty", "forty",
                                                        "fifty", "sixty", "seventy", "eighty", "ninety"};

words english_words(std::int64_t n) {
    if (n < 20) return {std::string(english_small[static_cast<std::size_t>(n)])};
    if (n < 100) {
        const std::string tens(english_tens[static_cast<std::size_t>(n / 10)]);
        return n % 10 == 0 ? words{tens} : words{tens + "-" + english_words(n % 10).front()};
    }
    const std::int64_t unit = n < 1000 ? 100 : n < million ? 1000 : million;
    const std::string unit_name = unit == 100 ? "hundred" : unit == 1000 ? "thousand" : "million";
    words heads = joined(english_words(n / unit), " ", {unit_name});
    if (n / unit == 1) heads.push_back(fmt::format("a {}", unit_name));
    if (n % unit == 0) return heads;
    words out = joined(heads, " ", english_words(n % unit));
    if (n % unit < 100)
        for (auto& form : joined(heads, " and ", english_words(n % unit))) out.push_back(std::move(form));
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
    if (n >= million) {
        words heads{n / million == 1 ? "eine million" : german_stem(n / million) + " millionen"};
        return n % million == 0 ? heads : joined(heads, " ", german(n % million));
    }
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
    if (n >= million) {
        words heads{n / million == 1 ? "un million" : french(n / million).front() + " millions"};
        return n % million == 0 ? heads : joined(heads, " ", french(n % million));
    }
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
    if (n >= million) {
        const std::string head = n / million == 1 ? "un millón" : spanish_form(n / million, 1) + " millones";
        return n % million == 0 ? head : head + " " + spanish_form(n % million, form);
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
    std::string_view half;  // behind a whole number, where it is said so
    words (*spell)(std::int64_t);
    // What numbers are put together from: see grammar.
    std::array<std::string_view, 2> between;  // a hundred or a thousand, and what is added to it
    std::string_view before_thousand;         // between "two" and "thousand"
    std::array<std::string_view, 2> hundred;
    std::array<std::string_view, 2> lone_hundred;  // without a number before it
    std::string_view thousand;
    std::string_view lone_thousand;
    std::array<std::string_view, 2> million;
    bool teens_of_hundreds;  // "fifteen hundred"
};

constexpr std::array<number_language, 4> languages{{
    {"en",
     "minus",
     "point",
     " and a half",
     english_words,
     {" ", " and "},
     " ",
     {"hundred", ""},
     {"a hundred", "hundred"},
     "thousand",
     "a thousand",
     {"million", ""},
     true},
    {"de",
     "minus",
     "komma",
     "einhalb",
     german,
     {"", "und"},
     "",
     {"hundert", ""},
     {"hundert", ""},
     "tausend",
     "tausend",
     {"million", "millionen"},
     true},
    {"fr",
     "moins",
     "virgule",
     " et demi",
     french,
     {" ", " et "},
     " ",
     {"cent", "cents"},
     {"cent", ""},
     "mille",
     "mille",
     {"million", "millions"},
     false},
    {"es",
     "menos",
     "coma",
     " y medio",
     spanish,
     {" ", " y "},
     " ",
     {"", ""},
     {"", ""},
     "mil",
     "mil",
     {"millón", "millones"},
     false},
}};

const number_language* find(std::string_view language) {
    const auto family = language.substr(0, language.find_first_of("-_"));
    for (const auto& known : languages)
        if (known.code == family) return &known;
    return nullptr;
}

std::u32string spaced(std::string_view text) {
    std::u32string out = decode_utf8(text);
    std::ranges::replace(out, U'-', U' ');
    return out;
}

// How the words of other regions, and of those who write without accents, are spelled.
std::vector<std::u32string> other_spellings(std::string_view code, const std::u32string& text) {
    std::vector<std::u32string> out;
    const auto exchange = [&](std::u32string_view from, std::u32string_view to) {
        std::u32string changed = text;
        for (auto at = changed.find(from); at != std::u32string::npos; at = changed.find(from, at + to.size()))
            changed.replace(at, from.size(), to);
        if (changed != text) out.push_back(std::move(changed));
    };
    if (code == "de") {
        exchange(U"ß", U"ss");
        if (text == U"zwei") out.emplace_back(U"zwo");
    } else if (code == "es") {
        exchange(U"é", U"e");
        exchange(U"ó", U"o");
        exchange(U"ú", U"u");
    } else if (code == "fr") {
        exchange(U"é", U"e");
        exchange(U"soixante et onze", U"septante et un");
        exchange(U"quatre vingts", U"huitante");
        constexpr std::array<std::u32string_view, 10> ten_to_nineteen{U"dix",      U"onze",    U"douze", U"treize",
                                                                      U"quatorze", U"quinze",  U"seize", U"dix sept",
                                                                      U"dix huit", U"dix neuf"};
        constexpr std::array<std::u32string_view, 10> ones{U"",      U" et un", U" deux", U" trois", U" quatre",
                                                           U" cinq", U" six",   U" sept", U" huit",  U" neuf"};
        for (std::size_t i = ten_to_nineteen.size(); i-- > 0;) {
            if (text == std::u32string(U"soixante ") + std::u32string(ten_to_nineteen[i]))
                out.push_back(std::u32string(U"septante") + std::u32string(ones[i]));
            if (text == std::u32string(U"quatre vingt ") + std::u32string(ten_to_nineteen[i]))
                out.push_back(std::u32string(U"nonante") + std::u32string(ones[i]));
            if (i > 0 && i < 10 &&
                text == std::u32string(U"quatre vingt") + (i == 1 ? U" un" : std::u32string(ones[i])))
                out.push_back(std::u32string(U"huitante") + std::u32string(ones[i]));
        }
    }
    return out;
}

// A language's numbers, ready to be found in text: those below a hundred, and the hundreds, as they are spelled; the
// rest is put together.
struct grammar {
    const number_language* language = nullptr;
    trie small, hundreds;
    std::vector<std::u32string> between, million;
    std::u32string before_thousand, thousand, lone_thousand;

    explicit grammar(const number_language& of) : language(&of) {
        std::vector<trie::entry> below, head;
        const auto put = [&](std::vector<trie::entry>& into, std::string_view text, std::int64_t value) {
            const std::u32string first = spaced(text);
            for (auto& other : other_spellings(of.code, first))
                into.push_back({std::move(other), static_cast<std::uint32_t>(value)});
            into.push_back({first, static_cast<std::uint32_t>(value)});
        };
        for (std::int64_t n = 0; n < 100; ++n)
            for (const auto& form : of.spell(n)) put(below, form, n);
        if (of.hundred[0].empty()) {
            for (std::int64_t n = 100; n < 1000; n += 100)
                for (const auto& form : of.spell(n)) put(head, form, n);
            put(head, "ciento", 100);
        } else {
            for (std::int64_t n = 1; n < (of.teens_of_hundreds ? 20 : 10); ++n)
                if (n != 10)
                    for (const auto& form : of.spell(n))
                        for (const auto name : of.hundred)
                            if (!name.empty())
                                put(head, fmt::format("{}{}{}", form, of.before_thousand, name), n * 100);
            for (const auto name : of.lone_hundred)
                if (!name.empty()) put(head, name, 100);
        }
        small.build(std::move(below));
        hundreds.build(std::move(head));
        for (const auto gap : of.between) between.push_back(spaced(gap));
        for (const auto name : of.million)
            if (!name.empty()) million.push_back(spaced(name));
        if (of.code == "es") million.emplace_back(U"millon");
        before_thousand = spaced(of.before_thousand);
        thousand = spaced(of.thousand);
        lone_thousand = spaced(of.lone_thousand);
    }

    using found = std::vector<number_in_text>;

    static void put(found& into, number_in_text one) {
        if (std::ranges::find(into, one) == into.end()) into.push_back(one);
    }

    found below_hundred(std::u32string_view text, std::size_t begin) const {
        found out;
        small.find(text, begin, [&](std::uint32_t value, std::size_t end) { put(out, {value, end}); });
        return out;
    }

    // `heads`, and each with what may be added to it.
    template <class Rest>
    found with_rest(std::u32string_view text, found heads, Rest&& rest) const {
        for (std::size_t i = 0, count = heads.size(); i < count; ++i)
            for (const auto& gap : between) {
                if (text.substr(heads[i].end, gap.size()) != gap) continue;
                for (const auto& more : rest(heads[i].end + gap.size()))
                    if (more.value > 0) put(heads, {heads[i].value + more.value, more.end});
            }
        return heads;
    }

    found below_thousand(std::u32string_view text, std::size_t begin) const {
        found heads;
        hundreds.find(text, begin, [&](std::uint32_t value, std::size_t end) { put(heads, {value, end}); });
        found out = with_rest(text, std::move(heads), [&](std::size_t at) { return below_hundred(text, at); });
        for (const auto& one : below_hundred(text, begin)) put(out, one);
        return out;
    }

    found below_million(std::u32string_view text, std::size_t begin) const {
        const found few = below_thousand(text, begin);
        found heads;
        for (const auto& one : few) {
            if (one.value == 0 || one.value >= 1000) continue;
            const std::size_t at = one.end + before_thousand.size();
            if (text.substr(std::min(one.end, text.size()), before_thousand.size()) == before_thousand &&
                text.substr(std::min(at, text.size()), thousand.size()) == thousand)
                put(heads, {one.value * 1000, at + thousand.size()});
        }
        if (text.substr(begin, lone_thousand.size()) == lone_thousand) put(heads, {1000, begin + lone_thousand.size()});
        found out = with_rest(text, std::move(heads), [&](std::size_t at) {
            found rest = below_thousand(text, at);
            std::erase_if(rest, [](const number_in_text& one) { return one.value >= 1000; });
            return rest;
        });
        for (const auto& one : few) put(out, one);
        return out;
    }

    found all(std::u32string_view text, std::size_t begin) const {
        const found few = below_million(text, begin);
        found heads;
        for (const auto& one : few)
            for (const auto& name : million) {
                if (one.value == 0 || one.value >= 1000 || one.end + 1 + name.size() > text.size()) continue;
                if (text[one.end] == U' ' && text.substr(one.end + 1, name.size()) == name)
                    put(heads, {one.value * intent::million, one.end + 1 + name.size()});
            }
        if (language->code == "en" && text.substr(begin, 9) == U"a million") put(heads, {intent::million, begin + 9});
        found out = heads;
        for (const auto& head : heads)
            for (const std::u32string_view gap : {U" ", U" and ", U" und "}) {
                if (text.substr(head.end, gap.size()) != gap) continue;
                for (const auto& more : below_million(text, head.end + gap.size()))
                    if (more.value > 0) put(out, {head.value + more.value, more.end});
            }
        for (const auto& one : few) put(out, one);
        std::ranges::stable_sort(out, {}, &number_in_text::end);
        return out;
    }
};

const grammar* grammar_of(std::string_view language) {
    static const std::array<grammar, languages.size()> all{grammar(languages[0]), grammar(languages[1]),
                                                           grammar(languages[2]), grammar(languages[3])};
    const number_language* known = find(language);
    return known == nullptr ? nullptr : &all[static_cast<std::size_t>(known - languages.data())];
}

}  // namespace

bool knows_numbers(std::string_view language) { return find(language) != nullptr; }

std::vector<std::string> spell_number(std::string_view language, std::int64_t whole, int tenths) {
    constexpr std::int64_t limit = 1000 * million;
    const number_language* known = find(language);
    if (known == nullptr || whole <= -limit || whole >= limit) return {};
    const words bare = known->spell(whole < 0 ? -whole : whole);
    words out = bare;
    if (tenths != 0) out = joined(bare, fmt::format(" {} ", known->point), known->spell(tenths));
    if (tenths == 5) {
        for (auto& form : joined(bare, known->half, {""})) out.push_back(std::move(form));
        if (known->code == "de")
            for (auto& form : joined(bare, " ein halb", {""})) out.push_back(std::move(form));
        if (known->code == "fr" || known->code == "es")
            for (auto& form : joined(bare, known->code == "fr" ? " et demie" : " y media", {""}))
                out.push_back(std::move(form));
    }
    if (whole < 0)
        for (auto& form : out) form = fmt::format("{} {}", known->minus, form);
    return out;
}

std::vector<number_in_text> numbers_at(std::string_view language, std::u32string_view text, std::size_t begin) {
    const grammar* known = grammar_of(language);
    if (known == nullptr || begin >= text.size()) return {};
    std::u32string plain(text);
    std::ranges::replace(plain, U'-', U' ');
    return known->all(plain, begin);
}

std::optional<std::int64_t> parse_number(std::string_view language, std::string_view text) {
    std::int64_t value = 0;
    if (const auto [rest, code] = std::from_chars(text.data(), text.data() + text.size(), value);
        code == std::errc{} && rest == text.data() + text.size())
        return value;
    const grammar* known = grammar_of(language);
    if (known == nullptr) return std::nullopt;
    std::u32string plain = to_lower(decode_utf8(text));
    std::ranges::replace(plain, U'-', U' ');
    std::size_t begin = 0;
    const std::u32string minus = decode_utf8(known->language->minus) + U" ";
    if (plain.starts_with(minus)) begin = minus.size();
    for (const auto& one : known->all(plain, begin))
        if (one.end == plain.size()) return begin > 0 ? -one.value : one.value;
    return std::nullopt;
}

std::vector<std::u32string> number_words(std::string_view language) {
    const number_language* known = find(language);
    if (known == nullptr) return {};
    std::vector<std::u32string> out;
    const auto take = [&](std::string_view text) {
        const std::u32string plain = spaced(text);
        for (std::size_t begin = 0; begin < plain.size();) {
            const std::size_t end = std::min(plain.find(U' ', begin), plain.size());
            if (end > begin) out.push_back(plain.substr(begin, end - begin));
            begin = end + 1;
        }
    };
    for (std::int64_t n = 0; n < 1000; n += n < 100 ? 1 : 100)
        for (const auto& form : known->spell(n)) take(form);
    for (const auto part : {known->between[0], known->between[1], known->hundred[0], known->hundred[1], known->thousand,
                            known->lone_thousand, known->million[0], known->million[1]})
        take(part);
    take(spell_number(language, million).front());
    std::ranges::sort(out);
    out.erase(std::ranges::unique(out).begin(), out.end());
    return out;
}

}  // namespace loqa::intent
