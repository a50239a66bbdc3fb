// Kokoro (82 million weights, an int8 graph): neural voices of many speakers, better to listen to than Piper's and a
// good ten times as much work.
//
// Its graph makes the samples of a whole unit of text at once, so nothing of a unit is heard before all of it is made:
// for machines with many cores, for replies that are made ahead, and for whoever likes the voice more than the wait.
#pragma once

#include <memory>
#include <string>

#include "loqa/base/result.hpp"
#include "loqa/tts/espeak.hpp"
#include "loqa/tts/voice.hpp"

namespace loqa::tts {

struct kokoro_config {
    std::string model;    // a folder with model.onnx, vocabulary.json and voices/, or an installed model's name
    std::string speaker;  // a file of voices/ without its ending, e.g. af_heart: a is American, b British English
    int threads = 2;
    float speed = 1;
};

// Takes seconds; speaks a few words to itself. `phonemes` outlives the voice; its own voice is set to the speaker's
// accent. not_found names the speakers there are.
result<std::unique_ptr<voice>> load_kokoro(const kokoro_config& config, espeak& phonemes);

// What eSpeak NG writes, in the letters that Kokoro was trained with. Exposed for tests.
std::u32string kokoro_letters(std::u32string_view ipa, bool british);

}  // namespace loqa::tts
