// eSpeak NG: how words sound, and a plain voice to fall back on.
//
// eSpeak NG is free software under the GPL: it is loaded at run time, so that no binary of ours is made of it. It keeps
// its state in the process, so there is one of these at a time; its functions are safe from any thread.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "loqa/base/result.hpp"
#include "loqa/tts/voice.hpp"

namespace loqa::tts {

// UTF-8 to code points; bytes that are no UTF-8 are left out.
std::u32string code_points(std::string_view utf8);

class espeak {
public:
    // unavailable when the library or its data is not installed.
    static result<std::unique_ptr<espeak>> load();
    ~espeak();

    // `name` is eSpeak's for a language or accent, e.g. "en-us". not_found when it does not know it.
    result<void> set_voice(const std::string& name);

    // The International Phonetic Alphabet's letters and stress marks, words apart by a space; empty for text without
    // any sound.
    std::u32string phonemes(std::string_view text);

    int sample_rate_hz() const;

    // All of the speech; empty for text without any sound.
    result<std::vector<float>> samples(std::string_view text);

private:
    struct library;
    explicit espeak(std::unique_ptr<library> loaded);
    std::mutex mutex_;
    std::unique_ptr<library> library_;
};

// Speaks English with the voice that is set, sentence by sentence. `by` outlives it.
std::unique_ptr<voice> make_espeak_voice(espeak& by);

}  // namespace loqa::tts
