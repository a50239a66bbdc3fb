#include "loqa/session/timer_requests.hpp"

#include "loqa/base/text.hpp"
#include "loqa/protocol/json.hpp"
#include "loqa/protocol/messages.hpp"
#include "loqa/protocol/subjects.hpp"
#include "loqa/session/timer_answers.hpp"

namespace loqa::session {

namespace subject = protocol::subject;
using protocol::json;

namespace {

constexpr std::int64_t largest_id = std::int64_t{1} << 53;
constexpr std::size_t max_text = 256;

json timer_json(const timers::timer& t) {
    json shown{{"id", t.id},
               {"label", t.label},
               {"kind", !t.action.empty() ? "command"
                        : t.is_alarm()    ? "alarm"
                                          : "timer"},
               {"state", timers::to_string(t.state)},
               {"seconds_remaining", std::chrono::ceil<seconds>(t.remaining).count()},
               {"duration_s", std::chrono::duration_cast<seconds>(t.duration).count()},
               {"ends_at", to_rfc3339(t.ends_at)},
               {"snoozed", t.snoozed},
               {"target", t.target},
               {"area", t.area}};
    if (t.is_alarm()) {
        const auto of_day = *t.local_at - std::chrono::floor<std::chrono::days>(*t.local_at);
        const auto minutes = std::chrono::duration_cast<std::chrono::minutes>(of_day).count();
        shown["at"] = fmt::format("{:02}:{:02}", minutes / 60, minutes % 60);
        json days = json::array();
        constexpr const char* names[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};
        for (unsigned i = 0; i < 7; ++i)
            if ((t.days & timers::only(std::chrono::weekday(i))) != 0) days.push_back(names[i]);
        shown["days"] = std::move(days);
    }
    return shown;
}

}  // namespace

std::vector<std::string> timer_requests::subjects() {
    std::vector<std::string> all;
    for (const auto one : {subject::timer_start, subject::timer_cancel, subject::timers_list, subject::timers_start,
                           subject::timers_cancel, subject::timers_change})
        all.emplace_back(one);
    return all;
}

result<bool> timer_requests::handle(const bus::message& m) {
    const auto taken = [](result<void> done) -> result<bool> {
        if (!done) return fail(std::move(done));
        return true;
    };
    const auto answered = [&](const result<std::string>& answer) -> result<bool> {
        if (auto sent = bus_.respond(m, answer ? *answer : protocol::refusal(answer.error())); !sent)
            log_.warn(sent.error());
        return true;
    };
    if (m.subject == subject::timer_start) return taken(start_for_skill(m));
    if (m.subject == subject::timer_cancel) return taken(cancel_for_skill(m));
    if (m.subject == subject::timers_list) return answered(list());
    if (m.subject == subject::timers_start) return answered(start(m));
    if (m.subject == subject::timers_cancel) return answered(cancel(m));
    if (m.subject == subject::timers_change) return answered(change(m));
    return false;
}

void timer_requests::tell(const timers::timer& t, const std::string& state) {
    protocol::timer_status status{.label = t.label, .state = state};
    if (state == "started") status.seconds_remaining = std::chrono::ceil<seconds>(t.remaining).count();
    if (auto sent = bus_.publish(subject::timer_status, protocol::encode(status)); !sent) log_.warn(sent.error());
}

result<void> timer_requests::start_for_skill(const bus::message& m) {
    const auto wanted = protocol::decode<protocol::timer_start>(m.payload);
    if (!wanted) return fail(wanted);
    auto started = timers_.start({.duration = milliseconds(wanted->duration_ms),
                                  .label = wanted->label,
                                  .session_id = "timers",
                                  .target = default_target_});
    if (started) {
        tell(*started, "started");
    } else {
        log_.warn(started.error());
        tell({.label = wanted->label}, "failed");
    }
    return {};
}

result<void> timer_requests::cancel_for_skill(const bus::message& m) {
    const auto wanted = protocol::decode<protocol::timer_cancel>(m.payload);
    if (!wanted) return fail(wanted);
    const auto all = timers_.list();
    if (!all) return fail(all);
    for (const auto& t : *all) {
        // Nobody who speaks of timers means what was put off, or an alarm.
        if (!t.action.empty() || t.is_alarm()) continue;
        if (!wanted->label.empty() && t.label != to_lower(wanted->label)) continue;
        if (auto done = timers_.cancel(t.id); done)
            tell(t, "cancelled");
        else
            log_.warn(done.error());
    }
    return {};
}

result<std::string> timer_requests::list() const {
    const auto all = timers_.list();
    if (!all) return fail(all);
    json shown = json::array();
    for (const auto& t : *all) shown.push_back(timer_json(t));
    return protocol::dump({{"timers", std::move(shown)}});
}

result<std::string> timer_requests::start(const bus::message& m) {
    auto request = protocol::parse_object(m.payload);
    if (!request) return fail(std::move(request));
    std::int64_t duration_s = 0;
    std::string label, at, target;
    protocol::field_reader read(*request);
    read.integer("duration_s", duration_s, 0, 7 * 86'400);
    read.text("label", label, max_text).text("at", at, max_text).text("target", target, max_text);
    if (read.failed()) return failure(read.why());
    timers::new_timer wanted{.duration = seconds(duration_s),
                             .label = label,
                             .session_id = "timers",
                             .target = target.empty() ? default_target_ : target};
    if (!at.empty()) {
        const auto time = parse_alarm_time(at, timers::to_local(clock_.wall()));
        if (!time)
            return fail(errc::invalid_argument, "\"{}\" is no time that is understood here", at)
                .hint("as it is said: \"7:30\", \"6 pm tomorrow\", \"7 am on weekdays\"");
        wanted.at = timers::from_local(time->at);
        wanted.days = time->days;
    }
    auto started = timers_.start(wanted);
    if (!started) return fail(std::move(started));
    tell(*started, "started");
    return protocol::dump({{"timer", timer_json(*started)}});
}

result<std::vector<timers::timer>> timer_requests::named(std::int64_t id, const std::string& label) const {
    auto all = timers_.list();
    if (!all) return all;
    std::erase_if(*all, [&](const timers::timer& t) {
        return id != 0 ? t.id != id : label.empty() || t.label != to_lower(label);
    });
    if (!all->empty()) return all;
    if (id != 0) return fail(errc::not_found, "there is no timer {}", id).hint("see which there are: loqa timers");
    return fail(errc::not_found, "there is no timer called \"{}\"", label).hint("see which there are: loqa timers");
}

result<std::string> timer_requests::cancel(const bus::message& m) {
    auto request = protocol::parse_object(m.payload);
    if (!request) return fail(std::move(request));
    std::int64_t id = 0;
    std::string label;
    protocol::field_reader read(*request);
    read.integer("id", id, 1, largest_id).text("label", label, max_text);
    if (read.failed()) return failure(read.why());
    const auto some = named(id, label);
    if (!some) return fail(some);
    int cancelled = 0;
    for (const auto& t : *some) {
        auto done = timers_.cancel(t.id);
        if (!done && done.error().code != errc::not_found) return fail(std::move(done));
        if (!done) continue;
        ++cancelled;
        tell(t, "cancelled");
    }
    return protocol::dump({{"cancelled", cancelled}});
}

result<std::string> timer_requests::change(const bus::message& m) {
    auto request = protocol::parse_object(m.payload);
    if (!request) return fail(std::move(request));
    std::int64_t id = 0, by_s = 0;
    std::string label, how;
    protocol::field_reader read(*request);
    read.integer("id", id, 1, largest_id).text("label", label, max_text);
    read.text("change", how, max_text).integer("seconds", by_s, -7 * 86'400, 7 * 86'400);
    if (read.failed()) return failure(read.why());
    const auto some = named(id, label);
    if (!some) return fail(some);
    if (some->size() > 1)
        return fail(errc::invalid_argument, "there are {} timers called \"{}\"", some->size(), label)
            .hint("name one by its number: loqa timers");
    const auto one = some->front().id;
    result<timers::timer> changed =
        fail(errc::invalid_argument, "\"{}\" is no change: it is pause, resume, add, snooze or stop", how);
    if (how == "pause") changed = timers_.pause(one);
    if (how == "resume") changed = timers_.resume(one);
    if (how == "add") changed = timers_.add(one, seconds(by_s));
    if (how == "snooze") changed = timers_.snooze(one, seconds(by_s));
    if (how == "stop") {
        if (!some->front().ringing()) return fail(errc::invalid_argument, "timer {} is not ringing", one);
        if (auto done = timers_.acknowledge(one); !done) return fail(std::move(done));
        changed = some->front();
    }
    if (!changed) return fail(std::move(changed));
    return protocol::dump({{"timer", timer_json(*changed)}});
}

}  // namespace loqa::session
