// What was said → what is meant.
//
// A matcher is sentence templates and a home compiled together. It is immutable: shared by every thread, replaced as a
// whole (swap the shared_ptr) when the home or the templates change. match() allocates only what it returns and a
// scratch buffer that each thread keeps. README.md beside this file has the algorithm and its bounds.
#pragma once

#include <chrono>
#include <cstddef>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "loqa/base/result.hpp"
#include "loqa/intent/collection.hpp"
#include "loqa/intent/home.hpp"

namespace loqa::intent {

struct slot {
    std::string name;
    slot_value value;
    std::string text;       // as it was said; empty where the template or the context gave the value
    bool wildcard = false;  // free text: nothing in the home or the templates vouches for it
};

struct recognized {
    std::string intent;
    std::vector<slot> slots;
    std::string language;
    std::string response = "default";  // key of the answer's template
    std::map<std::string, slot_value> metadata;
    double confidence = 1;  // 1: word for word; less: the recogniser's text had to be mended
    std::string text;       // what was matched, after mending
    std::string sentence_template;
    source_position where;       // of the template
    int literal_characters = 0;  // how much of the sentence the template itself spells

    const slot* find(std::string_view name) const;
    std::string text_of(std::string_view name) const;              // "" where there is no such slot
    std::optional<double> number_of(std::string_view name) const;  // also for a number in a string
};

// Nobody says more in one breath.
inline constexpr std::size_t longest_sentence = 2'000;  // bytes

// Why a sentence is not a command.
enum class miss_reason {
    empty,            // nothing was said
    unknown_words,    // no template has these words in this order
    unknown_name,     // a template fits but for a name, area or floor that this home does not have
    wrong_kind,       // a template fits but for a thing that cannot do this ("turn on the front door")
    missing_context,  // a template fits but needs to know something, such as the room it was said in
    too_ambiguous,    // the limit on work for one sentence was reached
    too_long,         // longer than longest_sentence
};
std::string_view to_string(miss_reason reason);

struct miss {
    miss_reason reason = miss_reason::unknown_words;
    std::string word;              // the word, name or context key that failed
    std::string list;              // for unknown_name: "area", "floor", "name" …
    std::string sentence() const;  // for people: "I don't know an area called kichen"
};

using answer = std::expected<recognized, miss>;

// What is known beside the words.
struct context {
    std::string area;                          // name of the area where the microphone stands; empty if unknown
    std::map<std::string, slot_value> values;  // anything else that templates ask for
};

// What a partial transcript can still become.
struct progress {
    bool complete = false;   // a command as it stands
    bool can_grow = false;   // some template goes on from here
    bool open_text = false;  // what may come next is free text (a name for a timer, a song)
    std::vector<std::string>
        next_words;  // a choice of what may come next, most frequent first, at most compile_options::next_words
};

struct compile_options {
    std::size_t next_words = 64;
    std::string custom_metadata_key =
        "custom";  // templates with this metadata win over all others: the user's own sentences
    std::size_t max_nodes_per_template = 20'000;
    std::size_t max_nodes = 4'000'000;
    std::size_t max_depth = 32;
};

struct program;

class matcher {
public:
    // Refuses, with file and template, what cannot be compiled: syntax errors, rules that refer to themselves,
    // templates that would explode. With `left_out` those are reported there and the rest compiles without them: for
    // sentences that a user wrote.
    static result<std::shared_ptr<const matcher>> compile(const collection& sentences, const home& house,
                                                          const compile_options& options = {},
                                                          std::vector<error>* left_out = nullptr);
    ~matcher();
    matcher(const matcher&) = delete;
    matcher& operator=(const matcher&) = delete;

    // The best reading, or why there is none. Safe from any thread.
    answer match(std::string_view sentence, const context& where = {}) const;

    // All readings, best first, at most `limit`.
    std::vector<recognized> match_all(std::string_view sentence, const context& where = {},
                                      std::size_t limit = 8) const;

    // For a transcript that still grows, after each stable word.
    progress feed(std::string_view partial, const context& where = {}) const;

    // Every word that a template or a name has, and whether it is a number's.
    void for_each_word(const std::function<void(std::u32string_view word, bool number)>& found) const;

    struct statistics {
        std::size_t templates = 0, nodes = 0, vocabulary = 0, names = 0, bytes = 0;
        std::chrono::microseconds compile_time{};
    };
    const statistics& stats() const;
    const std::string& language() const;

private:
    friend class follower;
    struct impl;
    explicit matcher(std::unique_ptr<impl> parts);
    const program& code() const;
    std::unique_ptr<impl> impl_;
};

}  // namespace loqa::intent
