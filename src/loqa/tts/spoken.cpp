#include "loqa/tts/spoken.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "loqa/base/text.hpp"

namespace loqa::tts {

namespace {

struct unit_name {
    std::string_view symbol, one, many;
};
// Those of one letter come only right behind a number, as the others do.
constexpr std::array units = std::to_array<unit_name>({
    {"%", "percent", "percent"},
    {"‰", "per mille", "per mille"},
    {"°", "degree", "degrees"},
    {"°C", "degree Celsius", "degrees Celsius"},
    {"℃", "degree Celsius", "degrees Celsius"},
    {"ºC", "degree Celsius", "degrees Celsius"},
    {"°F", "degree Fahrenheit", "degrees Fahrenheit"},
    {"℉", "degree Fahrenheit", "degrees Fahrenheit"},
    {"K", "kelvin", "kelvins"},
    {"km/h", "kilometer per hour", "kilometers per hour"},
    {"kph", "kilometer per hour", "kilometers per hour"},
    {"m/s", "meter per second", "meters per second"},
    {"mph", "mile per hour", "miles per hour"},
    {"km", "kilometer", "kilometers"},
    {"m", "meter", "meters"},
    {"cm", "centimeter", "centimeters"},
    {"mm", "millimeter", "millimeters"},
    {"µm", "micrometer", "micrometers"},
    {"mi", "mile", "miles"},
    {"ft", "foot", "feet"},
    {"yd", "yard", "yards"},
    {"m²", "square meter", "square meters"},
    {"km²", "square kilometer", "square kilometers"},
    {"ft²", "square foot", "square feet"},
    {"m³", "cubic meter", "cubic meters"},
    {"kg", "kilogram", "kilograms"},
    {"g", "gram", "grams"},
    {"mg", "milligram", "milligrams"},
    {"µg", "microgram", "micrograms"},
    {"µg/m³", "microgram per cubic meter", "micrograms per cubic meter"},
    {"μg/m³", "microgram per cubic meter", "micrograms per cubic meter"},
    {"oz", "ounce", "ounces"},
    {"lb", "pound", "pounds"},
    {"lbs", "pound", "pounds"},
    {"l", "liter", "liters"},
    {"L", "liter", "liters"},
    {"ml", "milliliter", "milliliters"},
    {"mL", "milliliter", "milliliters"},
    {"cl", "centiliter", "centiliters"},
    {"gal", "gallon", "gallons"},
    {"tsp", "teaspoon", "teaspoons"},
    {"tbsp", "tablespoon", "tablespoons"},
    {"Pa", "pascal", "pascals"},
    {"hPa", "hectopascal", "hectopascals"},
    {"kPa", "kilopascal", "kilopascals"},
    {"mbar", "millibar", "millibars"},
    {"bar", "bar", "bars"},
    {"psi", "pound per square inch", "pounds per square inch"},
    {"Wh", "watt hour", "watt hours"},
    {"kWh", "kilowatt hour", "kilowatt hours"},
    {"MWh", "megawatt hour", "megawatt hours"},
    {"W", "watt", "watts"},
    {"kW", "kilowatt", "kilowatts"},
    {"MW", "megawatt", "megawatts"},
    {"V", "volt", "volts"},
    {"mV", "millivolt", "millivolts"},
    {"A", "ampere", "amperes"},
    {"mA", "milliampere", "milliamperes"},
    {"mAh", "milliampere hour", "milliampere hours"},
    {"Ah", "ampere hour", "ampere hours"},
    {"VA", "volt ampere", "volt amperes"},
    {"J", "joule", "joules"},
    {"kJ", "kilojoule", "kilojoules"},
    {"kcal", "kilocalorie", "kilocalories"},
    {"Hz", "hertz", "hertz"},
    {"kHz", "kilohertz", "kilohertz"},
    {"MHz", "megahertz", "megahertz"},
    {"GHz", "gigahertz", "gigahertz"},
    {"dB", "decibel", "decibels"},
    {"dBm", "decibel milliwatt", "decibel milliwatts"},
    {"lx", "lux", "lux"},
    {"lm", "lumen", "lumens"},
    {"rpm", "revolution per minute", "revolutions per minute"},
    {"bpm", "beat per minute", "beats per minute"},
    {"kB", "kilobyte", "kilobytes"},
    {"MB", "megabyte", "megabytes"},
    {"GB", "gigabyte", "gigabytes"},
    {"TB", "terabyte", "terabytes"},
    {"Mbps", "megabit per second", "megabits per second"},
    {"Mbit/s", "megabit per second", "megabits per second"},
    {"Gbit/s", "gigabit per second", "gigabits per second"},
    {"MB/s", "megabyte per second", "megabytes per second"},
    {"ppm", "part per million", "parts per million"},
    {"ppb", "part per billion", "parts per billion"},
    {"µs", "microsecond", "microseconds"},
    {"ms", "millisecond", "milliseconds"},
    {"s", "second", "seconds"},
    {"sec", "second", "seconds"},
    {"secs", "second", "seconds"},
    {"min", "minute", "minutes"},
    {"mins", "minute", "minutes"},
    {"h", "hour", "hours"},
    {"hr", "hour", "hours"},
    {"hrs", "hour", "hours"},
});

struct currency {
    std::string_view sign, one, many, part, parts;
};
constexpr std::array currencies = std::to_array<currency>({{"$", "dollar", "dollars", "cent", "cents"},
                                                           {"US$", "dollar", "dollars", "cent", "cents"},
                                                           {"€", "euro", "euros", "cent", "cents"},
                                                           {"£", "pound", "pounds", "penny", "pence"},
                                                           {"¥", "yen", "yen", "", ""},
                                                           {"₹", "rupee", "rupees", "paisa", "paise"}});
constexpr std::array<std::string_view, 4> multiples{"thousand", "million", "billion", "trillion"};

constexpr std::array<std::string_view, 12> months{"January",   "February", "March",    "April",
                                                  "May",       "June",     "July",     "August",
                                                  "September", "October",  "November", "December"};

struct short_form {
    std::string_view written, said;
};
// Months that a day or a year follows, and days of the week that a date follows: alone they may be other words.
constexpr std::array short_months = std::to_array<short_form>({{"Jan", months[0]},
                                                               {"Feb", months[1]},
                                                               {"Mar", months[2]},
                                                               {"Apr", months[3]},
                                                               {"Jun", months[5]},
                                                               {"Jul", months[6]},
                                                               {"Aug", months[7]},
                                                               {"Sep", months[8]},
                                                               {"Sept", months[8]},
                                                               {"Oct", months[9]},
                                                               {"Nov", months[10]},
                                                               {"Dec", months[11]}});
constexpr std::array short_days = std::to_array<short_form>({{"Mon", "Monday"},
                                                             {"Tue", "Tuesday"},
                                                             {"Tues", "Tuesday"},
                                                             {"Wed", "Wednesday"},
                                                             {"Thu", "Thursday"},
                                                             {"Thur", "Thursday"},
                                                             {"Thurs", "Thursday"},
                                                             {"Fri", "Friday"},
                                                             {"Sat", "Saturday"},
                                                             {"Sun", "Sunday"}});
// With their full stop, which is no end of a sentence. Mr., Mrs., Dr., St. and etc. are read well as they are.
constexpr std::array abbreviations = std::to_array<short_form>({{"e.g.", "for example"},
                                                                {"i.e.", "that is"},
                                                                {"approx.", "approximately"},
                                                                {"vs.", "versus"},
                                                                {"vs", "versus"},
                                                                {"incl.", "including"},
                                                                {"excl.", "excluding"},
                                                                {"max.", "maximum"},
                                                                {"min.", "minimum"},
                                                                {"temp.", "temperature"},
                                                                {"w/", "with"},
                                                                {"w/o", "without"},
                                                                {"24/7", "24 7"},
                                                                {"±", "plus or minus"},
                                                                {"≈", "about"},
                                                                {"=", "equals"},
                                                                {"×", "times"},
                                                                {"→", "to"}});
constexpr std::array<std::string_view, 11> denominators{"",      "",        "half",   "third", "quarter", "fifth",
                                                        "sixth", "seventh", "eighth", "ninth", "tenth"};
constexpr std::array glyphs =
    std::to_array<short_form>({{"½", "1/2"}, {"¼", "1/4"}, {"¾", "3/4"}, {"⅓", "1/3"}, {"⅔", "2/3"}, {"⅛", "1/8"}});

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool all_digits(std::string_view text) { return !text.empty() && std::ranges::all_of(text, is_digit); }

std::optional<int> number(std::string_view text) {
    int value = 0;
    if (!all_digits(text) || std::from_chars(text.data(), text.data() + text.size(), value).ec != std::errc{})
        return std::nullopt;
    return value;
}

template <std::size_t N>
std::string_view long_form(const std::array<short_form, N>& of, std::string_view written) {
    const auto found = std::ranges::find(of, written, &short_form::written);
    return found == of.end() ? std::string_view{} : found->said;
}

// The length of the minus or plus that `text` begins with.
std::size_t sign_length(std::string_view text) {
    if (text.starts_with("−")) return std::string_view("−").size();
    return text.starts_with('-') || text.starts_with('+') ? 1 : 0;
}

// The leading part of `text` that is a number: sign, digits with commas between thousands, decimals.
std::string_view leading_number(std::string_view text) {
    const std::size_t first = sign_length(text);
    std::size_t i = first;
    while (i < text.size() && (is_digit(text[i]) || ((text[i] == '.' || text[i] == ',') && i > first &&
                                                     i + 1 < text.size() && is_digit(text[i + 1]))))
        ++i;
    return text.substr(0, i > first ? i : 0);
}

// With its sign in words: the reader leaves some signs out.
std::string said_number(std::string_view number) {
    const auto sign = sign_length(number);
    if (sign == 0) return std::string(number);
    return fmt::format("{} {}", number.starts_with('+') ? "plus" : "minus", number.substr(sign));
}

bool is_one(std::string_view number) { return number.substr(sign_length(number)) == "1"; }

const unit_name* unit_of(std::string_view symbol) {
    const auto found = std::ranges::find(units, symbol, &unit_name::symbol);
    return found == units.end() ? nullptr : &*found;
}
std::string_view name(const unit_name& unit, std::string_view count) { return is_one(count) ? unit.one : unit.many; }

const currency* currency_before(std::string_view word) {
    const auto found = std::ranges::find_if(currencies, [&](const auto& c) { return word.starts_with(c.sign); });
    return found == currencies.end() ? nullptr : &*found;
}

std::string_view ordinal_ending(int day) {
    if (day % 100 / 10 == 1) return "th";
    constexpr std::array<std::string_view, 4> endings{"th", "st", "nd", "rd"};
    return day % 10 <= 3 ? endings[static_cast<std::size_t>(day % 10)] : "th";
}

// A year as it is said: "19 99", "20 26", "19 oh 5", "18 hundred", "2005". Other numbers are no years.
std::optional<std::string> year(std::string_view digits) {
    const auto value = number(digits);
    if (!value || digits.size() != 4 || *value < 1100 || *value > 2099) return std::nullopt;
    const int century = *value / 100;
    const int rest = *value % 100;
    if (century == 20 && rest < 10) return std::string(digits);
    if (rest == 0) return fmt::format("{} hundred", century);
    return fmt::format("{} {}{}", century, rest < 10 ? "oh " : "", rest);
}

std::string said_date(int day, int month, std::string_view year_digits) {
    return fmt::format("{} {}{}, {}", months[static_cast<std::size_t>(month - 1)], day, ordinal_ending(day),
                       year(year_digits).value_or(std::string(year_digits)));
}

// "7:05", "15:00", "7:30pm", "1:02:03"; nothing when the word is no time.
std::optional<std::string> time_of_day(std::string_view word) {
    const auto colon = word.find(':');
    if (colon == std::string_view::npos || word.size() < colon + 3) return std::nullopt;
    const auto hour = number(word.substr(0, colon));
    const auto minute = number(word.substr(colon + 1, 2));
    const auto rest = word.substr(colon + 3);
    if (!hour || !minute || colon > 2 || *minute > 59) return std::nullopt;
    const auto counted = [](int n, std::string_view what) {
        return fmt::format("{} {}{}", n, what, n == 1 ? "" : "s");
    };
    if (rest.size() == 3 && rest[0] == ':') {
        const auto second = number(rest.substr(1));
        if (!second || *second > 59) return std::nullopt;
        return fmt::format("{}, {} and {}", counted(*hour, "hour"), counted(*minute, "minute"),
                           counted(*second, "second"));
    }
    const auto half = to_lower(rest);
    if (*hour > 24 || !(half.empty() || half == "am" || half == "pm" || half == "a.m" || half == "p.m"))
        return std::nullopt;
    const auto suffix = half.empty() ? "" : half[0] == 'a' ? " a.m." : " p.m.";
    if (*minute == 0) {
        if (!half.empty()) return fmt::format("{}{}", *hour, suffix);
        if (*hour == 0 || *hour > 12) return fmt::format("{} hundred", *hour == 0 ? 24 : *hour);
        return fmt::format("{} o'clock", *hour);
    }
    return fmt::format("{} {}{}{}", *hour, *minute < 10 ? "oh " : "", *minute, suffix);
}

// "2026-01-31", with or without a time behind a T; "1/31/2026", the month first unless it cannot be one.
std::optional<std::string> date(std::string_view word) {
    if (word.size() >= 10 && word[4] == '-' && word[7] == '-') {
        const auto month = number(word.substr(5, 2));
        const auto day = number(word.substr(8, 2));
        if (!all_digits(word.substr(0, 4)) || !month || !day || *month < 1 || *month > 12 || *day < 1 || *day > 31)
            return std::nullopt;
        const auto rest = word.substr(10);
        auto said = said_date(*day, *month, word.substr(0, 4));
        if (rest.empty()) return said;
        if (rest[0] != 'T' || rest.size() < 6) return std::nullopt;
        const auto time = time_of_day(rest.substr(1, 5));
        return time ? std::optional(fmt::format("{}, at {}", said, *time)) : std::nullopt;
    }
    const auto parts = split(word, '/');
    if (parts.size() != 3 || parts[2].size() != 4 || !all_digits(parts[2])) return std::nullopt;
    auto month = number(parts[0]);
    auto day = number(parts[1]);
    if (!month || !day) return std::nullopt;
    if (*month > 12) std::swap(month, day);
    if (*month < 1 || *month > 12 || *day < 1 || *day > 31) return std::nullopt;
    return said_date(*day, *month, parts[2]);
}

std::string amount_in(const currency& kind, std::string_view amount) {
    const auto minus = sign_length(amount);
    const auto sign = minus == 0 ? "" : "minus ";
    amount.remove_prefix(minus);
    const auto point = amount.find('.');
    const auto whole = amount.substr(0, point);
    auto words = fmt::format("{}{} {}", sign, whole, whole == "1" ? kind.one : kind.many);
    if (point == std::string_view::npos) return words;
    const auto part = number(amount.substr(point + 1));
    if (!part || amount.size() != point + 3 || kind.part.empty())
        return fmt::format("{}{} {}", sign, amount, kind.many);
    if (*part == 0) return words;
    const auto parts = fmt::format("{} {}", *part, *part == 1 ? kind.part : kind.parts);
    return whole == "0" ? sign + parts : fmt::format("{} and {}", words, parts);
}

// "$5", "-$1.50", "5€". "$1.5" is left for the word behind it where that is "million".
std::optional<std::string> money(std::string_view word) {
    const auto minus = sign_length(word);
    if (const auto* kind = currency_before(word.substr(minus))) {
        const auto amount = word.substr(minus + kind->sign.size());
        if (amount.empty() || leading_number(amount) != amount || sign_length(amount) != 0) return std::nullopt;
        return amount_in(*kind, minus == 0 ? std::string(amount) : "-" + std::string(amount));
    }
    const auto amount = leading_number(word);
    const auto* kind = amount.empty() ? nullptr : currency_before(word.substr(amount.size()));
    if (!kind || word.size() != amount.size() + kind->sign.size()) return std::nullopt;
    return amount_in(*kind, amount);
}

std::optional<std::string> fraction(std::string_view word) {
    const auto slash = word.find('/');
    if (slash == std::string_view::npos) return std::nullopt;
    const auto over = number(word.substr(0, slash));
    const auto under = number(word.substr(slash + 1));
    if (!over || !under || *under < 2 || *over < 1 || *over >= *under ||
        static_cast<std::size_t>(*under) >= denominators.size())
        return std::nullopt;
    const auto name = denominators[static_cast<std::size_t>(*under)];
    return *over == 1 ? fmt::format("1 {}", name) : fmt::format("{} {}s", *over, name);
}

// "10-15", "2019–2024": between two numbers of a kind a dash is a "to". "555-1234" is none.
std::optional<std::pair<std::string_view, std::string_view>> range(std::string_view word) {
    const auto first = leading_number(word);
    if (first.empty()) return std::nullopt;
    auto rest = word.substr(first.size());
    if (rest.starts_with("–")) {
        rest.remove_prefix(std::string_view("–").size());
    } else if (rest.starts_with('-')) {
        rest.remove_prefix(1);
    } else {
        return std::nullopt;
    }
    if (rest.empty() || !is_digit(rest[0])) return std::nullopt;
    const auto second = leading_number(rest);
    const auto digits = [](std::string_view text) { return std::ranges::count_if(text, is_digit); };
    if ((digits(first) > 3 || digits(second) > 3) && !(year(first) && year(second))) return std::nullopt;
    return std::pair(first, rest);
}

std::optional<std::string> measure(std::string_view word) {
    const auto count = leading_number(word);
    if (count.empty()) return std::nullopt;
    if (count.size() == word.size()) return sign_length(word) == 0 ? std::nullopt : std::optional(said_number(word));
    if (const auto* unit = unit_of(word.substr(count.size())))
        return fmt::format("{} {}", said_number(count), name(*unit, count));
    return std::nullopt;
}

struct word {
    std::string_view space, opening, core, closing;  // as they stand one behind the other
};

std::vector<word> words_of(std::string_view text) {
    std::vector<word> all;
    while (!text.empty()) {
        word next;
        next.space = text.substr(0, std::min(text.find_first_not_of(" \t\r\n"), text.size()));
        text.remove_prefix(next.space.size());
        auto whole = text.substr(0, std::min(text.find_first_of(" \t\r\n"), text.size()));
        text.remove_prefix(whole.size());
        next.opening = whole.substr(0, std::min(whole.find_first_not_of("(\"'["), whole.size()));
        whole.remove_prefix(next.opening.size());
        next.core = whole.substr(0, whole.find_last_not_of(".,;:!?)\"']") + 1);
        next.closing = whole.substr(next.core.size());
        all.push_back(next);
    }
    return all;
}

// Fractions that are one sign, as two numbers with a stroke: "2½" is "2 1/2".
std::string without_glyphs(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        const auto glyph =
            std::ranges::find_if(glyphs, [&](const short_form& each) { return text.starts_with(each.written); });
        if (glyph == glyphs.end()) {
            out += text.front();
            text.remove_prefix(1);
            continue;
        }
        if (!out.empty() && is_digit(out.back())) out += ' ';
        out += glyph->said;
        text.remove_prefix(glyph->written.size());
    }
    return out;
}

bool is_month(std::string_view core) {
    return std::ranges::find(months, core) != months.end() || !long_form(short_months, core).empty();
}
bool starts_with_digit(const word* next) { return next && !next->core.empty() && is_digit(next->core[0]); }

// "January 31" is said as a day of the month.
std::optional<std::string> day_of_month(std::string_view core) {
    const auto day = number(core);
    if (!day || *day < 1 || *day > 31 || core.size() > 2) return std::nullopt;
    return fmt::format("{}{}", *day, ordinal_ending(*day));
}

// What stands for the words of one number or sign, with what stands around it.
class reader {
public:
    explicit reader(std::string_view text) : words_(words_of(text)) {}

    std::string read() {
        for (; at_ < words_.size(); ++at_) {
            const auto& one = words_[at_];
            out_ += one.space;
            out_ += one.opening;
            if (!one.core.empty() || !one.closing.empty()) say(one);
        }
        return std::move(out_);
    }

private:
    const word* ahead(std::size_t by = 1) const { return at_ + by < words_.size() ? &words_[at_ + by] : nullptr; }
    const word* behind() const { return at_ > 0 ? &words_[at_ - 1] : nullptr; }

    void say(const word& one) {
        if (const auto said = said_as_a_short_form(one)) {
            out_ += *said;
            return;
        }
        const auto words = said(one);
        const bool stopped = words.ends_with('.') && one.closing.starts_with('.');  // one full stop is enough
        out_ += words;
        out_ += stopped ? one.closing.substr(1) : one.closing;
    }

    // These take the full stop behind them along.
    std::optional<std::string> said_as_a_short_form(const word& one) const {
        const bool stop = one.closing.starts_with('.');
        const auto rest = stop ? one.closing.substr(1) : one.closing;
        if (stop && count_before().empty()) {
            const auto said = long_form(abbreviations, to_lower(one.core) + ".");
            // At the end of a text it ends the sentence as well.
            if (!said.empty()) return fmt::format("{}{}{}", said, ahead() ? "" : ".", rest);
        }
        if (const auto said = long_form(short_months, one.core);
            !said.empty() && (starts_with_digit(ahead()) || day_before()))
            return fmt::format("{}{}", said, rest);
        if (const auto said = long_form(short_days, one.core);
            !said.empty() && !one.closing.empty() && ahead() && (is_month(ahead()->core) || starts_with_digit(ahead())))
            return fmt::format("{}{}", said, rest.empty() ? "," : rest);
        if ((one.core == "No" || one.core == "Nr") && stop && starts_with_digit(ahead()))
            return fmt::format("number{}", rest);
        return std::nullopt;
    }

    // The number that a unit here would count: the word before, or the end of the range that it is; or "".
    std::string_view count_before() const {
        const auto* last = behind();
        if (!last || !last->closing.empty() || last->core.empty()) return {};
        const auto both = range(last->core);
        const auto count = both ? both->second : last->core;
        return leading_number(count) == count ? count : std::string_view{};
    }
    bool day_before() const {
        const auto* last = behind();
        return last && last->closing.empty() && !last->core.empty() && is_digit(last->core[0]) &&
               last->core.size() <= 4;
    }

    std::string said(const word& one) {
        const auto core = one.core;
        if (const auto count = count_before(); !count.empty()) {
            if (const auto* unit = unit_of(core)) return std::string(name(*unit, count));
            if (fraction(core)) return "and " + said_fraction(core);
        }
        if (const auto said = long_form(abbreviations, core); !said.empty()) return std::string(said);
        if (core.starts_with('#') && all_digits(core.substr(1))) return fmt::format("number {}", core.substr(1));
        if (const auto said = in_a_date(one)) return *said;
        if (const auto said = millions(one)) return *said;
        for (const auto& way : {time_of_day, date, money})
            if (auto said = way(core)) return *said;
        if (fraction(core)) return said_fraction(core);
        if (const auto both = range(core)) {
            const auto from = year(both->first), to = year(both->second);
            if (from && to) return fmt::format("{} to {}", *from, *to);
            if (const auto upto = measure(both->second))
                return fmt::format("{} to {}", said_number(both->first), *upto);
            if (leading_number(both->second) == both->second)
                return fmt::format("{} to {}", said_number(both->first), both->second);
        }
        if (auto said = measure(core)) return *said;
        return std::string(core);
    }

    static std::string said_fraction(std::string_view core) {
        auto said = fraction(core).value_or("");
        return said == "1 half" ? "a half" : said == "1 quarter" ? "a quarter" : said;
    }

    // Days and years, by the words before them.
    std::optional<std::string> in_a_date(const word& one) const {
        const auto core = one.core;
        const auto* last = behind();
        if (!last) return std::nullopt;
        if (is_month(last->core) && (last->closing.empty() || last->closing == ".")) {
            if (const auto day = day_of_month(core)) return day;
            return year(core);
        }
        const auto before = to_lower(last->core);
        constexpr std::array<std::string_view, 6> leads{"in", "since", "of", "year", "until", "from"};
        constexpr std::array<std::string_view, 12> goes_on{"and", "to",  "or", "until", "was", "were",
                                                           "is",  "the", "it", "we",    "i",   "there"};
        const bool counts_nothing =
            !one.closing.empty() || !ahead() || std::ranges::find(goes_on, to_lower(ahead()->core)) != goes_on.end();
        if (last->closing.empty() && counts_nothing && std::ranges::find(leads, before) != leads.end())
            return year(core);
        // "January 31, 2026", "31 January 2026"
        if (at_ >= 2 && is_month(words_[at_ - 2].core) && day_before_year(*last)) return year(core);
        return std::nullopt;
    }
    static bool day_before_year(const word& last) {
        return (last.closing.empty() || last.closing == ",") && !last.core.empty() && is_digit(last.core[0]) &&
               last.core.size() <= 4;
    }

    // "$1.5 million"
    std::optional<std::string> millions(const word& one) {
        const auto* kind = currency_before(one.core);
        const auto* next = ahead();
        if (!kind || !next || !one.closing.empty() ||
            std::ranges::find(multiples, to_lower(next->core)) == multiples.end())
            return std::nullopt;
        const auto amount = one.core.substr(kind->sign.size());
        if (amount.empty() || leading_number(amount) != amount) return std::nullopt;
        auto said = fmt::format("{}{}{} {}{}", amount, next->space, next->core, kind->many, next->closing);
        ++at_;
        return said;
    }

    const std::vector<word> words_;
    std::size_t at_ = 0;
    std::string out_;
};

}  // namespace

std::string spoken(std::string_view text) { return reader(without_glyphs(text)).read(); }

}  // namespace loqa::tts
