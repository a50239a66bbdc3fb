// The parts of a home in JSON, in the layout that intent::parse_home() reads. For what speaks JSON of a home: not
// included by public headers. Stateless.
#pragma once

#include <map>
#include <string>
#include <variant>

#include <nlohmann/json.hpp>

#include "loqa/intent/home.hpp"

namespace loqa::house {

using json = nlohmann::ordered_json;
using attributes = std::map<std::string, intent::slot_value>;

inline json attributes_json(const attributes& all) {
    json out = json::object();
    for (const auto& [key, value] : all)
        out[key] = std::visit([](const auto& content) { return json(content); }, value);
    return out;
}

// Those of an object whose values are text, truths or numbers; none of what is no object.
template <class Json>
attributes attributes_of(const Json& object) {
    attributes out;
    if (!object.is_object()) return out;
    for (const auto& [key, value] : object.items()) {
        if (value.is_string()) out[key] = value.template get<std::string>();
        if (value.is_boolean()) out[key] = value.template get<bool>();
        if (value.is_number_integer()) out[key] = value.template get<std::int64_t>();
        if (value.is_number_float()) out[key] = value.template get<double>();
    }
    return out;
}

// Adds its floors and areas, and room for its entities.
inline void add_places(json& to, const intent::home& home) {
    for (const char* kind : {"floors", "areas", "entities"}) to[kind] = json::array();
    for (const auto& one : home.floors)
        to["floors"].push_back({{"id", one.id}, {"name", one.name}, {"aliases", one.aliases}});
    for (const auto& one : home.areas)
        to["areas"].push_back({{"id", one.id}, {"name", one.name}, {"floor", one.floor}, {"aliases", one.aliases}});
}

}  // namespace loqa::house
