#include "loqa/tts/voice.hpp"

#include <utility>

namespace loqa::tts {

result<std::vector<float>> say_all(voice& with, std::string_view text) {
    auto speech = with.speak(text);
    if (!speech) return fail(std::move(speech));
    std::vector<float> all;
    for (;;) {
        auto next = (*speech)->next();
        if (!next) return fail(std::move(next));
        all.insert(all.end(), next->samples.begin(), next->samples.end());
        if (next->last) return all;
    }
}

}  // namespace loqa::tts
