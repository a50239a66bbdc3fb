#include "loqa/session/timer_answers.hpp"

#include <algorithm>
#include <utility>

#include "loqa/base/text.hpp"
#include "loqa/session/phrases.hpp"

namespace loqa::session {
namespace {

// The duration that a sentence gives in up to three slots; nothing when it gives none.
std::optional<milliseconds> duration_of(const intent::recognized& what, const std::string& prefix) {
    bool any = false;
    double total_s = 0;
    const std::pair<const char*, double> units[] = {{"hours", 3600}, {"minutes", 60}, {"seconds", 1}};
    for (const auto& [unit, seconds_each] : units)
        if (const auto n = what.number_of(prefix + unit)) {
            any = true;
            total_s += *n * seconds_each;
        }
    if (!any) return std::nullopt;
    return milliseconds(static_cast<std::int64_t>(total_s * 1000));
}

// "pasta timer", "10 minute timer", or just "timer".
std::string name_of(const timers::timer& t) {
    if (!t.label.empty()) return t.label + " timer";
    auto length = say_duration(t.duration);
    // "10 minutes" says how long, "10 minute timer" says which.
    if (length.ends_with('s') && length.find(' ') == length.rfind(' ')) length.pop_back();
    return length + " timer";
}

std::string left_on(const timers::timer& t) {
    if (t.ringing) return fmt::format("The {} is done.", name_of(t));
    return fmt::format("{} left on the {}.", capitalised(say_duration(t.remaining)), name_of(t));
}

// That there is nothing to tell of is an answer; that the timers cannot be reached is a failure.
spoken_answer no_timers(const error& e) {
    if (e.code == errc::not_found) return {.text = e.message};
    return apology(e, "Sorry, I can't get at the timers right now.");
}

spoken_answer not_started(const error& e) {
    if (e.code == errc::invalid_argument || e.code == errc::too_long)
        return apology(e, "Sorry, a timer can be between one second and seven days.");
    if (e.code == errc::busy) return apology(e, "Sorry, there are too many timers already.");
    return apology(e, "Sorry, the timer could not be saved, so I have not set it.");
}

}  // namespace

std::optional<spoken_answer> timer_answers::answer_for(const intent::recognized& what, const asker& who) {
    auto planned = plan_for(what, who);
    if (!planned) return std::nullopt;
    if (planned->act)
        if (auto done = planned->act(); !done) return planned->apologise(done.error());
    return std::move(planned->words);
}

std::optional<std::string> timer_answers::preview(const intent::recognized& what, const asker& who) const {
    auto planned = plan_for(what, who);
    if (!planned) return std::nullopt;
    return std::move(planned->words.text);
}

std::optional<timer_answers::plan> timer_answers::plan_for(const intent::recognized& what, const asker& who) const {
    if (what.intent == "HassStartTimer") return start(what, who);
    if (what.intent == "HassTimerStatus") return status(what);
    if (what.intent == "HassCancelTimer") return cancel(what);
    if (what.intent == "HassCancelAllTimers") return cancel_all();
    return std::nullopt;
}

timer_answers::plan timer_answers::start(const intent::recognized& what, const asker& who) const {
    const auto duration = duration_of(what, "");
    if (!duration)
        return {.words = {.text = "For how long should the timer be?", .failed = true, .reason = "missing_duration"}};
    const timers::new_timer wanted{.duration = *duration,
                                   .label = to_lower(trim(what.text_of("name"))),
                                   .session_id = who.session_id,
                                   .target = who.target,
                                   .pcm = who.pcm};
    const auto name =
        wanted.label.empty() ? "Timer" : capitalised(name_of({.label = wanted.label, .duration = wanted.duration}));
    return {.words = {.text = fmt::format("{} set for {}.", name, say_duration(*duration))},
            .act = [this, wanted]() -> result<void> {
                auto started = timers_.start(wanted);
                return started ? result<void>{} : fail(std::move(started));
            },
            .apologise = not_started};
}

result<std::vector<timers::timer>> timer_answers::meant(const intent::recognized& what) const {
    auto label = to_lower(what.text_of("name"));
    // "the kitchen timer" may be one of that name as well as a room's; a room that was not said is none.
    if (const auto* area = what.find("area"); label.empty() && area != nullptr) label = to_lower(area->text);
    const auto length = duration_of(what, "start_");
    auto all = timers_.list();
    if (!all) return all;
    // What somebody has put off is no timer to them.
    std::erase_if(*all, [](const timers::timer& t) { return !t.action.empty(); });
    if (all->empty()) return fail(errc::not_found, "No timer is running.");
    std::erase_if(*all, [&](const timers::timer& t) {
        return (!label.empty() && t.label != label) || (length && t.duration != *length);
    });
    if (all->empty()) return fail(errc::not_found, "There is no such timer.");
    return all;
}

timer_answers::plan timer_answers::status(const intent::recognized& what) const {
    const auto some = meant(what);
    if (!some) return {.words = no_timers(some.error())};
    if (some->size() == 1) return {.words = {.text = left_on(some->front())}};
    std::string text = fmt::format("There are {}.", say_count(some->size(), "timer"));
    for (const auto& t : *some) text += " " + left_on(t);
    return {.words = {.text = text}};
}

timer_answers::plan timer_answers::cancel(const intent::recognized& what) const {
    const auto some = meant(what);
    if (!some) return {.words = no_timers(some.error())};
    // Which of several was meant is not guessed.
    if (some->size() > 1) {
        std::vector<std::string> names;
        for (const auto& t : *some) names.push_back("the " + name_of(t));
        return {.words = {.text = fmt::format("There are {}: {}. Which one should I cancel?",
                                              say_count(some->size(), "timer"), say_list(names)),
                          .failed = true,
                          .reason = "ambiguous"}};
    }
    const auto& one = some->front();
    return {.words = {.text = fmt::format("{} cancelled.", capitalised(name_of(one)))},
            .act = [this, id = one.id]() -> result<void> {
                auto done = timers_.cancel(id);
                return done ? result<void>{} : fail(std::move(done));
            },
            .apologise = no_timers};
}

timer_answers::plan timer_answers::cancel_all() const {
    auto all = meant({});
    if (!all) return {.words = no_timers(all.error())};
    auto text = all->size() == 1 ? "Timer cancelled." : fmt::format("{} cancelled.", say_count(all->size(), "timer"));
    return {.words = {.text = std::move(text)},
            .act = [this, all = std::move(*all)]() -> result<void> {
                for (const auto& t : all)
                    if (auto done = timers_.cancel(t.id); !done && done.error().code != errc::not_found)
                        return fail(std::move(done));
                return {};
            },
            .apologise = no_timers};
}

}  // namespace loqa::session
