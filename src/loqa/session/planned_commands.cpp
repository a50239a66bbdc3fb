#include "loqa/session/planned_commands.hpp"

#include <algorithm>

#include "loqa/session/later.hpp"
#include "loqa/session/phrases.hpp"

namespace loqa::session {
namespace {

// Whether a planned command is what somebody speaks of: the same deed, and nothing that was said of it is otherwise.
// What was not said, such as the room, may be anything.
bool is_meant(const intent::recognized& planned, const intent::recognized& said) {
    if (planned.intent != said.text_of("planned_intent")) return false;
    return std::ranges::all_of(said.slots, [&](const intent::slot& one) {
        if (one.name == "planned_intent" || one.text.empty()) return true;
        const auto* its = planned.find(one.name);
        return its != nullptr && its->value == one.value;
    });
}

}  // namespace

std::optional<spoken_answer> planned_commands::answer_for(const intent::recognized& what) {
    auto planned = plan_for(what);
    if (!planned) return std::nullopt;
    for (const auto id : planned->cancels)
        if (auto done = timers_.cancel(id); !done && done.error().code != errc::not_found)
            return apology(done.error(), "Sorry, I can't get at what is planned right now.");
    return std::move(planned->words);
}

std::optional<spoken_answer> planned_commands::preview(const intent::recognized& what) const {
    auto planned = plan_for(what);
    if (!planned) return std::nullopt;
    return std::move(planned->words);
}

// "turn off the lights in 9 minutes", "open the blinds tomorrow at 7 AM"
std::string planned_commands::told(const std::vector<timers::timer>& some) const {
    std::vector<std::string> all;
    for (const auto& t : some) {
        const auto command = from_action(t.action);
        const auto words = command ? plain_command(command->what.text) : t.label;
        all.push_back(t.is_alarm() ? words + moment_in_words(t.ends_at, clock_.wall())
                                   : fmt::format("{} in {}", words, say_duration(t.remaining)));
    }
    return say_list(all);
}

std::optional<planned_commands::plan> planned_commands::plan_for(const intent::recognized& what) const {
    const bool tells = what.intent == "LoqaPlannedList";
    if (!tells && what.intent != "LoqaPlannedCancel") return std::nullopt;
    auto all = timers_.list();
    if (!all) return plan{apology(all.error(), "Sorry, I can't get at what is planned right now."), {}};
    std::erase_if(*all, [](const timers::timer& t) { return t.action.empty(); });
    if (all->empty()) return plan{{.text = "Nothing is planned."}, {}};
    if (tells) {
        const bool one = all->size() == 1;
        return plan{
            {.text = fmt::format("{} planned: {}.",
                                 one ? "One command is" : fmt::format("{} commands are", all->size()), told(*all))},
            {}};
    }

    const auto text = what.text_of("planned");
    const bool named = what.find("planned_intent") != nullptr;
    if (named || !text.empty()) {
        std::erase_if(*all, [&](const timers::timer& t) {
            const auto command = from_action(t.action);
            return !command || (named ? !is_meant(command->what, what) : command->what.text != text);
        });
        if (all->empty()) return plan{{.text = "That is not planned."}, {}};
        // "Cancel that" means what was put off just now, not what was put off in the same words before.
        if (!named) all = std::vector{std::ranges::max(*all, {}, &timers::timer::id)};
    }
    plan out;
    for (const auto& t : *all) out.cancels.push_back(t.id);
    if (all->size() == 1) {
        const auto command = from_action(all->front().action);
        out.words.text =
            fmt::format("Okay, I won't {}.", command ? plain_command(command->what.text) : all->front().label);
        return out;
    }
    if (what.response == "all") {
        out.words.text = fmt::format("{} planned commands cancelled.", all->size());
        return out;
    }
    return plan{
        {.text = fmt::format("{} commands are planned: {}. Which one should I cancel?", all->size(), told(*all)),
         .failed = true,
         .reason = "ambiguous",
         .completes = {"forget {} planned commands", "don't {}"}},
        {}};
}

}  // namespace loqa::session
