#include "loqa/intent/around.hpp"

#include <array>
#include <cstdint>

#include <fmt/format.h>

#include "loqa/intent/spoken_numbers.hpp"
#include "loqa/intent/text.hpp"

namespace loqa::intent {
namespace {

constexpr std::string_view english = "en";

bool is_english(std::string_view language) { return language.substr(0, 2) == english; }

std::vector<std::string> in_words_and_digits(std::int64_t number) {
    auto out = spell_number(english, number);
    out.push_back(std::to_string(number));
    return out;
}

}  // namespace

std::vector<std::u32string> spoken_moments(std::string_view language) {
    if (!is_english(language)) return {};
    std::vector<std::u32string> out;
    const auto add = [&](const std::string& text) { out.push_back(decode_utf8(text)); };
    struct unit {
        std::string_view one, many;
        int most;
    };
    constexpr std::array<unit, 3> units{{{"second", "seconds", 90}, {"minute", "minutes", 90}, {"hour", "hours", 24}}};
    for (const auto& [one, many, most] : units)
        for (int n = 1; n <= most; ++n)
            for (const auto& number : in_words_and_digits(n)) add(fmt::format("in {} {}", number, n == 1 ? one : many));
    for (const char* text :
         {"in a minute", "in an hour", "in half an hour", "in a quarter of an hour", "in an hour and a half",
          "tomorrow", "tonight", "at noon", "at midnight", "a.m.", "p.m.", "am", "pm", "in the morning",
          "in the afternoon", "in the evening", "tomorrow morning", "tomorrow evening", "o'clock"})
        add(text);
    for (int hour = 1; hour <= 12; ++hour) {
        for (const auto& said : in_words_and_digits(hour)) {
            add(fmt::format("at {}", said));
            for (const char* part :
                 {"half past", "half-past", "quarter past", "quarter to", "a quarter past", "a quarter to"})
                add(fmt::format("at {} {}", part, said));
        }
        for (int minute = 0; minute < 60; ++minute) add(fmt::format("at {}:{:02}", hour, minute));
        for (int minute = 5; minute < 60; minute += 5)
            for (const auto& said : spell_number(english, hour))
                for (const auto& then : spell_number(english, minute))
                    add(fmt::format("at {} {}{}", said, minute < 10 ? "oh " : "", then));
    }
    return out;
}

std::vector<std::u32string> conjunctions(std::string_view language) {
    if (!is_english(language)) return {};
    return {U"and", U"and then", U"then"};
}

}  // namespace loqa::intent
