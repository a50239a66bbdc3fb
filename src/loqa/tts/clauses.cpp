#include "loqa/tts/clauses.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "loqa/base/text.hpp"
#include "loqa/tts/letters.hpp"

namespace loqa::tts {

namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f' || c == '\v'; }
// Something that is spoken: a letter, a digit, or a character beyond ASCII.
bool is_spoken(char c) { return is_letter(c) || is_digit(c) || static_cast<unsigned char>(c) >= 0x80; }
bool ends_sentence(char mark) { return mark == '.' || mark == '?' || mark == '!'; }

// Typographic marks as the plain ones that the rest of this file knows.
std::string plain(std::string_view text) {
    static constexpr std::array<std::pair<std::string_view, std::string_view>, 8> marks{
        {{"…", "."}, {" — ", ", "}, {" – ", ", "}, {"—", ", "}, {"“", ""}, {"”", ""}, {"‘", "'"}, {"’", "'"}}};
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        const auto found = std::ranges::find_if(marks, [&](const auto& mark) { return text.starts_with(mark.first); });
        if (found != marks.end()) {
            out += found->second;
            text.remove_prefix(found->first.size());
        } else {
            out += text.front();
            text.remove_prefix(1);
        }
    }
    return out;
}

// Whether the full stop at `at` belongs to its word rather than to the sentence.
bool is_abbreviation(std::string_view text, std::size_t at, std::size_t next) {
    static constexpr std::array<std::string_view, 8> titles{"mr", "mrs", "ms", "dr", "prof", "st", "vs", "approx"};
    std::size_t begin = at;
    while (begin > 0 && !is_space(text[begin - 1])) --begin;
    const auto word = to_lower(text.substr(begin, at - begin));
    if (next >= text.size()) return false;
    if (is_lower(text[next])) return true;
    if (std::ranges::find(titles, word) != titles.end()) return true;
    if (word == "a.m" || word == "p.m") return false;
    return word.contains('.') || (word.size() == 1 && is_letter(word[0]) && is_upper(text[at - 1]) && word != "i");
}

std::vector<phrase> split_into_phrases(std::string_view text) {
    std::vector<phrase> phrases;
    std::size_t begin = 0;
    const auto close = [&](std::size_t end, std::size_t next, char mark) {
        const auto words = trim(text.substr(begin, end - begin));
        if (std::ranges::any_of(words, is_spoken)) phrases.push_back({std::string(words), mark});
        begin = next;
    };
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (c == '\n') {
            close(i, i + 1, '.');
            continue;
        }
        if (!std::string_view(".?!,;:").contains(c)) continue;
        // The mark, more of them ("?!", "..."), and what closes a quotation or a bracket.
        std::size_t end = i;
        char mark = c;
        for (; end < text.size() && std::string_view(".?!,;:\"')]").contains(text[end]); ++end)
            if (text[end] == '?' || (text[end] == '!' && mark != '?')) mark = text[end];
        if (end < text.size() && !is_space(text[end])) {
            i = end - 1;
            continue;
        }
        std::size_t next = end;
        while (next < text.size() && is_space(text[next]) && text[next] != '\n') ++next;
        if (mark == '.' && end == i + 1 && is_abbreviation(text, i, next)) continue;
        close(i, next, mark);
        i = next - 1;
    }
    close(text.size(), text.size(), '.');
    return phrases;
}

// The phrase in pieces of at most `longest` bytes, cut between words; a word that is longer itself is cut between
// characters.
std::vector<phrase> cut(phrase whole, std::size_t longest) {
    std::vector<phrase> pieces;
    std::string_view rest = whole.text;
    while (rest.size() > longest) {
        auto at = rest.rfind(' ', longest);
        if (at == std::string_view::npos || at == 0) {
            at = longest;
            while (at > 1 && (static_cast<unsigned char>(rest[at]) & 0xC0) == 0x80) --at;
        }
        pieces.push_back({std::string(trim(rest.substr(0, at))), ','});
        rest = trim(rest.substr(at));
    }
    pieces.push_back({std::string(rest), whole.mark});
    return pieces;
}

}  // namespace

std::vector<unit> split_into_units(std::string_view text, const unit_limits& limits) {
    std::vector<phrase> phrases;
    for (auto& each : split_into_phrases(plain(text)))
        for (auto& piece : cut(std::move(each), limits.longest)) phrases.push_back(std::move(piece));

    std::vector<unit> units;
    unit open;
    std::size_t bytes = 0;
    const auto close = [&] {
        if (open.phrases.empty()) return;
        open.ends_sentence = ends_sentence(open.phrases.back().mark);
        units.push_back(std::exchange(open, {}));
        bytes = 0;
    };
    for (std::size_t i = 0; i < phrases.size(); ++i) {
        if (bytes + phrases[i].text.size() > limits.longest) close();
        bytes += phrases[i].text.size();
        open.phrases.push_back(phrases[i]);
        const bool opening = units.empty() && bytes >= limits.shortest_opening && i + 1 < phrases.size() &&
                             phrases[i + 1].text.size() >= limits.shortest_opening;
        if (ends_sentence(phrases[i].mark) || opening) close();
    }
    close();
    return units;
}

}  // namespace loqa::tts
