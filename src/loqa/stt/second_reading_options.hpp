// How an engine listens again for what may be said: second_reading.hpp. A plain value.
#pragma once

#include <cstddef>

namespace loqa::stt {

struct second_reading_options {
    // By how much (natural logarithm of the probability of the whole) a command may be less probable than what was
    // heard, and has to be more probable than one that does something else.
    double margin = 7;
    // The first at most, for each letter of the command: "Silence" is not far from any short noise.
    double margin_a_letter = 0.42;
    // The first, where what was heard is a command with a name in it that may be any: a command without it has to be
    // more probable.
    double loose_margin = -1;
    double begin_margin = 4;  // the first, of what is only the beginning of a command
    double lead = 3;

    // What is further behind, or leads by less, is doubtful: something to ask about.
    double sure_margin = 4.5;
    double doubtful_lead = 1;
    std::size_t side_by_side = 5;
    std::size_t longest = 40;  // in tokens
};

}  // namespace loqa::stt
