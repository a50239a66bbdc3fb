#include "loqa/session/acting.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <tuple>

namespace loqa::session {
namespace {

constexpr std::string_view apology_gone = "Sorry, what does that is not here right now.";
constexpr std::string_view apology_slow = "Sorry, that took too long.";
constexpr std::string_view apology_garbled = "Sorry, that went wrong.";
constexpr std::string_view apology_timer = "Sorry, I can't remember that for later, so I will not do it.";

void add(deed& to, const spoken_answer& given) {
    auto& all = to.so_far;
    // What was said before the first answer has to be heard.
    all.local = given.local && (to.next == 0 ? all.text.empty() : all.local);
    if (!all.text.empty() && !given.text.empty()) all.text += " ";
    all.text += given.text;
    all.failed = all.failed || given.failed;
    all.stop_speaking = all.stop_speaking || given.stop_speaking;
    if (all.reason.empty()) all.reason = given.reason;
    if (given.volume) all.volume = given.volume;
    if (!given.announce.empty()) all.announce = given.announce;
    if (!given.completes.empty()) all.completes = given.completes;
    ++to.next;
}

spoken_answer failure_in_words(std::string_view words, errc why) {
    return {.text = std::string(words), .failed = true, .reason = std::string(to_string(why))};
}

}  // namespace

spoken_answer actor::by_ourselves(const intent::recognized& what, const asker& who) const {
    auto given = with_.own.answer_for(what, who);
    if (given && with_.home != nullptr) with_.home->translate(what, *given);
    if (!given && with_.home != nullptr) given = with_.home->answer_for(what, who);
    return given ? *given : not_understood({.reason = intent::miss_reason::unknown_words});
}

spoken_answer actor::not_understood(const intent::miss& why) const {
    return with_.home != nullptr ? with_.home->not_understood(why) : answers::not_understood(why);
}

std::string actor::promise(const intent::command& command) const {
    const auto now = with_.clock.wall();
    return with_.home != nullptr ? with_.home->promise(command, now) : promise_of(command, now);
}

bool actor::only_tells(const std::vector<intent::command>& commands) const {
    static constexpr std::array<std::string_view, 7> others = {
        "HassClimateGetTemperature", "HassTimerStatus", "HassRespond", "LoqaHelp", "LoqaListAlarms",
        "LoqaPlannedList",           "LoqaRepeat"};
    return std::ranges::all_of(commands, [&](const intent::command& each) {
        const auto& name = each.what.intent;
        return !each.later() && !handlers_.takes(name) &&
               (name.starts_with("HassGet") || std::ranges::find(others, name) != others.end());
    });
}

std::optional<spoken_answer> actor::objection(const intent::command& command, const asker& who) const {
    if (with_.home == nullptr || handlers_.takes(command.what.intent)) return std::nullopt;
    return with_.home->objection(command.what, who);
}

std::optional<std::string> actor::own_preview(const intent::recognized& what, const asker& who) const {
    auto given = with_.own.preview(what, who);
    if (given && with_.home != nullptr) with_.home->translate(what, *given);
    if (given) return std::move(given->text);
    return with_.home == nullptr ? std::nullopt : with_.home->preview(what, who);
}

std::optional<std::string> actor::preview(const std::vector<intent::command>& commands, const asker& who) const {
    std::string all;
    for (const auto& command : commands) {
        if (handlers_.takes(command.what.intent)) return std::nullopt;
        if (const auto why = objection(command, who)) return why->text;
        std::optional<std::string> words;
        if (command.later()) {
            words = promise(command);
        } else {
            words = own_preview(command.what, who);
        }
        if (!words) return std::nullopt;
        if (!all.empty() && !words->empty()) all += ' ';
        all += *words;
    }
    return all;
}

// Sets a timer for each command that is for later, or for none. The apology, if it could not.
std::optional<spoken_answer> actor::promise_all(deed& what, const asker& who) const {
    std::vector<std::int64_t> set;
    for (const auto& command : what.commands) {
        if (!command.later()) continue;
        auto timer = timer_for(command, with_.clock.wall());
        timer.session_id = who.session_id;
        timer.target = who.target;
        timer.pcm = who.pcm;
        timer.action = to_action(command.what, who.area);
        timer.area = who.area;
        timer.ephemeral = who.ephemeral;
        const auto started = with_.timers.start(timer);
        if (started) {
            set.push_back(started->id);
            continue;
        }
        for (const auto id : set) std::ignore = with_.timers.cancel(id);
        return apology(started.error(), std::string(apology_timer));
    }
    return std::nullopt;
}

bool actor::go_on(deed& what, const turn& of) const {
    if (what.next == 0) {
        what.began = with_.clock.steady();
        for (const auto& command : what.commands)
            if (const auto why = objection(command, of.who); why && what.commands.size() > 1) {
                what.so_far = *why;
                what.next = what.commands.size();
                return true;
            }
        if (const auto failed = promise_all(what, of.who)) {
            what.so_far = *failed;
            what.next = what.commands.size();
            return true;
        }
    }
    while (what.next < what.commands.size()) {
        const auto& command = what.commands[what.next];
        telemetry::timed_span span(with_.tracer, with_.clock, "skill", of.trace);
        span.set("intent.name", command.what.intent);
        if (command.later()) {
            add(what, {.text = promise(command)});
            continue;
        }
        if (!handlers_.takes(command.what.intent)) {
            const auto given = by_ourselves(command.what, of.who);
            if (given.failed) span.fail(given.reason);
            add(what, given);
            continue;
        }
        auto token = handlers_.ask({command.what, of.who, of.id, what.confirmed,
                                    with_.home != nullptr ? with_.home->propose(command.what) : std::nullopt},
                                   of.headers);
        if (token) {
            what.waiting_for = std::move(*token);
            what.span.emplace(std::move(span));
            return false;
        }
        span.fail(token.error().message);
        add(what, failure_in_words(apology_gone, token.error().code));
    }
    return true;
}

void actor::answered(deed& what, const turn& of, const bus::message& m) const {
    what.waiting_for.clear();
    auto given = intent_handlers::read(m);
    if (!given) {
        if (what.span) what.span->fail(given.error().message);
        const bool gone = given.error().code == errc::unavailable;
        add(what, failure_in_words(gone ? apology_gone : apology_garbled, given.error().code));
    } else if (!given->handled) {
        add(what, by_ourselves(what.commands[what.next].what, of.who));
    } else if (given->ask && !what.confirmed) {
        // What was asked about is done after a yes; what stands behind it too.
        what.commands.erase(what.commands.begin(), what.commands.begin() + static_cast<std::ptrdiff_t>(what.next));
        what.ask = true;
        what.next = 0;
        add(what, given->words);
        what.next = what.commands.size();
    } else {
        if (given->words.failed && what.span) what.span->fail(given->words.reason);
        add(what, given->words);
    }
    what.span.reset();
}

void actor::gave_up(deed& what) const {
    what.waiting_for.clear();
    if (what.span) what.span->fail("timed_out");
    what.span.reset();
    add(what, failure_in_words(apology_slow, errc::timed_out));
}

}  // namespace loqa::session
