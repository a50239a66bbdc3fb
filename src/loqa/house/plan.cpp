#include "loqa/house/plan.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <span>
#include <string_view>

#include "loqa/base/text.hpp"
#include "loqa/intent/resolve.hpp"

namespace loqa::house {
namespace {

using intent::entity;
using intent::recognized;
using intent::slot_value;
using things = std::vector<const entity*>;

constexpr int volume_step = 10;  // percent, for "volume up"

std::string text_attribute(const entity& thing, const std::string& key) {
    const auto found = thing.attributes.find(key);
    return found == thing.attributes.end() ? std::string() : intent::to_string(found->second);
}

std::optional<double> number_of(const std::string& text) {
    char* end = nullptr;
    const double value = std::strtod(text.c_str(), &end);
    if (text.empty() || *end != '\0' || !std::isfinite(value)) return std::nullopt;
    return value;
}

// A whole number where it is one: 21, not 21.0.
slot_value number_value(double value) {
    if (value == std::floor(value) && std::abs(value) < 1e15) return static_cast<std::int64_t>(value);
    return value;
}

bool is_one_of(std::string_view what, std::span<const std::string_view> list) {
    return std::ranges::find(list, what) != list.end();
}

// How a binary sensor's two states are said, by what it senses.
struct sensed {
    std::string_view device_class, on, off;
};
constexpr std::array<sensed, 25> senses{{{"battery", "low", "normal"},
                                         {"battery_charging", "charging", "not charging"},
                                         {"carbon_monoxide", "detected", "clear"},
                                         {"cold", "cold", "normal"},
                                         {"connectivity", "connected", "disconnected"},
                                         {"door", "open", "closed"},
                                         {"garage_door", "open", "closed"},
                                         {"gas", "detected", "clear"},
                                         {"heat", "hot", "normal"},
                                         {"light", "detecting light", "dark"},
                                         {"lock", "unlocked", "locked"},
                                         {"moisture", "wet", "dry"},
                                         {"motion", "detecting motion", "clear"},
                                         {"occupancy", "occupied", "clear"},
                                         {"opening", "open", "closed"},
                                         {"plug", "plugged in", "unplugged"},
                                         {"power", "powered", "without power"},
                                         {"presence", "home", "away"},
                                         {"problem", "reporting a problem", "fine"},
                                         {"running", "running", "not running"},
                                         {"safety", "unsafe", "safe"},
                                         {"smoke", "detecting smoke", "clear"},
                                         {"sound", "detecting sound", "quiet"},
                                         {"vibration", "vibrating", "still"},
                                         {"window", "open", "closed"}}};

// "A, B and C"; of many the first three and how many more.
std::string names_of(const things& some) {
    std::vector<std::string> names;
    for (const entity* one : some) names.push_back(one->name);
    std::ranges::sort(names);
    if (names.size() > 4) {
        const auto rest = names.size() - 3;
        names.resize(3);
        names.push_back(fmt::format("{} more", rest));
    }
    std::string out;
    for (std::size_t i = 0; i < names.size(); ++i)
        out += (i == 0 ? "" : i + 1 == names.size() ? " and " : ", ") + names[i];
    return out;
}

std::string plain_domain(std::string_view domain) {
    if (domain == "alarm_control_panel") return "alarm";
    std::string out(domain);
    std::ranges::replace(out, '_', ' ');
    return out;
}

class planner {
public:
    planner(const simulated_home& home, const recognized& what, wall_time now)
        : home_(home), now_home_(home.snapshot()), what_(what), now_(now) {}

    std::optional<planned> make() {
        struct handler {
            std::string_view intent;
            planned (planner::*make)();
        };
        static constexpr std::array<handler, 33> handlers{{{"HassTurnOn", &planner::turn_on},
                                                           {"HassTurnOff", &planner::turn_off},
                                                           {"HassToggle", &planner::toggle},
                                                           {"HassLightSet", &planner::set_light},
                                                           {"HassFanSetSpeed", &planner::set_fan},
                                                           {"HassSetPosition", &planner::set_position},
                                                           {"HassOpenCover", &planner::turn_on},
                                                           {"HassCloseCover", &planner::turn_off},
                                                           {"HassClimateSetTemperature", &planner::set_temperature},
                                                           {"HassClimateGetTemperature", &planner::get_temperature},
                                                           {"HassClimateSetFanMode", &planner::set_fan_mode},
                                                           {"HassSetVolume", &planner::set_volume},
                                                           {"HassSetVolumeRelative", &planner::change_volume},
                                                           {"HassMediaPause", &planner::media_pause},
                                                           {"HassMediaUnpause", &planner::media_unpause},
                                                           {"HassMediaNext", &planner::media_next},
                                                           {"HassMediaPrevious", &planner::media_previous},
                                                           {"HassMediaPlayerMute", &planner::mute},
                                                           {"HassMediaPlayerUnmute", &planner::unmute},
                                                           {"HassMediaSearchAndPlay", &planner::play},
                                                           {"HassVacuumStart", &planner::vacuum},
                                                           {"HassVacuumCleanArea", &planner::vacuum},
                                                           {"HassVacuumReturnToBase", &planner::dock},
                                                           {"HassLawnMowerStartMowing", &planner::mow},
                                                           {"HassLawnMowerDock", &planner::dock},
                                                           {"HassShoppingListAddItem", &planner::add_item},
                                                           {"HassListAddItem", &planner::add_item},
                                                           {"HassShoppingListCompleteItem", &planner::complete_item},
                                                           {"HassListCompleteItem", &planner::complete_item},
                                                           {"HassListRemoveItem", &planner::remove_item},
                                                           {"LoqaArm", &planner::arm},
                                                           {"LoqaDisarm", &planner::disarm},
                                                           {"HassGetState", &planner::get_state}}};
        const auto found = std::ranges::find(handlers, what_.intent, &handler::intent);
        if (found != handlers.end()) return finished((this->*found->make)());
        if (what_.intent == "HassGetWeather") return finished(weather());
        return std::nullopt;
    }

private:
    std::optional<planned> finished(planned made) {
        if (!made) return made;
        for (const auto& one : made->changes.states) {
            const auto found = std::ranges::find(now_home_->entities, one.entity_id, &entity::id);
            if (found != now_home_->entities.end() && std::ranges::find(made->areas, found->area) == made->areas.end())
                made->areas.push_back(found->area);
        }
        return made;
    }

    // What the command is about, of one of these kinds (none: of any).
    things concerned(std::initializer_list<std::string_view> domains = {}) const {
        auto out = intent::entities_of(*now_home_, what_);
        if (domains.size() > 0)
            std::erase_if(out, [&](const entity* one) { return !is_one_of(one->domain(), domains); });
        return out;
    }

    // That there is no such thing, in the words that fit what was said.
    std::unexpected<refusal> none(std::string_view domain = {}) const {
        refusal out;
        const std::string named = what_.text_of("name"), area = what_.text_of("area"), floor = what_.text_of("floor"),
                          device_class = what_.text_of("device_class");
        std::string kind = what_.text_of("domain");
        if (kind.empty()) kind = domain;
        out.values["entity"] = named;
        out.values["area"] = area;
        out.values["floor"] = floor;
        out.values["device_class"] = plain_domain(device_class);
        out.values["domain"] = plain_domain(kind);
        out.key = !named.empty()          ? "no_entity"
                  : !device_class.empty() ? "no_device_class"
                  : !kind.empty()         ? "no_domain"
                                          : "no_entity";
        if (!area.empty())
            out.key += "_in_area";
        else if (!floor.empty())
            out.key += "_in_floor";
        return std::unexpected(std::move(out));
    }

    static std::unexpected<refusal> refuse(std::string key, intent::answer_values values = {}) {
        return std::unexpected(refusal{std::move(key), std::move(values)});
    }

    void set(const entity& thing, std::optional<std::string> state, std::map<std::string, slot_value> attributes = {}) {
        plan_.changes.states.push_back({thing.id, std::move(state), std::move(attributes)});
    }

    // The words for a thing and its state, for the answer.
    void speak_of(const entity& thing) {
        plan_.values["state.entity_id"] = thing.id;
        intent::jinja::value attributes{intent::jinja::dictionary{}};
        for (const auto& [key, what] : thing.attributes)
            if (key != secret_attribute) attributes.set(key, what);
        plan_.values["state.attributes"] = std::move(attributes);
        plan_.values["state.name"] = thing.name;
        plan_.values["state.domain"] = std::string(thing.domain());
        plan_.values["state.state"] = thing.spoken_state.empty() ? thing.state : thing.spoken_state;
        plan_.values["state.state_with_unit"] = spoken_state(thing);
    }

    // Switches one thing in the way of its kind; false when this kind cannot be switched.
    bool switch_thing(const entity& thing, bool on) {
        const auto domain = thing.domain();
        constexpr std::array<std::string_view, 9> plain{"light",      "switch", "fan",        "input_boolean", "siren",
                                                        "humidifier", "remote", "automation", "water_heater"};
        if (is_one_of(domain, plain)) {
            set(thing, on ? "on" : "off");
        } else if (domain == "cover" || domain == "valve") {
            set(thing, on ? "open" : "closed", {{"current_position", std::int64_t{on ? 100 : 0}}});
        } else if (domain == "lock") {
            set(thing, on ? "locked" : "unlocked");
        } else if (domain == "media_player") {
            set(thing, !on ? "off" : thing.state == "off" ? "idle" : thing.state);
        } else if (domain == "climate") {
            set(thing, !on ? "off" : thing.state == "off" ? "heat" : thing.state);
        } else if (domain == "vacuum") {
            set(thing, on ? "cleaning" : "docked");
        } else if (domain == "lawn_mower") {
            set(thing, on ? "mowing" : "docked");
        } else if (on && (domain == "scene" || domain == "script" || domain == "button" || domain == "input_button")) {
            set(thing, to_rfc3339(now_));
            for (const bool to : {true, false})
                for (const auto& id : split(text_attribute(thing, to ? "turns_on" : "turns_off"), ' ')) {
                    const auto other = std::ranges::find(now_home_->entities, id, &entity::id);
                    // A scene does not set off another: nothing runs in circles.
                    if (other != now_home_->entities.end() && other->domain() != "scene" && other->domain() != "script")
                        switch_thing(*other, to);
                }
        } else {
            return false;
        }
        return true;
    }

    // Of things that share a name those that the words are about: one locks a lock, not the sensor of the same name.
    things to_switch() const {
        struct kind {
            std::string_view response;
            std::initializer_list<std::string_view> domains;
        };
        const kind kinds[] = {{"cover", {"cover"}},
                              {"cover_device_class", {"cover"}},
                              {"lock", {"lock"}},
                              {"valve", {"valve"}},
                              {"scene", {"scene"}},
                              {"script", {"script"}},
                              {"button", {"button", "input_button"}}};
        for (const auto& known : kinds)
            if (what_.response == known.response) return concerned(known.domains);
        auto all = concerned();
        std::erase_if(all, [](const entity* one) {
            constexpr std::array<std::string_view, 5> shown{"sensor", "binary_sensor", "person", "todo", "weather"};
            return is_one_of(one->domain(), shown);
        });
        return all;
    }

    planned turn(std::optional<bool> to) {
        const auto some = to_switch();
        if (some.empty()) return none();
        for (const entity* one : some) {
            const bool on = to ? *to : one->state == "off" || one->state == "closed" || one->state == "unlocked";
            if (!switch_thing(*one, on)) return refuse("feature_not_supported");
        }
        speak_of(*some.front());
        plan_.values["count"] = static_cast<std::int64_t>(some.size());
        return plan_;
    }
    planned turn_on() { return turn(true); }
    planned turn_off() { return turn(false); }
    planned toggle() { return turn(std::nullopt); }

    planned set_light() {
        const auto some = concerned({"light"});
        if (some.empty()) return none("light");
        std::map<std::string, slot_value> attributes;
        std::string state = "on";
        if (const auto brightness = what_.number_of("brightness")) {
            attributes["brightness"] = number_value(*brightness);
            if (*brightness <= 0) state = "off";
        }
        if (const auto color = what_.text_of("color"); !color.empty()) attributes["color"] = color;
        if (const auto kelvin = what_.number_of("temperature")) attributes["color_temp_kelvin"] = number_value(*kelvin);
        for (const entity* one : some) set(*one, state, attributes);
        speak_of(*some.front());
        return plan_;
    }

    planned set_fan() {
        const auto some = concerned({"fan"});
        if (some.empty()) return none("fan");
        const double speed = what_.number_of("percentage").value_or(100);
        for (const entity* one : some) set(*one, speed > 0 ? "on" : "off", {{"percentage", number_value(speed)}});
        speak_of(*some.front());
        return plan_;
    }

    planned set_position() {
        const auto some = concerned({"cover", "valve"});
        if (some.empty()) return none("cover");
        const double position = what_.number_of("position").value_or(100);
        for (const entity* one : some)
            set(*one, position > 0 ? "open" : "closed", {{"current_position", number_value(position)}});
        speak_of(*some.front());
        return plan_;
    }

    planned set_temperature() {
        const auto some = concerned({"climate"});
        if (some.empty()) return none("climate");
        const auto wanted = what_.number_of("temperature");
        if (!wanted) return refuse("handle_error");
        for (const entity* one : some)
            set(*one, one->state == "off" ? std::optional<std::string>("heat") : std::nullopt,
                {{"temperature", number_value(*wanted)}});
        speak_of(*some.front());
        return plan_;
    }

    planned get_temperature() {
        auto some = concerned({"climate"});
        std::erase_if(some, [](const entity* one) { return text_attribute(*one, "current_temperature").empty(); });
        if (!some.empty()) {
            speak_of(*some.front());
            plan_.values["temperature"] = some.front()->attributes.at("current_temperature");
            return plan_;
        }
        // A room without a thermostat may have a thermometer.
        recognized sensors = what_;
        sensors.intent = "HassGetState";
        auto all = intent::entities_of(*now_home_, sensors);
        std::erase_if(all, [](const entity* one) {
            return one->domain() != "sensor" || text_attribute(*one, "device_class") != "temperature";
        });
        if (all.empty()) return none("climate");
        speak_of(*all.front());
        plan_.values["temperature"] = all.front()->state;
        return plan_;
    }

    planned set_fan_mode() {
        const auto some = concerned({"climate"});
        if (some.empty()) return none("climate");
        for (const entity* one : some) set(*one, std::nullopt, {{"fan_mode", what_.text_of("fan_mode")}});
        speak_of(*some.front());
        return plan_;
    }

    // The players that are meant: of a room's those that play, or all where none does.
    things players(std::initializer_list<std::string_view> states) const {
        auto all = concerned({"media_player"});
        auto some = all;
        std::erase_if(some, [&](const entity* one) { return !is_one_of(one->state, states); });
        return some.empty() ? all : some;
    }

    planned set_volume() {
        const auto some = players({"playing", "paused"});
        if (some.empty()) return none("media_player");
        const double level = std::clamp(what_.number_of("volume_level").value_or(0), 0.0, 100.0);
        for (const entity* one : some) set(*one, std::nullopt, {{"volume_level", number_value(level)}});
        speak_of(*some.front());
        plan_.values["volume_level"] = number_value(level);
        return plan_;
    }

    planned change_volume() {
        const auto some = players({"playing", "paused"});
        if (some.empty()) return none("media_player");
        const auto said = what_.text_of("volume_step");
        const double step = said == "up"     ? volume_step
                            : said == "down" ? -volume_step
                                             : what_.number_of("volume_step").value_or(0);
        for (const entity* one : some) {
            const double level =
                std::clamp(number_of(text_attribute(*one, "volume_level")).value_or(0) + step, 0.0, 100.0);
            set(*one, std::nullopt, {{"volume_level", number_value(level)}});
            plan_.values["volume_level"] = number_value(level);
        }
        speak_of(*some.front());
        return plan_;
    }

    // For what only makes sense while something plays.
    planned media(std::initializer_list<std::string_view> from, std::optional<std::string> to, int tracks) {
        auto some = concerned({"media_player"});
        if (some.empty()) return none("media_player");
        std::erase_if(some, [&](const entity* one) { return !is_one_of(one->state, from); });
        if (some.empty()) return refuse("nothing_plays");
        for (const entity* one : some) {
            std::map<std::string, slot_value> attributes;
            if (tracks != 0)
                attributes["media_track"] =
                    number_value(std::max(1.0, number_of(text_attribute(*one, "media_track")).value_or(1) + tracks));
            set(*one, to, std::move(attributes));
        }
        speak_of(*some.front());
        return plan_;
    }
    planned media_pause() { return media({"playing"}, "paused", 0); }
    planned media_unpause() { return media({"paused"}, "playing", 0); }
    planned media_next() { return media({"playing", "paused"}, "playing", 1); }
    planned media_previous() { return media({"playing", "paused"}, "playing", -1); }

    planned set_muted(bool to) {
        const auto some = concerned({"media_player"});
        if (some.empty()) return none("media_player");
        for (const entity* one : some) set(*one, std::nullopt, {{"is_volume_muted", to}});
        speak_of(*some.front());
        return plan_;
    }
    planned mute() { return set_muted(true); }
    planned unmute() { return set_muted(false); }

    planned play() {
        const auto some = concerned({"media_player"});
        if (some.empty()) return none("media_player");
        const auto wanted = what_.text_of("search_query");
        set(*some.front(), "playing", {{"media_title", wanted}, {"media_track", std::int64_t{1}}});
        plan_.values["slots.media"] = wanted;
        speak_of(*some.front());
        return plan_;
    }

    // The area is where it goes, not where it stands.
    planned vacuum() {
        recognized which = what_;
        std::erase_if(which.slots, [](const intent::slot& s) { return s.name == "area" || s.name == "floor"; });
        if (which.find("name") == nullptr && which.find("domain") == nullptr)
            which.slots.push_back({"domain", std::string("vacuum"), {}, false});
        auto some = intent::entities_of(*now_home_, which);
        std::erase_if(some, [](const entity* one) { return one->domain() != "vacuum"; });
        if (some.empty()) return refuse("no_domain", {{"domain", std::string("vacuum")}});
        const std::string area = what_.text_of("area"), floor = what_.text_of("floor");
        set(*some.front(), "cleaning", {{"cleaning_area", area.empty() ? floor : area}});
        speak_of(*some.front());
        return plan_;
    }

    planned mow() {
        const auto some = concerned({"lawn_mower"});
        if (some.empty()) return refuse("no_domain", {{"domain", std::string("lawn mower")}});
        for (const entity* one : some) set(*one, "mowing");
        speak_of(*some.front());
        return plan_;
    }

    planned dock() {
        const auto some = concerned({"vacuum", "lawn_mower"});
        if (some.empty()) return none();
        for (const entity* one : some) set(*one, "docked");
        speak_of(*some.front());
        return plan_;
    }

    // "my list" is the shopping list; others are named.
    const entity* list() const {
        if (what_.find("name") == nullptr) {
            const auto& all = now_home_->entities;
            const auto shopping = std::ranges::find_if(all, [](const entity& one) {
                return one.domain() == "todo" && to_lower(one.name).starts_with("shopping");
            });
            return shopping == all.end() ? nullptr : &*shopping;
        }
        const auto some = concerned({"todo"});
        return some.empty() ? nullptr : some.front();
    }

    planned change_item(item_change::kind kind) {
        const entity* which = list();
        if (which == nullptr)
            return what_.find("name") == nullptr ? refuse("no_domain", {{"domain", std::string("shopping list")}})
                                                 : none("todo");
        const auto item = std::string(trim(what_.text_of("item")));
        plan_.values["item"] = item;
        plan_.values["state.name"] = which->name;
        if (kind != item_change::kind::add) {
            const auto items = home_.items(which->id);
            const auto found =
                std::ranges::find_if(items, [&](const list_item& one) { return to_lower(one.text) == to_lower(item); });
            if (found == items.end()) return refuse("not_on_list", plan_.values);
        }
        if (item.empty() || item.size() > max_item_bytes) return refuse("handle_error");
        plan_.changes.items.push_back({which->id, kind, item});
        return plan_;
    }
    planned add_item() { return change_item(item_change::kind::add); }
    planned complete_item() { return change_item(item_change::kind::complete); }
    planned remove_item() { return change_item(item_change::kind::remove); }

    // Digits as they are said: "one two three four", "12 34".
    static std::string code_of(std::string_view said) {
        constexpr std::array<std::string_view, 10> names{"zero", "one", "two",   "three", "four",
                                                         "five", "six", "seven", "eight", "nine"};
        std::string out;
        for (const auto& word : split(to_lower(said), ' ')) {
            const auto name = word == "oh" || word == "o" ? names.begin() : std::ranges::find(names, word);
            if (name != names.end()) {
                out += static_cast<char>('0' + (name - names.begin()));
                continue;
            }
            for (const char c : word)
                if (c >= '0' && c <= '9') out += c;
        }
        return out;
    }

    planned set_alarm(const std::string& to, bool needs_code) {
        const auto some = concerned({"alarm_control_panel"});
        if (some.empty()) return none("alarm_control_panel");
        const auto said = code_of(what_.text_of("code"));
        for (const entity* one : some) {
            const auto code = text_attribute(*one, std::string(secret_attribute));
            if (!code.empty() && (needs_code || text_attribute(*one, "code_arm_required") == "true")) {
                if (said.empty()) return refuse("needs_code");
                if (said != code) return refuse("wrong_code");
            }
            set(*one, to);
        }
        speak_of(*some.front());
        return plan_;
    }
    planned arm() {
        const auto mode = what_.text_of("mode");
        return set_alarm("armed_" + (mode.empty() ? "away" : mode), false);
    }
    planned disarm() { return set_alarm("disarmed", true); }

    planned weather() {
        const auto some = concerned({"weather"});
        if (some.empty()) return refuse("no_weather");
        speak_of(*some.front());
        plan_.values["temperature"] = text_attribute(*some.front(), "temperature");
        plan_.values["temperature_unit"] = text_attribute(*some.front(), "temperature_unit");
        return plan_;
    }

    planned get_state() {
        const auto wanted = to_lower(what_.text_of("state"));
        auto some = concerned();
        // Of things that share a name the ones that can be in such a state at all.
        const auto fitting = [&](const entity* one) {
            if (wanted.empty()) return true;
            const auto domain = one->domain();
            if (domain == "person") return true;
            if (wanted == "on" || wanted == "off")
                return domain != "lock" && domain != "cover" && domain != "valve" && domain != "sensor";
            if (wanted == "locked" || wanted == "unlocked") return domain == "lock";
            if (wanted == "open" || wanted == "closed") return domain == "cover" || domain == "valve";
            return true;
        };
        if (std::ranges::any_of(some, fitting)) std::erase_if(some, [&](const entity* one) { return !fitting(one); });
        if (some.empty()) return none();

        const auto is_so = [&](const entity* one) {
            const auto state = to_lower(one->state);
            // Who is away is "not_home"; whoever asks says "away".
            if (one->domain() == "person" && wanted == "away") return state == "not_home";
            if (one->domain() == "media_player" || one->domain() == "climate")
                return wanted == "on" ? state != "off" : state == wanted;
            return state == wanted;
        };
        things yes, no;
        for (const entity* one : some) (is_so(one) ? yes : no).push_back(one);
        const auto listed = [](const things& all) {
            intent::jinja::list out;
            for (const entity* one : all)
                out.emplace_back(intent::jinja::dictionary{{"name", one->name}, {"state", one->state}});
            return out;
        };
        plan_.values["query.matched"] = listed(yes);
        plan_.values["query.unmatched"] = listed(no);
        plan_.values["query.matched_names"] = names_of(yes);
        plan_.values["query.unmatched_names"] = names_of(no);
        speak_of(*some.front());
        return plan_;
    }

    const simulated_home& home_;
    const std::shared_ptr<const intent::home> now_home_;
    const recognized& what_;
    const wall_time now_;
    plan plan_;
};

}  // namespace

std::string spoken_state(const entity& thing) {
    if (!thing.spoken_state.empty()) return thing.spoken_state;
    const auto unit = text_attribute(thing, "unit_of_measurement");
    if (!unit.empty()) return fmt::format("{} {}", thing.state, unit);
    if (thing.domain() == "binary_sensor") {
        const auto known = std::ranges::find(senses, text_attribute(thing, "device_class"), &sensed::device_class);
        if (known != senses.end() && (thing.state == "on" || thing.state == "off"))
            return std::string(thing.state == "on" ? known->on : known->off);
    }
    if (thing.domain() == "climate") {
        const auto set_to = text_attribute(thing, "temperature");
        return thing.state == "off" || set_to.empty() ? thing.state : fmt::format("set to {} degrees", set_to);
    }
    return plain_domain(thing.state);
}

std::optional<planned> plan_for(const simulated_home& home, const recognized& what, wall_time now) {
    return planner(home, what, now).make();
}

}  // namespace loqa::house
