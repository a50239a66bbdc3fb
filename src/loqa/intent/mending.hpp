// Readings of a sentence that a speech recogniser mangled: "turn on the kit chin lights", "set a time er for ten
// minutes".
//
// Words are exchanged for words of the closed vocabulary (templates and home) that sound or look alike, neighbours are
// joined, a word is taken apart, several are exchanged for a name that sounds as they do together, and small words are
// left out; what then matches word for word is a candidate, with the price of its changes. Cheapest first, and bounded.
// Deciding what to do with it is the caller's.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "loqa/intent/matcher.hpp"

namespace loqa::intent {

struct mended {
    recognized meaning;  // its text is the mended sentence, its confidence 1 - cost
    double cost = 0;
    std::size_t changes = 0;
    // A word was changed that decides what is done, or how much: a verb, a number or what stands beside it, a colour.
    // Not to be done unasked.
    bool delicate = false;
};

class mender {
public:
    // The words that sentences of this matcher can have, and the names of the house. Immutable: safe from any thread.
    mender(std::shared_ptr<const matcher> sentences, const home& house);
    ~mender();

    // The cheapest mendings of different meaning, best first, at most two. Empty if nothing near enough means anything.
    std::vector<mended> mend(std::string_view sentence, const context& where = {}) const;

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

}  // namespace loqa::intent
