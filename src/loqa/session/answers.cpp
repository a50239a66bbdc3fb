#include "loqa/session/answers.hpp"

#include <algorithm>
#include <ctime>

#include "loqa/base/text.hpp"
#include "loqa/session/phrases.hpp"

namespace loqa::session {
namespace {

std::tm local_time(wall_time at) {
    const auto seconds_since = std::chrono::system_clock::to_time_t(at);
    std::tm local{};
    ::localtime_r(&seconds_since, &local);
    return local;
}

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

spoken_answer apology(const error& e, std::string text) {
    return {.text = std::move(text), .failed = true, .reason = std::string(to_string(e.code))};
}

// That there is nothing to tell of is an answer; that the timers cannot be reached is a failure.
spoken_answer no_timers(const error& e) {
    if (e.code == errc::not_found) return {.text = e.message};
    return apology(e, "Sorry, I can't get at the timers right now.");
}

}  // namespace

std::optional<spoken_answer> answers::answer_for(const intent::recognized& what, const asker& who) {
    const auto& name = what.intent;
    const auto now = local_time(clock_.wall());
    if (name == "HassGetCurrentTime") return spoken_answer{.text = fmt::format("It is {}.", say_time(now))};
    if (name == "HassGetCurrentDate") return spoken_answer{.text = fmt::format("Today is {}.", say_date(now))};
    if (name == "HassStartTimer") return start_timer(what, who);
    if (name == "HassTimerStatus") return timer_status(what);
    if (name == "HassCancelTimer") return cancel_timer(what);
    if (name == "HassCancelAllTimers") return cancel_all_timers();
    if (name == "HassNevermind") return spoken_answer{.text = "Okay.", .stop_speaking = true};
    if (name == "LoqaStop") return spoken_answer{.stop_speaking = true};
    if (name == "LoqaRepeat")
        return spoken_answer{.text = who.last_reply.empty() ? "I haven't said anything yet." : who.last_reply};
    if (name == "HassRespond") return spoken_answer{.text = what.response == "thanks" ? "You're welcome." : "Hello."};
    if (name == "LoqaHelp")
        return spoken_answer{.text =
                                 "You can ask me for the time or the date, and I can set timers, "
                                 "tell you how long they have left, and cancel them."};
    return std::nullopt;
}

spoken_answer answers::not_understood(const intent::miss& why) {
    if (why.reason == intent::miss_reason::unknown_name)
        return {.text = "Sorry, " + why.sentence(), .failed = true, .reason = "unknown_name"};
    return {
        .text = "Sorry, I can't help with that.", .failed = true, .reason = std::string(intent::to_string(why.reason))};
}

spoken_answer answers::start_timer(const intent::recognized& what, const asker& who) {
    const auto duration = duration_of(what, "");
    if (!duration) return {.text = "For how long should the timer be?", .failed = true, .reason = "missing_duration"};
    auto started = timers_.start({.duration = *duration,
                                  .label = to_lower(what.text_of("name")),
                                  .session_id = who.session_id,
                                  .target = who.target,
                                  .pcm = who.pcm});
    if (!started) {
        if (started.error().code == errc::invalid_argument || started.error().code == errc::too_long)
            return apology(started.error(), "Sorry, a timer can be between one second and seven days.");
        if (started.error().code == errc::busy)
            return apology(started.error(), "Sorry, there are too many timers already.");
        return apology(started.error(), "Sorry, the timer could not be saved, so I have not set it.");
    }
    if (started->label.empty()) return {.text = fmt::format("Timer set for {}.", say_duration(*duration))};
    return {.text = fmt::format("{} set for {}.", capitalised(name_of(*started)), say_duration(*duration))};
}

result<std::vector<timers::timer>> answers::meant(const intent::recognized& what) const {
    const auto label = to_lower(what.text_of("name"));
    const auto length = duration_of(what, "start_");
    auto all = timers_.list();
    if (!all) return all;
    if (all->empty()) return fail(errc::not_found, "No timer is running.");
    std::erase_if(*all, [&](const timers::timer& t) {
        return (!label.empty() && t.label != label) || (length && t.duration != *length);
    });
    if (all->empty()) return fail(errc::not_found, "There is no such timer.");
    return all;
}

spoken_answer answers::timer_status(const intent::recognized& what) {
    const auto some = meant(what);
    if (!some) return no_timers(some.error());
    if (some->size() == 1) return {.text = left_on(some->front())};
    std::string text = fmt::format("There are {}.", say_count(some->size(), "timer"));
    for (const auto& t : *some) text += " " + left_on(t);
    return {.text = text};
}

spoken_answer answers::cancel_timer(const intent::recognized& what) {
    const auto some = meant(what);
    if (!some) return no_timers(some.error());
    // Which of several was meant is not guessed.
    if (some->size() > 1) {
        std::vector<std::string> names;
        for (const auto& t : *some) names.push_back("the " + name_of(t));
        return {.text = fmt::format("There are {}: {}. Which one should I cancel?", say_count(some->size(), "timer"),
                                    say_list(names)),
                .failed = true,
                .reason = "ambiguous"};
    }
    const auto& one = some->front();
    if (auto done = timers_.cancel(one.id); !done) return no_timers(done.error());
    return {.text = fmt::format("{} cancelled.", capitalised(name_of(one)))};
}

spoken_answer answers::cancel_all_timers() {
    const auto all = meant({});
    if (!all) return no_timers(all.error());
    for (const auto& t : *all)
        if (auto done = timers_.cancel(t.id); !done && done.error().code != errc::not_found)
            return no_timers(done.error());
    return {.text =
                all->size() == 1 ? "Timer cancelled." : fmt::format("{} cancelled.", say_count(all->size(), "timer"))};
}

}  // namespace loqa::session
