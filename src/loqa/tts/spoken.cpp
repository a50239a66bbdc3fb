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
#include "loqa/tts/letters.hpp"

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
    {"k", "thousand", "thousand"},
    {"x", "time", "times"},
    {"€", "euro", "euros"},
    {"£", "pound", "pounds"},
    {"USD", "US dollar", "US dollars"},
    {"EUR", "euro", "euros"},
    {"GBP", "British pound", "British pounds"},
    {"CHF", "Swiss franc", "Swiss francs"},
    {"JPY", "yen", "yen"},
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

struct short_form {
    std::string_view written, said;
};
// Behind an amount of money.
constexpr std::array short_multiples = std::to_array<short_form>({{"k", multiples[0]},
                                                                  {"K", multiples[0]},
                                                                  {"m", multiples[1]},
                                                                  {"M", multiples[1]},
                                                                  {"bn", multiples[2]},
                                                                  {"B", multiples[2]},
                                                                  {"tn", multiples[3]},
                                                                  {"T", multiples[3]}});

constexpr std::array<std::string_view, 12> months{"January",   "February", "March",    "April",
                                                  "May",       "June",     "July",     "August",
                                                  "September", "October",  "November", "December"};

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
// Those with a full stop, which is no end of a sentence, and signs. Mr., Mrs., Dr., St. and etc. are read well as they
// are.
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
                                                                {"50/50", "50 50"},
                                                                {"±", "plus or minus"},
                                                                {"≈", "about"},
                                                                {"=", "equals"},
                                                                {"×", "times"},
                                                                {"→", "to"}});
// Letters that would be read as a word, and names before a name.
constexpr std::array letters = std::to_array<short_form>({{"LED", "L E D"},
                                                          {"LEDs", "L E D's"},
                                                          {"EV", "E V"},
                                                          {"EVs", "E V's"},
                                                          {"AQI", "A Q I"},
                                                          {"VOC", "V O C"},
                                                          {"VOCs", "V O C's"},
                                                          {"TVOC", "T V O C"},
                                                          {"ETA", "E T A"},
                                                          {"UPS", "U P S"},
                                                          {"FAQ", "F A Q"},
                                                          {"CO2", "C O 2"},
                                                          {"A/C", "A C"}});
constexpr std::array titles = std::to_array<short_form>(
    {{"Mt", "Mount"}, {"Ft", "Fort"}, {"Prof", "Professor"}, {"Ms", "Miz"}, {"Lt", "Lieutenant"}, {"Capt", "Captain"}});
constexpr std::array<std::string_view, 10> tens{"hundreds", "tens",    "twenties",  "thirties", "forties",
                                                "fifties",  "sixties", "seventies", "eighties", "nineties"};
constexpr std::array<std::string_view, 11> denominators{"",      "",        "half",   "third", "quarter", "fifth",
                                                        "sixth", "seventh", "eighth", "ninth", "tenth"};
constexpr std::array glyphs = std::to_array<short_form>({{"½", "1/2"},
                                                         {"¼", "1/4"},
                                                         {"¾", "3/4"},
                                                         {"⅓", "1/3"},
                                                         {"⅔", "2/3"},
                                                         {"⅛", "1/8"},
                                                         {"⅜", "3/8"},
                                                         {"⅝", "5/8"},
                                                         {"⅞", "7/8"},
                                                         {"⅕", "1/5"},
                                                         {"⅖", "2/5"},
                                                         {"⅗", "3/5"},
                                                         {"⅘", "4/5"},
                                                         {"⅙", "1/6"},
                                                         {"⅚", "5/6"}});
// Before a number.
constexpr std::array comparisons = std::to_array<short_form>({{"<=", "at most "},
                                                              {">=", "at least "},
                                                              {"≤", "at most "},
                                                              {"≥", "at least "},
                                                              {"<", "less than "},
                                                              {">", "more than "},
                                                              {"~", "about "},
                                                              {"≈", "about "}});

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

std::string counted(int count, std::string_view one) {
    return fmt::format("{} {}{}", count, one, count == 1 ? "" : "s");
}

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
        if (*hour == 0 || *hour == 24) return "midnight";
        if (*hour > 12) return fmt::format("{} hundred", *hour);
        return fmt::format("{} o'clock", *hour);
    }
    return fmt::format("{} {}{}{}", *hour, *minute < 10 ? "oh " : "", *minute, suffix);
}

// "2026-01-31", with or without a time behind a T; "1/31/2026", the month first unless it cannot be one; "31.1.2026".
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
    const bool dots = !word.contains('/');
    const auto parts = split(word, dots ? '.' : '/');
    if (parts.size() != 3 || parts[2].size() != 4 || !all_digits(parts[2])) return std::nullopt;
    auto month = number(parts[0]);
    auto day = number(parts[1]);
    if (!month || !day) return std::nullopt;
    if (dots || *month > 12) std::swap(month, day);
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
        const auto digits = leading_number(amount);
        if (digits.empty() || sign_length(amount) != 0) return std::nullopt;
        if (const auto times = long_form(short_multiples, amount.substr(digits.size())); !times.empty())
            return fmt::format("{}{} {} {}", minus == 0 ? "" : "minus ", digits, times, kind->many);
        if (digits != amount) return std::nullopt;
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
        if (const auto sign = sign_length(rest); sign != 0 && rest.size() > sign && is_digit(rest[sign]))
            return std::pair(first, rest);
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

// "9:00" and "9am", at either end of a range.
std::optional<std::string> clock_time(std::string_view word) {
    if (auto said = time_of_day(word)) return said;
    const auto hour = leading_number(word);
    const auto half = to_lower(word.substr(hour.size()));
    if (!number(hour) || hour.size() > 2 || (half != "am" && half != "pm")) return std::nullopt;
    return fmt::format("{} {}", hour, half == "am" ? "a.m." : "p.m.");
}

// "9:00-17:30", "9am–5pm", "Mon-Fri"
std::optional<std::string> times_or_days(std::string_view word) {
    const auto long_dash = word.find("–");
    const auto dash = long_dash == std::string_view::npos ? word.find('-') : long_dash;
    if (dash == std::string_view::npos) return std::nullopt;
    const auto from = word.substr(0, dash);
    const auto to = word.substr(dash + (dash == long_dash ? std::string_view("–").size() : 1));
    if (const auto begin = long_form(short_days, from), end = long_form(short_days, to); !begin.empty() && !end.empty())
        return fmt::format("{} to {}", begin, end);
    if (const auto begin = clock_time(from), end = clock_time(to); begin && end)
        return fmt::format("{} to {}", *begin, *end);
    if (const auto end = clock_time(to); end && number(from) && from.size() <= 2)
        return fmt::format("{} to {}", from, *end);
    return std::nullopt;
}

// "1h30m", "2m15s", "1d4h": two or more, the longer before the shorter.
std::optional<std::string> composed_duration(std::string_view word) {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 5> parts{
        {{"d", "day"}, {"h", "hour"}, {"min", "minute"}, {"m", "minute"}, {"s", "second"}}};
    std::string said;
    int count = 0;
    std::size_t next = 0;
    while (!word.empty()) {
        const auto digits = word.substr(0, std::min(word.find_first_not_of("0123456789"), word.size()));
        const auto value = number(digits);
        if (!value) return std::nullopt;
        word.remove_prefix(digits.size());
        while (next < parts.size() && !word.starts_with(parts[next].first)) ++next;
        if (next == parts.size()) return std::nullopt;
        word.remove_prefix(parts[next].first.size());
        said += fmt::format("{}{}", count == 0 ? "" : " ", counted(*value, parts[next].second));
        ++next;
        ++count;
    }
    return count > 1 ? std::optional(said) : std::nullopt;
}

// "1990s", "2020s"
std::optional<std::string> decade(std::string_view word) {
    if (word.size() != 5 || !word.ends_with("0s")) return std::nullopt;
    const auto first = number(word.substr(0, 4));
    if (!first || *first < 1100 || *first > 2090) return std::nullopt;
    if (*first == 2000) return "2 thousands";
    return fmt::format("{} {}", *first / 100, tens[static_cast<std::size_t>(*first / 10 % 10)]);
}

// "2x4", "1920×1080"
std::optional<std::string> size_by_size(std::string_view word) {
    const auto first = word.substr(0, std::min(word.find_first_not_of("0123456789"), word.size()));
    auto rest = word.substr(first.size());
    if (first.empty()) return std::nullopt;
    if (rest.starts_with('x'))
        rest.remove_prefix(1);
    else if (rest.starts_with("×"))
        rest.remove_prefix(std::string_view("×").size());
    else
        return std::nullopt;
    return all_digits(rest) ? std::optional(fmt::format("{} by {}", first, rest)) : std::nullopt;
}

// "16:9", "3:2": no time, since those have minutes of two digits.
std::optional<std::string> ratio(std::string_view word) {
    const auto colon = word.find(':');
    if (colon > 3 || word.size() != colon + 2) return std::nullopt;
    if (!all_digits(word.substr(0, colon)) || !is_digit(word.back())) return std::nullopt;
    return fmt::format("{} to {}", word.substr(0, colon), word.back());
}

std::string digit_by_digit(std::string_view digits) {
    std::string said;
    for (const char digit : digits) said += fmt::format("{}{}", said.empty() ? "" : " ", digit);
    return said;
}

// "555-1234", "555-123-4567", "1-800-555-0199"
std::optional<std::string> telephone(std::string_view word) {
    const auto parts = split(word, '-');
    if (parts.size() < 2 || parts.size() > 4 || !std::ranges::all_of(parts, all_digits)) return std::nullopt;
    const std::size_t last = parts.size() - 1;
    if (parts[last].size() != 4 || parts[last - 1].size() != 3) return std::nullopt;
    if (parts.size() > 2 && parts[last - 2].size() != 3) return std::nullopt;
    if (parts.size() > 3 && parts[0].size() != 1) return std::nullopt;
    std::string said;
    for (const auto& part : parts) said += fmt::format("{}{}", said.empty() ? "" : ", ", digit_by_digit(part));
    return said;
}

// "192.168.1.10", "v1.2.3"
std::optional<std::string> dotted(std::string_view word) {
    const bool version = word.starts_with('v') || word.starts_with('V');
    const auto parts = split(word.substr(version ? 1 : 0), '.');
    if (parts.size() < (version ? 2U : 3U) || !std::ranges::all_of(parts, all_digits)) return std::nullopt;
    std::string said = version ? "version " : "";
    for (std::size_t i = 0; i < parts.size(); ++i)
        said += fmt::format("{}{}", i == 0 ? "" : parts.size() == 4 ? " dot " : " point ", parts[i]);
    return said;
}

// "5'10": what closes it, a quotation mark, is heard nowhere.
std::optional<std::string> feet_and_inches(std::string_view word) {
    const auto mark = word.find('\'');
    if (mark == std::string_view::npos) return std::nullopt;
    const auto feet = word.substr(0, mark), inches = word.substr(mark + 1);
    if (!all_digits(feet) || !all_digits(inches) || inches.size() > 2) return std::nullopt;
    return fmt::format("{} foot {}", feet, inches);
}

std::optional<std::string> measure(std::string_view word) {
    const auto count = leading_number(word);
    if (count.empty()) return std::nullopt;
    // A picture of "4K" has as many pixels; what is told in kelvins is warmer.
    if (word.substr(count.size()) == "K" && count.size() < 3) return std::nullopt;
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

// The length of the picture that `text` begins with (an emoji, or what joins and colours them), which nobody says.
std::size_t picture_length(std::string_view text) {
    const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(at < text.size() ? text[at] : 0); };
    if (byte(0) == 0xF0 && byte(1) == 0x9F) return std::min<std::size_t>(4, text.size());
    const unsigned point = (byte(0) & 0x0Fu) << 12 | (byte(1) & 0x3Fu) << 6 | (byte(2) & 0x3Fu);
    if (byte(0) >> 4 != 0xE || text.size() < 3) return 0;
    return (point >= 0x2600 && point <= 0x27BF) || point == 0xFE0F || point == 0x200D ? 3 : 0;
}

// Marks of a text that is meant to be set ("**now**", "# Title", "* item"), which nobody says.
std::size_t markup_length(std::string_view text, bool line_begins, bool in_a_word) {
    if (text.starts_with('`')) return 1;
    if (line_begins && text.starts_with('#')) {
        const auto level = std::min(text.find_first_not_of('#'), text.size());
        return text.substr(level).starts_with(' ') ? level + 1 : 0;
    }
    if (!text.starts_with('*')) return 0;
    if (line_begins && text.starts_with("* ")) return 2;
    const auto stars = std::min(text.find_first_not_of('*'), text.size());
    const bool goes_on = stars < text.size() && (is_digit(text[stars]) || is_letter(text[stars]));
    if (stars == 1 && (text.substr(stars).starts_with(' ') ? !in_a_word : in_a_word && goes_on)) return 0;
    return stars;
}

// Without what nobody says, and with words for signs that stand before a number. Fractions that are one sign are two
// numbers with a stroke: "2½" is "2 1/2".
std::string without_glyphs(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        const bool word_begins = out.empty() || std::string_view(" \t\n(-+").contains(out.back());
        const bool line_begins = out.empty() || out.back() == '\n';
        if (const auto unsaid = picture_length(text); unsaid > 0) {
            text.remove_prefix(unsaid);
            continue;
        }
        if (!out.empty() && is_digit(out.back()) && text.size() > 1 && text[0] == '*' && is_digit(text[1])) {
            out += " × ";
            text.remove_prefix(1);
            continue;
        }
        const bool in_a_word = !out.empty() && (is_digit(out.back()) || is_letter(out.back()));
        if (const auto unsaid = markup_length(text, line_begins, in_a_word); unsaid > 0) {
            text.remove_prefix(unsaid);
            continue;
        }
        const auto sign =
            std::ranges::find_if(comparisons, [&](const short_form& each) { return text.starts_with(each.written); });
        if (sign != comparisons.end()) {
            const auto rest = text.substr(sign->written.size());
            const auto number_at = rest.find_first_not_of(" -+");
            if (number_at <= 2 && number_at < rest.size() && is_digit(rest[number_at])) {
                if (!word_begins) out += ' ';
                out += sign->said;
                text = rest.starts_with(' ') ? rest.substr(1) : rest;
                continue;
            }
        }
        if (word_begins && text.size() > 1 && text[0] == '.' && is_digit(text[1])) out += '0';
        if (text.starts_with("⁄")) {
            out += '/';
            text.remove_prefix(std::string_view("⁄").size());
            continue;
        }
        if (text.starts_with("₂")) {
            out += '2';
            text.remove_prefix(std::string_view("₂").size());
            continue;
        }
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
            !said.empty() && ahead() &&
            (is_month(ahead()->core) || (!one.closing.empty() && starts_with_digit(ahead()))))
            return fmt::format("{}{}", said, rest.empty() ? "," : rest);
        if (const auto said = long_form(titles, one.core);
            !said.empty() && stop && ahead() && !ahead()->core.empty() && is_upper(ahead()->core[0]))
            return fmt::format("{}{}", said, rest);
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
        if (const auto said = between_numbers(core); !said.empty()) return std::string(said);
        if (const auto count = count_before(); !count.empty()) {
            if (core == "in" && feet_before()) return is_one(count) ? "inch" : "inches";
            if (const auto* unit = unit_of(core)) return std::string(name(*unit, count));
            if (fraction(core)) return "and " + said_fraction(core);
        }
        if (const auto said = long_form(abbreviations, core); !said.empty()) return std::string(said);
        if (const auto said = long_form(letters, core); !said.empty()) return std::string(said);
        if ((core == "C" || core == "F") && behind() && to_lower(behind()->core).starts_with("degree"))
            return core == "C" ? "Celsius" : "Fahrenheit";
        for (const std::string_view scheme : {"https://", "http://"})
            if (core.starts_with(scheme)) return std::string(core.substr(scheme.size()));
        if (core.starts_with('#') && all_digits(core.substr(1))) return fmt::format("number {}", core.substr(1));
        if (const auto said = in_a_date(one)) return *said;
        if (const auto said = millions(one)) return *said;
        if (const auto said = measured_time(one)) return *said;
        if (const auto said = a_decade(one)) return *said;
        if (part_of_a_duration(core)) return minutes_of(core);
        if (one.opening.ends_with('(') && one.closing.starts_with(')') && core.size() == 3 && all_digits(core) &&
            ahead() && telephone(ahead()->core))
            return digit_by_digit(core);
        for (const auto& way : {time_of_day, date, money, times_or_days, composed_duration, size_by_size, ratio,
                                telephone, dotted, feet_and_inches})
            if (auto said = way(core)) return *said;
        if (fraction(core)) return said_fraction(core);
        if (const auto both = range(core)) {
            const auto from = year(both->first), to = year(both->second);
            if (from && to) return fmt::format("{} to {}", *from, *to);
            if (const auto upto = measure(both->second))
                return fmt::format("{} to {}", said_number(both->first), *upto);
            if (leading_number(both->second) == both->second)
                return fmt::format("{} to {}", said_number(both->first), said_number(both->second));
        }
        if (auto said = measure(core)) return *said;
        return std::string(core);
    }

    // A sign that stands alone between two numbers. Of "10 - 15" the second is the greater: from one to the other.
    std::string_view between_numbers(std::string_view core) const {
        if (!behind() || !behind()->closing.empty() || !starts_with_digit(ahead())) return {};
        const bool dash = core == "-" || core == "–";
        if (dash && clock_time(behind()->core) && clock_time(ahead()->core)) return "to";
        const auto first = number(leading_number(behind()->core)), second = number(leading_number(ahead()->core));
        if (!first || !second || leading_number(behind()->core) != behind()->core) return {};
        if (core == "x" || core == "*") return "times";
        if (core == "/" || core == "÷") return "divided by";
        if (!dash) return {};
        return *first < *second && !(ahead(2) && ahead(2)->core == "=") ? "to" : "minus";
    }

    // "6 ft 2 in"
    bool feet_before() const {
        return at_ >= 2 && (words_[at_ - 2].core.ends_with("ft") || words_[at_ - 2].core == "feet");
    }

    // "02:45 min", "1:30 h" count, as "12:00 AM" does not. The unit is taken along.
    std::optional<std::string> measured_time(const word& one) {
        const auto* next = ahead();
        if (!next || !one.closing.empty() || !time_of_day(one.core)) return std::nullopt;
        const auto colon = one.core.find(':');
        const auto first = number(one.core.substr(0, colon)), second = number(one.core.substr(colon + 1));
        if (!first || !second) return std::nullopt;
        const auto half = to_lower(next->core);
        if (*second == 0 && (half == "am" || half == "pm" || half == "a.m" || half == "p.m"))
            return fmt::format("{}", *first);
        const auto* unit = unit_of(next->core);
        const bool minutes = (unit && unit->one == "minute") || next->core == "minutes";
        if (!minutes && !(unit && unit->one == "hour") && next->core != "hours") return std::nullopt;
        auto said = fmt::format("{} {}{}", counted(*first, minutes ? "minute" : "hour"),
                                counted(*second, minutes ? "second" : "minute"), next->closing);
        ++at_;
        return said;
    }

    // "the 1990s", "the '90s"
    std::optional<std::string> a_decade(const word& one) const {
        if (auto said = decade(one.core)) return said;
        const bool is_short = one.core.size() == 3 && one.core.ends_with("0s") && is_digit(one.core[0]);
        if (!is_short || !behind()) return std::nullopt;
        const bool in_the = at_ >= 2 && to_lower(behind()->core) == "the" && to_lower(words_[at_ - 2].core) == "in";
        if (!one.opening.ends_with('\'') && !in_the) return std::nullopt;
        return std::string(tens[static_cast<std::size_t>(one.core[0] - '0')]);
    }

    // The minutes of "1h 30m" and of "30m 15s".
    bool part_of_a_duration(std::string_view core) const {
        if (!core.ends_with('m') || !all_digits(core.substr(0, core.size() - 1))) return false;
        const auto ends = [](const word* other, char unit) {
            return other && other->core.size() > 1 && other->core.ends_with(unit) &&
                   all_digits(other->core.substr(0, other->core.size() - 1));
        };
        return (ends(behind(), 'h') && behind()->closing.empty()) || ends(ahead(), 's');
    }
    static std::string minutes_of(std::string_view core) {
        const auto count = core.substr(0, core.size() - 1);
        return fmt::format("{} minute{}", count, count == "1" ? "" : "s");
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
