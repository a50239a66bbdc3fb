#include "loqa/intent/mending.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <queue>
#include <unordered_set>

#include "loqa/intent/sentence_template.hpp"
#include "loqa/intent/sound.hpp"
#include "loqa/intent/text.hpp"

namespace loqa::intent {
namespace {

constexpr double dearest_word = 0.5;       // one word changed more than this is another word
constexpr double dearest_sentence = 0.75;  // and a sentence changed more than this is another sentence
constexpr double joining = 0.1;            // two words for one
constexpr double leaving_out = 0.12;       // a small word that was never said
constexpr double vocabulary_word = 0.1;    // a word that may be what was said after all
constexpr double margin_searched = 0.3;    // how much dearer a second meaning may be to be told
constexpr std::size_t most_changes = 3;
constexpr std::size_t most_attempts = 400;  // sentences that are matched
constexpr std::size_t most_steps = 6'000;
constexpr std::size_t choices_per_word = 5;
constexpr std::size_t most_words = 24;
constexpr std::size_t most_words_of_name = 4;
constexpr std::size_t shortest_name = 5;  // letters: a shorter name sounds like too much

struct entry {
    std::u32string text;
    std::string code;
    std::u32string letters;  // of a name, without its spaces
};

// Small words that a recogniser takes for each other. Number words are not guessed at: fifteen and fifty are both
// words; only these are certain.
struct confusion {
    std::u32string_view heard, meant;
    double cost;
    bool only_first = false;  // at the beginning of the sentence
};
constexpr std::array<confusion, 27> confusions{{
    {U"to", U"two", 0.1},         {U"too", U"two", 0.1},
    {U"for", U"four", 0.1},       {U"fore", U"four", 0.1},
    {U"won", U"one", 0.1},        {U"ate", U"eight", 0.1},
    {U"fife", U"five", 0.1},      {U"tree", U"three", 0.1},
    {U"niner", U"nine", 0.1},     {U"four", U"for", 0.1},
    {U"before", U"for", 0.2},     {U"santa", U"set a", 0.15, true},
    {U"sent", U"set", 0.1, true}, {U"said", U"set", 0.15, true},
    {U"sat", U"set", 0.15, true}, {U"turned", U"turn", 0.05, true},
    {U"and", U"add", 0.15, true}, {U"at", U"add", 0.15, true},
    {U"an", U"and", 0.1},         {U"in", U"and", 0.2},
    {U"the", U"a", 0.1},          {U"of", U"a", 0.15},
    {U"to", U"the", 0.15},        {U"light", U"lights", 0.05},
    {U"has", U"is", 0.1},         {U"and", U"in", 0.2},
    {U"their", U"the", 0.1},
}};

// Several small words for several, where they sound the same as a whole: "time or four", "time before".
constexpr std::array<std::u32string_view, 5> phrases{U"timer for", U"timer called", U"half an hour", U"and a half",
                                                     U"timers are"};

// Left out where they were not said, at a price.
constexpr std::array<std::u32string_view, 20> small_words{U"the",  U"a",  U"an",   U"to", U"of", U"it", U"and",
                                                          U"then", U"or", U"so",   U"oh", U"uh", U"um", U"er",
                                                          U"that", U"is", U"this", U"we", U"i",  U"you"};

// What is done, and whether it is done or undone: never taken for one another, and never made of another word unasked.
constexpr std::array<std::u32string_view, 36> decisive{
    U"on",       U"off",    U"up",       U"down",       U"out",    U"open",  U"close",    U"opened", U"closed",
    U"lock",     U"unlock", U"locked",   U"unlocked",   U"start",  U"stop",  U"pause",    U"resume", U"increase",
    U"decrease", U"add",    U"remove",   U"mute",       U"unmute", U"next",  U"previous", U"all",    U"every",
    U"not",      U"cancel", U"activate", U"deactivate", U"raise",  U"lower", U"arm",      U"disarm", U"extend"};

template <std::size_t N>
bool is_one_of(const std::array<std::u32string_view, N>& words, std::u32string_view word) {
    return std::ranges::find(words, word) != words.end();
}

std::u32string without_spaces(std::u32string_view text) {
    std::u32string out;
    for (const char32_t c : text)
        if (is_letter(c)) out.push_back(c);
    return out;
}

std::size_t words_in(std::u32string_view text) {
    return text.empty() ? 0 : static_cast<std::size_t>(std::ranges::count(text, U' ')) + 1;
}

struct choice {
    std::size_t words = 1;  // how many of the sentence's words it stands for
    std::u32string text;    // empty: they are left out
    double cost = 0;
    bool delicate = false;
    bool sure = false;  // may stand beside a number all the same
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
    std::map<std::size_t, std::vector<entry>> names;    // by the length of their code; as they are said
    std::vector<entry> all_phrases;

    bool is_known(std::u32string_view word) const { return known.find(word) != known.end(); }
    bool is_number(std::u32string_view word) const {
        if (!word.empty() && is_digit(word.front())) return true;
        const auto found = known.find(word);
        return found != known.end() && found->second;
    }

    // A changed word is as delicate as what it stands for: names and rooms may be mended, verbs and values not.
    bool is_delicate(std::u32string_view heard, std::u32string_view meant) const {
        return is_one_of(decisive, meant) && heard != U"of";
    }

    std::vector<choice> near(std::u32string_view word, std::size_t words, double extra) const {
        std::vector<choice> found;
        const std::string code = sound_code(encode_utf8(word));
        for (std::size_t length = word.size() > 3 ? word.size() - 3 : 1; length <= word.size() + 3; ++length) {
            const auto bucket = by_length.find(length);
            if (bucket == by_length.end()) continue;
            for (const entry& one : bucket->second) {
                if (one.text == word && words == 1) continue;
                const double cost = mending_cost(word, code, one.text, one.code) + extra;
                if (cost <= dearest_word) found.push_back({words, one.text, cost, is_delicate(word, one.text)});
            }
        }
        std::ranges::sort(found, [](const choice& a, const choice& b) {
            return std::tie(a.cost, a.text) < std::tie(b.cost, b.text);
        });
        if (found.size() > choices_per_word) found.resize(choices_per_word);
        return found;
    }

    // Names that sound like `window` as a whole, however it is parted into words.
    static void near_whole(const std::vector<entry>& all, std::u32string_view window, const std::string& code,
                           std::size_t words, bool sure, std::vector<choice>& found) {
        for (const entry& one : all) {
            // What begins with quite another sound is another name: most of a large home.
            if (code.empty() || one.code.empty() || sound_family(code[0]) != sound_family(one.code[0])) continue;
            const std::u32string& meant = one.letters;
            const std::size_t longer = std::max(meant.size(), window.size());
            const std::size_t shorter = std::min(meant.size(), window.size());
            if (longer - shorter > 3 + longer / 4) continue;
            const double sounds =
                sound_distance(code, one.code) / static_cast<double>(std::max(code.size(), one.code.size()));
            if (sounds > 0.34) continue;
            const std::size_t limit = longer / 2;
            const double share =
                static_cast<double>(spelling_distance(window, meant, limit)) / static_cast<double>(longer);
            if (share > 0.5) continue;
            const std::size_t said = words_in(one.text);
            const double cost = 0.05 + 0.5 * sounds + 0.3 * share + (said == words ? 0 : 0.03);
            if (cost <= dearest_word) found.push_back({words, one.text, cost, false, sure});
        }
    }

    std::vector<choice> choices_at(const std::vector<std::u32string_view>& words,
                                   const std::vector<std::u32string_view>& as_written, std::size_t i) const {
        std::vector<choice> out;
        const std::u32string_view word = words[i];
        // A word that stays keeps its capitals: it may be part of a title.
        out.push_back({1, std::u32string(as_written[i]), 0});
        const std::u32string letters = without_spaces(word);
        if (letters.empty() || !std::ranges::all_of(word, [](char32_t c) { return is_letter(c) || c == U'\''; }))
            return out;
        const bool decides = is_one_of(decisive, word), number = is_number(word);
        if (is_one_of(small_words, word)) out.push_back({1, {}, leaving_out});
        for (const auto& one : confusions)
            if (one.heard == word && (!one.only_first || i == 0))
                out.push_back(
                    {1, std::u32string(one.meant), one.cost, false, one.meant == U"for" || one.meant == U"set a"});
        if (word == U"per" && i + 1 < words.size() && words[i + 1] == U"cent")
            out.push_back({2, U"percent", 0.02, false, true});
        if (!decides && !number)
            std::ranges::move(near(letters, 1, is_known(word) ? vocabulary_word : 0), std::back_inserter(out));
        // Taken apart: "sinklight", "postatimer".
        if (!is_known(word) && letters.size() >= 5)
            for (std::size_t cut = 2; cut + 2 <= letters.size(); ++cut) {
                const std::u32string head = letters.substr(0, cut), tail = letters.substr(cut);
                if (is_known(head) && is_known(tail) && !is_number(head) && !is_number(tail))
                    out.push_back({1, head + U" " + tail, joining});
            }
        // "Is the front door lock", asked.
        if (!words.empty() && (words[0] == U"is" || words[0] == U"are")) {
            if (word == U"lock") out.push_back({1, U"locked", 0.1});
            if (word == U"close" || word == U"clothes") out.push_back({1, U"closed", 0.1});
        }
        std::u32string joined = letters;
        bool has_decisive = decides, has_number = number, has_other_number = number && word != U"four";
        for (std::size_t count = 1; count <= most_words_of_name && i + count <= words.size(); ++count) {
            if (count > 1) {
                const std::u32string_view next = words[i + count - 1];
                const std::u32string more = without_spaces(next);
                if (more.empty() || more.size() + 1 < next.size()) break;
                joined += more;
                has_decisive = has_decisive || is_one_of(decisive, next);
                has_number = has_number || is_number(next);
                has_other_number = has_other_number || (is_number(next) && next != U"four");
            }
            const double extra = joining * static_cast<double>(count - 1);
            // "up stairs" and "any one" are words all the same.
            if (count > 1 && count <= 3 && is_known(joined) && !is_number(joined))
                out.push_back(
                    {count, joined, has_decisive || has_number ? joining / 2 : extra, is_delicate({}, joined)});
            if (has_decisive) continue;
            const std::string code = sound_code(encode_utf8(joined));
            // "time or four": a number may be part of a phrase, never of a name.
            if (count > 1 && code.size() >= 4 && !has_other_number)
                near_whole(all_phrases, joined, code, count, true, out);
            if (has_number) continue;
            if (count > 1 && count <= 3) std::ranges::move(near(joined, count, extra), std::back_inserter(out));
            if (joined.size() < shortest_name) continue;
            for (std::size_t length = code.size() > 2 ? code.size() - 2 : 1; length <= code.size() + 2; ++length)
                if (const auto bucket = names.find(length); bucket != names.end())
                    near_whole(bucket->second, joined, code, count, false, out);
        }
        std::ranges::stable_sort(out, {}, &choice::cost);
        return out;
    }
};

mender::mender(std::shared_ptr<const matcher> sentences, const home& house) : impl_(std::make_unique<impl>()) {
    impl_->sentences = std::move(sentences);
    impl_->sentences->for_each_word([&](std::u32string_view word, bool number) {
        impl_->known.emplace(word, number);
        if (word.size() > 1 && !number && std::ranges::all_of(word, is_letter))
            impl_->by_length[word.size()].push_back({std::u32string(word), sound_code(encode_utf8(word)), {}});
    });
    const auto add_name = [&](const std::string& name) {
        std::vector<std::u32string> spellings{to_lower(normalize_spelling(decode_utf8(name)))};
        if (is_template(name)) {
            spellings.clear();
            if (auto parsed = parse_template({name, {}}))
                if (auto all = expand(*parsed, {}, 64)) spellings = std::move(*all);
        }
        for (auto& one : spellings) {
            // A number in a name has to be said: "Lamp 2" is not what sounds like "lamb".
            if (std::ranges::any_of(one, is_digit)) continue;
            std::u32string letters = without_spaces(one);
            if (letters.size() < shortest_name) continue;
            std::string code = sound_code(encode_utf8(letters));
            impl_->names[code.size()].push_back({std::move(one), std::move(code), std::move(letters)});
        }
    };
    for (const auto& one : house.floors) add_name(one.name), std::ranges::for_each(one.aliases, add_name);
    for (const auto& one : house.areas) add_name(one.name), std::ranges::for_each(one.aliases, add_name);
    for (const auto& one : house.entities) add_name(one.name), std::ranges::for_each(one.aliases, add_name);
    for (const auto phrase : phrases) {
        std::u32string letters = without_spaces(phrase);
        std::string code = sound_code(encode_utf8(letters));
        impl_->all_phrases.push_back({std::u32string(phrase), std::move(code), std::move(letters)});
    }
}

mender::~mender() = default;

std::vector<mended> mender::mend(std::string_view sentence, const context& where) const {
    std::u32string written = normalize_sentence(decode_utf8(sentence));
    std::ranges::replace(written, U'-', U' ');
    written = normalize_spelling(written);
    const std::u32string text = to_lower(written);
    std::vector<std::u32string_view> words, as_written;
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = std::min(text.find(U' ', begin), text.size());
        std::size_t last = end;
        while (last > begin && is_punctuation(text[last - 1])) --last;
        if (last > begin) {
            words.push_back(std::u32string_view(text).substr(begin, last - begin));
            as_written.push_back(std::u32string_view(written).substr(begin, last - begin));
        }
        begin = end + 1;
    }
    if (words.empty() || words.size() > most_words) return {};

    // What each word, or a few of them together, may have been.
    std::vector<std::vector<choice>> choices;
    for (std::size_t i = 0; i < words.size(); ++i) choices.push_back(impl_->choices_at(words, as_written, i));

    // Cheapest first through all of them.
    struct step {
        double cost = 0;
        std::size_t at = 0, changes = 0, serial = 0;
        std::u32string text;
        bool delicate = false, after_change = false, after_number = false;
        bool operator>(const step& other) const { return std::tie(cost, serial) > std::tie(other.cost, other.serial); }
    };
    std::priority_queue<step, std::vector<step>, std::greater<>> open;
    std::size_t serial = 0, steps = 0, attempts = 0;
    open.push({});
    std::unordered_set<std::u32string> tried;
    const std::string heard = encode_utf8(written);
    std::vector<mended> out;
    while (!open.empty() && ++steps <= most_steps && attempts < most_attempts) {
        step now = open.top();
        open.pop();
        if (!out.empty() && now.cost > out.front().cost + margin_searched) break;
        if (now.at < words.size()) {
            for (const choice& one : choices[now.at]) {
                const bool changed = one.cost > 0;
                if (now.cost + one.cost > dearest_sentence || now.changes + (changed ? 1 : 0) > most_changes) continue;
                step next = now;
                next.cost += one.cost;
                next.changes += changed ? 1 : 0;
                next.at += one.words;
                next.serial = ++serial;
                const bool number = !changed && one.words == 1 && impl_->is_number(words[now.at]);
                const std::size_t then = now.at + one.words;
                // "The mute the television" may have been "unmute".
                const bool before_verb =
                    changed && now.at == 0 && then < words.size() && is_one_of(decisive, words[then]);
                // "Timer 490 seconds" may have been "timer for 90 seconds".
                const bool no_for = number && now.text.ends_with(U"timer");
                // A number beside a change may have been another number.
                next.delicate = next.delicate || one.delicate || (changed && !one.sure && now.after_number) ||
                                (number && now.after_change) || before_verb || no_for;
                next.after_change = changed && !one.sure;
                next.after_number = number;
                if (!one.text.empty()) {
                    if (!next.text.empty()) next.text.push_back(U' ');
                    next.text += one.text;
                }
                open.push(std::move(next));
            }
            continue;
        }
        if (now.changes == 0 || now.text.empty() || !tried.insert(now.text).second) continue;
        ++attempts;
        auto readings = impl_->sentences->match_all(encode_utf8(now.text), where, 1);
        if (readings.empty()) continue;
        recognized& got = readings.front();
        // Free text is what was said, not what we make of it.
        const auto is_made_up = [&](const slot& part) { return part.wildcard && !heard.contains(part.text); };
        if (std::ranges::any_of(got.slots, is_made_up)) continue;
        if (std::ranges::any_of(out, [&](const mended& m) { return same_meaning(m.meaning, got); })) continue;
        // A value that was not written is a guess: a colour, a state.
        const auto is_guessed = [&](const slot& part) {
            return !part.wildcard && !part.text.empty() && part.name != "name" && part.name != "area" &&
                   part.name != "floor" && part.name != "domain" && part.name != "device_class" &&
                   !encode_utf8(text).contains(part.text);
        };
        const bool delicate = now.delicate || std::ranges::any_of(got.slots, is_guessed);
        got.confidence = 1 - now.cost;
        out.push_back({std::move(got), now.cost, now.changes, delicate});
        if (out.size() == 2) break;
    }
    return out;
}

}  // namespace loqa::intent
