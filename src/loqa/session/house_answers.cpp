#include "loqa/session/house_answers.hpp"

#include <algorithm>

#include "loqa/house/plan.hpp"
#include "loqa/intent/responses.hpp"
#include "loqa/session/answers.hpp"
#include "loqa/session/later.hpp"

namespace loqa::session {
namespace {

// What is said where the collection says nothing.
std::string_view done_in(std::string_view language) {
    if (language.starts_with("de")) return "Erledigt.";
    if (language.starts_with("fr")) return "C'est fait.";
    if (language.starts_with("es")) return "Hecho.";
    return "Done.";
}

bool is_english(std::string_view language) { return language.empty() || language.starts_with("en"); }

// A sentence ends with a point, so that the voice falls.
std::string sentence(std::string text) {
    if (text.empty()) return text;
    const auto last = text.back();
    if (last != '.' && last != '!' && last != '?') text += '.';
    return text;
}

// Whether all that changes is in the room that was spoken from.
bool is_local(const intent::home& home, const std::vector<std::string>& areas, const std::string& asked_from) {
    if (asked_from.empty() || areas.size() != 1) return false;
    const auto found = std::ranges::find(home.areas, areas.front(), &intent::area::id);
    return found != home.areas.end() && found->name == asked_from;
}

}  // namespace

std::string house_answers::words(const intent::recognized& what, const intent::answer_values& values) const {
    const auto all = sentences_.now();
    const auto text = intent::render(*all->sentences, what, values);
    return text ? sentence(*text) : std::string(done_in(what.language));
}

spoken_answer house_answers::refused(std::string_view key, const intent::answer_values& values) const {
    const auto all = sentences_.now();
    std::string text;
    if (const auto found = all->sentences->errors.find(std::string(key)); found != all->sentences->errors.end())
        if (auto said = intent::render_template(found->second, values)) text = sentence(std::move(*said));
    if (text.empty()) text = "Sorry, I can't do that.";
    return {.text = std::move(text), .failed = true, .reason = std::string(key)};
}

std::optional<spoken_answer> house_answers::out_of_reach(const intent::recognized& what,
                                                         const house::changes& wanted) const {
    const auto now = home_.snapshot();
    const auto* thing = house::told_by_another(*now, wanted);
    if (thing == nullptr) return std::nullopt;
    auto out = refused("handle_error", {});
    if (is_english(what.language))
        out.text = fmt::format("Sorry, {} belongs to {}, and no skill that controls it is running.", thing->name,
                               thing->source);
    out.reason = "no_skill";
    return out;
}

std::optional<spoken_answer> house_answers::answer_for(const intent::recognized& what, const asker& who) {
    auto planned = house::plan_for(home_, what, clock_.wall());
    if (!planned) {
        // An intent that the user invented is answered by what the user wrote.
        if (!what.metadata.contains("custom")) return std::nullopt;
        const auto all = sentences_.now();
        const auto text = intent::render(*all->sentences, what);
        if (!text) return std::nullopt;
        return spoken_answer{.text = sentence(*text)};
    }
    if (!*planned) return refused(planned->error().key, planned->error().values);
    auto& plan = **planned;
    plan.changes.ephemeral = who.ephemeral;
    if (auto why = out_of_reach(what, plan.changes)) return why;
    if (!plan.changes.empty())
        if (const auto applied = home_.apply(plan.changes); !applied) {
            auto answer = refused("handle_error", {});
            answer.reason = to_string(applied.error().code);
            return answer;
        }
    return spoken_answer{.text = words(what, plan.values),
                         .local = !plan.changes.empty() && is_local(*home_.snapshot(), plan.areas, who.area)};
}

void house_answers::translate(const intent::recognized& what, spoken_answer& given) const {
    if (given.text.empty() || is_english(what.language)) return;
    if (!given.error_key.empty() || given.failed) {
        const auto reason = given.reason;
        const bool failed = given.failed;
        given = refused(given.error_key.empty() ? "handle_error" : given.error_key, given.values);
        given.reason = reason;
        given.failed = failed;
    } else {
        const auto all = sentences_.now();
        if (auto said = intent::render(*all->sentences, what, given.values)) given.text = sentence(std::move(*said));
    }
}

std::string house_answers::promise(const intent::command& command, wall_time now) const {
    const auto& language = command.what.language;
    if (is_english(language) || !command.delay) return promise_of(command, now);
    intent::recognized put_off{.intent = "HassStartTimer", .language = language, .response = "command"};
    const auto s = command.delay->count();
    for (const auto& [unit, count] : {std::pair{"hours", s / 3600}, {"minutes", s / 60 % 60}, {"seconds", s % 60}})
        if (count > 0) put_off.slots.push_back({unit, std::int64_t{count}, std::to_string(count), false});
    return words(put_off, {});
}

spoken_answer house_answers::not_understood(const intent::miss& why) const {
    const auto language = sentences_.now()->meaning->sentences().language();
    if (is_english(language)) return answers::not_understood(why);
    const bool place = why.reason == intent::miss_reason::unknown_name;
    const std::string key = !place                ? "no_intent"
                            : why.list == "area"  ? "no_area"
                            : why.list == "floor" ? "no_floor"
                                                  : "no_entity";
    auto out = refused(key, {{"area", why.word}, {"floor", why.word}, {"entity", why.word}});
    out.reason = place ? "unknown_name" : std::string(intent::to_string(why.reason));
    return out;
}

std::optional<std::string> house_answers::preview(const intent::recognized& what, const asker& /*who*/) const {
    const auto planned = house::plan_for(home_, what, clock_.wall());
    if (!planned || !*planned || out_of_reach(what, (*planned)->changes)) return std::nullopt;
    return words(what, (*planned)->values);
}

std::optional<proposal> house_answers::propose(const intent::recognized& what) const {
    auto planned = house::plan_for(home_, what, clock_.wall());
    if (!planned || !*planned || (*planned)->changes.states.empty()) return std::nullopt;
    auto speech = words(what, (*planned)->values);
    return proposal{.changes = std::move((*planned)->changes), .speech = std::move(speech)};
}

std::optional<spoken_answer> house_answers::objection(const intent::recognized& what, const asker& /*who*/) const {
    const auto planned = house::plan_for(home_, what, clock_.wall());
    if (!planned) return std::nullopt;
    if (*planned) return out_of_reach(what, (*planned)->changes);
    return refused(planned->error().key, planned->error().values);
}

}  // namespace loqa::session
