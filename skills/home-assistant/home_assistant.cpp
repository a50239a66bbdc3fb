// Home Assistant: its areas and things become part of the home that sentences are matched against, its states are
// followed, and what is to change is done by its services.
//
// It speaks REST with a long-lived token, which it never sees. A timer looks at all states every few seconds; what the
// services answer is told at once. Between invocations it keeps what it told last, so that only changes are told.
#include "loqa/house.hpp"

using namespace loqa;

namespace {

constexpr int call_timeout_ms = 1500;  // a person waits for it
constexpr int look_timeout_ms = 4000;
constexpr std::string_view poll = "poll";
constexpr std::string_view silent = "Home Assistant does not answer";

// Areas with what is in them, and floors where this version has them, in one answer.
constexpr std::string_view layout_template =
    R"({% set f = namespace(x=[]) %}{% if floors is defined %}{% for i in floors() %})"
    R"({% set f.x = f.x + [{'id': i, 'name': floor_name(i), 'areas': floor_areas(i)}] %}{% endfor %}{% endif %})"
    R"({% set a = namespace(x=[]) %}{% for i in areas() %})"
    R"({% set a.x = a.x + [{'id': i, 'name': area_name(i), 'entities': area_entities(i)}] %}{% endfor %})"
    R"({{ {'floors': f.x, 'areas': a.x} | to_json }})";

struct reply {
    int status = 0;  // 0: none came
    json::value body;
    std::string_view fault;  // a sentence without its end; empty: it went well
};

reply send(std::string_view method, std::string_view path, const json::value& body, int timeout_ms) {
    std::string url = config("url");
    while (url.ends_with('/')) url.pop_back();
    const auto headers =
        json::object({{"Authorization", "Bearer {{secret:token}}"}, {"Content-Type", "application/json"}});
    const auto text = body ? body.dump() : std::string();
    const auto got = http::send(method, url + std::string(path), headers, text, timeout_ms);
    if (!got) {
        log::warn("Home Assistant: " + std::string(name_of(got.why)));
        return {.fault = got.why == code::not_found     ? "there is no token for Home Assistant"
                         : got.why == code::not_allowed ? "the address of Home Assistant is not allowed"
                                                        : silent};
    }
    reply out{.status = got->status, .body = json::parse(got->body).value_or(json::value())};
    if (got->status == 401 || got->status == 403)
        out.fault = "Home Assistant does not accept the token";
    else if (got->status >= 400)
        out.fault = "Home Assistant refused it";
    if (!out.fault.empty())
        log::warn("Home Assistant: status " + std::to_string(got->status) + " for " + std::string(path));
    return out;
}

// ── What it has, in loqad's terms
// ───────────────────────────────────────────────────────────────────────────────────────

bool is_followed(std::string_view id) {
    constexpr std::string_view domains[] = {
        "light",      "switch", "cover",  "climate", "fan",          "lock",         "media_player", "scene",
        "script",     "sensor", "valve",  "vacuum",  "siren",        "button",       "humidifier",   "input_boolean",
        "lawn_mower", "person", "remote", "weather", "water_heater", "binary_sensor"};
    for (const auto domain : domains)
        if (house::domain_of(id) == domain) return true;
    return false;
}

double round_to(double value, double unit) {
    const auto whole = static_cast<std::int64_t>(value / unit + (value < 0 ? -0.5 : 0.5));
    return static_cast<double>(whole) * unit;
}

// Those that sentences and answers speak of, in the units they speak of.
json::value attributes_of(const json::value& from) {
    auto out = json::object();
    for (const auto* name : {"device_class", "unit_of_measurement", "current_position", "temperature",
                             "current_temperature", "percentage", "fan_mode", "is_volume_muted", "media_title"})
        if (from[name]) out.set(name, from[name]);
    if (from["brightness"]) out.set("brightness", round_to(from["brightness"].number() * 100 / 255, 1));
    if (from["volume_level"]) out.set("volume_level", round_to(from["volume_level"].number() * 100, 1));
    return out;
}

// "the big light" of the entry light.kitchen_lights=the big light.
json::value aliases_of(std::string_view id, const json::value& all) {
    auto out = json::list();
    for (const auto& one : all.items()) {
        const auto text = one.text();
        const auto sign = text.find('=');
        if (sign != std::string_view::npos && text.substr(0, sign) == id) out.add(text.substr(sign + 1));
    }
    return out;
}

// What would be different if something of it changed: told again only then.
std::string mark_of(const json::value& entity) {
    return std::string(entity["state"].text()) + " " + entity["attributes"].dump();
}

json::value entity_of(const json::value& state) {
    return json::object(
        {{"id", state["entity_id"]}, {"state", state["state"]}, {"attributes", attributes_of(state["attributes"])}});
}

json::value home_of(const json::value& layout, const json::value& states) {
    const auto aliases = json::parse(config("aliases")).value_or(json::value());
    auto floors = json::list(), areas = json::list(), entities = json::list();
    for (const auto& one : layout["floors"].items())
        floors.add(json::object({{"id", one["id"]}, {"name", one["name"]}}));
    for (const auto& one : layout["areas"].items()) {
        auto area = json::object({{"id", one["id"]}, {"name", one["name"]}});
        for (const auto& floor : layout["floors"].items())
            for (const auto& id : floor["areas"].items())
                if (id.text() == one["id"].text()) area.set("floor", floor["id"]);
        const auto others = aliases_of(one["id"].text(), aliases);
        if (others.size() > 0) area.set("aliases", others);
        areas.add(area);
    }
    for (const auto& state : states.items()) {
        const auto id = state["entity_id"].text();
        const auto name = state["attributes"]["friendly_name"].text();
        if (name.empty() || !is_followed(id)) continue;
        auto entity = entity_of(state);
        entity.set("name", name);
        for (const auto& area : layout["areas"].items())
            for (const auto& inside : area["entities"].items())
                if (inside.text() == id) entity.set("area", area["id"]);
        const auto others = aliases_of(id, aliases);
        if (others.size() > 0) entity.set("aliases", others);
        entities.add(entity);
    }
    return json::object({{"floors", floors}, {"areas", areas}, {"entities", entities}});
}

// ── Following it
// ────────────────────────────────────────────────────────────────────────────────────────────────────────

// Names and places alone: what sentences are made of.
std::string shape_of(const json::value& home) {
    auto out = home["floors"].dump() + home["areas"].dump();
    for (const auto& one : home["entities"].items())
        out += std::string(one["id"].text()) + "/" + std::string(one["name"].text()) + "/" +
               std::string(one["area"].text()) + one["aliases"].dump();
    return out;
}

// FNV-1a: what is compared next time, without keeping all of it.
std::string digest(std::string_view text) {
    std::uint64_t sum = 0xcbf29ce484222325;
    for (const char c : text) sum = (sum ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    std::string out;
    for (; sum != 0; sum >>= 4) out += "0123456789abcdef"[sum & 15];
    return out;
}

json::value known() {
    return json::parse(*kept::get("known")).value_or(json::value());
}  // ids with their marks' digests

void remember(const json::value& entities, json::value so_far) {
    for (const auto& one : entities.items()) so_far.set(one["id"].text(), digest(mark_of(one)));
    kept::set("known", so_far.dump());
}

// Whether it answers, told in the log when that changes.
void is_reachable(bool now) {
    const auto before = kept::get("reachable");
    if (before && (*before == "yes") == now) return;
    log::info(now ? "Home Assistant answers" : "Home Assistant does not answer; it is tried again");
    kept::set("reachable", now ? "yes" : "no");
}

void look() {
    // Set first: whatever happens, it is looked at again.
    timer::set(poll, std::int64_t{1000} * std::atoi(config("every_s").c_str()));
    const auto states = send("GET", "/api/states", {}, look_timeout_ms);
    if (!states.fault.empty()) return is_reachable(false);
    const auto layout = send("POST", "/api/template", json::object({{"template", layout_template}}), look_timeout_ms);
    if (!layout.fault.empty()) return is_reachable(false);
    is_reachable(true);

    const auto home = home_of(layout.body, states.body);
    const auto shape = digest(shape_of(home));
    if (*kept::get("shape") != shape) {
        if (const auto told = home::learn(home); told != code::done) {
            log::error("the home was not taken: " + std::string(name_of(told)));
            return;
        }
        log::info(std::to_string(home["areas"].size()) + " areas and " + std::to_string(home["entities"].size()) +
                  " things of Home Assistant are known");
        kept::set("shape", shape);
        remember(home["entities"], json::object());
        return;
    }
    const auto before = known();
    auto changed = json::list();
    for (const auto& one : home["entities"].items()) {
        if (before[one["id"].text()].text() == digest(mark_of(one))) continue;
        changed.add(json::object({{"id", one["id"]}, {"state", one["state"]}, {"attributes", one["attributes"]}}));
    }
    if (changed.size() == 0) return;
    home::update(changed);
    remember(changed, before);
}

// ── Doing things
// ────────────────────────────────────────────────────────────────────────────────────────────────────────

struct service {
    std::string domain, name;
    json::value data = json::object();
};

service service_for(const json::value& change) {
    const auto id = change["id"].text(), state = change["state"].text();
    const auto& wanted = change["attributes"];
    service out{.domain = std::string(house::domain_of(id)), .name = state == "off" ? "turn_off" : "turn_on"};
    const auto copy = [&](const char* from, const char* to) {
        if (wanted[from]) out.data.set(to, wanted[from]);
    };
    if (out.domain == "light") {
        if (state == "off") return out;
        copy("brightness", "brightness_pct");
        copy("color", "color_name");
        copy("color_temp_kelvin", "kelvin");
    } else if (out.domain == "cover" || out.domain == "valve") {
        const auto position = wanted["current_position"].number(state == "open" ? 100 : 0);
        if (position > 0 && position < 100) {
            out.name = "set_" + out.domain + "_position";
            out.data.set("position", position);
        } else {
            out.name = (position > 0 ? "open_" : "close_") + out.domain;
        }
    } else if (out.domain == "lock") {
        out.name = state == "locked" ? "lock" : "unlock";
    } else if (out.domain == "climate" && wanted["temperature"]) {
        out.name = "set_temperature";
        copy("temperature", "temperature");
    } else if (out.domain == "climate" && wanted["fan_mode"]) {
        out.name = "set_fan_mode";
        copy("fan_mode", "fan_mode");
    } else if (out.domain == "fan" && wanted["percentage"]) {
        out.name = "set_percentage";
        copy("percentage", "percentage");
    } else if (out.domain == "media_player") {
        if (wanted["volume_level"]) {
            out.name = "volume_set";
            out.data.set("volume_level", wanted["volume_level"].number() / 100);
        } else if (wanted["is_volume_muted"]) {
            out.name = "volume_mute";
            copy("is_volume_muted", "is_volume_muted");
        } else if (state == "paused" || state == "playing") {
            out.name = state == "paused" ? "media_pause" : "media_play";
        }
    } else if (out.domain == "vacuum") {
        out.name = state == "docked" ? "return_to_base" : "start";
    } else if (out.domain == "lawn_mower") {
        out.name = state == "docked" ? "dock" : "start_mowing";
    } else if (out.domain == "button") {
        out.name = "press";
    }
    return out;
}

// Things of one kind that become alike are one call.
struct call {
    service what;
    json::value ids = json::list();
};

void act() {
    const auto before = known();
    auto done = json::list(), failed = json::list(), unknown = json::list();
    std::vector<call> calls;
    const auto body = incoming().body();
    for (const auto& change : body["changes"].items()) {
        const auto id = change["id"].text();
        if (!before[id]) {
            unknown.add(id);
            continue;
        }
        auto wanted = service_for(change);
        call* found = nullptr;
        for (auto& one : calls)
            if (one.what.domain == wanted.domain && one.what.name == wanted.name &&
                one.what.data.dump() == wanted.data.dump())
                found = &one;
        if (found == nullptr) found = &calls.emplace_back(call{std::move(wanted)});
        found->ids.add(id);
    }
    auto changed = json::list();
    std::string_view fault;
    for (auto& one : calls) {
        // Where it does not answer once, the others need not wait for it again.
        if (fault != silent) {
            one.what.data.set("entity_id", one.ids);
            const auto got =
                send("POST", "/api/services/" + one.what.domain + "/" + one.what.name, one.what.data, call_timeout_ms);
            fault = got.fault;
            for (const auto& state : got.body.items())
                if (is_followed(state["entity_id"].text()) && before[state["entity_id"].text()])
                    changed.add(entity_of(state));
        }
        for (const auto& id : one.ids.items()) {
            if (fault.empty())
                done.add(id);
            else
                failed.add(json::object(
                    {{"id", id}, {"reason", fault == silent ? "unreachable" : "refused"}, {"message", fault}}));
        }
        log::info(one.what.domain + "." + one.what.name + " " + one.ids.dump() + (fault.empty() ? "" : " failed"));
    }
    respond(json::object({{"done", done}, {"failed", failed}, {"unknown", unknown}}));
    if (changed.size() > 0) {
        home::update(changed);
        remember(changed, before);
    }
    if (!calls.empty() && (fault.empty() || fault == silent)) is_reachable(fault.empty());
}

}  // namespace

LOQA_SKILL {
    if (incoming().subject == house::bridge) return act();
    // Loaded, configured anew: what was told before may not be there any more.
    if (incoming().is("start")) kept::remove("shape");
    look();
}
