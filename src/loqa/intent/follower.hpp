// The sentences of a matcher, followed letter by letter as they are spelled.
//
// For a recogniser that listens for them: after each letter it knows whether some sentence goes on like this, and
// whether one ends here. The templates' own words, their lists and numbers are followed, skip words before and behind
// them, when it is to be done, and "and" with the next one; free text is not, since anything could be it. What
// templates ask of the context, and whether a value fits its sentence, is not looked at: who has followed a whole
// sentence asks the matcher what it means. States are made when they are first reached and kept, as many as
// `most_states`; then all are forgotten. One object is used by one thread at a time; the matcher is shared.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "loqa/intent/matcher.hpp"

namespace loqa::intent {

class follower {
public:
    // None of the sentences goes on like this.
    static constexpr std::uint32_t dead = ~std::uint32_t{0};

    explicit follower(std::shared_ptr<const matcher> sentences, std::size_t most_states = 20'000);
    ~follower();

    // Where every sentence begins.
    std::uint32_t start();

    // After one more letter, digit, space or sign of `text`. Case is ignored, a hyphen is a space. States of another
    // generation() mean nothing.
    std::uint32_t step(std::uint32_t from, char32_t letter);
    std::uint32_t step(std::uint32_t from, std::string_view text);

    // Whether a sentence may end here.
    bool whole(std::uint32_t state) const;

    // Grows when all states are forgotten.
    std::uint64_t generation() const { return generation_; }

private:
    // One of the places in the templates where the letters so far lead to.
    struct place {
        std::uint32_t node = 0;
        std::uint32_t at = 0;  // text: letters of it; else: where in the values or words, or the digits so far
        enum class in : std::uint8_t { text, values, digits, before, between, behind } where = in::text;
        bool word_start = false;
        auto operator<=>(const place&) const = default;
    };
    struct state {
        std::vector<place> places;  // sorted
        bool whole = false;
        std::map<char32_t, std::uint32_t> next;
    };

    // Where one letter leads, while it is found out.
    struct reached {
        std::vector<place> places;
        bool whole = false;
        std::set<std::pair<std::uint32_t, bool>> entered;  // node, word_start: paths meet again
    };

    void enter(std::uint32_t node, bool word_start, reached& into) const;
    void leave(const place& from, reached& into) const;
    void enter_all(reached& into) const;
    bool may_end(std::uint32_t node) const;
    std::uint32_t keep(reached found);

    const std::shared_ptr<const matcher> sentences_;
    const std::size_t most_states_;
    struct words_around;
    const std::unique_ptr<const words_around> around_;
    std::vector<state> states_;
    std::unordered_multimap<std::size_t, std::uint32_t> known_;  // states by a hash of them
    std::uint64_t generation_ = 0;
};

}  // namespace loqa::intent
