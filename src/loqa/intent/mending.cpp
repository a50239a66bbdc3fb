#include "loqa/intent/mending.hpp"

#include <algorithm>
#include <array>
#include <map>

#include "loqa/intent/sound.hpp"
#include "loqa/intent/text.hpp"

namespace loqa::intent {
namespace {

constexpr double dearest_word = 0.5;       // one word changed more than this is another word
constexpr double dearest_sentence = 0.75;  // and a sentence changed more than this is another sentence
constexpr double joining = 0.1;            // two words for one
constexpr double vocabulary_word = 0.1;    // a word that may be what was said after all
constexpr double margin_searched = 0.3;    // how much dearer a second meaning may be to be told
constexpr std::size_t most_changes = 3;
constexpr std::size_t most_variants = 400;
constexpr std::size_t choices_per_word = 5;
constexpr std::size_t most_words = 24;

struct entry {
    std::u32string text;
    std::string code;
};

// Number words are not guessed at: fifteen and fifty are both words. Only these are certain.
const std::map<std::u32string, std::u32string, std::less<>>& homophones() {
    static const std::map<std::u32string, std::u32string, std::less<>> known{
        {U"to", U"two"},    {U"too", U"two"},   {U"for", U"four"},   {U"fore", U"four"}, {U"won", U"one"},
        {U"ate", U"eight"}, {U"fife", U"five"}, {U"tree", U"three"}, {U"niner", U"nine"}};
    return known;
}

struct choice {
    std::size_t words = 1;  // how many of the sentence's words it stands for
    std::u32string text;
    double cost = 0;
};

struct variant {
    std::u32string text;
    double cost = 0;
    std::size_t changes = 0;
};

bool same_meaning(const recognized& a, const recognized& b) {
    if (a.intent != b.intent || a.slots.size() != b.slots.size()) return false;
    return std::ranges::all_of(a.slots, [&](const slot& one) {
        const slot* other = b.find(one.name);
        return other != nullptr && other->value == one.value;
    });
}

}  // namespace

struct mender::impl {
    std::shared_ptr<const matcher> sentences;
    std::map<std::size_t, std::vector<entry>> by_length;
    std::map<std::u32string, bool, std::less<>> known;  // word → is a number word

    std::vector<choice> near(std::u32string_view word, std::size_t words, double extra) const {
        std::vector<choice> found;
        const std::string code = sound_code(encode_utf8(word));
        for (std::size_t length = word.size() > 3 ? word.size() - 3 : 1; length <= word.size() + 3; ++length) {
            const auto bucket = by_length.find(length);
            if (bucket == by_length.end()) continue;
            for (const entry& one : bucket->second) {
                if (one.text == word && words == 1) continue;
                const double cost = mending_cost(word, code, one.text, one.code) + extra;
                if (cost <= dearest_word) found.push_back({words, one.text, cost});
            }
        }
        std::ranges::sort(found, [](const choice& a, const choice& b) {
            return std::tie(a.cost, a.text) < std::tie(b.cost, b.text);
        });
        if (found.size() > choices_per_word) found.resize(choices_per_word);
        return found;
    }
};

mender::mender(std::shared_ptr<const matcher> sentences) : impl_(std::make_unique<impl>()) {
    impl_->sentences = std::move(sentences);
    impl_->sentences->for_each_word([&](std::u32string_view word, bool number) {
        if (word.size() > 1 && std::ranges::all_of(word, is_letter)) {
            impl_->known.emplace(word, number);
            if (!number) impl_->by_length[word.size()].push_back({std::u32string(word), sound_code(encode_utf8(word))});
        } else {
            impl_->known.emplace(word, number);
        }
    });
}

mender::~mender() = default;

std::vector<mended> mender::mend(std::string_view sentence, const context& where) const {
    const std::u32string written = normalize_sentence(decode_utf8(sentence));
    const std::u32string text = to_lower(written);
    std::vector<std::u32string_view> words;
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = std::min(text.find(U' ', begin), text.size());
        if (end > begin) words.push_back(std::u32string_view(text).substr(begin, end - begin));
        begin = end + 1;
    }
    if (words.empty() || words.size() > most_words) return {};

    // What each word, or a few of them together, may have been.
    std::vector<std::vector<choice>> choices(words.size());
    for (std::size_t i = 0; i < words.size(); ++i) {
        const bool letters = std::ranges::all_of(words[i], is_letter);
        // A word that stays keeps its capitals: it may be part of a title.
        choices[i].push_back(
            {1, written.substr(static_cast<std::size_t>(words[i].data() - text.data()), words[i].size()), 0});
        if (!letters) continue;
        const auto known = impl_->known.find(words[i]);
        if (known == impl_->known.end() || !known->second)
            std::ranges::move(impl_->near(words[i], 1, known == impl_->known.end() ? 0 : vocabulary_word),
                              std::back_inserter(choices[i]));
        if (const auto other = homophones().find(words[i]); other != homophones().end())
            choices[i].push_back({1, other->second, vocabulary_word});
        std::u32string joined(words[i]);
        for (std::size_t more = 1; more < 3 && i + more < words.size(); ++more) {
            if (!std::ranges::all_of(words[i + more], is_letter)) break;
            joined += words[i + more];
            const double extra = joining * static_cast<double>(more);
            if (impl_->known.contains(joined)) choices[i].push_back({more + 1, joined, extra});
            std::ranges::move(impl_->near(joined, more + 1, extra), std::back_inserter(choices[i]));
        }
        std::ranges::stable_sort(choices[i], {}, &choice::cost);
    }

    std::vector<variant> variants;
    std::u32string so_far;
    const auto build = [&](auto& self, std::size_t at, double cost, std::size_t changes) -> void {
        if (variants.size() >= most_variants) return;
        if (at == words.size()) {
            if (changes > 0) variants.push_back({so_far, cost, changes});
            return;
        }
        const std::size_t length = so_far.size();
        for (const choice& one : choices[at]) {
            const std::size_t now = changes + (one.cost > 0 ? 1 : 0);
            if (now > most_changes || cost + one.cost > dearest_sentence) continue;
            if (!so_far.empty()) so_far.push_back(U' ');
            so_far += one.text;
            self(self, at + one.words, cost + one.cost, now);
            so_far.resize(length);
        }
    };
    build(build, 0, 0, 0);
    std::ranges::stable_sort(variants, {}, &variant::cost);

    const std::string heard = encode_utf8(written);
    std::vector<mended> out;
    for (const variant& one : variants) {
        if (!out.empty() && one.cost > out.front().cost + margin_searched) break;
        const std::string mended_text = encode_utf8(one.text);
        auto readings = impl_->sentences->match_all(mended_text, where, 1);
        if (readings.empty()) continue;
        recognized& got = readings.front();
        // Free text is what was said, not what we make of it.
        const auto is_made_up = [&](const slot& part) { return part.wildcard && !heard.contains(part.text); };
        if (std::ranges::any_of(got.slots, is_made_up)) continue;
        if (std::ranges::any_of(out, [&](const mended& m) { return same_meaning(m.meaning, got); })) continue;
        got.confidence = 1 - one.cost;
        out.push_back({std::move(got), one.cost, one.changes});
        if (out.size() == 2) break;
    }
    return out;
}

}  // namespace loqa::intent
