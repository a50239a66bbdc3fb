// Numbers with signs and units, written out as they are said in English: "7:05" is "7 oh 5", "21 °C" is "21 degrees
// Celsius". Plain numbers are left to the phonemizer, which reads them well. Stateless: any thread.
#pragma once

#include <string>
#include <string_view>

namespace loqa::tts {

std::string spoken(std::string_view text);

}  // namespace loqa::tts
