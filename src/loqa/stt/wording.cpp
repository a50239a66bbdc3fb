#include "loqa/stt/wording.hpp"

#include <array>
#include <regex>

#include "loqa/base/text.hpp"

namespace loqa::stt {

std::string usual_words(std::string text) {
    struct rewrite {
        std::regex from;
        const char* to;
    };
    static const std::array<rewrite, 3> all{{
        {std::regex(R"( per cent\b)"), " percent"},
        {std::regex(R"(\bto an? (\d+ ?%|\d+ percent\b|\d+ degrees\b))"), "to $1"},
        {std::regex(R"(\bfor 4-(\d+))"), "for $1"},
    }};
    for (const auto& [from, to] : all) text = std::regex_replace(text, from, to);
    return text;
}

std::string without_punctuation(std::string_view text) {
    std::string words = to_lower(text);
    std::erase_if(words, [](char c) { return c == ',' || c == '.' || c == '?' || c == '!' || c == ';' || c == ':'; });
    return std::string(trim(words));
}

}  // namespace loqa::stt
