#include "loqa/stt/wording.hpp"

#include <cctype>

#include "loqa/base/text.hpp"

namespace loqa::stt {

std::string usual_words(std::string text) {
    constexpr std::string_view parted = " per cent";
    for (std::size_t at = text.find(parted); at != std::string::npos; at = text.find(parted, at + 1)) {
        const auto end = at + parted.size();
        if (end == text.size() || std::isalpha(static_cast<unsigned char>(text[end])) == 0)
            text.erase(at + parted.rfind(' '), 1);
    }
    return text;
}

std::string without_punctuation(std::string_view text) {
    std::string words = to_lower(text);
    std::erase_if(words, [](char c) { return c == ',' || c == '.' || c == '?' || c == '!' || c == ';' || c == ':'; });
    return std::string(trim(words));
}

}  // namespace loqa::stt
