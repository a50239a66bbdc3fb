// The home that sentences speak about: floors, areas, and the things in them.
//
// A plain value, made by whoever knows the house and handed to matcher::compile(), which keeps what it needs. Names may
// be written in the template language ("Trader Joe[']s"): every spelling of one is a name of its own, the first is the
// main one.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "loqa/base/files.hpp"
#include "loqa/base/result.hpp"

namespace loqa::intent {

using slot_value = std::variant<std::string, std::int64_t, double, bool>;

// "Bedroom", "50", "22.5", "true".
std::string to_string(const slot_value& value);

struct floor {
    std::string id;
    std::string name;
    std::vector<std::string> aliases;
};

struct area {
    std::string id;
    std::string name;
    std::string floor;  // id, or empty
    std::vector<std::string> aliases;
};

struct entity {
    std::string id;  // "light.bedroom_lamp": what stands before the dot is the domain
    std::string name;
    std::string area;  // id, or empty
    std::vector<std::string> aliases;
    std::string state;                             // "on", "open", "locked", "21.5" …
    std::string spoken_state;                      // how the state is said where that differs ("charging" for "on")
    std::map<std::string, slot_value> attributes;  // device_class, unit_of_measurement, supported features …
    std::string source{};                          // who told of it and alone can change it; empty: the home's own file

    std::string_view domain() const { return std::string_view(id).substr(0, id.find('.')); }
};

struct home {
    std::vector<floor> floors;
    std::vector<area> areas;
    std::vector<entity> entities;
};

// Reads the layout of the sentence collection's _fixtures.yaml: floors, areas, entities. Unknown keys are ignored.
result<home> load_home(const fs::path& file);
result<home> parse_home(std::string_view yaml, std::string_view name_for_errors);

}  // namespace loqa::intent
