// For the person who writes templates: what is wrong with a file, and why a sentence means what it means. Stateless.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "loqa/intent/matcher.hpp"
#include "loqa/intent/understanding.hpp"

namespace loqa::intent {

struct finding {
    error what;
    bool is_error = true;  // otherwise a warning: it works, but hardly as meant
};

// Everything that can be said against a file of templates. Rules and lists of `base` may be used in it.
std::vector<finding> lint(const fs::path& file, const collection& base, const home& house);

// In lines for a terminal: the template that won and what it won by, the runner-up, or why nothing fits and what comes
// near.
std::string explain(const interpreter& with, std::string_view sentence, const context& where);

}  // namespace loqa::intent
