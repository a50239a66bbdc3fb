// Apart from the engine, so that who only reads manifests does without it.
#include "loqa/skills/engine.hpp"

namespace loqa::skills {

std::string_view module_facts::type_of_export(std::string_view name) const {
    for (const auto& [exported, type] : exports)
        if (exported == name) return type;
    return {};
}

}  // namespace loqa::skills
