// Answers in words, from the response templates of a collection.
//
// The templates are Jinja, as far as jinja.hpp understands it. A template that uses more is not rendered at all: the
// caller then says something of its own rather than half of it. Stateless.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "loqa/intent/collection.hpp"
#include "loqa/intent/jinja.hpp"
#include "loqa/intent/matcher.hpp"

namespace loqa::intent {

// What a template may speak of beside the slots, by dotted path: "state.name", "state.attributes.temperature",
// "query.matched" …
using answer_values = std::map<std::string, jinja::value>;

// The template rendered, with white space tidied. An error where it uses what is not understood here.
result<std::string> render_template(std::string_view text, const answer_values& values);

// The collection's answer to a command: the template of its response key, or of "default". Slots are said as they were
// heard. Nothing when there is no template for it, or none that can be rendered.
std::optional<std::string> render(const collection& sentences, const recognized& command,
                                  const answer_values& more = {});

// "21.5" as people say it: "twenty-one and a half" is left to the voice, "21.0" becomes "21", true "on".
std::string spoken(const slot_value& value);

}  // namespace loqa::intent
