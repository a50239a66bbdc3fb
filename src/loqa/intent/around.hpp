// What is said around a command: "could you …, please", "… in ten minutes", "… tomorrow at half past seven", "… and …".
// For who follows sentences letter by letter (follower.hpp); understanding.hpp understands them. Stateless.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace loqa::intent {

// When a command is to be done, without the space before it, in lower case. None for a language whose times are not
// known. Not all that is understood: what people say.
std::vector<std::u32string> spoken_moments(std::string_view language);

// What stands between two commands, without the spaces around it.
std::vector<std::u32string> conjunctions(std::string_view language);

}  // namespace loqa::intent
