#include "loqa/intent/follower.hpp"

#include <algorithm>
#include <span>
#include <utility>

#include "loqa/intent/around.hpp"
#include "loqa/intent/program.hpp"
#include "loqa/intent/text.hpp"

namespace loqa::intent {
namespace {

constexpr std::uint32_t most_digits_value = 99'999;
constexpr std::uint32_t no_digits = none;

bool in_range(const number_range& range, std::uint32_t value) {
    return range.digits && value >= range.from && value <= range.to;
}

}  // namespace

// What may be said before, between and behind sentences.
struct follower::words_around {
    trie before, between, behind;

    explicit words_around(const matcher& sentences) {
        const auto fill = [](trie& into, const std::vector<std::u32string>& words, std::u32string_view end) {
            std::vector<trie::entry> entries;
            for (std::u32string each : words) {
                std::ranges::replace(each, U'-', U' ');
                entries.push_back({each.append(end), 0});
            }
            into.build(std::move(entries));
        };
        const auto& skipped = sentences.code().skip_words;
        fill(before, skipped, U" ");
        fill(between, conjunctions(sentences.language()), U" ");
        auto last = spoken_moments(sentences.language());
        last.insert(last.end(), skipped.begin(), skipped.end());
        fill(behind, last, U"");
    }

    const trie& at(place::in where) const {
        return where == place::in::before ? before : where == place::in::between ? between : behind;
    }
};

follower::follower(std::shared_ptr<const matcher> sentences, std::size_t most_states)
    : sentences_(std::move(sentences)),
      most_states_(most_states),
      around_(std::make_unique<words_around>(*sentences_)) {}

follower::~follower() = default;

// Whether nothing but spaces is missing to the end.
bool follower::may_end(std::uint32_t node_index) const {
    const program& p = sentences_->code();
    const node& n = p.nodes[node_index];
    if (n.code == node::op::end) return true;
    if (n.code == node::op::text) return p.chunks[n.a].only_spaces && may_end(n.next);
    if (n.code != node::op::split) return false;
    const auto targets = std::span(p.targets).subspan(n.a, n.b);
    return std::ranges::any_of(targets, [this](std::uint32_t target) { return may_end(target); });
}

// Puts the places in where a node waits for a letter.
void follower::enter(std::uint32_t node_index, bool word_start, reached& into) const {
    if (!into.entered.emplace(node_index, word_start).second) return;
    const program& p = sentences_->code();
    const node& n = p.nodes[node_index];
    switch (n.code) {
        case node::op::end:
            into.whole = true;
            return;
        case node::op::split:
            for (const std::uint32_t target : std::span(p.targets).subspan(n.a, n.b)) enter(target, word_start, into);
            return;
        case node::op::text: {
            const chunk& c = p.chunks[n.a];
            if (c.only_spaces && word_start) return enter(n.next, true, into);
            if (c.only_spaces && may_end(n.next)) into.whole = true;
            into.places.push_back(
                {node_index, word_start ? std::uint32_t{c.leading_spaces} : 0, place::in::text, word_start});
            return;
        }
        case node::op::list: {
            const compiled_list& list = p.lists[n.a];
            if (list.type == compiled_list::kind::wildcard) return;
            if (!list.words.empty()) into.places.push_back({node_index, 0, place::in::values, word_start});
            if (list.type == compiled_list::kind::range && list.range.digits)
                into.places.push_back({node_index, no_digits, place::in::digits, word_start});
            return;
        }
    }
}

// Goes on behind the node, if what it stands for may be over at this place.
void follower::leave(const place& from, reached& into) const {
    const program& p = sentences_->code();
    const node& n = p.nodes[from.node];
    switch (from.where) {
        case place::in::text:
            if (from.at == p.chunks[n.a].length) enter(n.next, p.chunks[n.a].ends_word, into);
            return;
        case place::in::values:
            if (p.lists[n.a].words.ends(from.at)) enter(n.next, false, into);
            return;
        case place::in::digits:
            if (in_range(p.lists[n.a].range, from.at)) enter(n.next, false, into);
            return;
        case place::in::before:
        case place::in::between:
            if (around_->at(from.where).ends(from.at)) enter_all(into);
            return;
        case place::in::behind:
            if (around_->behind.ends(from.at)) into.whole = true;
            return;
    }
}

// Where a sentence begins, perhaps with a skip word.
void follower::enter_all(reached& into) const {
    for (const auto& each : sentences_->code().templates) enter(each.entry, true, into);
    if (!around_->before.empty()) into.places.push_back({0, 0, place::in::before, true});
}

std::uint32_t follower::keep(reached found) {
    if (found.places.empty() && !found.whole) return dead;
    std::ranges::sort(found.places);
    const auto same = std::ranges::unique(found.places);
    found.places.erase(same.begin(), same.end());
    std::size_t hash = found.whole ? 1 : 0;
    for (const place& each : found.places)
        for (const std::size_t part :
             {std::size_t{each.node}, std::size_t{each.at}, static_cast<std::size_t>(each.where)})
            hash = (hash ^ part) * 1'099'511'628'211u;  // as FNV
    const auto [first, last] = known_.equal_range(hash);
    for (auto each = first; each != last; ++each)
        if (states_[each->second].places == found.places && states_[each->second].whole == found.whole)
            return each->second;
    const auto next = static_cast<std::uint32_t>(states_.size());
    found.places.shrink_to_fit();
    states_.push_back({std::move(found.places), found.whole, {}});
    known_.emplace(hash, next);
    return next;
}

std::uint32_t follower::start() {
    if (states_.size() > most_states_) {
        states_.clear();
        known_.clear();
        ++generation_;
    }
    if (!states_.empty()) return 0;
    reached found;
    enter_all(found);
    found.whole = false;
    return keep(std::move(found));
}

std::uint32_t follower::step(std::uint32_t from, char32_t letter) {
    if (from == dead) return dead;
    letter = to_lower(letter);
    if (letter == U'-') letter = U' ';
    if (const auto known = states_[from].next.find(letter); known != states_[from].next.end()) return known->second;

    const program& p = sentences_->code();
    reached found;
    const bool space = letter == U' ';
    found.whole = space && states_[from].whole;
    if (found.whole)
        for (const auto where : {place::in::between, place::in::behind})
            if (!around_->at(where).empty()) found.places.push_back({0, 0, where, true});
    const auto reach = [&](const place& at) {
        found.places.push_back(at);
        leave(at, found);
    };
    for (place at : states_[from].places) {
        const node& n = p.nodes[at.node];
        switch (at.where) {
            case place::in::text: {
                const chunk& c = p.chunks[n.a];
                const auto text = p.text_of(c);
                if (space && at.word_start && at.at == c.leading_spaces) {
                    found.places.push_back(at);
                } else if (at.at < text.size() && text[at.at] == letter) {
                    ++at.at;
                    at.word_start = false;
                    reach(at);
                }
                break;
            }
            case place::in::values: {
                if (space && at.at == 0) {
                    found.places.push_back(at);
                    break;
                }
                at.at = p.lists[n.a].words.next(at.at, letter);
                if (at.at != none) reach(at);
                break;
            }
            case place::in::digits: {
                const bool first = at.at == no_digits;
                if (space && first) found.places.push_back(at);
                if (!is_digit(letter) || at.at == 0) break;
                at.at = (first ? 0 : at.at * 10) + static_cast<std::uint32_t>(letter - U'0');
                if (at.at <= most_digits_value) reach(at);
                break;
            }
            case place::in::before:
            case place::in::between:
            case place::in::behind: {
                if (space && at.at == 0) {
                    found.places.push_back(at);
                    break;
                }
                at.at = around_->at(at.where).next(at.at, letter);
                if (at.at != none) reach(at);
                break;
            }
        }
    }
    const auto to = keep(std::move(found));
    states_[from].next.emplace(letter, to);
    return to;
}

std::uint32_t follower::step(std::uint32_t from, std::string_view text) {
    for (const char32_t letter : decode_utf8(text)) {
        from = step(from, letter);
        if (from == dead) break;
    }
    return from;
}

bool follower::whole(std::uint32_t state) const { return state != dead && states_[state].whole; }

}  // namespace loqa::intent
