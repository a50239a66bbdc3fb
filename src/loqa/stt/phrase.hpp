// How much of a command a text is: what decides how long a silence has to be before it is an end.
//
// Stateless: any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "loqa/intent/understanding.hpp"

namespace loqa::stt {

enum class phrase : std::uint8_t {
    unknown,   // nothing that is known begins like this
    open,      // the beginning of something: "set a timer for", "turn on the"
    growable,  // a command that could go on: "turn on the lights" (in the kitchen)
    complete,  // a command, and nothing can follow
};
std::string_view to_string(phrase what);

// May be called on any thread, and should take a few milliseconds at most.
using phrase_judge = std::function<phrase(std::string_view text)>;

phrase judge(const intent::interpreter& with, std::string_view text);

}  // namespace loqa::stt
