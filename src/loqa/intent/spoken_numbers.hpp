// Numbers as they are said: "twenty-five", "fünfundzwanzig", "quatre-vingts", "veinticinco". Stateless: safe from any
// thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace loqa::intent {

// Every way to say `whole` and `tenths` tenths (0 to 9) in the language ("en", "de-AT" …), lower case, the common one
// first; numbers below a thousand million, either side of 0. Nothing for a language whose numbers are not known here.
std::vector<std::string> spell_number(std::string_view language, std::int64_t whole, int tenths = 0);

bool knows_numbers(std::string_view language);

// The numbers that begin at `begin` of a lower-case text, shortest first: "two hundred six" has 2, 200 and 206. Hyphens
// count as spaces.
struct number_in_text {
    std::int64_t value;
    std::size_t end;
    bool operator==(const number_in_text&) const = default;
};
std::vector<number_in_text> numbers_at(std::string_view language, std::u32string_view text, std::size_t begin);

// The whole text, in words or digits: "minus twelve", "1500".
std::optional<std::int64_t> parse_number(std::string_view language, std::string_view text);

// The words that numbers of the language are made of.
std::vector<std::u32string> number_words(std::string_view language);

}  // namespace loqa::intent
