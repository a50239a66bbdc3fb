#include <cstdio>
#include <map>
#include <thread>

#include "client.hpp"
#include "commands.hpp"
#include "json_fields.hpp"
#include "loqa/base/bounded_queue.hpp"
#include "loqa/base/process.hpp"
#include "loqa/protocol/subjects.hpp"
#include "terminal.hpp"

namespace loqa::cli {
namespace {

using nlohmann::json;

constexpr std::size_t max_pending_changes = 4096;

std::string state_of(const json& thing) {
    const auto found = thing.find("state");
    if (found == thing.end()) return {};
    // {"in": as it is said, "out": as it is}
    return found->is_object() ? text_field(*found, "in") : text_field(thing, "state");
}

// "heat, temperature 21": the state, and of the attributes those that commands change.
std::string described(const json& thing) {
    std::string out = state_of(thing);
    const auto attributes = thing.find("attributes");
    if (attributes != thing.end() && attributes->is_object()) {
        if (const auto unit = text_field(*attributes, "unit_of_measurement"); !unit.empty()) out += " " + unit;
        for (const char* key :
             {"brightness", "color", "color_temp_kelvin", "percentage", "current_position", "temperature",
              "current_temperature", "fan_mode", "volume_level", "media_title", "media_track", "cleaning_area"}) {
            const auto value = attributes->find(key);
            if (value == attributes->end()) continue;
            out += fmt::format(", {} {}", key, value->is_string() ? value->get<std::string>() : value->dump());
        }
    }
    if (const auto items = thing.find("items"); items != thing.end() && items->is_array())
        for (const auto& item : *items)
            out += fmt::format(", {}{}", text_field(item, "item"), item.value("done", false) ? " (done)" : "");
    return out;
}

std::string line_of(const json& thing, const style& style) {
    const auto state = state_of(thing);
    const bool quiet = state == "off" || state == "closed" || state == "locked" || state == "docked";
    const auto shown = printable(described(thing));
    return fmt::format("{}  {}  {}", fit(printable(text_field(thing, "name")), 28),
                       style.paint(colour::grey, fit(printable(text_field(thing, "id")), 30)),
                       quiet ? shown : style.paint(colour::green, shown));
}

void show(const json& home) {
    const auto style = style_of_stdout();
    const auto list = [&](const char* name) {
        const auto found = home.find(name);
        return found != home.end() && found->is_array() ? *found : json::array();
    };
    std::multimap<std::string, json> things;  // by area
    for (const auto& one : list("entities")) things.emplace(text_field(one, "area"), one);
    const auto show_area = [&](const std::string& id, const std::string& title) {
        const auto [from, to] = things.equal_range(id);
        if (from == to && id.empty()) return;
        print_line(style.paint(colour::bold, printable(title)));
        for (auto at = from; at != to; ++at) print_line("  " + line_of(at->second, style));
        things.erase(from, to);
    };
    auto floors = list("floors");
    floors.push_back(json{{"id", ""}, {"name", ""}});
    for (const auto& floor : floors)
        for (const auto& area : list("areas")) {
            if (text_field(area, "floor") != text_field(floor, "id")) continue;
            const auto on = text_field(floor, "name");
            show_area(text_field(area, "id"), text_field(area, "name") + (on.empty() ? "" : ", " + on));
        }
    show_area("", "Everywhere");
}

result<int> watch(bus::connection& bus, bool as_json) {
    shutdown_signal shutdown;
    bounded_queue<std::string> changes(max_pending_changes, overflow::drop_oldest);
    auto subscribed =
        bus.subscribe(protocol::subject::home_state, [&](bus::message m) { changes.push(std::move(m.payload)); });
    if (!subscribed) return fail(std::move(subscribed));
    if (auto ready = bus.flush(seconds(2)); !ready) return fail(std::move(ready));
    std::jthread shower([&] {
        name_this_thread("home");
        const auto style = style_of_stdout();
        while (!changes.closed() && std::ferror(stdout) == 0) {
            const auto next = changes.pop_until(std::chrono::steady_clock::now() + seconds(1));
            if (!next) continue;
            const auto thing = json::parse(*next, nullptr, false);
            if (thing.is_object()) print_line(as_json ? one_line(thing) : line_of(thing, style));
        }
        shutdown.request();  // whoever read our output has gone
    });
    shutdown.wait();
    subscribed->reset();
    changes.close();
    shower.join();
    return 0;
}

}  // namespace

result<int> home(const home_options& options) {
    auto client = client::connect(options.instance);
    if (!client) return fail(std::move(client));
    if (options.follow) return watch(client->bus(), options.json);
    const auto answer = ask_core(client->bus(), protocol::subject::home_get, "{}");
    if (!answer) return fail(answer);
    if (options.json) {
        print_line(*answer);
        return 0;
    }
    show(json::parse(*answer, nullptr, false));
    return 0;
}

}  // namespace loqa::cli
