// Fields of JSON objects that others wrote, read without throwing: what is absent or of another type is the fallback.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

namespace loqa::cli {

inline std::string text_field(const nlohmann::json& object, const char* name) {
    const auto found = object.find(name);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

inline double number_field(const nlohmann::json& object, const char* name) {
    const auto found = object.find(name);
    return found != object.end() && found->is_number() ? found->get<double>() : 0;
}

// Never throws on text that is not UTF-8.
template <class Json>
std::string one_line(const Json& value) {
    return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace loqa::cli
