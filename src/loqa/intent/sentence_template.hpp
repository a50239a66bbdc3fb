// One sentence template, parsed: the tree of groups, options, permutations, lists and rules. Internal to the module.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "loqa/intent/collection.hpp"

namespace loqa::intent {

struct expression {
    enum class kind : std::uint8_t {
        text,         // words, with the spaces around them as written
        sequence,     // all items, in order
        alternative,  // one of the items
        permutation,  // all items, in any order
        list,         // {name:slot}
        rule,         // <name>
    };

    kind type = kind::sequence;
    std::u32string text;  // lower case
    std::vector<expression> items;
    std::string name;                  // of the list or rule
    std::string slot;                  // where the list's value goes
    bool capture = false;              // the list's text is for the answer only, not a slot
    bool white_space_follows = false;  // the list is written with a space behind it
    bool optional = false;             // alternative made by [brackets]
};

// How deep groups may nest, and how long a template may be: more is refused.
inline constexpr std::size_t max_template_depth = 24;
inline constexpr std::size_t max_template_length = 4096;

result<expression> parse_template(const template_text& source);

// Text that uses the template language at all.
bool is_template(std::string_view text);

// {0..100,5:slot} makes its own list.
std::optional<number_range> inline_range(const std::string& list_name);

// How many pieces of text a template spells, rules not counted: more of them means more specific.
std::size_t count_texts(const expression& e);

// Every text the expression stands for, with `rules` filled in; nothing when there are more than `limit` or a list is
// in it.
std::optional<std::vector<std::u32string>> expand(const expression& e, const std::map<std::string, expression>& rules,
                                                  std::size_t limit);

}  // namespace loqa::intent
