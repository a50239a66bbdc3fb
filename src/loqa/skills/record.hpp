// The members of an event that is recorded of a skill, as JSON text.
//
// Each invocation records several events while somebody waits for what it publishes: they are written as they are, not
// by way of a tree. Stateless: safe from any thread.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

#include "loqa/protocol/json.hpp"

namespace loqa::skills {

struct member {
    member(std::string_view named, std::string_view text) : name(named), value(text) {}
    member(std::string_view named, std::integral auto number) : name(named), value(static_cast<std::int64_t>(number)) {}

    std::string_view name;
    std::variant<std::string_view, std::int64_t> value;
};

inline void append_quoted(std::string& to, std::string_view text) {
    const auto plain = [](unsigned char c) { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\'; };
    if (!std::ranges::all_of(text, plain)) {
        to += protocol::dump(text);
        return;
    }
    to += '"';
    to += text;
    to += '"';
}

// Without the braces around them.
inline std::string members_text(std::initializer_list<member> all) {
    std::string out;
    for (const auto& one : all) {
        if (!out.empty()) out += ',';
        append_quoted(out, one.name);
        out += ':';
        if (const auto* text = std::get_if<std::string_view>(&one.value))
            append_quoted(out, *text);
        else
            out += std::to_string(std::get<std::int64_t>(one.value));
    }
    return out;
}

inline std::string members_text(const protocol::json& all) {
    const auto text = protocol::dump(all);
    return text.substr(1, text.size() - 2);
}

}  // namespace loqa::skills
