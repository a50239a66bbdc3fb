// What an intent would do to the home, and what would be said of it, without doing it.
//
// plan_for() knows the intents of the sentence collection that are about things. Who wants it done applies the changes;
// who only wants to know the answer renders the response. Stateless: safe from any thread.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "loqa/house/house.hpp"
#include "loqa/intent/matcher.hpp"
#include "loqa/intent/responses.hpp"

namespace loqa::house {

struct plan {
    house::changes changes;
    intent::answer_values values;    // what the answer's template may speak of
    std::vector<std::string> areas;  // ids of where something changes, each once; "" for a thing that is nowhere
};

// Why nothing is done. `key` names a template of the collection's errors.
struct refusal {
    std::string key;
    intent::answer_values values;
};

using planned = std::expected<plan, refusal>;

// Nothing when the intent is not about the home. `now` is written where a thing remembers when it was used.
std::optional<planned> plan_for(const simulated_home& home, const intent::recognized& what, wall_time now);

// "21.5 °C", "open", "not detected": the state of a thing as it is said.
std::string spoken_state(const intent::entity& thing);

}  // namespace loqa::house
