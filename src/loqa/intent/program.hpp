// What a collection and a home are compiled into. Internal to the module; README.md explains why it looks like this.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "loqa/intent/collection.hpp"
#include "loqa/intent/matcher.hpp"

namespace loqa::intent {

inline constexpr std::uint32_t none = std::numeric_limits<std::uint32_t>::max();

// A piece of literal text, once for all templates that spell it.
struct chunk {
    std::uint32_t text = 0;  // in program::texts
    std::uint16_t length = 0;
    std::uint16_t leading_spaces = 0;
    std::uint16_t stripped_length = 0;  // what it counts for when readings are ranked
    bool ends_word = false;             // a space or an apostrophe: what follows begins a word
    bool only_spaces = false;
};

// One step of the automaton. Steps lead only forward: there are no loops, and templates with the same rest share it.
struct node {
    enum class op : std::uint8_t {
        end,   // the template is through
        text,  // chunk `a`, then next
        list,  // a value of list `a` into slot `b`, then next
        split  // one of program::targets[a, a + b), in order of preference
    };
    op code = op::end;
    bool capture = false;              // list: for the answer only
    bool white_space_follows = false;  // list: written with a space behind it
    std::uint32_t next = none;
    std::uint32_t a = 0;
    std::uint32_t b = 0;

    bool operator==(const node&) const = default;
};

// Values of a text list (or the words of a number range), found by walking their characters.
class trie {
public:
    struct entry {
        std::u32string text;
        std::uint32_t value;
    };
    // Equal texts keep the order they came in.
    void build(std::vector<entry> entries);

    // Calls found(value, end) for each entry that `text` has at `begin`, shortest first.
    template <class Found>
    void find(std::u32string_view text, std::size_t begin, Found&& found) const;

    // The nodes reached at the end of `text` that could go on: calls with the rest of each entry that begins with
    // text[begin…].
    template <class Found>
    void continuations(std::u32string_view text, std::size_t begin, std::size_t limit, Found&& found) const;

    // Letter by letter: from the root, 0, to the cell behind one more letter; none where no entry goes on so.
    std::uint32_t next(std::uint32_t cell_index, char32_t letter) const {
        std::uint32_t at = cells_[cell_index].child;
        while (at != none && cells_[at].c < letter) at = cells_[at].sibling;
        return at != none && cells_[at].c == letter ? at : none;
    }
    bool ends(std::uint32_t cell_index) const { return cells_[cell_index].count > 0; }

    std::size_t bytes() const { return cells_.capacity() * sizeof(cell) + values_.capacity() * sizeof(std::uint32_t); }
    bool empty() const { return values_.empty(); }

private:
    struct cell {
        char32_t c = 0;
        std::uint32_t child = none;    // first child
        std::uint32_t sibling = none;  // next in order of c
        std::uint32_t values = 0;      // in values_
        std::uint32_t count = 0;
    };
    std::vector<cell> cells_;  // cells_[0] is the root
    std::vector<std::uint32_t> values_;
};

struct context_pair {
    std::uint32_t key = none;
    std::uint32_t value = none;
};

struct compiled_value {
    slot_value out;
    bool out_is_text = false;                      // what was said is the value
    std::uint32_t context = 0, context_count = 0;  // in program::pairs
};

struct compiled_list {
    enum class kind : std::uint8_t { text, range, wildcard };
    kind type = kind::text;
    std::string name;
    std::vector<compiled_value> values;  // text: as they are; range: one for each number that has words
    trie words;
    number_range range;
    std::string
        grammar;  // range: the language whose numbers are read as they come, where they are too many for `words`
};

struct compiled_condition {
    std::uint32_t key = none;
    std::vector<std::uint32_t> any_of;
    std::uint32_t slot = none;  // name of the slot that takes the value
};

struct compiled_block {
    std::uint32_t intent = 0;  // in program::intents
    std::vector<compiled_condition> requires_context, excludes_context;
    std::vector<context_pair> own_context;  // its fixed slots, as context
    std::vector<std::u32string> required_keywords;
    std::vector<std::pair<std::string, slot_value>> slots;
    std::map<std::string, slot_value> metadata;
    std::string response;
    bool custom = false;
};

// Which form of the sentence a template is matched with.
enum class sentence_form : std::uint8_t { plain, whole, skip_at_start, skip_at_end };

struct compiled_template {
    std::uint32_t block = 0;
    std::uint32_t entry = 0;
    sentence_form form = sentence_form::plain;
    template_text source;
};

// A set of templates, as bits.
class template_set {
public:
    template_set() = default;
    explicit template_set(std::size_t templates) : words_((templates + 63) / 64) {}
    void add(std::size_t i) { words_[i / 64] |= std::uint64_t{1} << (i % 64); }
    bool has(std::size_t i) const { return (words_[i / 64] >> (i % 64) & 1) != 0; }
    void add_all(const template_set& other) {
        for (std::size_t i = 0; i < words_.size(); ++i) words_[i] |= other.words_[i];
    }
    void keep_only(const template_set& other) {
        for (std::size_t i = 0; i < words_.size(); ++i) words_[i] &= other.words_[i];
    }
    bool empty() const {
        for (const auto word : words_)
            if (word != 0) return false;
        return true;
    }
    void fill() {
        for (auto& word : words_) word = ~std::uint64_t{0};
    }
    void clear() {
        for (auto& word : words_) word = 0;
    }
    const std::vector<std::uint64_t>& words() const { return words_; }
    bool operator==(const template_set&) const = default;

private:
    std::vector<std::uint64_t> words_;
};

struct text_hash {
    using is_transparent = void;
    std::size_t operator()(std::u32string_view text) const noexcept { return std::hash<std::u32string_view>{}(text); }
};
template <class Value>
using text_map = std::unordered_map<std::u32string, Value, text_hash, std::equal_to<>>;

struct program {
    std::string language;
    bool ignore_whitespace = false;
    std::vector<std::u32string> skip_words;  // longest first
    std::size_t skip_word_letters = 0;

    std::u32string texts;
    std::vector<chunk> chunks;
    std::vector<node> nodes;
    std::vector<std::uint32_t> targets;
    std::vector<compiled_list> lists;
    std::vector<std::string> slot_names;
    std::vector<std::string> intents;
    std::vector<compiled_block> blocks;
    std::vector<compiled_template> templates;  // in order of preference among equals
    std::uint32_t name_slot = none;            // "name" in slot_names

    // Context keys and values are numbers while matching.
    std::unordered_map<std::string, std::uint32_t> keys;
    std::unordered_map<std::string, std::uint32_t> context_values;  // by kind and text
    std::vector<slot_value> context_value_list;
    std::vector<context_pair> pairs;

    // For each word that a template or a list value has: the templates that could take it. A word may stand in a
    // sentence only where some template takes it, so the sets of a sentence's words, intersected, are all the templates
    // that need trying.
    struct word_index {
        std::uint32_t takers = 0;    // in word_sets
        std::uint32_t meets = none;  // in met_by_words
        bool number = false;         // of a number in words
    };
    text_map<word_index> vocabulary;
    std::vector<template_set> word_sets;
    template_set takes_anything;   // has a wildcard
    template_set takes_numbers;    // has a range with digits
    template_set takes_compounds;  // has a range whose numbers are read by a grammar: words may be any length

    // The other way round: literal text that a template cannot do without. Each template has up to `clauses`
    // requirements, each met by any word of the sentence that contains one of the requirement's fragments.
    static constexpr std::size_t clauses = 3;
    using clause_set = std::array<template_set, clauses>;
    text_map<std::uint32_t> fragments;        // fragment → index in met_by_fragment
    std::vector<clause_set> met_by_fragment;  // the templates whose k-th requirement it meets
    std::vector<clause_set> met_by_words;     // the same for whole words, with all fragments they contain
    clause_set met_anyway;                    // templates that have no k-th requirement
    std::size_t longest_fragment = 0;

    std::u32string_view text_of(const chunk& c) const { return std::u32string_view(texts).substr(c.text, c.length); }
};

// Calls found(index in met_by_fragment) for each fragment that the word contains.
template <class Found>
void for_each_fragment(const program& p, std::u32string_view word, Found&& found) {
    for (std::size_t begin = 0; begin < word.size(); ++begin)
        for (std::size_t length = 1; length <= p.longest_fragment && begin + length <= word.size(); ++length)
            if (const auto known = p.fragments.find(word.substr(begin, length)); known != p.fragments.end())
                found(known->second);
}

// "s:on" against "b:true": context values of different kinds are different values.
std::string context_key(const slot_value& value);

// With `left_out`, templates that cannot be compiled are reported there and left aside; without, the first one fails
// the whole.
result<program> compile_program(const collection& sentences, const home& house, const compile_options& options,
                                std::vector<error>* left_out);

template <class Found>
void trie::find(std::u32string_view text, std::size_t begin, Found&& found) const {
    if (cells_.empty()) return;
    std::uint32_t at = cells_[0].child;
    for (std::size_t i = begin; i < text.size(); ++i) {
        while (at != none && cells_[at].c < text[i]) at = cells_[at].sibling;
        if (at == none || cells_[at].c != text[i]) return;
        for (std::uint32_t v = 0; v < cells_[at].count; ++v) found(values_[cells_[at].values + v], i + 1);
        at = cells_[at].child;
    }
}

template <class Found>
void trie::continuations(std::u32string_view text, std::size_t begin, std::size_t limit, Found&& found) const {
    if (cells_.empty()) return;
    std::uint32_t at = 0;
    for (std::size_t i = begin; i < text.size(); ++i) {
        at = cells_[at].child;
        while (at != none && cells_[at].c < text[i]) at = cells_[at].sibling;
        if (at == none || cells_[at].c != text[i]) return;
    }
    // Depth first, the rest of one word each.
    std::u32string rest;
    std::size_t count = 0;
    const auto walk = [&](auto& self, std::uint32_t cell_index) -> void {
        for (std::uint32_t child = cells_[cell_index].child; child != none && count < limit;
             child = cells_[child].sibling) {
            if (cells_[child].c == U' ' && !rest.empty()) {
                ++count;
                found(std::u32string_view(rest));
                continue;
            }
            rest.push_back(cells_[child].c);
            if (cells_[child].count > 0 && count < limit) {
                ++count;
                found(std::u32string_view(rest));
            }
            self(self, child);
            rest.pop_back();
        }
    };
    walk(walk, at);
}

}  // namespace loqa::intent
