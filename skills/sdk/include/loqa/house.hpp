// Doing things at home from a skill: changes of things are carried out by whoever has them.
//
// A change is {"id", "state", "attributes"}, as an intent about things carries it. The bridge to a real home (such as
// the skill home-assistant) answers skill.home.act; what it does not know is loqad's own, which answers home.act. The
// manifest needs bus:request with both subjects.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "loqa/skill.hpp"

namespace loqa::house {

inline constexpr std::string_view bridge = "skill.home.act", own = "home.act";
inline constexpr int bridge_timeout_ms = 2500, own_timeout_ms = 1000;

struct acted {
    struct failure {
        std::string id, reason, message;  // the message is a sentence without its end: "Home Assistant does not answer"
    };
    std::vector<std::string> done, unknown;
    std::vector<failure> failed;
};

namespace detail {

inline json::value only(const json::value& changes, const std::vector<std::string>& ids) {
    auto out = json::list();
    for (const auto& one : changes.items())
        for (const auto& id : ids)
            if (one["id"].text() == id) out.add(one);
    return out;
}

inline void ask(std::string_view whom, const json::value& changes, int timeout_ms, acted& out) {
    const auto answer = request(whom, json::object({{"changes", changes}}), timeout_ms);
    if (answer) {
        for (const auto& id : (*answer)["done"].items()) out.done.emplace_back(id.text());
        for (const auto& id : (*answer)["unknown"].items()) out.unknown.emplace_back(id.text());
        for (const auto& one : (*answer)["failed"].items())
            out.failed.push_back({std::string(one["id"].text()), std::string(one["reason"].text("failed")),
                                  std::string(one["message"].text())});
        return;
    }
    for (const auto& one : changes.items()) {
        if (answer.why == code::not_found)
            out.unknown.emplace_back(one["id"].text());
        else
            out.failed.push_back({std::string(one["id"].text()), "no_answer", "what controls it does not answer"});
    }
}

}  // namespace detail

// By the bridge alone: what it does not know is in `unknown`.
inline acted act_by_bridge(const json::value& changes) {
    acted out;
    detail::ask(bridge, changes, bridge_timeout_ms, out);
    return out;
}

// The rest of that by loqad; what it does not know either has failed.
inline void act_on_rest(const json::value& changes, acted& so_far) {
    if (so_far.unknown.empty()) return;
    const auto rest = detail::only(changes, so_far.unknown);
    so_far.unknown.clear();
    detail::ask(own, rest, own_timeout_ms, so_far);
    for (auto& id : so_far.unknown) so_far.failed.push_back({std::move(id), "not_there", "it is not there any more"});
    so_far.unknown.clear();
}

inline acted act(const json::value& changes) {
    auto out = act_by_bridge(changes);
    act_on_rest(changes, out);
    return out;
}

inline std::string_view domain_of(std::string_view id) { return id.substr(0, id.find('.')); }

inline char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
inline bool same(std::string_view a, std::string_view b) {
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i)
        if (lower(a[i]) != lower(b[i])) return false;
    return true;
}

// Whether `name` is how somebody calls the thing, area or floor.
inline bool is_called(const json::value& thing, std::string_view name) {
    if (same(thing["name"].text(), name)) return true;
    for (const auto& alias : thing["aliases"].items())
        if (same(alias.text(), name)) return true;
    return false;
}

inline std::string name_of(const json::value& home, std::string_view id) {
    for (const auto& one : home["entities"].items())
        if (one["id"].text() == id) return std::string(one["name"].text(id));
    return std::string(id);
}

// The ids of the areas that are called so.
inline bool in_area(const json::value& home, const json::value& thing, std::string_view area) {
    for (const auto& one : home["areas"].items())
        if (is_called(one, area) && one["id"].text() == thing["area"].text()) return true;
    return false;
}

// A change that puts a thing into a state of its kind.
inline json::value change(std::string_view id, std::string_view state) {
    auto out = json::object({{"id", id}, {"state", state}});
    const auto domain = domain_of(id);
    if (domain == "cover" || domain == "valve")
        out.set("attributes", json::object({{"current_position", state == "open" ? 100 : 0}}));
    return out;
}

// "A", "A and B", "A, B and C", "A, B and 3 more".
inline std::string enumerate(const std::vector<std::string>& names) {
    constexpr std::size_t most = 3;
    const auto shown = names.size() > most ? most - 1 : names.size();
    std::string out;
    for (std::size_t i = 0; i < shown; ++i) {
        if (i > 0) out += i + 1 == names.size() ? " and " : ", ";
        out += names[i];
    }
    if (names.size() > shown) out += " and " + std::to_string(names.size() - shown) + " more";
    return out;
}

// Why something did not work, as a sentence: "Sorry, the porch light: Home Assistant does not answer."
inline std::string apology(const json::value& home, const acted& what) {
    std::vector<std::string> names;
    for (const auto& one : what.failed) names.push_back(name_of(home, one.id));
    const auto& why = what.failed.front().message;
    std::string out = "Sorry, I could not reach " + enumerate(names);
    if (!why.empty()) out += ": " + why;
    return out + ".";
}

}  // namespace loqa::house
