#include "loqa/stt/expectation.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "loqa/base/text.hpp"

namespace loqa::stt {
namespace {

bool is_loose(const intent::command& one) { return std::ranges::any_of(one.what.slots, &intent::slot::wildcard); }

std::string plain(std::string_view text) {
    std::string words = to_lower(text);
    std::erase_if(words, [](char c) { return c == '.' || c == '?' || c == '!'; });
    return words;
}

std::string meaning_of(const intent::recognized& what) {
    std::vector<std::string> slots;
    for (const auto& one : what.slots) slots.push_back(fmt::format(" {}={}", one.name, intent::to_string(one.value)));
    std::ranges::sort(slots);
    std::string all = what.intent;
    for (const auto& one : slots) all += one;
    return all;
}

}  // namespace

expectation::expectation(std::shared_ptr<const intent::interpreter> of)
    : of_(std::move(of)), sentences_({of_, &of_->sentences()}) {}

expectation::fit expectation::fits(std::string_view text) const {
    // Which room is meant the one who decides may know.
    if (intent::yes_or_no(text)) return fit::whole;
    const auto exact = of_->sentences().match(text);
    if (!exact && exact.error().reason == intent::miss_reason::missing_context) return fit::whole;
    const auto meaning = of_->understand(text);
    if (!meaning || meaning->mended || meaning->confidence < 1) return fit::none;
    return std::ranges::any_of(meaning->commands, is_loose) ? fit::loose : fit::whole;
}

std::string expectation::meaning(std::string_view text) const {
    const auto exact = of_->sentences().match(text);
    if (!exact) return exact.error().reason == intent::miss_reason::missing_context ? plain(text) : "";
    // A bare name says nowhere what to do with it.
    if (exact->literal_characters == 0 || is_loose({*exact, {}, {}})) return "";
    return meaning_of(*exact);
}

}  // namespace loqa::stt
