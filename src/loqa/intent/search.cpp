#include "loqa/intent/search.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <optional>
#include <tuple>

#include "loqa/intent/spoken_numbers.hpp"
#include "loqa/intent/text.hpp"

namespace loqa::intent {
namespace {

constexpr std::size_t steps_before_memo = 64;    // most templates fail or match long before
constexpr std::size_t visited_size = 4096;       // power of two
constexpr std::size_t most_continuations = 250;  // of one list
constexpr std::size_t list_cache_size = 256;     // power of two

std::size_t skip_spaces(std::u32string_view text, std::size_t at) {
    while (at < text.size() && text[at] == U' ') ++at;
    return at;
}

bool begins_word(std::u32string_view text, std::size_t start, std::size_t at) {
    const bool before = at > start && is_word(text[at - 1]);
    const bool here = at < text.size() && is_word(text[at]);
    return before != here;
}

// The first occurrence of `what` in text[from…]; the text is looked at as if it began at `from`.
std::size_t find_from(std::u32string_view text, std::u32string_view what, std::size_t from, bool at_boundary) {
    for (std::size_t at = from; at + what.size() <= text.size(); ++at) {
        at = text.find(what, at);
        if (at == std::u32string_view::npos) return at;
        if (!at_boundary || begins_word(text, from, at)) return at;
    }
    return std::u32string_view::npos;
}

// Calls found(begin of the chunk) for each place up to which an open wildcard may reach. The first place has to begin a
// word where the template has a space behind the wildcard.
template <class Found>
void for_each_wildcard_end(std::u32string_view text, std::u32string_view what, std::size_t base, bool at_boundary,
                           Found&& found) {
    std::size_t at = find_from(text, what, base, at_boundary);
    if (at == base) at = find_from(text, what, base + 1, at_boundary);
    while (at != std::u32string_view::npos) {
        found(at);
        at = find_from(text, what, at + 1, false);
    }
}

}  // namespace

void continuation_sink::add(std::u32string_view word) {
    if (words.size() >= limit) return;
    while (!word.empty() && is_space(word.front())) word.remove_prefix(1);
    const std::size_t end = std::min(word.find_first_of(U" -"), word.size());
    if (end == 0) return;
    std::string text = encode_utf8(word.substr(0, end));
    if (std::ranges::find(words, text) == words.end()) words.push_back(std::move(text));
}

bool better(const program& p, const reading& a, const reading& b) {
    if (a.unknown != b.unknown) return a.unknown < b.unknown;
    const auto rank = [](const reading& r) {
        return std::tuple(!r.custom, !r.names_entity, r.names_entity ? -r.name_length : 0, r.wildcards, -r.literal,
                          r.wildcard_length, -r.checked);
    };
    const auto ra = rank(a), rb = rank(b);
    if (ra != rb) return ra < rb;
    const auto& ia = p.intents[p.blocks[p.templates[a.template_index].block].intent];
    const auto& ib = p.intents[p.blocks[p.templates[b.template_index].block].intent];
    return ia < ib;
}

bool search::prepare(std::string_view sentence, const context& where) {
    auto& texts = s_.texts;
    if (texts.size() < 4) texts.resize(4);
    const std::u32string whole = normalize_sentence(decode_utf8(sentence));
    if (whole.empty()) return false;
    const std::u32string plain = remove_skip_words(whole, p_.skip_words, skip_from::anywhere);
    skipped_ = plain != whole;
    const auto fill = [&](sentence_text& text, const std::u32string& original) {
        text.original = original;
        text.original.push_back(U' ');
        text.lowered = to_lower(text.original);
        text.has_breaks = text.lowered.find_first_of(U"-_") != std::u32string::npos;
        text.broken = text.lowered;
        if (text.has_breaks)
            for (char32_t& c : text.broken)
                if (c == U'-' || c == U'_') c = U' ';
        choose_candidates(text);
    };
    fill(texts[0], plain);
    if (skipped_) {
        fill(texts[1], whole);
        fill(texts[2], remove_skip_words(whole, p_.skip_words, skip_from::start));
        fill(texts[3], remove_skip_words(whole, p_.skip_words, skip_from::end));
    }

    s_.caller.clear();
    const auto give = [&](const std::string& key, const slot_value& value) {
        const auto known = p_.keys.find(key);
        if (known == p_.keys.end()) return;
        const auto id = p_.context_values.find(context_key(value));
        s_.caller.push_back({{known->second, id == p_.context_values.end() ? none - 1 : id->second}, &value});
    };
    for (const auto& [key, value] : where.values) give(key, value);
    return true;
}

void search::choose_candidates(sentence_text& text) const {
    text.candidates = p_.takes_anything;
    if (p_.ignore_whitespace) {
        text.candidates.fill();
        return;
    }
    auto& tokens = s_.tokens;
    tokenize(text.lowered, tokens);
    template_set& takers = s_.takers;
    takers = p_.takes_anything;
    takers.fill();
    program::clause_set& met = s_.met;
    met = p_.met_anyway;
    const auto meets = [&](const program::clause_set& more) {
        for (std::size_t k = 0; k < program::clauses; ++k) met[k].add_all(more[k]);
    };
    for (const auto token : tokens) {
        if (is_punctuation(token[0]) || token[0] == U'-' || token[0] == U'_') continue;
        const auto known = p_.vocabulary.find(token);
        if (known != p_.vocabulary.end()) {
            if (known->second.meets != none) meets(p_.met_by_words[known->second.meets]);
            if (!is_digit(token[0])) {
                takers.keep_only(p_.word_sets[known->second.takers]);
                continue;
            }
        }
        template_set& any = s_.any_of_token;
        if (is_digit(token[0])) {
            any = p_.takes_numbers;
            if (known != p_.vocabulary.end()) any.add_all(p_.word_sets[known->second.takers]);
        } else {
            for_each_fragment(p_, token, [&](std::uint32_t f) { meets(p_.met_by_fragment[f]); });
            // "kitchenlights": two words written as one.
            any = p_.takes_numbers;
            any.clear();
            for (std::size_t cut = 1; cut < token.size(); ++cut) {
                const auto head = p_.vocabulary.find(token.substr(0, cut));
                if (head == p_.vocabulary.end()) continue;
                const auto tail = p_.vocabulary.find(token.substr(cut));
                if (tail == p_.vocabulary.end()) continue;
                template_set both = p_.word_sets[head->second.takers];
                both.keep_only(p_.word_sets[tail->second.takers]);
                any.add_all(both);
            }
            // "zweitausenddreihundert": a number of many parts.
            if (!p_.takes_compounds.empty()) {
                const auto numbers = numbers_at(p_.language, token, 0);
                if (!numbers.empty() && numbers.back().end == token.size()) any.add_all(p_.takes_compounds);
            }
        }
        takers.keep_only(any);
    }
    // A name that is not known makes no template impossible.
    if (mode_ == mode::diagnose) takers.fill();
    text.candidates.add_all(takers);
    if (mode_ == mode::grow) return;
    for (const auto& clause : met) text.candidates.keep_only(clause);
}

bool search::block_may_fit(const compiled_block& block) const {
    for (const auto& given : s_.caller) {
        for (const auto& condition : block.requires_context)
            if (condition.key == given.pair.key && !condition.any_of.empty() &&
                std::ranges::find(condition.any_of, given.pair.value) == condition.any_of.end())
                return false;
        for (const auto& condition : block.excludes_context)
            if (condition.key == given.pair.key &&
                std::ranges::find(condition.any_of, given.pair.value) != condition.any_of.end())
                return false;
    }
    if (block.required_keywords.empty() || mode_ == mode::grow) return true;
    const std::u32string& text = s_.texts[0].lowered;
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = std::min(text.find(U' ', begin), text.size());
        const auto word = std::u32string_view(text).substr(begin, end - begin);
        if (std::ranges::any_of(block.required_keywords, [&](const auto& keyword) { return keyword == word; }))
            return true;
        begin = end + 1;
    }
    return false;
}

void search::run(std::vector<reading>& readings, bool only_best) {
    readings_ = &readings;
    only_best_ = only_best;
    steps_ = max_steps;
    ++s_.stamp;
    s_.list_matches_used = 0;
    if (s_.list_cache.empty()) s_.list_cache.resize(list_cache_size);
    if (s_.visited.empty()) s_.visited.resize(visited_size);

    const std::size_t forms = skipped_ ? 4 : 1;
    const std::size_t words = p_.takes_anything.words().size();
    for (std::size_t w = 0; w < words; ++w) {
        std::uint64_t bits = 0;
        for (std::size_t f = 0; f < forms; ++f) bits |= s_.texts[f].candidates.words()[w];
        while (bits != 0) {
            const std::size_t index = w * 64 + static_cast<std::size_t>(std::countr_zero(bits));
            bits &= bits - 1;
            if (index >= p_.templates.size()) break;
            const compiled_template& t = p_.templates[index];
            block_ = &p_.blocks[t.block];
            if (!block_may_fit(*block_)) continue;
            template_ = static_cast<std::uint32_t>(index);
            if (!skipped_) {
                run_template(template_, 0);
                continue;
            }
            const auto form = static_cast<std::uint8_t>(t.form == sentence_form::plain           ? 0
                                                        : t.form == sentence_form::whole         ? 1
                                                        : t.form == sentence_form::skip_at_start ? 2
                                                                                                 : 3);
            // A skip word may be part of the template after all: what was said comes first.
            if (s_.texts[form].lowered == s_.texts[0].lowered && s_.texts[1].candidates.has(index))
                run_template(template_, 1);
            if (s_.texts[form].candidates.has(index)) run_template(template_, form);
        }
    }
}

void search::push(state at, std::uint32_t next) {
    at.node = next;
    s_.stack.push_back(at);
}

std::uint32_t search::add_link(const link& l) {
    s_.links.push_back(l);
    return static_cast<std::uint32_t>(s_.links.size() - 1);
}

std::uint32_t search::close_wildcard(const state& at, std::uint32_t begin, std::uint32_t end) {
    link closed = s_.links[at.head];
    closed.begin = begin;
    closed.end = end;
    closed.broken = at.broken;
    return add_link(closed);
}

// Whether the search has been here with the same values and spelled at least as much: then it need not come again.
bool search::seen_before(const state& at) {
    const std::uint64_t place = std::uint64_t{at.node} << 24 | std::uint64_t{at.position} << 3 |
                                std::uint64_t{at.word_start} << 2 | std::uint64_t{at.broken} << 1 |
                                std::uint64_t{at.open};
    const std::size_t hash =
        static_cast<std::size_t>((place ^ (std::uint64_t{at.head} << 40)) * 0x9E3779B97F4A7C15u >> 40);
    for (std::size_t probe = 0; probe < 8; ++probe) {
        auto& entry = s_.visited[(hash + probe) & (visited_size - 1)];
        if (entry.stamp != s_.visit_stamp) {
            entry = {place, at.head, s_.visit_stamp, at.literal};
            return false;
        }
        if (entry.place == place && entry.head == at.head) {
            if (entry.literal >= at.literal) return true;
            entry.literal = at.literal;
            return false;
        }
    }
    return false;
}

void search::run_template(std::uint32_t index, std::uint8_t form) {
    text_ = &s_.texts[form];
    form_ = form;
    template_steps_ = 0;
    s_.links.clear();
    s_.stack.clear();
    push({}, p_.templates[index].entry);
    while (!s_.stack.empty()) {
        if (steps_ == 0) return;
        --steps_;
        const state at = s_.stack.back();
        s_.stack.pop_back();
        if (++template_steps_ == steps_before_memo) ++s_.visit_stamp;
        if (template_steps_ > steps_before_memo && seen_before(at)) continue;
        const node& n = p_.nodes[at.node];
        switch (n.code) {
            case node::op::end:
                step_end(at);
                break;
            case node::op::text:
                step_text(n, at);
                break;
            case node::op::list:
                step_list(n, at);
                break;
            case node::op::split:
                for (std::uint32_t i = n.b; i-- > 0;) {
                    const std::uint32_t target = p_.targets[n.a + i];
                    const node& next = p_.nodes[target];
                    // Most alternatives fail on their first letter: see that before they are put aside.
                    if (next.code == node::op::text && !at.open && at.word_start && !text_->has_breaks &&
                        mode_ == mode::match) {
                        const chunk& c = p_.chunks[next.a];
                        const auto t = text(at);
                        const std::size_t position = skip_spaces(t, at.position);
                        if (!c.only_spaces &&
                            (position >= t.size() || t[position] != p_.texts[c.text + c.leading_spaces]))
                            continue;
                    }
                    push(at, target);
                }
                break;
        }
    }
}

void search::grow_text(const chunk& c, std::u32string_view t, std::size_t position, std::size_t skip) {
    const auto what = p_.text_of(c).substr(skip);
    position = skip_spaces(t, position);
    const auto rest = position >= t.size() ? std::u32string_view() : t.substr(position);
    if (rest.size() >= what.size() || !what.starts_with(rest)) return;
    sink_.grows = true;
    sink_.add(what.substr(rest.size()));
}

void search::step_text(const node& n, state at) {
    const chunk& c = p_.chunks[n.a];
    const std::size_t skip = at.word_start && !p_.ignore_whitespace ? c.leading_spaces : 0;
    const auto what = p_.text_of(c).substr(skip);
    const auto t = text(at);
    const std::size_t base = at.word_start && !p_.ignore_whitespace ? skip_spaces(t, at.position) : at.position;

    if (at.open) {
        if (c.only_spaces) {
            at.position = static_cast<std::uint32_t>(base);
            at.word_start = true;
            push(at, n.next);
            return;
        }
        const bool at_boundary = s_.links[at.head].at_word_end && !p_.ignore_whitespace;
        const std::size_t first = s_.stack.size();
        for_each_wildcard_end(t, what, base, at_boundary, [&](std::size_t place) {
            // The chunk begins a word now, whatever it did before.
            const std::size_t spaces = p_.ignore_whitespace ? 0 : c.leading_spaces - skip;
            const std::size_t begin = p_.ignore_whitespace ? place : skip_spaces(t, place);
            const auto bare = what.substr(spaces);
            if (t.substr(begin, bare.size()) != bare) return;
            state next = at;
            next.head = close_wildcard(at, static_cast<std::uint32_t>(base), static_cast<std::uint32_t>(place));
            next.open = false;
            next.position = static_cast<std::uint32_t>(begin + bare.size());
            next.word_start = c.ends_word;
            next.literal += c.stripped_length;
            push(next, n.next);
        });
        std::reverse(s_.stack.begin() + static_cast<std::ptrdiff_t>(first), s_.stack.end());
        // Free text that no word of the template stands before is no sign of a command.
        if (mode_ == mode::grow && at.literal > 0) {
            sink_.grows_after_text = true;
            sink_.add(what);
        }
        return;
    }

    if (t.substr(std::min(base, t.size()), what.size()) == what) {
        at.position = static_cast<std::uint32_t>(base + what.size());
        at.word_start = c.ends_word;
        at.literal += c.stripped_length;
        push(at, n.next);
        return;
    }
    const bool nothing_left = skip_spaces(t, base) >= t.size();
    if (nothing_left && c.only_spaces) {
        push(at, n.next);
        return;
    }
    if (text_->has_breaks && !at.broken) {
        const std::u32string_view b = text_->broken;
        if (b.substr(std::min(base, b.size()), what.size()) == what) {
            at.broken = true;
            at.position = static_cast<std::uint32_t>(base + what.size());
            push(at, n.next);
            return;
        }
    }
    if (mode_ == mode::grow) grow_text(c, t, base, skip);
}

const std::vector<scratch::list_match>& search::values_at(std::uint32_t list, std::uint32_t position, bool broken) {
    const std::uint64_t key =
        std::uint64_t{list} << 32 | std::uint64_t{form_} << 28 | std::uint64_t{broken} << 27 | std::uint64_t{position};
    auto& slot = s_.list_cache[static_cast<std::size_t>(key * 0x9E3779B97F4A7C15u >> 56) & (list_cache_size - 1)];
    if (slot.stamp == s_.stamp && slot.key == key) return s_.list_matches[slot.slot];
    if (s_.list_matches_used == s_.list_matches.size()) s_.list_matches.emplace_back();
    slot = {key, s_.stamp, static_cast<std::uint32_t>(s_.list_matches_used)};
    auto& out = s_.list_matches[s_.list_matches_used++];
    out.clear();
    const trie& words = p_.lists[list].words;
    const std::u32string_view t = broken ? text_->broken : text_->lowered;
    words.find(t, position, [&](std::uint32_t value, std::size_t end) {
        out.push_back({value, static_cast<std::uint32_t>(end), broken});
    });
    if (text_->has_breaks && !broken) {
        const std::size_t unbroken = out.size();
        words.find(text_->broken, position, [&](std::uint32_t value, std::size_t end) {
            for (std::size_t i = 0; i < unbroken; ++i)
                if (out[i].value == value && out[i].end == end) return;
            out.push_back({value, static_cast<std::uint32_t>(end), true});
        });
    }
    return out;
}

bool search::value_fits(const compiled_value& value) const {
    for (std::uint32_t i = 0; i < value.context_count; ++i) {
        const context_pair& pair = p_.pairs[value.context + i];
        for (const auto& condition : block_->requires_context)
            if (condition.key == pair.key && !condition.any_of.empty() &&
                std::ranges::find(condition.any_of, pair.value) == condition.any_of.end())
                return false;
        for (const auto& condition : block_->excludes_context)
            if (condition.key == pair.key && std::ranges::find(condition.any_of, pair.value) != condition.any_of.end())
                return false;
    }
    return true;
}

void search::step_list(const node& n, const state& at) {
    const compiled_list& list = p_.lists[n.a];
    const auto t = text(at);
    if (mode_ == mode::grow && skip_spaces(t, at.position) >= t.size() && !at.open) {
        if (list.type == compiled_list::kind::wildcard) {
            sink_.text_next = sink_.text_next || at.literal > 0;
        } else {
            sink_.grows = true;
            list.words.continuations(t, t.size(), most_continuations,
                                     [&](std::u32string_view word) { sink_.add(word); });
        }
        return;
    }
    if (at.position >= t.size()) return;
    if (list.type == compiled_list::kind::range) return step_range(n, list, at);
    if (list.type == compiled_list::kind::wildcard) {
        state next = at;
        next.head = add_link({.parent = at.head,
                              .list = n.a,
                              .slot = n.b,
                              .wildcard = true,
                              .capture = n.capture,
                              .at_word_end = n.white_space_follows});
        next.open = true;
        push(next, n.next);
        return;
    }

    const std::size_t base = at.word_start && !p_.ignore_whitespace ? skip_spaces(t, at.position) : at.position;
    const std::size_t first = s_.stack.size();
    if (!at.open) {
        const auto& matches = values_at(n.a, static_cast<std::uint32_t>(base), at.broken);
        for (const auto& match : matches) {
            if (!value_fits(list.values[match.value])) continue;
            state next = at;
            next.head = add_link({.parent = at.head,
                                  .list = n.a,
                                  .slot = n.b,
                                  .value = match.value,
                                  .begin = at.position,
                                  .end = match.end,
                                  .capture = n.capture,
                                  .broken = match.broken});
            next.position = match.end;
            next.broken = at.broken || match.broken;
            push(next, n.next);
        }
        if (mode_ == mode::grow)
            list.words.continuations(t, base, most_continuations, [&](std::u32string_view word) {
                sink_.grows = true;
                sink_.add(word);
            });
        if (mode_ == mode::diagnose && !list.words.empty()) {
            // Up to three words that the list does not have.
            std::size_t end = base;
            for (int words = 0; words < 3 && end < t.size(); ++words) {
                end = std::min(t.find(U' ', end), t.size() - 1) + 1;
                state next = at;
                next.head = add_link({.parent = at.head,
                                      .list = n.a,
                                      .slot = n.b,
                                      .begin = static_cast<std::uint32_t>(base),
                                      .end = static_cast<std::uint32_t>(end - 1),
                                      .capture = n.capture,
                                      .unknown = true});
                next.position = static_cast<std::uint32_t>(end - 1);
                push(next, n.next);
            }
        }
    } else {
        // The value ends an open wildcard: it may stand anywhere further on. The first place of each value has to begin
        // a word where the template has a space behind the wildcard.
        struct place {
            std::uint32_t value, begin, end;
        };
        std::vector<place> places;
        for (std::size_t begin = base + 1; begin < t.size(); ++begin)
            list.words.find(t, begin, [&](std::uint32_t value, std::size_t end) {
                places.push_back({value, static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end)});
            });
        std::ranges::stable_sort(places, {}, &place::value);
        const bool at_boundary = s_.links[at.head].at_word_end && !p_.ignore_whitespace;
        std::uint32_t current = none;
        bool started = false;
        for (const auto& found : places) {
            if (found.value != current) started = false;
            current = found.value;
            if (!started && at_boundary && !begins_word(t, base, found.begin)) continue;
            started = true;
            if (!value_fits(list.values[found.value])) continue;
            state next = at;
            const std::uint32_t closed = close_wildcard(at, static_cast<std::uint32_t>(base), found.begin);
            next.head = add_link({.parent = closed,
                                  .list = n.a,
                                  .slot = n.b,
                                  .value = found.value,
                                  .begin = found.begin,
                                  .end = found.end,
                                  .capture = n.capture,
                                  .broken = at.broken});
            next.open = false;
            next.position = found.end;
            push(next, n.next);
        }
        if (mode_ == mode::grow && at.literal > 0) sink_.grows_after_text = true;
    }
    std::reverse(s_.stack.begin() + static_cast<std::ptrdiff_t>(first), s_.stack.end());
}

void search::step_range(const node& n, const compiled_list& list, const state& at) {
    const auto t = text(at);
    const std::size_t first = s_.stack.size();
    struct number {
        std::size_t begin, end;
        double value;
    };
    // Digits at `from`, spaces and a minus allowed before them; a decimal part where the list has fractions.
    const auto digits_at = [&](std::size_t from) -> std::optional<number> {
        std::size_t i = skip_spaces(t, from);
        const bool negative = i < t.size() && t[i] == U'-';
        if (negative) ++i;
        const std::size_t digits = i;
        double value = 0;
        while (i < t.size() && is_digit(t[i])) value = value * 10 + static_cast<double>(t[i++] - U'0');
        if (i == digits) return std::nullopt;
        if (list.range.fractions != 0 && i + 1 < t.size() && (t[i] == U'.' || t[i] == U',') && is_digit(t[i + 1])) {
            double scale = 1;
            for (++i; i < t.size() && is_digit(t[i]); ++i) {
                value = value * 10 + static_cast<double>(t[i] - U'0');
                scale *= 10;
            }
            value /= scale;
        }
        return number{from, i, negative ? -value : value};
    };
    const auto in_range = [&](double value) {
        const number_range& r = list.range;
        // Digits without end are no number.
        constexpr double far = 1e12;
        if (!(std::abs(value) < far)) return false;
        const double scaled = value * (r.fractions == 0 ? 1 : r.fractions);
        if (scaled != static_cast<double>(static_cast<std::int64_t>(scaled))) return false;
        if (value < static_cast<double>(r.from)) return false;
        const double whole = std::floor(value);
        if (whole > static_cast<double>(r.to)) return false;
        if (r.fractions == 0 && value > static_cast<double>(r.to)) return false;
        return (static_cast<std::int64_t>(whole) - r.from) % r.step == 0;
    };
    const auto take = [&](const number& found) {
        state next = at;
        std::uint32_t parent = at.head;
        if (at.open) parent = close_wildcard(at, at.position, static_cast<std::uint32_t>(found.begin));
        next.head = add_link({.parent = parent,
                              .list = n.a,
                              .slot = n.b,
                              .begin = static_cast<std::uint32_t>(found.begin),
                              .end = static_cast<std::uint32_t>(found.end),
                              .number = found.value * list.range.multiplier.value_or(1),
                              .capture = n.capture,
                              .broken = at.broken,
                              .digits = true});
        next.open = false;
        next.position = static_cast<std::uint32_t>(found.end);
        push(next, n.next);
    };
    bool digits = false;
    if (!at.open) {
        if (const auto found = digits_at(at.position)) {
            digits = true;
            if (list.range.digits && in_range(found->value)) take(*found);
        }
    } else {
        for (std::size_t i = at.position; i < t.size();) {
            const auto found = digits_at(i);
            if (!found) {
                ++i;
                continue;
            }
            digits = true;
            if (list.range.digits && in_range(found->value)) take(*found);
            i = found->end;
        }
    }
    if (!digits && list.range.words) {
        const auto take_words = [&](std::size_t begin, std::uint32_t value, std::size_t end) {
            state next = at;
            std::uint32_t parent = at.head;
            if (at.open) parent = close_wildcard(at, at.position, static_cast<std::uint32_t>(begin));
            next.head = add_link({.parent = parent,
                                  .list = n.a,
                                  .slot = n.b,
                                  .value = value,
                                  .begin = static_cast<std::uint32_t>(begin),
                                  .end = static_cast<std::uint32_t>(end),
                                  .capture = n.capture,
                                  .broken = at.broken});
            next.open = false;
            next.position = static_cast<std::uint32_t>(end);
            next.literal += static_cast<std::int32_t>(end - begin);
            next.word_start = false;
            push(next, n.next);
        };
        const auto take_read = [&](std::size_t begin) {
            for (const auto& [value, end] : numbers_at(list.grammar, t, begin)) {
                if (!in_range(static_cast<double>(value))) continue;
                const std::int32_t literal = at.literal + static_cast<std::int32_t>(end - begin);
                take({begin, end, static_cast<double>(value)});
                s_.stack.back().literal = literal;
                s_.stack.back().word_start = false;
            }
        };
        if (!at.open) {
            list.words.find(t, at.position,
                            [&](std::uint32_t value, std::size_t end) { take_words(at.position, value, end); });
            if (!list.grammar.empty()) take_read(skip_spaces(t, at.position));
            if (mode_ == mode::grow)
                list.words.continuations(t, at.position, most_continuations, [&](std::u32string_view word) {
                    sink_.grows = true;
                    sink_.add(word);
                });
        } else {
            for (std::size_t begin = at.position + 1; begin < t.size(); ++begin)
                list.words.find(t, begin, [&](std::uint32_t value, std::size_t end) { take_words(begin, value, end); });
            if (!list.grammar.empty())
                for (std::size_t begin = at.position + 1; begin < t.size(); ++begin)
                    if (t[begin - 1] == U' ') take_read(begin);
            if (mode_ == mode::grow && at.literal > 0) sink_.grows_after_text = true;
        }
    }
    std::reverse(s_.stack.begin() + static_cast<std::ptrdiff_t>(first), s_.stack.end());
}

void search::step_end(const state& at) {
    const auto t = text(at);
    std::size_t begin = skip_spaces(t, at.position), end = t.size();
    while (end > begin && t[end - 1] == U' ') --end;
    std::uint32_t head = at.head;
    if (at.open) {
        if (begin == end) {
            if (mode_ == mode::grow) sink_.text_next = true;
            return;
        }
        head = close_wildcard(at, static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end));
        begin = end;
    }
    for (std::size_t i = begin; i < end; ++i)
        if (!is_punctuation(t[i]) && t[i] != U' ') return;

    // A bare name that is not known could be anything.
    if (mode_ == mode::diagnose && at.literal == 0) return;

    reading r;
    r.template_index = template_;
    r.form = form_;
    r.custom = block_->custom;
    r.literal = at.literal;
    for (std::uint32_t l = head; l != none; l = s_.links[l].parent) {
        link& one = s_.links[l];
        if (one.wildcard) {
            const std::u32string_view taken = one.broken ? text_->broken : text_->lowered;
            while (one.begin < one.end && taken[one.begin] == U' ') ++one.begin;
            while (one.end > one.begin && taken[one.end - 1] == U' ') --one.end;
            if (one.begin == one.end) return;
            ++r.wildcards;
            r.wildcard_length += static_cast<std::int32_t>(one.end - one.begin);
        }
        if (one.unknown) r.unknown += static_cast<std::int32_t>(one.end - one.begin);
    }

    // What is known of the context: the values taken (the last counts), then what the caller said. A template that
    // names nothing vouches for the context it asks for by its own slots ("is anything vibrating").
    bool names_something = false;
    for (std::uint32_t l = head; l != none; l = s_.links[l].parent) {
        const link& one = s_.links[l];
        names_something = names_something || one.unknown ||
                          (one.value != none && p_.lists[one.list].type == compiled_list::kind::text &&
                           p_.lists[one.list].values[one.value].context_count > 0);
    }
    const auto known = [&](std::uint32_t key) -> std::pair<std::uint32_t, const slot_value*> {
        for (std::uint32_t l = head; l != none; l = s_.links[l].parent) {
            const link& one = s_.links[l];
            if (one.value == none || p_.lists[one.list].type != compiled_list::kind::text) continue;
            const compiled_value& value = p_.lists[one.list].values[one.value];
            for (std::uint32_t i = 0; i < value.context_count; ++i)
                if (p_.pairs[value.context + i].key == key)
                    return {p_.pairs[value.context + i].value,
                            &p_.context_value_list[p_.pairs[value.context + i].value]};
        }
        for (const auto& given : s_.caller)
            if (given.pair.key == key) return {given.pair.value, given.value};
        if (!names_something)
            for (const auto& pair : block_->own_context)
                if (pair.key == key) return {pair.value, &p_.context_value_list[pair.value]};
        return {none, nullptr};
    };
    for (const auto& condition : block_->excludes_context) {
        const auto [value, content] = known(condition.key);
        if (value != none && std::ranges::find(condition.any_of, value) != condition.any_of.end()) return;
    }
    for (const auto& condition : block_->requires_context) {
        const auto [value, content] = known(condition.key);
        if (value == none) {
            if (mode_ == mode::diagnose && r.unknown > 0) continue;
            missing_key_ = condition.key;
            return;
        }
        if (!condition.any_of.empty() && std::ranges::find(condition.any_of, value) == condition.any_of.end()) return;
        if (!condition.any_of.empty()) ++r.checked;
        if (condition.slot != none) r.from_context.emplace_back(condition.slot, *content);
    }
    if (mode_ == mode::grow) {
        sink_.complete = true;
        sink_.ends_in_text = sink_.ends_in_text || at.open;
        return;
    }

    for (std::uint32_t l = head; l != none; l = s_.links[l].parent) {
        const link& one = s_.links[l];
        r.values.push_back(one);
        if (one.capture || one.slot != p_.name_slot || one.wildcard || r.names_entity) continue;
        r.names_entity = true;
        const bool is_text = !one.digits && one.value != none && p_.lists[one.list].type == compiled_list::kind::text &&
                             (p_.lists[one.list].values[one.value].out_is_text ||
                              std::holds_alternative<std::string>(p_.lists[one.list].values[one.value].out));
        if (is_text) r.name_length = static_cast<std::int32_t>(one.end - one.begin);
    }
    std::ranges::reverse(r.values);
    if (!r.names_entity)
        for (const auto& [name, value] : block_->slots)
            if (name == "name" &&
                std::ranges::none_of(r.values, [&](const link& l) { return l.slot == p_.name_slot && !l.capture; })) {
                r.names_entity = true;
                r.name_length = 0;
            }

    if (only_best_ && !readings_->empty()) {
        if (better(p_, r, readings_->front())) readings_->front() = std::move(r);
        return;
    }
    readings_->push_back(std::move(r));
}

bool search::is_value(const reading& r, const link& l) const {
    bool found = false;
    p_.lists[l.list].words.find(s_.texts[r.form].lowered, l.begin,
                                [&](std::uint32_t, std::size_t end) { found = found || end == l.end; });
    return found;
}

std::string search::said(const reading& r, const link& l) const {
    std::u32string t = s_.texts[r.form].original.substr(l.begin, l.end - l.begin);
    if (l.broken)
        for (char32_t& c : t)
            if (c == U'-' || c == U'_') c = U' ';
    const auto first = t.find_first_not_of(U' ');
    if (first == std::u32string::npos) return {};
    return encode_utf8(std::u32string_view(t).substr(first, t.find_last_not_of(U' ') + 1 - first));
}

}  // namespace loqa::intent
