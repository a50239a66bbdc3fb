#include "loqa/stt/expectation.hpp"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "loqa/base/text.hpp"
#include "loqa/intent/resolve.hpp"

namespace loqa::stt {
namespace {

bool is_loose(const intent::command& one) { return std::ranges::any_of(one.what.slots, &intent::slot::wildcard); }

std::string plain(std::string_view text) {
    std::string words = to_lower(text);
    std::erase_if(words, [](char c) { return c == '.' || c == '?' || c == '!'; });
    return words;
}

// By which slots things of the home are named.
bool names_things(const intent::slot& one) {
    constexpr std::array<std::string_view, 5> names{"name", "area", "floor", "domain", "device_class"};
    return std::ranges::find(names, one.name) != names.end();
}

std::string in_words(const intent::command& one, const std::vector<const intent::entity*>& things) {
    std::vector<std::string> parts;
    for (const auto& each : one.what.slots)
        if (things.empty() || !names_things(each))
            parts.push_back(fmt::format("{}={}", each.name, intent::to_string(each.value)));
    for (const auto* each : things) parts.push_back(each->id);
    if (one.delay) parts.push_back(fmt::format("in {} s", one.delay->count()));
    if (one.at)
        parts.push_back(fmt::format("at {}:{} {} {} {} {} {}", one.at->hour, one.at->minute, one.at->half_day_said,
                                    one.at->days_ahead, one.at->weekday, one.at->month, one.at->day));
    std::ranges::sort(parts);
    return fmt::format("{} {}; ", one.what.intent, fmt::join(parts, " "));
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
    const auto commands = of_->word_for_word(text);
    if (!commands) return commands.error().reason == intent::miss_reason::missing_context ? plain(text) : "";
    std::string all;
    for (const auto& one : *commands) {
        // A bare name says nowhere what to do with it.
        if (one.what.literal_characters == 0 || is_loose(one)) return "";
        all += in_words(one, {});
    }
    return all;
}

std::string expectation::effect(std::string_view text) const {
    const auto commands = of_->word_for_word(text);
    if (!commands) return plain(text);
    std::string all;
    for (const auto& one : *commands) all += in_words(one, intent::entities_of(of_->house(), one.what));
    return all;
}

bool expectation::acts(std::string_view text) const {
    const auto commands = of_->word_for_word(text);
    return commands && std::ranges::any_of(*commands, [](const auto& one) { return intent::acts(one.what.intent); });
}

}  // namespace loqa::stt
