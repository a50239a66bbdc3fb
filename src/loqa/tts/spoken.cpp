#include "loqa/tts/spoken.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include "loqa/base/text.hpp"

namespace loqa::tts {

namespace {

struct unit_name {
    std::string_view symbol, one, many;
};
constexpr std::array<unit_name, 24> units{{{"%", "percent", "percent"},
                                           {"°", "degree", "degrees"},
                                           {"°C", "degree Celsius", "degrees Celsius"},
                                           {"°F", "degree Fahrenheit", "degrees Fahrenheit"},
                                           {"km/h", "kilometer per hour", "kilometers per hour"},
                                           {"m/s", "meter per second", "meters per second"},
                                           {"mph", "mile per hour", "miles per hour"},
                                           {"km", "kilometer", "kilometers"},
                                           {"cm", "centimeter", "centimeters"},
                                           {"mm", "millimeter", "millimeters"},
                                           {"kg", "kilogram", "kilograms"},
                                           {"g", "gram", "grams"},
                                           {"ml", "milliliter", "milliliters"},
                                           {"l", "liter", "liters"},
                                           {"hPa", "hectopascal", "hectopascals"},
                                           {"kWh", "kilowatt hour", "kilowatt hours"},
                                           {"kW", "kilowatt", "kilowatts"},
                                           {"W", "watt", "watts"},
                                           {"lx", "lux", "lux"},
                                           {"ms", "millisecond", "milliseconds"},
                                           {"min", "minute", "minutes"},
                                           {"h", "hour", "hours"},
                                           {"s", "second", "seconds"},
                                           {"ppm", "part per million", "parts per million"}}};
struct currency {
    std::string_view sign, one, many, part;
};
constexpr std::array<currency, 3> currencies{
    {{"$", "dollar", "dollars", "cents"}, {"€", "euro", "euros", "cents"}, {"£", "pound", "pounds", "pence"}}};
constexpr std::array<std::string_view, 12> months{"January",   "February", "March",    "April",
                                                  "May",       "June",     "July",     "August",
                                                  "September", "October",  "November", "December"};

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool all_digits(std::string_view text) { return !text.empty() && std::ranges::all_of(text, is_digit); }
std::optional<int> number(std::string_view text) {
    int value = 0;
    if (!all_digits(text) || std::from_chars(text.data(), text.data() + text.size(), value).ec != std::errc{})
        return std::nullopt;
    return value;
}

// The leading part of `text` that is a number: sign, digits with commas between thousands, decimals.
std::string_view leading_number(std::string_view text) {
    std::size_t i = !text.empty() && (text[0] == '-' || text[0] == '+') ? 1 : 0;
    const std::size_t first = i;
    while (i < text.size() && (is_digit(text[i]) || ((text[i] == '.' || text[i] == ',') && i > first &&
                                                     i + 1 < text.size() && is_digit(text[i + 1]))))
        ++i;
    return text.substr(0, i > first ? i : 0);
}

const unit_name* unit_of(std::string_view symbol) {
    const auto found = std::ranges::find(units, symbol, &unit_name::symbol);
    return found == units.end() ? nullptr : &*found;
}
std::string_view name(const unit_name& unit, std::string_view count) { return count == "1" ? unit.one : unit.many; }

// "7:05", "15:00", "7:30pm"; nothing when the word is no time of day.
std::optional<std::string> time_of_day(std::string_view word) {
    const auto colon = word.find(':');
    if (colon == std::string_view::npos || word.size() < colon + 3) return std::nullopt;
    const auto hour = number(word.substr(0, colon));
    const auto minute = number(word.substr(colon + 1, 2));
    const auto half = to_lower(word.substr(colon + 3));
    if (!hour || !minute || colon > 2 || *hour > 24 || *minute > 59 || !(half.empty() || half == "am" || half == "pm"))
        return std::nullopt;
    const auto suffix = half.empty() ? "" : half == "am" ? " a.m." : " p.m.";
    if (*minute == 0) {
        if (!half.empty()) return fmt::format("{}{}", *hour, suffix);
        if (*hour == 0 || *hour > 12) return fmt::format("{} hundred", *hour == 0 ? 24 : *hour);
        return fmt::format("{} o'clock", *hour);
    }
    return fmt::format("{} {}{}{}", *hour, *minute < 10 ? "oh " : "", *minute, suffix);
}

std::optional<std::string> date(std::string_view word) {
    if (word.size() != 10 || word[4] != '-' || word[7] != '-') return std::nullopt;
    const auto year = number(word.substr(0, 4));
    const auto month = number(word.substr(5, 2));
    const auto day = number(word.substr(8, 2));
    if (!year || !month || !day || *month < 1 || *month > 12 || *day < 1 || *day > 31) return std::nullopt;
    const int last = *day % 10;
    const auto ending = *day / 10 == 1 ? "th" : last == 1 ? "st" : last == 2 ? "nd" : last == 3 ? "rd" : "th";
    return fmt::format("{} {}{}, {}", months[static_cast<std::size_t>(*month - 1)], *day, ending, *year);
}

std::optional<std::string> money(std::string_view word) {
    const auto kind = std::ranges::find_if(currencies, [&](const auto& c) { return word.starts_with(c.sign); });
    if (kind == currencies.end()) return std::nullopt;
    const auto amount = word.substr(kind->sign.size());
    if (amount.empty() || leading_number(amount) != amount) return std::nullopt;
    const auto point = amount.find('.');
    const auto whole = amount.substr(0, point);
    auto words = fmt::format("{} {}", whole, whole == "1" ? kind->one : kind->many);
    if (point == std::string_view::npos) return words;
    const auto part = number(amount.substr(point + 1));
    if (!part || amount.size() != point + 3) return std::nullopt;
    return *part == 0 ? words : fmt::format("{} and {} {}", words, *part, kind->part);
}

std::optional<std::string> measure(std::string_view word) {
    const auto count = leading_number(word);
    if (count.empty()) return std::nullopt;
    const auto* unit = unit_of(word.substr(count.size()));
    if (!unit) return std::nullopt;
    return fmt::format("{} {}", count, name(*unit, count));
}

}  // namespace

std::string spoken(std::string_view text) {
    std::string out;
    std::string_view previous;  // the number that a unit may follow, or ""
    while (!text.empty()) {
        const auto space = std::min(text.find_first_not_of(" \t\r\n"), text.size());
        out += text.substr(0, space);
        text.remove_prefix(space);
        auto word = text.substr(0, std::min(text.find_first_of(" \t\r\n"), text.size()));
        text.remove_prefix(word.size());
        if (word.empty()) break;

        // What stands around the word stays around it.
        const auto begin = std::min(word.find_first_not_of("(\"'["), word.size());
        out += word.substr(0, begin);
        word.remove_prefix(begin);
        auto core = word.substr(0, word.find_last_not_of(".,;:!?)\"']") + 1);
        const auto after = word.substr(core.size());

        if (const auto* unit = previous.empty() ? nullptr : unit_of(core)) {
            out += name(*unit, previous);
        } else {
            auto words = time_of_day(core);
            if (!words) words = date(core);
            if (!words) words = money(core);
            if (!words) words = measure(core);
            out += words ? *words : std::string(core);
        }
        out += after;
        previous = !core.empty() && leading_number(core) == core && after.empty() ? core : std::string_view{};
    }
    return out;
}

}  // namespace loqa::tts
