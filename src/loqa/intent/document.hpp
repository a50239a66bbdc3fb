// YAML and JSON as one kind of tree that knows where it stands. Internal to the module.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "loqa/base/result.hpp"
#include "loqa/intent/collection.hpp"

namespace loqa::intent {

struct document_member;

struct document {
    enum class kind : std::uint8_t { nothing, scalar, list, map };
    kind type = kind::nothing;
    std::string scalar;
    bool quoted = false;  // a scalar that is text even if it looks like a number
    std::vector<document> items;
    std::vector<document_member> members;  // in the order of the file
    source_position where;

    const document* find(std::string_view key) const;
    bool is_text() const { return type == kind::scalar; }
    slot_value value() const;  // text, number or truth value
};

struct document_member {
    std::string name;
    document content;
};

// `name` tells files apart in errors; JSON where it ends in .json.
result<document> parse_document(std::string_view text, std::string_view name);

// "file:line:column: expected …"
failure wrong(const document& at, std::string_view what);

}  // namespace loqa::intent
