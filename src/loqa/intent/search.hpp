// Runs the compiled templates over one sentence. Internal to the module.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "loqa/intent/program.hpp"

namespace loqa::intent {

// A value taken on the way, as a link to those before it: readings share their beginnings.
struct link {
    std::uint32_t parent = none;
    std::uint32_t list = none;
    std::uint32_t slot = none;
    std::uint32_t value = none;  // in the list; none for digits and free text
    std::uint32_t begin = 0, end = 0;
    double number = 0;  // of digits
    bool wildcard = false, capture = false, broken = false, digits = false;
    bool at_word_end = false;  // wildcard: a space follows it in the template
    bool unknown = false;      // stands for a name that the list does not have
};

// One form of the sentence: as said, or with skip words taken out.
struct sentence_text {
    std::u32string original, lowered, broken;  // of equal length, a space at the end; broken has spaces for - and _
    bool has_breaks = false;
    template_set candidates;
};

// One way to read the sentence.
struct reading {
    std::uint32_t template_index = none;
    std::uint8_t form = 0;  // index of the sentence_text
    bool custom = false, names_entity = false;
    std::int32_t name_length = -1;
    std::int32_t wildcards = 0;
    std::int32_t literal = 0;  // characters that the template itself spells
    std::int32_t wildcard_length = 0;
    std::int32_t checked = 0;  // values of the context that the template asked for
    std::int32_t unknown = 0;  // characters taken for unknown names
    std::vector<link> values;  // in order
    std::vector<std::pair<std::uint32_t, slot_value>> from_context;  // slot, value
};

struct caller_value {
    context_pair pair;
    const slot_value* value = nullptr;
};

// Kept by each thread between calls, so that a match allocates next to nothing.
struct scratch {
    struct state {
        std::uint32_t node = 0, position = 0, head = none;
        std::int32_t literal = 0;
        bool word_start = true, broken = false, open = false;
    };
    struct list_match {
        std::uint32_t value, end;
        bool broken;
    };
    std::vector<state> stack;
    std::vector<link> links;
    std::vector<std::u32string_view> tokens;
    template_set takers, any_of_token;
    program::clause_set met;
    std::vector<std::vector<list_match>> list_matches;
    struct cached {
        std::uint64_t key = ~std::uint64_t{0};
        std::uint32_t stamp = 0, slot = 0;
    };
    std::vector<cached> list_cache;
    std::uint32_t stamp = 0;
    std::size_t list_matches_used = 0;
    struct seen {
        std::uint64_t place = 0;
        std::uint32_t head = 0, stamp = 0;
        std::int32_t literal = 0;
    };
    std::vector<seen> visited;
    std::uint32_t visit_stamp = 0;
    std::vector<sentence_text> texts;
    std::vector<caller_value> caller;
};

// What feed() asks for: what could come next.
struct continuation_sink {
    bool complete = false;          // a template is through
    bool ends_in_text = false;      // … and its last part is free text
    bool grows = false;             // a template goes on with its own words or a list
    bool grows_after_text = false;  // a template goes on behind free text that has begun
    bool text_next = false;         // free text may come next
    std::vector<std::string> words;
    std::size_t limit = 64;
    void add(std::u32string_view word);
};

class search {
public:
    enum class mode : std::uint8_t {
        match,     // whole sentences
        grow,      // beginnings of sentences: what may follow
        diagnose,  // names that the home does not have are let through, marked
    };

    search(const program& p, scratch& s, mode m) : p_(p), s_(s), mode_(m) {}

    // Prepares the forms of the sentence. False if nothing is left of it.
    bool prepare(std::string_view sentence, const context& where);

    // All readings; best() is the first of them in rank.
    void run(std::vector<reading>& readings, bool only_best);

    continuation_sink& continuations() { return sink_; }
    bool exhausted() const { return steps_ == 0; }
    std::uint32_t missing_key() const {
        return missing_key_;
    }  // the context that a template lacked that otherwise fits

    // The text of a value, as it was said.
    std::string said(const reading& r, const link& l) const;
    // Whether the list has what an unknown name was taken for: it is known, but not fit.
    bool is_value(const reading& r, const link& l) const;
    bool only_skip_words() const { return skipped_ && s_.texts[0].lowered.size() <= 1; }
    std::size_t work() const { return max_steps - steps_; }

    static constexpr std::size_t max_steps = 400'000;

private:
    using state = scratch::state;

    void choose_candidates(sentence_text& text) const;
    void run_template(std::uint32_t index, std::uint8_t form);
    void step_text(const node& n, state at);
    void step_list(const node& n, const state& at);
    void step_range(const node& n, const compiled_list& list, const state& at);
    void step_end(const state& at);
    void grow_text(const chunk& c, std::u32string_view text, std::size_t position, std::size_t skip);
    void push(state at, std::uint32_t next);
    bool seen_before(const state& at);
    std::uint32_t add_link(const link& l);
    std::uint32_t close_wildcard(const state& at, std::uint32_t begin, std::uint32_t end);
    const std::vector<scratch::list_match>& values_at(std::uint32_t list, std::uint32_t position, bool broken);
    bool value_fits(const compiled_value& value) const;
    bool block_may_fit(const compiled_block& block) const;
    std::u32string_view text(const state& at) const { return at.broken ? text_->broken : text_->lowered; }

    const program& p_;
    scratch& s_;
    mode mode_;
    const sentence_text* text_ = nullptr;
    const compiled_block* block_ = nullptr;
    std::uint32_t template_ = none;
    std::uint8_t form_ = 0;
    std::size_t steps_ = max_steps;
    std::size_t template_steps_ = 0;
    bool skipped_ = false;
    std::uint32_t missing_key_ = none;
    std::vector<reading>* readings_ = nullptr;
    bool only_best_ = true;
    continuation_sink sink_;
};

// Which of two readings is preferred: true if a is.
bool better(const program& p, const reading& a, const reading& b);

}  // namespace loqa::intent
