// A model that writes its text token by token, each with regard to those before it.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "loqa/base/result.hpp"
#include "loqa/stt/token_table.hpp"

namespace loqa::stt {

// One more token behind one of the texts of the step before.
struct branch {
    std::size_t of = 0;
    token next = 0;
};

// Texts that are written side by side of the same utterance. Used by one thread at a time.
class spelling {
public:
    virtual ~spelling() = default;

    // From here on there are as many texts as branches. Gives back for each text the natural logarithm of how probable
    // the model finds every token to be the next: one row of vocabulary() numbers each. At first there is one text, of
    // one token, which says that it begins.
    virtual result<std::vector<float>> next(std::span<const branch> texts) = 0;

    virtual std::size_t vocabulary() const = 0;
};

}  // namespace loqa::stt
