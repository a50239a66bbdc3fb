// The words of a model's text, as sentences of commands have them. Stateless: any thread.
#pragma once

#include <string>
#include <string_view>

namespace loqa::stt {

// "Thirty per cent" is thirty percent; "to a 80%" was "to eighty percent", and "for 4-12 minutes" "for twelve minutes".
std::string usual_words(std::string text);

// In lower case, and nothing but words between the spaces.
std::string without_punctuation(std::string_view text);

}  // namespace loqa::stt
