#include "loqa/stt/wording.hpp"

#include <cctype>
#include <string_view>

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

}  // namespace loqa::stt
