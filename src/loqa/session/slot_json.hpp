// A slot's value as it stands in messages and in what is kept: a string, a number or a truth value.
#pragma once

#include <variant>

#include "loqa/intent/home.hpp"
#include "loqa/protocol/json.hpp"

namespace loqa::session {

inline protocol::json to_json(const intent::slot_value& value) {
    return std::visit([](const auto& held) { return protocol::json(held); }, value);
}

}  // namespace loqa::session
