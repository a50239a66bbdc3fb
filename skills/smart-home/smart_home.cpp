// Lights, switches, covers, climate and scenes: what somebody said, or a client asked for, done by whoever has the
// things.
#include "loqa/house.hpp"

using namespace loqa;

namespace {

// ── Said by somebody: loqad has worked out what it changes, and what to say when it is done
// ───────────────────────────────

void on_intent() {
    const auto asked = asked_for();
    if (asked.changes.size() == 0) {
        not_mine();  // there is no such thing, which loqad says better
        return;
    }
    auto done = house::act_by_bridge(asked.changes);
    if (done.done.empty() && done.failed.empty()) {
        not_mine();
        return;
    }
    house::act_on_rest(asked.changes, done);
    if (done.failed.empty()) {
        say(asked.speech);
        return;
    }
    const auto home = home::get();
    auto words = house::apology(*home, done);
    if (!done.done.empty()) {
        std::vector<std::string> names;
        for (const auto& id : done.done) names.push_back(house::name_of(*home, id));
        words += " Done: " + house::enumerate(names) + ".";
    }
    log::warn(words);
    apologise(words, done.failed.front().reason);
}

// ── Asked for on the bus, in loqa-core's form
// ───────────────────────────────────────────────────────────────────────────

struct wish {
    std::string state;
    json::value attributes;
    std::string fault;
};

wish wish_of(const json::value& command, const json::value& thing) {
    const auto action = command["action"].text();
    const auto domain = house::domain_of(thing["id"].text());
    const auto is = [&](std::string_view a, std::string_view b = {}) {
        return house::same(action, a) || (!b.empty() && house::same(action, b));
    };
    const bool cover = domain == "cover" || domain == "valve", lock = domain == "lock";
    if (is("set")) {
        const auto& payload = command["payload"];
        const auto copy = [&](const char* from, const char* to, const char* state) -> wish {
            auto attributes = json::object({{to, payload[from]}});
            return {.state = state, .attributes = attributes};
        };
        if (payload["brightness"] && domain == "light") return copy("brightness", "brightness", "on");
        if (payload["color"] && domain == "light") return copy("color", "color", "on");
        if (payload["temperature"] && domain == "climate") return copy("temperature", "temperature", "");
        if (payload["position"] && cover)
            return copy("position", "current_position", payload["position"].number() > 0 ? "open" : "closed");
        if (payload["percentage"] && domain == "fan")
            return copy("percentage", "percentage", payload["percentage"].number() > 0 ? "on" : "off");
        if (payload["volume_level"] && domain == "media_player") return copy("volume_level", "volume_level", "");
        return {.fault = "nothing_to_set"};
    }
    const auto now = thing["state"].text();
    const bool toggle = is("toggle");
    const bool on = toggle ? now == "off" || now == "closed" || now == "unlocked"
                           : is("on", "turn_on") || is("open", "start") || is("activate") || is("lock");
    if (!on && !toggle && !is("off", "turn_off") && !is("close", "stop") && !is("unlock"))
        return {.fault = "unknown_action"};
    if (cover)
        return {.state = on ? "open" : "closed", .attributes = json::object({{"current_position", on ? 100 : 0}})};
    if (lock) return {.state = on ? "locked" : "unlocked"};
    if (domain == "media_player" && on) return {.state = "idle"};
    if (domain == "climate" && on) return {.state = "heat"};
    return {.state = on ? "on" : "off"};
}

// "light" or "lights" in a room are all its lights; anything else is the name of a thing.
bool is_meant(const json::value& home, const json::value& thing, std::string_view device, std::string_view room) {
    if (!room.empty() && !house::in_area(home, thing, room)) return false;
    if (house::is_called(thing, device) || thing["id"].text() == device) return true;
    const auto domain = house::domain_of(thing["id"].text());
    return !room.empty() && (house::same(device, domain) ||
                             (device.ends_with('s') && house::same(device.substr(0, device.size() - 1), domain)));
}

void tell(const json::value& command, std::string_view state, std::string_view reason = {}) {
    auto status = json::object({{"device", command["device"]}, {"action", command["action"]}, {"state", state}});
    if (command["room"]) status.set("room", command["room"]);
    if (!reason.empty()) status.set("payload", json::object({{"reason", reason}}));
    publish("skill.home.status", status);
}

void on_command() {
    const auto command = incoming().body();
    if (!command["device"] || !command["action"]) give_up("a command without device or action");
    const auto home = home::get();
    if (!home) return tell(command, "failed", "no_home");
    auto changes = json::list();
    for (const auto& thing : (*home)["entities"].items()) {
        if (!is_meant(*home, thing, command["device"].text(), command["room"].text())) continue;
        const auto wanted = wish_of(command, thing);
        if (!wanted.fault.empty()) return tell(command, "failed", wanted.fault);
        auto change = json::object({{"id", thing["id"]}});
        if (!wanted.state.empty()) change.set("state", wanted.state);
        if (wanted.attributes) change.set("attributes", wanted.attributes);
        changes.add(change);
    }
    if (changes.size() == 0) return tell(command, "failed", "no_entity");
    const auto done = house::act(changes);
    if (!done.failed.empty()) return tell(command, "failed", done.failed.front().reason);
    tell(command, changes[0]["state"] ? changes[0]["state"].text() : "set");
}

}  // namespace

LOQA_SKILL {
    if (incoming().subject == "skill.home.command")
        on_command();
    else
        on_intent();
}
