#include "loqa/intent/text.hpp"

#include <algorithm>

namespace loqa::intent {
namespace {

// Leaves the period out where it may be part of an initialism.
bool is_punctuation_but_period(char32_t c) {
    switch (c) {
        case U',':
        case U'?':
        case U'!':
        case U';':
        case U':':
        case 0x3002:
        case 0xFF0C:
        case 0x00BF:
        case 0xFF1F:
        case 0x061F:
        case 0x00A1:
        case 0xFF01:
        case 0xFF1B:
        case 0xFF1A:
        case 0x2019:
        case 0x2026:
        case 0x2014:
        case 0x2013:
        case 0x2015:
            return true;
        default:
            return false;
    }
}

bool in(char32_t c, char32_t first, char32_t last) { return c >= first && c <= last; }

// Alphabets whose capitals and small letters alternate, capital first.
bool alternates_from_even(char32_t c) {
    return in(c, 0x100, 0x137) || in(c, 0x14A, 0x177) || in(c, 0x1A0, 0x1A5) || in(c, 0x1DE, 0x1EF) ||
           in(c, 0x1F8, 0x21F) || in(c, 0x222, 0x233) || in(c, 0x460, 0x481) || in(c, 0x48A, 0x4BF) ||
           in(c, 0x4D0, 0x52F) || in(c, 0x1E00, 0x1E95) || in(c, 0x1EA0, 0x1EFF);
}

bool alternates_from_odd(char32_t c) {
    return in(c, 0x139, 0x148) || in(c, 0x179, 0x17E) || c == 0x1AF || in(c, 0x1CD, 0x1DC) || in(c, 0x4C1, 0x4CE);
}

// "\b(?:\w\.){2,}$": the sentence ends in "a.c."
bool ends_in_initialism(std::u32string_view text) {
    std::size_t pairs = 0, end = text.size();
    while (end >= 2 && text[end - 1] == U'.' && is_word(text[end - 2])) {
        end -= 2;
        ++pairs;
        if (pairs >= 2 && (end == 0 || !is_word(text[end - 1]))) return true;
    }
    return false;
}

// Takes out every run of characters that `in_run` holds for, where `before` and `after` hold for what stands around it.
// A run may give back characters from its end so that `after` holds.
template <class InRun, class Before, class After>
void remove_runs(std::u32string& text, InRun in_run, Before before, After after) {
    std::size_t out = 0, i = 0;
    // Conditions look at the text as it was before this pass.
    const std::u32string was = text;
    while (i < was.size()) {
        if (in_run(was[i]) && before(was, i)) {
            std::size_t end = i;
            while (end < was.size() && in_run(was[end])) ++end;
            while (end > i && !after(was, end)) --end;
            if (end > i) {
                i = end;
                continue;
            }
        }
        text[out++] = was[i++];
    }
    text.resize(out);
}

void strip(std::u32string& text) {
    std::size_t begin = 0, end = text.size();
    while (begin < end && is_space(text[begin])) ++begin;
    while (end > begin && is_space(text[end - 1])) --end;
    text = text.substr(begin, end - begin);
}

// The length of the skip word that stands at `at`, separated from its neighbours; 0 if none.
std::size_t skip_word_at(std::u32string_view lowered, std::size_t at, const std::vector<std::u32string>& words) {
    if (at > 0 && is_word(lowered[at - 1])) return 0;
    for (const auto& word : words) {
        if (lowered.substr(at, word.size()) != word) continue;
        const std::size_t end = at + word.size();
        if (end < lowered.size() && is_word(lowered[end])) continue;
        return word.size();
    }
    return 0;
}

}  // namespace

std::u32string decode_utf8(std::string_view text) {
    std::u32string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size();) {
        const auto lead = static_cast<unsigned char>(text[i]);
        if (lead < 0x80) {
            out.push_back(lead);
            ++i;
            continue;
        }
        const std::size_t length = lead >= 0xF0 && lead < 0xF5 ? 4 : lead >= 0xE0 ? 3 : 2;
        char32_t c = lead >= 0xF0 ? lead & 0x07u : lead >= 0xE0 ? lead & 0x0Fu : lead & 0x1Fu;
        bool good = lead >= 0xC2 && lead < 0xF5 && i + length <= text.size();
        for (std::size_t k = 1; good && k < length; ++k) {
            const auto next = static_cast<unsigned char>(text[i + k]);
            good = (next & 0xC0u) == 0x80u;
            c = (c << 6) | (next & 0x3Fu);
        }
        good = good && !(length == 3 && c < 0x800) && !(length == 4 && (c < 0x10000 || c > 0x10FFFF)) &&
               !in(c, 0xD800, 0xDFFF);
        out.push_back(good ? c : 0xFFFD);
        i += good ? length : 1;
    }
    return out;
}

std::string encode_utf8(std::u32string_view text) {
    std::string out;
    out.reserve(text.size());
    for (const char32_t c : text) {
        if (c < 0x80) {
            out.push_back(static_cast<char>(c));
        } else if (c < 0x800) {
            out.push_back(static_cast<char>(0xC0 | (c >> 6)));
            out.push_back(static_cast<char>(0x80 | (c & 0x3F)));
        } else if (c < 0x10000) {
            out.push_back(static_cast<char>(0xE0 | (c >> 12)));
            out.push_back(static_cast<char>(0x80 | ((c >> 6) & 0x3F)));
            out.push_back(static_cast<char>(0x80 | (c & 0x3F)));
        } else {
            out.push_back(static_cast<char>(0xF0 | (c >> 18)));
            out.push_back(static_cast<char>(0x80 | ((c >> 12) & 0x3F)));
            out.push_back(static_cast<char>(0x80 | ((c >> 6) & 0x3F)));
            out.push_back(static_cast<char>(0x80 | (c & 0x3F)));
        }
    }
    return out;
}

char32_t to_lower(char32_t c) {
    if (c < 0x80) return in(c, U'A', U'Z') ? c + 32 : c;
    if (in(c, 0xC0, 0xDE)) return c == 0xD7 ? c : c + 32;
    if (c < 0x100) return c;
    if (c == 0x130) return U'i';
    if (c == 0x178) return 0xFF;
    if (c == 0x1E9E) return 0xDF;
    if (alternates_from_even(c)) return c % 2 == 0 ? c + 1 : c;
    if (alternates_from_odd(c)) return c % 2 == 1 ? c + 1 : c;
    if (in(c, 0x391, 0x3AB)) return c == 0x3A2 ? c : c + 32;
    if (c == 0x386) return 0x3AC;
    if (in(c, 0x388, 0x38A)) return c + 37;
    if (c == 0x38C) return 0x3CC;
    if (c == 0x38E || c == 0x38F) return c + 63;
    if (in(c, 0x410, 0x42F)) return c + 32;
    if (in(c, 0x400, 0x40F)) return c + 80;
    if (c == 0x4C0) return 0x4CF;
    if (in(c, 0x531, 0x556)) return c + 48;
    return c;
}

std::u32string to_lower(std::u32string_view text) {
    std::u32string out(text);
    for (char32_t& c : out) c = to_lower(c);
    return out;
}

bool is_space(char32_t c) {
    return c == U' ' || in(c, 0x09, 0x0D) || in(c, 0x1C, 0x1F) || c == 0x85 || c == 0xA0 || c == 0x1680 ||
           in(c, 0x2000, 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

bool is_digit(char32_t c) { return in(c, U'0', U'9'); }

bool is_word(char32_t c) {
    if (c < 0x80) return in(c, U'a', U'z') || in(c, U'A', U'Z') || is_digit(c) || c == U'_';
    if (c < 0xC0)
        return c == 0xAA || c == 0xB2 || c == 0xB3 || c == 0xB5 || c == 0xB9 || c == 0xBA || in(c, 0xBC, 0xBE);
    // Beyond Latin-1: everything but the blocks of marks, punctuation and symbols.
    return c != 0xD7 && c != 0xF7 && !in(c, 0x300, 0x36F) && c != 0x61F && c != 0x60C && c != 0x61B &&
           !in(c, 0x2000, 0x206F) && !in(c, 0x20A0, 0x20CF) && !in(c, 0x2190, 0x2BFF) && !in(c, 0x3000, 0x3004) &&
           !in(c, 0x3008, 0x3020) && !in(c, 0xFF00, 0xFF0F) && !in(c, 0xFF1A, 0xFF20) && !in(c, 0xFE00, 0xFE6F) &&
           c != 0xFFFD && c < 0x1F000;
}

bool is_letter(char32_t c) { return is_word(c) && !is_digit(c) && c != U'_'; }

bool is_punctuation(char32_t c) { return c == U'.' || is_punctuation_but_period(c); }

std::u32string normalize_spelling(std::u32string_view text) {
    std::u32string out;
    out.reserve(text.size());
    for (const char32_t c : text) {
        if (!is_space(c)) {
            out.push_back(c == 0x2019 ? U'\'' : c);
        } else if (out.empty() || out.back() != U' ') {
            out.push_back(U' ');
        }
    }
    return out;
}

std::u32string normalize_sentence(std::u32string_view raw) {
    std::u32string text = normalize_spelling(raw);
    bool punctuated = false;
    for (const char32_t c : text) punctuated = punctuated || is_punctuation(c);
    if (punctuated) {
        std::size_t begin = 0;
        while (begin < text.size() && is_punctuation(text[begin])) ++begin;
        text.erase(0, begin);
        if (!ends_in_initialism(text))
            while (!text.empty() && is_punctuation(text.back())) text.pop_back();

        using view = const std::u32string&;
        const auto non_word_before = [](view t, std::size_t i) { return i > 0 && !is_word(t[i - 1]); };
        const auto word_before = [](view t, std::size_t i) { return i > 0 && is_word(t[i - 1]); };
        const auto word_after = [](view t, std::size_t i) { return i < t.size() && is_word(t[i]); };
        const auto non_word_after = [](view t, std::size_t i) { return i < t.size() && !is_word(t[i]); };
        remove_runs(text, is_punctuation, non_word_before, word_after);
        remove_runs(text, is_punctuation_but_period, word_before, non_word_after);
        const auto not_in_initialism = [](view t, std::size_t i) {
            return !(i >= 3 && is_word(t[i - 1]) && t[i - 2] == U'.' && is_word(t[i - 3]));
        };
        // A period stands for itself here: each is judged alone.
        std::u32string was = text;
        std::size_t out = 0;
        for (std::size_t i = 0; i < was.size(); ++i)
            if (!(was[i] == U'.' && not_in_initialism(was, i) && non_word_after(was, i + 1))) text[out++] = was[i];
        text.resize(out);
        remove_runs(text, is_punctuation, non_word_before, non_word_after);
    }
    strip(text);
    return text;
}

std::u32string remove_skip_words(std::u32string_view text, const std::vector<std::u32string>& words, skip_from where) {
    std::u32string out(text);
    if (where == skip_from::anywhere) {
        const std::u32string lowered = to_lower(text);
        out.clear();
        for (std::size_t i = 0; i < text.size();) {
            if (const std::size_t length = skip_word_at(lowered, i, words)) {
                out.push_back(U' ');
                i += length;
            } else {
                out.push_back(text[i++]);
            }
        }
        out = normalize_spelling(out);
        strip(out);
        return out;
    }
    for (bool again = true; again;) {
        again = false;
        const std::u32string lowered = to_lower(out);
        for (const auto& word : words) {
            if (word.size() > lowered.size()) continue;
            const std::size_t at = where == skip_from::start ? 0 : lowered.size() - word.size();
            if (lowered.compare(at, word.size(), word) != 0) continue;
            if (where == skip_from::start) {
                if (word.size() < lowered.size() && is_word(lowered[word.size()])) continue;
                out.erase(0, word.size());
            } else {
                if (at > 0 && is_word(lowered[at - 1])) continue;
                out.erase(at);
            }
            strip(out);
            again = true;
            break;
        }
    }
    return out;
}

void tokenize(std::u32string_view text, std::vector<std::u32string_view>& tokens) {
    tokens.clear();
    for (std::size_t i = 0; i < text.size();) {
        if (is_space(text[i])) {
            ++i;
            continue;
        }
        std::size_t end = i + 1;
        if (is_letter(text[i])) {
            while (end < text.size() && is_letter(text[end])) ++end;
        } else if (is_digit(text[i])) {
            while (end < text.size() && is_digit(text[end])) ++end;
        }
        tokens.push_back(text.substr(i, end - i));
        i = end;
    }
}

}  // namespace loqa::intent
