// "Good night": several things are done one after the other, and what did not work is said.
//
// What it does is its configuration: `lights off`, `covers closed`, `locks locked`, `scene.night activated`, or
// `bedroom lights off`. One step that fails keeps none of the others from being done.
#include "loqa/house.hpp"

using namespace loqa;

namespace {

struct step {
    std::string what, room, state;  // the kind or id of a thing, where, and what it is to be
};

// "bedroom lights off": the last word is the state, the one before it the kind, what is left the room.
step step_of(std::string_view text) {
    step out;
    const auto state = text.rfind(' ');
    if (state == std::string_view::npos) return out;
    out.state = text.substr(state + 1);
    text = text.substr(0, state);
    const auto kind = text.rfind(' ');
    out.what = text.substr(kind == std::string_view::npos ? 0 : kind + 1);
    if (kind != std::string_view::npos) out.room = text.substr(0, kind);
    return out;
}

bool is_meant(const json::value& home, const json::value& thing, const step& one) {
    const auto id = thing["id"].text();
    if (!one.room.empty() && !house::in_area(home, thing, one.room)) return false;
    if (id == one.what) return true;
    const auto domain = house::domain_of(id);
    const std::string_view kind = one.what;
    return house::same(kind, domain) || (kind.ends_with('s') && house::same(kind.substr(0, kind.size() - 1), domain));
}

// What is so already is left alone.
json::value changes_for(const json::value& home, const step& one) {
    auto out = json::list();
    for (const auto& thing : home["entities"].items())
        if (is_meant(home, thing, one) && thing["state"].text() != one.state)
            out.add(house::change(thing["id"].text(), one.state));
    return out;
}

}  // namespace

LOQA_SKILL {
    const auto home = home::get();
    if (!home) {
        apologise("Sorry, I do not know what there is at home right now.", "no_home");
        return;
    }
    const auto steps = json::parse(config("steps")).value_or(json::value());
    house::acted all;
    for (const auto& text : steps.items()) {
        const auto one = step_of(text.text());
        if (one.state.empty()) {
            log::warn("steps: \"" + std::string(text.text()) + "\" is not a kind of thing and a state");
            continue;
        }
        const auto changes = changes_for(*home, one);
        if (changes.size() == 0) continue;
        auto done = house::act(changes);
        log::info(std::string(text.text()) + ": " + std::to_string(done.done.size()) + " done, " +
                  std::to_string(done.failed.size()) + " failed");
        for (auto& id : done.done) all.done.push_back(std::move(id));
        for (auto& failure : done.failed) all.failed.push_back(std::move(failure));
    }
    if (all.failed.empty()) {
        say(config("words"));
        return;
    }
    std::string words = house::apology(*home, all);
    if (!all.done.empty()) words += " All else is done.";
    apologise(words + " Good night.", all.failed.front().reason);
}
