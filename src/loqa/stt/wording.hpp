// The words of a model's text, as sentences of commands have them. Stateless: any thread.
#pragma once

#include <string>

namespace loqa::stt {

// "Thirty per cent" is thirty percent.
std::string usual_words(std::string text);

}  // namespace loqa::stt
