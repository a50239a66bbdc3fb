#include "loqa/stt/plausible.hpp"

#include <string>

#include "loqa/base/text.hpp"

namespace loqa::stt {
namespace {

// Fast English has about 25 letters a second. One word may always be said.
constexpr std::size_t letters_per_second = 40;
constexpr std::size_t letters_always = 16;
constexpr int same_word_at_most = 5;

}  // namespace

bool plausible(std::string_view text, milliseconds speech) {
    if (text.size() > letters_always + letters_per_second * static_cast<std::size_t>(speech.count()) / 1000)
        return false;
    std::string last;
    int times = 0;
    for (const auto& word : split(to_lower(text), ' ')) {
        times = word == last ? times + 1 : 1;
        if (times > same_word_at_most) return false;
        last = word;
    }
    return true;
}

}  // namespace loqa::stt
