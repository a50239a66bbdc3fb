#include "loqa/intent/home.hpp"

#include <span>

#include "loqa/intent/document.hpp"

namespace loqa::intent {
namespace {

std::string text(const document& of, std::string_view key) {
    const document* found = of.find(key);
    return found != nullptr && found->is_text() ? found->scalar : std::string();
}

std::vector<std::string> texts(const document& of, std::string_view key) {
    std::vector<std::string> out;
    if (const document* found = of.find(key))
        for (const auto& item : found->items) out.push_back(item.scalar);
    return out;
}

result<void> check_named(const document& item) {
    if (item.type != document::kind::map || text(item, "name").empty() || text(item, "id").empty())
        return wrong(item, "expected an entry with name and id");
    return {};
}

// A list of things that have a name and an id; none when nothing is there.
result<std::span<const document>> named(const document& of, std::string_view key) {
    const document* found = of.find(key);
    if (found == nullptr || found->type == document::kind::nothing) return std::span<const document>{};
    if (found->type != document::kind::list) return wrong(*found, fmt::format("{} must be a list", key));
    for (const auto& item : found->items)
        if (auto good = check_named(item); !good) return fail(std::move(good));
    return std::span(found->items);
}

}  // namespace

std::string to_string(const slot_value& value) {
    if (const auto* text = std::get_if<std::string>(&value)) return *text;
    if (const auto* whole = std::get_if<std::int64_t>(&value)) return fmt::format("{}", *whole);
    if (const auto* real = std::get_if<double>(&value)) return fmt::format("{}", *real);
    return std::get<bool>(value) ? "true" : "false";
}

result<home> parse_home(std::string_view yaml, std::string_view name_for_errors) {
    auto root = parse_document(yaml, name_for_errors);
    if (!root) return fail(std::move(root));
    if (root->type == document::kind::nothing) return home{};
    if (root->type != document::kind::map) return wrong(*root, "a home has floors, areas and entities");
    home out;
    const auto floors = named(*root, "floors"), areas = named(*root, "areas"), entities = named(*root, "entities");
    for (const auto* all : {&floors, &areas, &entities})
        if (!*all) return fail(*all);
    for (const auto& item : *floors)
        out.floors.push_back({text(item, "id"), text(item, "name"), texts(item, "aliases")});
    for (const auto& item : *areas)
        out.areas.push_back({text(item, "id"), text(item, "name"), text(item, "floor"), texts(item, "aliases")});
    for (const auto& item : *entities) {
        entity one;
        one.id = text(item, "id");
        one.name = text(item, "name");
        one.area = text(item, "area");
        one.aliases = texts(item, "aliases");
        if (const document* state = item.find("state")) {
            if (state->is_text()) {
                one.state = state->scalar;
            } else {
                one.state = text(*state, "out");
                one.spoken_state = text(*state, "in");
            }
        }
        if (const document* attributes = item.find("attributes"))
            for (const auto& [key, value] : attributes->members)
                if (value.is_text()) one.attributes.insert_or_assign(key, value.value());
        out.entities.push_back(std::move(one));
    }
    return out;
}

result<home> load_home(const fs::path& file) {
    auto content = read_file(file);
    if (!content) return fail(std::move(content));
    return parse_home(*content, file.string());
}

}  // namespace loqa::intent
