#include "loqa/session/answers.hpp"

#include "loqa/session/phrases.hpp"

namespace loqa::session {
namespace {

// The answer is said as loud as it was asked for.
spoken_answer change_volume(const intent::recognized& what, const asker& who) {
    constexpr int step = 20;
    protocol::playback_volume wanted{.target = who.target};
    if (const auto percent = what.number_of("volume_level")) {
        wanted.percent = static_cast<int>(*percent);
        return {.text = fmt::format("Volume {} percent.", *wanted.percent), .volume = wanted};
    }
    const bool louder = what.response == "louder";
    wanted.change = louder ? step : -step;
    return {.text = louder ? "Louder." : "Quieter.", .volume = wanted};
}

}  // namespace

std::optional<spoken_answer> answers::answer_for(const intent::recognized& what, const asker& who) {
    if (auto given = timers_.answer_for(what, who)) return given;
    if (auto given = planned_.answer_for(what)) return given;
    return words_for(what, who);
}

std::optional<spoken_answer> answers::preview(const intent::recognized& what, const asker& who) const {
    if (auto given = timers_.preview(what, who)) return given;
    if (auto given = planned_.preview(what)) return given;
    return words_for(what, who);
}

std::optional<spoken_answer> answers::words_for(const intent::recognized& what, const asker& who) const {
    const auto& name = what.intent;
    const auto now = local_time(clock_.wall());
    using intent::jinja::dictionary;
    if (name == "HassGetCurrentTime")
        return spoken_answer{.text = fmt::format("It is {}.", say_time(now)),
                             .values = {{"slots.time", dictionary{{"hour", now.tm_hour}, {"minute", now.tm_min}}}}};
    if (name == "HassGetCurrentDate")
        return spoken_answer{.text = fmt::format("Today is {}.", say_date(now)),
                             .values = {{"slots.date", dictionary{{"day", now.tm_mday},
                                                                  {"month", now.tm_mon + 1},
                                                                  {"year", now.tm_year + 1900},
                                                                  {"weekday", (now.tm_wday + 6) % 7}}}}};
    if (name == "HassNevermind") return spoken_answer{.text = "Okay.", .stop_speaking = true};
    if (name == "LoqaStop") return spoken_answer{.stop_speaking = true};
    if (name == "LoqaRepeat")
        return spoken_answer{.text = who.last_reply.empty() ? "I haven't said anything yet." : who.last_reply};
    if (name == "HassBroadcast") return spoken_answer{.text = "Announced.", .announce = what.text_of("message")};
    if (name == "LoqaVolume") return change_volume(what, who);
    if (name == "HassRespond") return spoken_answer{.text = what.response == "thanks" ? "You're welcome." : "Hello."};
    if (name == "LoqaHelp")
        return spoken_answer{.text =
                                 "You can ask me for the time or the date, and I can set timers, tell you how "
                                 "long they have left, cancel them, and switch what is in the house."};
    return std::nullopt;
}

spoken_answer answers::not_understood(const intent::miss& why) {
    if (why.reason == intent::miss_reason::unknown_name)
        return {.text = "Sorry, " + why.sentence(), .failed = true, .reason = "unknown_name"};
    if (why.reason == intent::miss_reason::too_long)
        return {.text = "Sorry, that was too much at once.", .failed = true, .reason = "too_long"};
    return {
        .text = "Sorry, I can't help with that.", .failed = true, .reason = std::string(intent::to_string(why.reason))};
}

}  // namespace loqa::session
