// What may be said: for engines that can listen for it.
//
// The commands of an interpreter. One object is used by one thread at a time.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "loqa/intent/follower.hpp"
#include "loqa/intent/understanding.hpp"

namespace loqa::stt {

class expectation {
public:
    explicit expectation(std::shared_ptr<const intent::interpreter> of);

    intent::follower& sentences() { return sentences_; }

    // How well a text is known.
    enum class fit {
        none,   // no command, or one only when it is mended
        loose,  // a command that takes some of its words as they come: the name of a timer, what to buy
        whole,  // a command, word for word
    };
    fit fits(std::string_view text) const;

    // What a text says that fits as a whole, whatever the words; "" when it does not. Two texts of different meanings
    // may do the same, to things that are named in two ways: effect() tells, and takes longer in a large home.
    std::string meaning(std::string_view text) const;
    std::string effect(std::string_view text) const;

    // Whether something is changed by it, rather than asked or said.
    bool acts(std::string_view text) const;

private:
    const std::shared_ptr<const intent::interpreter> of_;
    intent::follower sentences_;
};

}  // namespace loqa::stt
