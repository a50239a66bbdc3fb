// Readings of a sentence that a speech recogniser mangled: "turn on the kit chin lights", "set a time er for ten
// minutes".
//
// Words are exchanged for words of the closed vocabulary (templates and home) that sound or look alike, neighbours are
// joined, and what then matches word for word is a candidate, with the price of its changes. Deciding what to do with
// it is the caller's.
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
};

class mender {
public:
    // The words that sentences of this matcher can have. Immutable: safe from any thread.
    explicit mender(std::shared_ptr<const matcher> sentences);
    ~mender();

    // The cheapest mendings of different meaning, best first, at most two. Empty if nothing near enough means anything.
    std::vector<mended> mend(std::string_view sentence, const context& where = {}) const;

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

}  // namespace loqa::intent
