#include "loqa/session/timer_answers.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "loqa/base/text.hpp"
#include "loqa/intent/spoken_time.hpp"
#include "loqa/session/phrases.hpp"

namespace loqa::session {
namespace {

using timers::weekday_set;

constexpr std::array<std::string_view, 7> weekday_names = {"sunday",   "monday", "tuesday", "wednesday",
                                                           "thursday", "friday", "saturday"};

constexpr std::pair<std::string_view, weekday_set> said_days[] = {
    {"every morning", timers::every_day},     {"each morning", timers::every_day},
    {"every day", timers::every_day},         {"each day", timers::every_day},
    {"everyday", timers::every_day},          {"daily", timers::every_day},
    {"on weekdays", timers::working_days},    {"on work days", timers::working_days},
    {"every weekday", timers::working_days},  {"weekdays", timers::working_days},
    {"at weekends", timers::weekend_days},    {"on weekends", timers::weekend_days},
    {"on the weekend", timers::weekend_days}, {"every weekend", timers::weekend_days},
};

// Days that stand where a name could: "a weekday alarm", "the Monday alarm".
weekday_set days_named(const std::string& label) {
    if (label == "daily" || label == "everyday" || label == "recurring" || label == "repeating")
        return timers::every_day;
    if (label == "weekday" || label == "weekdays" || label == "work day" || label == "workday")
        return timers::working_days;
    if (label == "weekend" || label == "weekends") return timers::weekend_days;
    const auto day = std::ranges::find(weekday_names, label);
    if (day == weekday_names.end()) return 0;
    return timers::only(std::chrono::weekday(static_cast<unsigned>(day - weekday_names.begin())));
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

std::tm calendar(std::chrono::local_seconds at) {
    const auto as_if_utc = static_cast<std::time_t>(at.time_since_epoch().count());
    std::tm fields{};
    ::gmtime_r(&as_if_utc, &fields);
    return fields;
}

// "on weekdays", "every Monday and Friday"
std::string say_days(weekday_set days) {
    if (days == timers::every_day) return "every day";
    if (days == timers::working_days) return "on weekdays";
    if (days == timers::weekend_days) return "at weekends";
    std::vector<std::string> names;
    for (unsigned i = 1; i <= 7; ++i)
        if ((days & timers::only(std::chrono::weekday(i % 7))) != 0)
            names.push_back(capitalised(std::string(weekday_names.at(i % 7))));
    return "every " + say_list(names);
}

// "tomorrow at 7 AM", "at 6:30 AM every day": as it is said to somebody now.
std::string say_when(std::chrono::local_seconds at, weekday_set days, std::chrono::local_seconds now) {
    const auto time = say_time(calendar(at));
    if (days != 0) return fmt::format("{} {}", time, say_days(days));
    const auto ahead = (std::chrono::floor<std::chrono::days>(at) - std::chrono::floor<std::chrono::days>(now)).count();
    if (ahead == 0) return time + " today";
    if (ahead == 1) return time + " tomorrow";
    return fmt::format("{} on {}", time, say_date(calendar(at)));
}

// "10 minutes" says how long, "10 minute timer" says which.
std::string length_of(const timers::timer& t) {
    auto length = say_duration(t.duration);
    if (length.ends_with('s')) length.pop_back();
    return length;
}

// "pasta timer", "10 minute timer", "7 AM alarm".
std::string name_of(const timers::timer& t) {
    if (!t.label.empty()) return t.label + (t.is_alarm() ? " alarm" : " timer");
    if (t.is_alarm()) return say_time(calendar(*t.local_at)) + " alarm";
    return length_of(t) + " timer";
}

// What tells two timers of one name apart: "3 minute pasta timer", "7 AM alarm on weekdays".
std::string exact_name_of(const timers::timer& t, std::chrono::local_seconds now) {
    if (!t.is_alarm()) return t.label.empty() ? name_of(t) : length_of(t) + " " + name_of(t);
    return fmt::format("{} for {}", t.label.empty() ? "alarm" : t.label + " alarm", say_when(*t.local_at, t.days, now));
}

std::string left_on(const timers::timer& t) {
    if (t.ringing()) return fmt::format("The {} is done.", name_of(t));
    const auto left = say_duration(t.remaining);
    if (t.state == timers::timer_state::paused) return fmt::format("The {} is paused with {} left.", name_of(t), left);
    return fmt::format("{} left on the {}.", capitalised(left), name_of(t));
}

// That there is nothing to tell of is an answer; that the timers cannot be reached is a failure.
spoken_answer no_timers(const error& e) {
    if (e.code == errc::not_found) return {.text = e.message, .error_key = "timer_not_found"};
    return apology(e, "Sorry, I can't get at the timers right now.");
}

spoken_answer not_started(const error& e) {
    if (e.code == errc::invalid_argument || e.code == errc::too_long)
        return apology(e, "Sorry, a timer can be between one second and seven days.");
    if (e.code == errc::busy) return apology(e, "Sorry, there are too many timers already.");
    return apology(e, "Sorry, the timer could not be saved, so I have not set it.");
}

spoken_answer alarm_not_set(const error& e) {
    if (e.code == errc::invalid_argument) return apology(e, "Sorry, that time is past.");
    if (e.code == errc::too_long) return apology(e, "Sorry, an alarm can be within the next year.");
    return not_started(e);
}

// What cannot be done with a timer as it is: the service's words are for people.
spoken_answer not_changed(const error& e) {
    if (e.code == errc::invalid_argument || e.code == errc::too_long)
        return apology(e, fmt::format("Sorry, {}.", e.message));
    return no_timers(e);
}

// Which of several was meant is not guessed. `command` is the one to be given to it, with a place for its name.
spoken_answer which_one(const std::vector<timers::timer>& some, std::string_view kind, std::string_view verb,
                        std::string_view command, std::chrono::local_seconds now) {
    std::vector<std::string> names;
    for (const auto& t : some) {
        const auto name = name_of(t);
        const bool is_alone =
            std::ranges::count_if(some, [&](const timers::timer& other) { return name_of(other) == name; }) == 1;
        names.push_back("the " + (is_alone ? name : exact_name_of(t, now)));
    }
    return {.text = fmt::format("There are {}: {}. Which one should I {}?", say_count(some.size(), std::string(kind)),
                                say_list(names), verb),
            .failed = true,
            .reason = "ambiguous",
            .error_key = "multiple_timers_matched",
            .completes = {fmt::format(fmt::runtime(command), fmt::format("{{}} {}s", kind)),
                          fmt::format(fmt::runtime(command), fmt::format("the {{}} {}", kind)),
                          fmt::format(fmt::runtime(command), fmt::format("the {} for {{}}", kind))}};
}

// Timers as the collection's templates speak of them.
intent::jinja::list described(const std::vector<timers::timer>& some) {
    intent::jinja::list out;
    const auto put = [](intent::jinja::value& into, const std::string& prefix, const char* suffix,
                        milliseconds length) {
        const auto s = std::chrono::round<seconds>(length).count();
        into.set(prefix + "_hours" + suffix, s / 3600);
        into.set(prefix + "_minutes" + suffix, s / 60 % 60);
        into.set(prefix + "_seconds" + suffix, s % 60);
    };
    for (const auto& t : some) {
        intent::jinja::value one{intent::jinja::dictionary{
            {"name", t.label},
            {"area", t.area},
            {"is_active", t.state != timers::timer_state::paused},
            {"total_seconds_left", std::int64_t{std::chrono::round<seconds>(t.remaining).count()}}}};
        put(one, "rounded", "_left", t.remaining);
        put(one, "start", "", t.duration);
        out.push_back(std::move(one));
    }
    return out;
}

template <class T>
result<void> done_or_error(result<T> done) {
    if (!done) return fail(std::move(done));
    return {};
}

bool take(std::string& text, std::string_view phrase) {
    const auto at = (" " + text + " ").find(" " + std::string(phrase) + " ");
    if (at == std::string::npos) return false;
    text.erase(at, phrase.size());
    text = std::string(trim(text));
    return true;
}

}  // namespace

std::optional<alarm_time> parse_alarm_time(const std::string& said, std::chrono::local_seconds now) {
    std::string text = to_lower(trim(said));
    std::erase(text, ',');
    weekday_set days = 0, once = 0;
    for (const auto& [phrase, set] : said_days)
        if (take(text, phrase)) {
            days |= set;
            // "every morning" says which half of the day as well.
            if (phrase.ends_with("morning")) text += " in the morning";
        }
    for (unsigned i = 0; i < weekday_names.size(); ++i) {
        const auto day = timers::only(std::chrono::weekday(i));
        const std::string name(weekday_names.at(i));
        if (take(text, "every " + name) || take(text, "on " + name + "s") || take(text, name + "s") ||
            ((days != 0) && take(text, "and " + name)))
            days |= day;
        else if (take(text, "on " + name) || take(text, "next " + name) || take(text, name))
            once |= day;
    }
    // "every monday and friday": the second has no word of its own.
    if (days != 0) days |= std::exchange(once, weekday_set{});
    while (take(text, "and")) {
    }
    auto time = intent::parse_spoken_time(trim(text));
    if (!time) return std::nullopt;
    const auto of_day = std::chrono::hours(time->hour) + std::chrono::minutes(time->minute);
    if (days == 0 && once == 0)
        return alarm_time{.at = intent::next_occurrence(*time, now), .half_day_said = time->half_day_said};
    // Said with a day, an hour without its half of the day is the morning's.
    const auto like = std::chrono::floor<std::chrono::days>(now) + of_day;
    return alarm_time{
        .at = timers::next_on(days != 0 ? days : once, like, now), .days = days, .half_day_said = time->half_day_said};
}

std::optional<spoken_answer> timer_answers::answer_for(const intent::recognized& what, const asker& who) {
    auto planned = plan_for(what, who);
    if (!planned) return std::nullopt;
    if (planned->act)
        if (auto done = planned->act(); !done) return planned->apologise(done.error());
    return std::move(planned->words);
}

std::optional<spoken_answer> timer_answers::preview(const intent::recognized& what, const asker& who) const {
    auto planned = plan_for(what, who);
    if (!planned) return std::nullopt;
    return std::move(planned->words);
}

std::optional<timer_answers::plan> timer_answers::plan_for(const intent::recognized& what, const asker& who) const {
    const auto& name = what.intent;
    if (name == "HassStartTimer") return start(what, who);
    if (name == "HassTimerStatus") return status(what);
    if (name == "HassCancelTimer") return cancel(what);
    if (name == "HassCancelAllTimers") return cancel_all(what, kind::timers);
    if (name == "HassPauseTimer") return pause(what);
    if (name == "HassUnpauseTimer") return resume(what);
    if (name == "HassIncreaseTimer") return change_time(what, 1);
    if (name == "HassDecreaseTimer") return change_time(what, -1);
    if (name == "LoqaSetAlarm") return set_alarm(what, who);
    if (name == "LoqaListAlarms") return list_alarms(what);
    if (name == "LoqaCancelAlarm") return cancel_alarm(what);
    if (name == "LoqaCancelAllAlarms") return cancel_all(what, kind::alarms);
    if (name == "LoqaSnooze") return snooze(what);
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
                                   .area = who.area,
                                   .pcm = who.pcm,
                                   .ephemeral = who.ephemeral};
    const auto name =
        wanted.label.empty() ? "Timer" : capitalised(name_of({.label = wanted.label, .duration = wanted.duration}));
    return {.words = {.text = fmt::format("{} set for {}.", name, say_duration(*duration))},
            .act = [this, wanted] { return done_or_error(timers_.start(wanted)); },
            .apologise = not_started};
}

timer_answers::plan timer_answers::set_alarm(const intent::recognized& what, const asker& who) const {
    const auto now = now_shown();
    auto wanted = parse_alarm_time(what.text_of("time"), now);
    auto label = to_lower(trim(what.text_of("name")));
    if (!wanted)
        return {.words = {.text = "For what time should the alarm be?",
                          .failed = true,
                          .reason = "missing_time",
                          .completes = {label.empty() ? "set an alarm for {}"
                                                      : fmt::format("set a {} alarm for {{}}", label)}}};
    if (const auto days = days_named(label); days != 0) {
        // "Recurring" says nothing of the days where they are told as well.
        auto again = *wanted;
        if (again.days == 0) again = {.at = timers::next_on(days, wanted->at, now), .days = days};
        wanted = again;
        label.clear();
    }
    return {.words = {.text = fmt::format("{} set for {}.", label.empty() ? "Alarm" : capitalised(label + " alarm"),
                                          say_when(wanted->at, wanted->days, now))},
            .act =
                [this, when = *wanted, label, who] {
                    return done_or_error(timers_.start({.label = label,
                                                        .session_id = who.session_id,
                                                        .target = who.target,
                                                        .area = who.area,
                                                        .pcm = who.pcm,
                                                        .at = timers::from_local(when.at),
                                                        .days = when.days,
                                                        .ephemeral = who.ephemeral}));
                },
            .apologise = alarm_not_set};
}

result<std::vector<timers::timer>> timer_answers::meant(const intent::recognized& what, kind of) const {
    auto all = timers_.list();
    if (!all) return all;
    // What somebody has put off to be done is no timer to them.
    std::erase_if(*all,
                  [&](const timers::timer& t) { return !t.action.empty() || t.is_alarm() != (of == kind::alarms); });
    const std::string_view one = of == kind::alarms ? "alarm" : "timer";
    if (all->empty())
        return fail(errc::not_found, "{}", of == kind::alarms ? "No alarm is set." : "No timer is running.");

    auto label = to_lower(trim(what.text_of("name")));
    // A room that was not said is none.
    const auto* room = what.find("area");
    const auto area = room != nullptr && !room->text.empty() ? to_lower(trim(what.text_of("area"))) : std::string();
    const auto length = duration_of(what, "start_");
    std::optional<alarm_time> time;
    if (const auto said = what.text_of("time"); !said.empty()) {
        time = parse_alarm_time(said, now_shown());
        // "The gym alarm": what is no time is a name.
        if (!time) label = to_lower(trim(said));
    }
    const auto named = [&](const timers::timer& t) {
        if (label.empty() || t.label == label) return true;
        const auto days = of == kind::alarms ? days_named(label) : weekday_set{};
        if (days == 0) return false;
        const auto on = timers::only(std::chrono::weekday(std::chrono::floor<std::chrono::days>(*t.local_at)));
        return t.days == days || (t.days != 0 && (label == "recurring" || label == "repeating")) ||
               (std::ranges::find(weekday_names, label) != weekday_names.end() &&
                ((t.days == 0 ? on : t.days) & days) != 0);
    };
    // "The 9:30 alarm" is the one in the morning or the one in the evening.
    const auto shows = [&](std::chrono::local_seconds at) {
        return (at - time->at) % std::chrono::hours(time->half_day_said ? 24 : 12) == seconds(0);
    };
    std::erase_if(*all, [&](const timers::timer& t) {
        return !named(t) ||
               // "The kitchen timer" was set in the kitchen, or is called so.
               (!area.empty() && t.area != area && t.label != area) || (length && t.duration != *length) ||
               (time && (!shows(*t.local_at) || (time->days != 0 && time->days != t.days)));
    });
    if (all->empty()) return fail(errc::not_found, "There is no such {}.", one);
    if (const auto place = what.text_of("order"); !place.empty() && place != "all") {
        // As they were set; "the next one" is the next to ring.
        if (place != "next") std::ranges::sort(*all, {}, &timers::timer::id);
        const auto index = place == "last" ? all->size() - 1 : place == "second" ? 1 : place == "third" ? 2 : 0;
        if (index >= all->size()) return fail(errc::not_found, "There is no such {}.", one);
        return std::vector{all->at(index)};
    }
    return all;
}

timer_answers::plan timer_answers::make_sure(
    const timers::timer& of, std::string text,
    std::function<result<timers::timer>(timers::timer_service&, std::int64_t)> act) const {
    return {.words = {.text = std::move(text)},
            .act = [this, id = of.id, act = std::move(act)] { return done_or_error(act(timers_, id)); },
            .apologise = not_changed};
}

timer_answers::plan timer_answers::status(const intent::recognized& what) const {
    const auto some = meant(what, kind::timers);
    if (!some) return {.words = no_timers(some.error())};
    std::string text = some->size() == 1 ? "" : fmt::format("There are {}.", say_count(some->size(), "timer"));
    for (const auto& t : *some) text += (text.empty() ? "" : " ") + left_on(t);
    return {.words = {.text = text, .values = {{"slots.timers", described(*some)}}}};
}

timer_answers::plan timer_answers::list_alarms(const intent::recognized& what) const {
    const auto some = meant(what, kind::alarms);
    if (!some) return {.words = no_timers(some.error())};
    const auto now = now_shown();
    std::vector<std::string> times;
    for (const auto& t : *some) {
        auto when = say_when(*t.local_at, t.days, now);
        if (t.ringing()) when = "one that is ringing";
        times.push_back(t.label.empty() ? when : fmt::format("{} ({})", when, t.label));
    }
    if (const auto place = what.text_of("order"); !place.empty())
        return {.words = {.text = fmt::format("The {} alarm is for {}.", place, times.front())}};
    return {.words = {.text = some->size() == 1 ? fmt::format("There is an alarm for {}.", times.front())
                                                : fmt::format("There are {}: {}.", say_count(times.size(), "alarm"),
                                                              say_list(times))}};
}

timer_answers::plan timer_answers::cancel(const intent::recognized& what) const {
    const auto some = meant(what, kind::timers);
    if (!some) return {.words = no_timers(some.error())};
    if (some->size() > 1) return {.words = which_one(*some, "timer", "cancel", "cancel {}", now_shown())};
    return make_sure(some->front(), fmt::format("{} cancelled.", capitalised(name_of(some->front()))),
                     [](auto& service, auto id) { return service.cancel(id); });
}

timer_answers::plan timer_answers::cancel_alarm(const intent::recognized& what) const {
    auto some = meant(what, kind::alarms);
    if (!some) return {.words = no_timers(some.error())};
    // "Turn off the alarm", while one rings, means that one, and only its ring.
    const auto rings = std::ranges::find_if(*some, &timers::timer::ringing);
    if (rings != some->end())
        return {.words = {.stop_speaking = true},
                .act = [this, id = rings->id] { return timers_.acknowledge(id); },
                .apologise = no_timers};
    if (some->size() > 1) return {.words = which_one(*some, "alarm", "cancel", "cancel {}", now_shown())};
    return make_sure(some->front(), fmt::format("{} cancelled.", capitalised(name_of(some->front()))),
                     [](auto& service, auto id) { return service.cancel(id); });
}

timer_answers::plan timer_answers::cancel_all(const intent::recognized& what, kind of) const {
    auto all = meant(what, of);
    if (!all) return {.words = no_timers(all.error())};
    const std::string one = of == kind::alarms ? "alarm" : "timer";
    auto text = all->size() == 1 ? fmt::format("{} cancelled.", capitalised(one))
                                 : fmt::format("{} cancelled.", say_count(all->size(), one));
    const auto canceled = static_cast<std::int64_t>(all->size());
    return {.words = {.text = std::move(text), .values = {{"slots.canceled", canceled}}},
            .act = [this, all = std::move(*all)]() -> result<void> {
                for (const auto& t : all)
                    if (auto done = timers_.cancel(t.id); !done && done.error().code != errc::not_found)
                        return fail(std::move(done));
                return {};
            },
            .apologise = no_timers};
}

timer_answers::plan timer_answers::all_of(
    const std::vector<timers::timer>& some, std::string_view done,
    std::function<result<timers::timer>(timers::timer_service&, std::int64_t)> act) const {
    std::vector<std::int64_t> ids;
    for (const auto& t : some) ids.push_back(t.id);
    return {.words = {.text = fmt::format("{} {}.", say_count(ids.size(), "timer"), done)},
            .act = [this, ids = std::move(ids), act = std::move(act)]() -> result<void> {
                for (const auto id : ids)
                    if (auto each = act(timers_, id); !each && each.error().code != errc::not_found)
                        return fail(std::move(each));
                return {};
            },
            .apologise = not_changed};
}

timer_answers::plan timer_answers::pause(const intent::recognized& what) const {
    auto some = meant(what, kind::timers);
    if (!some) return {.words = no_timers(some.error())};
    // One that stands still already is hardly meant, unless it is the only one.
    if (some->size() > 1) std::erase_if(*some, [](const auto& t) { return t.state != timers::timer_state::running; });
    if (some->empty()) return {.words = {.text = "No timer is running."}};
    if (what.text_of("order") == "all" && some->size() > 1)
        return all_of(*some, "paused", [](auto& service, auto id) { return service.pause(id); });
    if (some->size() > 1) return {.words = which_one(*some, "timer", "pause", "pause {}", now_shown())};
    const auto& one = some->front();
    if (one.state == timers::timer_state::paused)
        return {.words = {.text = fmt::format("The {} is paused already.", name_of(one))}};
    return make_sure(one,
                     fmt::format("{} paused with {} left.", capitalised(name_of(one)), say_duration(one.remaining)),
                     [](auto& service, auto id) { return service.pause(id); });
}

timer_answers::plan timer_answers::resume(const intent::recognized& what) const {
    auto some = meant(what, kind::timers);
    if (!some) return {.words = no_timers(some.error())};
    std::erase_if(*some, [](const auto& t) { return t.state != timers::timer_state::paused; });
    if (some->empty()) return {.words = {.text = "No timer is paused."}};
    if (what.text_of("order") == "all" && some->size() > 1)
        return all_of(*some, "go on", [](auto& service, auto id) { return service.resume(id); });
    if (some->size() > 1) return {.words = which_one(*some, "timer", "resume", "resume {}", now_shown())};
    const auto& one = some->front();
    return make_sure(one, fmt::format("{} goes on, {} left.", capitalised(name_of(one)), say_duration(one.remaining)),
                     [](auto& service, auto id) { return service.resume(id); });
}

timer_answers::plan timer_answers::change_time(const intent::recognized& what, int sign) const {
    const auto by = duration_of(what, "");
    if (!by) return {.words = {.text = "By how much?", .failed = true, .reason = "missing_duration"}};
    auto some = meant(what, kind::timers);
    if (!some) return {.words = no_timers(some.error())};
    // "Add five minutes", while one rings, is said to that one.
    if (const auto rings = std::ranges::find_if(*some, &timers::timer::ringing); rings != some->end() && sign > 0)
        some = std::vector{*rings};
    if (some->size() > 1) {
        const auto command =
            fmt::format("{} {} {} {{}}", sign > 0 ? "add" : "take", say_duration(*by), sign > 0 ? "to" : "off");
        return {.words = which_one(*some, "timer", sign > 0 ? "add to" : "shorten", command, now_shown())};
    }
    const auto& one = some->front();
    const auto left = (one.ringing() ? milliseconds(0) : one.remaining) + sign * *by;
    if (left < timers::shortest)
        return {
            .words = {.text = fmt::format("Sorry, the {} has only {} left.", name_of(one), say_duration(one.remaining)),
                      .failed = true,
                      .reason = "invalid_argument"}};
    auto planned = make_sure(one,
                             fmt::format("{} {}, {} left on the {}.", capitalised(say_duration(*by)),
                                         sign > 0 ? "added" : "removed", say_duration(left), name_of(one)),
                             [amount = sign * *by](auto& service, auto id) { return service.add(id, amount); });
    planned.words.stop_speaking = one.ringing();
    return planned;
}

timer_answers::plan timer_answers::snooze(const intent::recognized& what) const {
    const auto all = timers_.list();
    if (!all) return {.words = no_timers(all.error())};
    std::vector<std::int64_t> ringing;
    for (const auto& t : *all)
        if (t.ringing() && t.action.empty()) ringing.push_back(t.id);
    if (ringing.empty()) return {.words = {.text = "Nothing is ringing."}};
    const auto by = duration_of(what, "").value_or(snooze_);
    return {.words = {.text = fmt::format("Okay, again in {}.", say_duration(by))},
            .act = [this, ringing, by]() -> result<void> {
                for (const auto id : ringing)
                    if (auto done = timers_.snooze(id, by); !done && done.error().code != errc::not_found)
                        return fail(std::move(done));
                return {};
            },
            .apologise = not_changed};
}

}  // namespace loqa::session
