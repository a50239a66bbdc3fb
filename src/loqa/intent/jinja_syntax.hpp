// Templates as trees. Internal to jinja.cpp: parse() reads, jinja.cpp walks.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "loqa/intent/jinja.hpp"

namespace loqa::intent::jinja {

struct expression;
using expression_ptr = std::unique_ptr<expression>;

struct expression {
    enum class kind : std::uint8_t {
        literal,
        name,         // text
        list,         // parts
        dictionary,   // parts: key, value, key, value …
        attribute,    // parts[0].text
        index,        // parts[0][parts[1]]
        slice,        // parts[0][parts[1]:parts[2]], either may be null
        call,         // parts[0].text(parts[1…], named); parts[0] null: text(…)
        filter,       // parts[0] | text(parts[1…], named)
        test,         // parts[0] is text parts[1…]
        negation,     // not parts[0]
        minus,        // -parts[0]
        binary,       // parts[0] text parts[1]
        conditional,  // parts[0] if parts[1] else parts[2], which may be null
    };
    kind is = kind::literal;
    value what;  // of a literal
    std::string text;
    std::vector<expression_ptr> parts;
    std::vector<std::pair<std::string, expression_ptr>> named;
};

struct statement {
    enum class kind : std::uint8_t {
        text,    // text
        output,  // first
        choice,  // first: bodies[0]; otherwise bodies[1]
        loop,    // for names in first: bodies[0]; nothing to go through: bodies[1]
        set,     // names = first, or what bodies[0] writes; names[1], where there is one, is an attribute of names[0]
        macro,   // text(names): bodies[0]; defaults of the last names in `defaults`
    };
    kind is = kind::text;
    std::string text;
    std::vector<std::string> names;
    expression_ptr first;
    std::vector<expression_ptr> defaults;
    std::vector<statement> bodies[2];
};

result<std::vector<statement>> parse(std::string_view text);

}  // namespace loqa::intent::jinja
