#include "loqa/session/home_service.hpp"

#include <algorithm>
#include <array>

#include "loqa/base/text.hpp"
#include "loqa/house/plan.hpp"
#include "loqa/intent/resolve.hpp"
#include "loqa/protocol/json.hpp"
#include "loqa/protocol/subjects.hpp"

namespace loqa::session {

namespace subject = protocol::subject;
using protocol::json;

namespace {

constexpr std::string_view state_failed = "failed";
constexpr std::size_t max_change_bytes = 256;  // of an id, a state, an attribute
constexpr std::size_t max_changed_attributes = 32;

// What a client asks for in its own words, as the intent that does it. Nothing for an action that is not known.
std::optional<intent::recognized> command_of(const protocol::home_command& asked, const intent::home& home) {
    struct action {
        std::string_view word, intent, response;
    };
    static constexpr std::array<action, 13> actions{{{"on", "HassTurnOn", "default"},
                                                     {"turn_on", "HassTurnOn", "default"},
                                                     {"open", "HassTurnOn", "default"},
                                                     {"lock", "HassTurnOn", "lock"},
                                                     {"start", "HassTurnOn", "default"},
                                                     {"activate", "HassTurnOn", "scene"},
                                                     {"off", "HassTurnOff", "default"},
                                                     {"turn_off", "HassTurnOff", "default"},
                                                     {"close", "HassTurnOff", "default"},
                                                     {"unlock", "HassTurnOff", "lock"},
                                                     {"stop", "HassTurnOff", "default"},
                                                     {"toggle", "HassToggle", "default"},
                                                     {"set", "", "default"}}};
    const auto found = std::ranges::find(actions, to_lower(asked.action), &action::word);
    if (found == actions.end()) return std::nullopt;
    intent::recognized out;
    out.intent = found->intent;
    out.response = found->response;
    const auto payload = json::parse(asked.payload.empty() ? "{}" : asked.payload, nullptr, false);
    if (found->word == "set") {
        // What is to be set says which intent it is.
        struct setting {
            const char *field, *intent, *slot;
        };
        static constexpr std::array<setting, 6> settings{{{"brightness", "HassLightSet", "brightness"},
                                                          {"color", "HassLightSet", "color"},
                                                          {"temperature", "HassClimateSetTemperature", "temperature"},
                                                          {"position", "HassSetPosition", "position"},
                                                          {"percentage", "HassFanSetSpeed", "percentage"},
                                                          {"volume_level", "HassSetVolume", "volume_level"}}};
        for (const auto& one : settings) {
            const auto value = payload.is_object() ? payload.find(one.field) : payload.end();
            if (!payload.is_object() || value == payload.end() || !out.intent.empty()) continue;
            out.intent = one.intent;
            if (value->is_number())
                out.slots.push_back({one.slot, value->get<double>(), {}, false});
            else if (value->is_string())
                out.slots.push_back({one.slot, value->get<std::string>(), {}, false});
        }
        if (out.intent.empty()) return std::nullopt;
    }
    // "light" in a room is all its lights; anything else is the name of a thing.
    auto device = to_lower(trim(asked.device));
    const auto is_kind = [&](const std::string& word) {
        return std::ranges::any_of(home.entities, [&](const intent::entity& one) { return one.domain() == word; });
    };
    std::string kind = device;
    if (!is_kind(kind) && kind.ends_with('s')) kind.pop_back();
    if (!asked.room.empty() && is_kind(kind))
        out.slots.push_back({"domain", kind, {}, false});
    else
        out.slots.push_back({"name", asked.device, {}, false});
    if (!asked.room.empty()) out.slots.push_back({"area", asked.room, {}, false});
    return out;
}

// A sentence without its end; empty when all of it can be done here.
std::string out_of_reach(const intent::home& home, const house::changes& wanted) {
    const auto* thing = house::told_by_another(home, wanted);
    if (thing == nullptr) return {};
    return fmt::format("it belongs to {}, and no skill that controls it is running", thing->source);
}

result<house::state_change> change_of(const json& from) {
    if (!from.is_object()) return fail(errc::invalid_message, "a change is not an object");
    house::state_change out;
    std::string state;
    protocol::field_reader read(from);
    read.text("id", out.entity_id, max_change_bytes, true).text("state", state, max_change_bytes);
    if (read.failed()) return failure(read.why());
    if (from.contains("state")) out.state = std::move(state);
    const auto attributes = from.find("attributes");
    if (attributes == from.end()) return out;
    if (!attributes->is_object() || attributes->size() > max_changed_attributes)
        return fail(errc::invalid_message, "attributes is not an object of at most {}", max_changed_attributes);
    for (const auto& [name, value] : attributes->items()) {
        if (value.is_boolean())
            out.attributes[name] = value.get<bool>();
        else if (value.is_number_integer())
            out.attributes[name] = value.get<std::int64_t>();
        else if (value.is_number())
            out.attributes[name] = value.get<double>();
        else if (value.is_string() && value.get_ref<const std::string&>().size() <= max_change_bytes)
            out.attributes[name] = value.get<std::string>();
        else
            return fail(errc::invalid_message, "the attribute {} is no text, number or truth", name);
    }
    return out;
}

}  // namespace

home_service::home_service(house::simulated_home& home, bus::connection& bus, const clock& clock, telemetry::logger log,
                           telemetry::metrics& metrics)
    : home_(home),
      bus_(bus),
      clock_(clock),
      log_(std::move(log)),
      unreadable_(log_, clock),
      unreadable_count_(
          metrics.counter("loqa_bus_unreadable_total", "Messages that could not be read", {{"subject", "home"}})) {}

result<std::unique_ptr<home_service>> home_service::start(house::simulated_home& home, bus::connection& bus,
                                                          const clock& clock, telemetry::logger log,
                                                          telemetry::metrics& metrics,
                                                          std::function<bool(std::string_view)> taken_over) {
    std::unique_ptr<home_service> made(new home_service(home, bus, clock, std::move(log), metrics));
    made->taken_over_ = std::move(taken_over);
    home.tell([s = made.get()](const std::vector<intent::entity>& changed) {
        for (const auto& one : changed) s->publish(subject::home_state, house::to_json(one));
    });
    if (auto subscribed = made->subscribe(); !subscribed) return fail(std::move(subscribed));
    return made;
}

home_service::~home_service() {
    subscriptions_.clear();
    home_.tell({});
}

result<void> home_service::subscribe() {
    const auto add = [this](std::string_view on, auto handle) -> result<void> {
        auto made = bus_.subscribe(on, protocol::group::session, std::move(handle));
        if (!made) return fail(std::move(made));
        subscriptions_.push_back(std::move(*made));
        return {};
    };
    auto added = add(subject::home_get, [this](const bus::message& m) {
        if (auto sent = bus_.respond(m, house::to_json(home_, revision_, sentences_)); !sent) log_.warn(sent.error());
    });
    if (!added) return added;
    if (!added) return added;
    added = add(subject::home_act, [this](const bus::message& m) {
        if (auto sent = bus_.respond(m, act(m.payload)); !sent) log_.warn(sent.error());
    });
    if (!added) return added;
    return add(subject::home_command, [this](const bus::message& m) { on_command(m); });
}

// {"changes": [{"id", "state", "attributes"}]}: each is done for itself.
std::string home_service::act(const std::string& payload) {
    json done = json::array(), failed = json::array(), unknown = json::array();
    const auto object = protocol::parse_object(payload);
    const auto list = object ? object->find("changes") : json::const_iterator();
    if (!object || list == object->end() || !list->is_array())
        return protocol::dump({{"error", {{"code", "invalid_message"}, {"message", "changes is not a list"}}}});
    for (const auto& one : *list) {
        auto change = change_of(one);
        if (!change) {
            failed.push_back({{"id", ""}, {"reason", "invalid_message"}, {"message", change.error().message}});
            continue;
        }
        const auto id = change->entity_id;
        const house::changes wanted{.states = {std::move(*change)}, .items = {}};
        if (const auto why = out_of_reach(*home_.snapshot(), wanted); !why.empty()) {
            failed.push_back({{"id", id}, {"reason", "no_skill"}, {"message", why}});
            continue;
        }
        const auto applied = home_.apply(wanted);
        if (applied)
            done.push_back(id);
        else if (applied.error().code == errc::not_found)
            unknown.push_back(id);
        else
            failed.push_back(
                {{"id", id}, {"reason", to_string(applied.error().code)}, {"message", applied.error().message}});
    }
    return protocol::dump({{"done", done}, {"failed", failed}, {"unknown", unknown}});
}

void home_service::on_command(const bus::message& m) {
    if (taken_over_ && taken_over_(m.subject)) return;
    const auto asked = protocol::decode<protocol::home_command>(m.payload);
    if (!asked) {
        unreadable_count_.add();
        unreadable_("{} bytes on {} cannot be read: {}", m.payload.size(), m.subject, asked.error().message);
        return;
    }
    protocol::home_status status{
        .device = asked->device, .action = asked->action, .room = asked->room, .state = std::string(state_failed)};
    const auto what = command_of(*asked, *home_.snapshot());
    const auto planned = what ? house::plan_for(home_, *what, clock_.wall()) : std::nullopt;
    if (!planned) {
        status.reason = fmt::format("there is no action \"{}\"", asked->action);
    } else if (!*planned) {
        status.reason = planned->error().key;
    } else if (auto why = out_of_reach(*home_.snapshot(), (*planned)->changes); !why.empty()) {
        status.reason = std::move(why);
    } else if (auto applied = home_.apply((*planned)->changes); !applied) {
        status.reason = applied.error().message;
    } else {
        const auto now = home_.snapshot();
        const auto& states = (*planned)->changes.states;
        const auto thing = states.empty()
                               ? now->entities.end()
                               : std::ranges::find(now->entities, states.front().entity_id, &intent::entity::id);
        status.state = thing == now->entities.end() ? std::string() : thing->state;
    }
    publish(subject::home_status, protocol::encode(status));
}

void home_service::publish(std::string_view on, const std::string& payload) {
    if (auto sent = bus_.publish(on, payload); !sent) log_.warn(sent.error());
}

void home_service::home_changed() {
    ++revision_;
    announce();
}

void home_service::sentences_changed(std::uint64_t revision) {
    sentences_ = revision;
    announce();
}

void home_service::announce() {
    publish(subject::home_changed, protocol::dump({{"revision", revision_.load()}, {"sentences", sentences_.load()}}));
}

}  // namespace loqa::session
