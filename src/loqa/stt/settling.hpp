// Which words of a growing utterance are certain.
//
// A recogniser that reads the whole utterance anew each time changes its mind about words that were shown already.
// Words that several readings in a row agreed on, with others behind them, are settled: they stay as they are in all
// partials from then on; the final reading is the recogniser's own. One object an utterance, used by one thread at a
// time.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "loqa/stt/recognizer.hpp"

namespace loqa::stt {

class settling {
public:
    // The reading with its settled words as they were before, and with `settled` set.
    hypothesis take(hypothesis reading);

    // How often a reading had other words where some were settled.
    std::size_t overruled() const { return overruled_; }

private:
    struct word {
        std::string text, plain;
        int agreed = 1;  // readings in a row that had it, and all words before it
    };
    static std::vector<word> words_of(const std::string& text);

    std::vector<word> last_;
    std::vector<word> settled_;
    std::size_t overruled_ = 0;
};

}  // namespace loqa::stt
