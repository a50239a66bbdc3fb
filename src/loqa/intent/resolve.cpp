#include "loqa/intent/resolve.hpp"

#include <algorithm>
#include <array>
#include <set>

#include "loqa/intent/sentence_template.hpp"
#include "loqa/intent/text.hpp"

namespace loqa::intent {
namespace {

std::string folded(std::string_view text) { return encode_utf8(to_lower(normalize_spelling(decode_utf8(text)))); }

// Names in the template language stand for each of their spellings.
bool names(const std::string& name, const std::vector<std::string>& aliases, const std::string& wanted) {
    const auto is = [&](const std::string& one) {
        if (!is_template(one)) return folded(one) == wanted;
        auto parsed = parse_template({one, {}});
        if (!parsed) return false;
        const auto all = expand(*parsed, {}, 64);
        const auto text = decode_utf8(wanted);
        return all && std::ranges::find(*all, text) != all->end();
    };
    return is(name) || std::ranges::any_of(aliases, is);
}

struct intent_domain {
    std::string_view prefix, domain;
};
constexpr std::array<intent_domain, 13> intent_domains{{{"HassLight", "light"},
                                                        {"HassClimate", "climate"},
                                                        {"HassMedia", "media_player"},
                                                        {"HassSetVolume", "media_player"},
                                                        {"HassVacuum", "vacuum"},
                                                        {"HassLawnMower", "lawn_mower"},
                                                        {"HassGetWeather", "weather"},
                                                        {"HassFan", "fan"},
                                                        {"HassOpenCover", "cover"},
                                                        {"HassCloseCover", "cover"},
                                                        {"HassList", "todo"},
                                                        {"LoqaArm", "alarm_control_panel"},
                                                        {"LoqaDisarm", "alarm_control_panel"}}};

}  // namespace

std::string_view domain_of(std::string_view intent) {
    for (const auto& known : intent_domains)
        if (intent.starts_with(known.prefix)) return known.domain;
    return {};
}

bool acts(std::string_view intent) {
    constexpr std::array<std::string_view, 10> talk{"HassGet",         "HassClimateGet", "HassRespond", "HassNevermind",
                                                    "HassTimerStatus", "LoqaRepeat",     "LoqaHelp",    "LoqaStop",
                                                    "HassBroadcast",   "LoqaPlanned"};
    return std::ranges::none_of(talk, [&](std::string_view prefix) { return intent.starts_with(prefix); });
}

std::vector<const entity*> entities_of(const home& house, const recognized& command) {
    // A timer's area and name are its own: "the kitchen timer" is none of the kitchen's things.
    if (command.intent.ends_with("Timer") || command.intent.ends_with("Timers") || command.intent == "HassTimerStatus")
        return {};
    const auto wanted = [&](std::string_view slot_name) -> std::optional<std::string> {
        const slot* found = command.find(slot_name);
        if (found == nullptr || found->wildcard) return std::nullopt;
        return folded(to_string(found->value));
    };
    const auto name = wanted("name"), area_name = wanted("area"), floor_name = wanted("floor"),
               device_class = wanted("device_class");
    auto domain = wanted("domain");
    if (!domain && !name)
        if (const auto implied = domain_of(command.intent); !implied.empty()) domain = std::string(implied);
    const bool everything_named = name && *name == "all";
    if (!name && !area_name && !floor_name && !domain && !device_class) return {};

    std::set<std::string> areas;
    if (area_name || floor_name) {
        std::set<std::string> floors;
        if (floor_name)
            for (const auto& one : house.floors)
                if (names(one.name, one.aliases, *floor_name)) floors.insert(one.id);
        for (const auto& one : house.areas) {
            if (area_name && !names(one.name, one.aliases, *area_name)) continue;
            if (floor_name && !floors.contains(one.floor)) continue;
            areas.insert(one.id);
        }
    }
    std::vector<const entity*> out;
    for (const auto& one : house.entities) {
        if (name && !everything_named && !names(one.name, one.aliases, *name)) continue;
        if ((area_name || floor_name) && !areas.contains(one.area)) continue;
        if (domain && one.domain() != *domain) continue;
        if (device_class) {
            const auto known = one.attributes.find("device_class");
            if (known == one.attributes.end() || to_string(known->second) != *device_class) continue;
        }
        out.push_back(&one);
    }
    return out;
}

risks risks_of(const home& house, const recognized& command) {
    risks out;
    if (!acts(command.intent)) return out;
    std::set<std::string_view> areas;
    for (const entity* one : entities_of(house, command)) {
        if (!one->area.empty()) areas.insert(one->area);
        out.alarm = out.alarm || one->domain() == "alarm_control_panel";
        out.lock = out.lock || one->domain() == "lock";
        out.cover = out.cover || one->domain() == "cover" || one->domain() == "valve";
    }
    out.many_areas = areas.size() > 1;
    // The domain alone is enough where the home does not know the thing.
    const std::string domain = command.text_of("domain");
    out.lock = out.lock || domain == "lock";
    out.cover = out.cover || domain == "cover";
    out.alarm = out.alarm || domain == "alarm_control_panel" || domain_of(command.intent) == "alarm_control_panel";
    return out;
}

bool opens_house(const home& house, const recognized& command) {
    const risks what = risks_of(house, command);
    const bool turns_on = command.intent == "HassTurnOn" || command.intent == "LoqaArm";
    if (what.alarm || what.lock) return !turns_on;  // locking and arming are "turn on"
    if (!what.cover || command.intent == "HassTurnOff") return false;
    // Curtains may open at a word; doors and gates may not.
    const auto is_way_in = [](std::string_view device_class) {
        return device_class == "door" || device_class == "garage" || device_class == "garage_door" ||
               device_class == "gate";
    };
    if (is_way_in(command.text_of("device_class"))) return true;
    return std::ranges::any_of(entities_of(house, command), [&](const entity* one) {
        const auto known = one->attributes.find("device_class");
        return known != one->attributes.end() && is_way_in(to_string(known->second));
    });
}

}  // namespace loqa::intent
