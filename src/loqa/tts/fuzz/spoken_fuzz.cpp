// Texts that a skill or a model wants said: they are read without harm, and cut into pieces that lose nothing.
//
// scripts/fuzz.sh builds and runs this with libFuzzer.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "loqa/tts/clauses.hpp"
#include "loqa/tts/spoken.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace loqa::tts;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto said = spoken(text);
    if (said.size() > 64 * text.size()) std::abort();  // no sign stands for that many words
    for (const auto& unit : split_into_units(said))
        for (const auto& phrase : unit.phrases)
            if (phrase.text.empty()) std::abort();
    return 0;
}
