#include "loqa/session/house_answers.hpp"

#include <algorithm>

#include "loqa/house/plan.hpp"
#include "loqa/intent/responses.hpp"

namespace loqa::session {
namespace {

constexpr std::string_view done = "Done.";

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
    return text ? sentence(*text) : std::string(done);
}

spoken_answer house_answers::refused(std::string_view key, const intent::answer_values& values) const {
    const auto all = sentences_.now();
    std::string text;
    if (const auto found = all->sentences->errors.find(std::string(key)); found != all->sentences->errors.end())
        if (auto said = intent::render_template(found->second, values)) text = sentence(std::move(*said));
    if (text.empty()) text = "Sorry, I can't do that.";
    return {.text = std::move(text), .failed = true, .reason = std::string(key)};
}

std::optional<spoken_answer> house_answers::answer_for(const intent::recognized& what, const asker& who) {
    const auto planned = house::plan_for(home_, what, clock_.wall());
    if (!planned) {
        // An intent that the user invented is answered by what the user wrote.
        if (!what.metadata.contains("custom")) return std::nullopt;
        const auto all = sentences_.now();
        const auto text = intent::render(*all->sentences, what);
        if (!text) return std::nullopt;
        return spoken_answer{.text = sentence(*text)};
    }
    if (!*planned) return refused(planned->error().key, planned->error().values);
    const auto& plan = **planned;
    if (!plan.changes.empty())
        if (const auto applied = home_.apply(plan.changes); !applied) {
            auto answer = refused("handle_error", {});
            answer.reason = to_string(applied.error().code);
            return answer;
        }
    return spoken_answer{.text = words(what, plan.values),
                         .local = !plan.changes.empty() && is_local(*home_.snapshot(), plan.areas, who.area)};
}

std::optional<std::string> house_answers::preview(const intent::recognized& what, const asker& /*who*/) const {
    const auto planned = house::plan_for(home_, what, clock_.wall());
    if (!planned || !*planned) return std::nullopt;
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
    if (!planned || *planned) return std::nullopt;
    return refused(planned->error().key, planned->error().values);
}

}  // namespace loqa::session
