// Which things of the home a command is about. Stateless: safe from any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "loqa/intent/matcher.hpp"

namespace loqa::intent {

// The entities that the slots name, by name, area, floor, domain and device class, and the state where the command asks
// for one. A command whose slots name nothing at all concerns nothing: never everything. Pointers into `house`.
std::vector<const entity*> entities_of(const home& house, const recognized& command);

// The domain that an intent works on where its slots do not say: "light" for HassLightSet. Empty if any.
std::string_view domain_of(std::string_view intent);

// Whether the command changes something, rather than asking or talking.
bool acts(std::string_view intent);

// What stands to be regretted if a command was misheard.
struct risks {
    bool many_areas = false;  // it touches more than one room
    bool lock = false, cover = false, alarm = false;

    bool any() const { return many_areas || lock || cover || alarm; }
};
risks risks_of(const home& house, const recognized& command);

// Whether the command opens the house: unlocks, opens a door, disarms. Asked back even when every word was clear.
bool opens_house(const home& house, const recognized& command);

}  // namespace loqa::intent
