// What is written in signs, as it is said in English: "7:05" is "7 oh 5", "-3 °C" is "minus 3 degrees Celsius", "Jan
// 31, 2026" is "January 31st, 20 26". Times, dates, years, decades, money, measures, temperatures, percentages,
// fractions, ranges, sums, telephone numbers, addresses of machines and short forms; what the phonemizer reads well by
// itself, such as plain numbers and ordinals, stays as it is. Pictures and the marks of formatted text are left out.
// Stateless: any thread.
#pragma once

#include <string>
#include <string_view>

namespace loqa::tts {

std::string spoken(std::string_view text);

}  // namespace loqa::tts
