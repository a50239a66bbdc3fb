#include "loqa/stt/plausible.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "loqa/base/text.hpp"
#include "loqa/stt/wording.hpp"

namespace loqa::stt {
namespace {

// Fast English has about 25 letters a second. One word may always be said.
constexpr std::size_t letters_per_second = 40;
constexpr std::size_t letters_always = 16;
constexpr int same_word_at_most = 5;
constexpr std::size_t phrase_words = 5;

bool repeats_a_phrase(const std::vector<std::string>& words) {
    for (std::size_t first = 0; first + 2 * phrase_words <= words.size(); ++first)
        for (std::size_t second = first + phrase_words; second + phrase_words <= words.size(); ++second)
            if (std::equal(words.begin() + static_cast<std::ptrdiff_t>(first),
                           words.begin() + static_cast<std::ptrdiff_t>(first + phrase_words),
                           words.begin() + static_cast<std::ptrdiff_t>(second)))
                return true;
    return false;
}

}  // namespace

bool plausible(std::string_view text, milliseconds speech) {
    if (text.size() > letters_always + letters_per_second * static_cast<std::size_t>(speech.count()) / 1000)
        return false;
    auto plain = without_punctuation(text);
    std::ranges::replace(plain, '-', ' ');  // "flip-flip-flip-flip" is a word over and over as well
    const auto words = split(plain, ' ');
    std::string last;
    int times = 0;
    for (const auto& word : words) {
        times = word == last ? times + 1 : 1;
        if (times > same_word_at_most) return false;
        last = word;
    }
    return !repeats_a_phrase(words);
}

}  // namespace loqa::stt
