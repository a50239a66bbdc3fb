// How words sound: text to phonemes by eSpeak NG.
//
// eSpeak NG is free software under the GPL: it is loaded at run time, so that no binary of ours is made of it. It keeps
// its state in the process, so there is one phonemizer at a time, used by one thread at a time.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "loqa/base/result.hpp"

namespace loqa::tts {

// UTF-8 to code points; bytes that are no UTF-8 are left out.
std::u32string code_points(std::string_view utf8);

class phonemizer {
public:
    // `voice` is eSpeak's name of a language or accent, e.g. "en-us". unavailable when the library or its data is not
    // installed, not_found when it does not know the voice.
    static result<std::unique_ptr<phonemizer>> load(const std::string& voice);
    ~phonemizer();

    // The International Phonetic Alphabet's letters and stress marks, words apart by a space; empty for text without
    // any sound.
    std::u32string phonemes(std::string_view text);

private:
    struct library;
    explicit phonemizer(std::unique_ptr<library> loaded);
    std::unique_ptr<library> library_;
};

}  // namespace loqa::tts
