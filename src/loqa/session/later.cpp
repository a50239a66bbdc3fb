#include "loqa/session/later.hpp"

#include <ctime>

#include "loqa/base/text.hpp"
#include "loqa/intent/resolve.hpp"
#include "loqa/protocol/json.hpp"
#include "loqa/session/phrases.hpp"
#include "loqa/session/slot_json.hpp"
#include "loqa/timers/local_time.hpp"

namespace loqa::session {

using protocol::json;

namespace {

// The moment when the clocks here show what was said.
wall_time moment_of(const intent::spoken_time& at, wall_time now) {
    return timers::from_local(intent::next_occurrence(at, timers::to_local(now)));
}

intent::slot_value value_of(const json& value) {
    if (value.is_boolean()) return value.get<bool>();
    if (value.is_number_integer()) return value.get<std::int64_t>();
    if (value.is_number()) return value.get<double>();
    return value.is_string() ? value.get<std::string>() : std::string();
}

}  // namespace

std::string to_action(const intent::recognized& what, const std::string& area) {
    json slots = json::array();
    for (const auto& one : what.slots)
        slots.push_back(
            {{"name", one.name}, {"value", to_json(one.value)}, {"text", one.text}, {"free", one.wildcard}});
    json out{{"intent", what.intent},
             {"slots", slots},
             {"language", what.language},
             {"text", what.text},
             {"response", what.response}};
    if (!area.empty()) out["area"] = area;
    if (what.metadata.contains("custom")) out["custom"] = true;
    return protocol::dump(out);
}

result<later_command> from_action(std::string_view action) {
    const auto object = protocol::parse_object(action);
    if (!object) return fail(object);
    later_command out;
    bool custom = false;
    protocol::field_reader read(*object);
    constexpr std::size_t most = timers::max_action_bytes;
    read.text("intent", out.what.intent, most, true)
        .text("language", out.what.language, most)
        .text("text", out.what.text, most)
        .text("response", out.what.response, most)
        .text("area", out.area, most)
        .boolean("custom", custom);
    if (read.failed()) return failure(read.why());
    if (custom) out.what.metadata["custom"] = true;
    if (const auto slots = object->find("slots"); slots != object->end() && slots->is_array())
        for (const auto& one : *slots) {
            intent::slot slot;
            if (!one.is_object()) return fail(errc::invalid_message, "a slot is not an object");
            protocol::field_reader read_slot(one);
            read_slot.text("name", slot.name, most, true).text("text", slot.text, most).boolean("free", slot.wildcard);
            if (read_slot.failed()) return failure(read_slot.why());
            if (const auto value = one.find("value"); value != one.end()) slot.value = value_of(*value);
            out.what.slots.push_back(std::move(slot));
        }
    return out;
}

timers::new_timer timer_for(const intent::command& command, wall_time now) {
    timers::new_timer out{.label = command.what.text.substr(0, timers::max_label_bytes)};
    if (command.delay)
        out.duration = *command.delay;
    else
        out.at = moment_of(*command.at, now);
    return out;
}

std::string plain_command(std::string_view said) {
    auto what = std::string(trim(said));
    while (!what.empty() && (what.back() == '.' || what.back() == '!' || what.back() == '?')) what.pop_back();
    if (to_lower(what).starts_with("please ")) what.erase(0, 7);
    // "TV off" keeps its capitals.
    if (what.size() > 1 && to_lower(what.substr(1, 1)) == what.substr(1, 1)) what[0] = to_lower(what.substr(0, 1))[0];
    return what;
}

std::string moment_in_words(wall_time at, wall_time now) {
    const auto then = local_time(at), today = local_time(now), tomorrow = local_time(now + std::chrono::hours(24));
    const auto same_day = [&](const std::tm& day) {
        return day.tm_yday == then.tm_yday && day.tm_year == then.tm_year;
    };
    const auto when = same_day(today)      ? std::string()
                      : same_day(tomorrow) ? std::string(" tomorrow")
                                           : " on " + say_date(then);
    return fmt::format("{} at {}", when, say_time(then));
}

std::string promise_of(const intent::command& command, wall_time now) {
    const auto what = plain_command(command.what.text);
    if (command.delay) return fmt::format("I'll {} in {}.", what, say_duration(*command.delay));
    return fmt::format("I'll {}{}.", what, moment_in_words(moment_of(*command.at, now), now));
}

std::optional<overdue> overdue_words(const intent::recognized& what, const intent::home& house, milliseconds late) {
    if (late <= milliseconds(0)) return std::nullopt;
    const auto risk = intent::risks_of(house, what);
    if (risk.lock || risk.cover || risk.alarm || late > late_but_done)
        return overdue{fmt::format("{} ago, while I was away, I should have done this: {}. Shall I do it now?",
                                   capitalised(say_duration(late)), plain_command(what.text)),
                       true};
    return overdue{fmt::format("Sorry, this is {} late.", say_duration(late)), false};
}

}  // namespace loqa::session
