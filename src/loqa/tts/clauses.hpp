// A reply cut into the units that are synthesised one after the other.
//
// A voice computes a whole unit before its first sample is heard, and needs a whole phrase to get its melody right: so
// a unit is a sentence, the first unit of a reply is as short as a phrase allows, and no unit is longer than a voice
// may be given. Stateless: any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace loqa::tts {

struct phrase {
    std::string text;  // without the mark; never blank
    char mark = '.';   // . ? ! , ; :
    bool operator==(const phrase&) const = default;
};

struct unit {
    std::vector<phrase> phrases;
    bool ends_sentence = true;
};

struct unit_limits {
    std::size_t shortest_opening = 12;  // bytes: a first unit below this sounds clipped
    std::size_t longest = 240;          // bytes: bounds the memory and the time of one synthesis
};

// A full stop in "3.5", "Mr. Smith" or "a.m. and" ends nothing, nor does a comma or colon without a space after it.
std::vector<unit> split_into_units(std::string_view text, const unit_limits& limits = {});

}  // namespace loqa::tts
