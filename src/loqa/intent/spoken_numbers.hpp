// Numbers as they are said: "twenty-five", "fünfundzwanzig", "quatre-vingts", "veinticinco". Stateless: safe from any
// thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace loqa::intent {

// Every way to say `whole` and `tenths` tenths (0 to 9) in the language ("en", "de-AT" …), lower case, the common one
// first; numbers from -999 999 to 999 999. Nothing for a language whose numbers are not known here.
std::vector<std::string> spell_number(std::string_view language, std::int64_t whole, int tenths = 0);

bool knows_numbers(std::string_view language);

}  // namespace loqa::intent
