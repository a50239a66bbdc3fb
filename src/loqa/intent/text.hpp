// Text as the matcher sees it: one code point a character, so that positions, case and word boundaries are simple.
// Internal to the module. Stateless: safe from any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace loqa::intent {

// Bytes that are not UTF-8 become U+FFFD.
std::u32string decode_utf8(std::string_view text);
std::string encode_utf8(std::u32string_view text);

// One code point for one, so that positions in a lowered text are those of the original.
char32_t to_lower(char32_t c);
std::u32string to_lower(std::u32string_view text);

bool is_space(char32_t c);
bool is_digit(char32_t c);
bool is_word(char32_t c);         // letter, digit or underscore: what may stand inside a word
bool is_letter(char32_t c);       // is_word but neither digit nor underscore
bool is_punctuation(char32_t c);  // . , ? ! : ; … and their kin: what a recogniser adds and a speaker never says

// Runs of white space become one space, the typographic apostrophe a plain one.
std::u32string normalize_spelling(std::u32string_view text);

// What is left of a spoken sentence for matching: spelling normalised, punctuation at the edges of words gone,
// initialisms
// ("A.C.") and decimals ("22.5") kept.
std::u32string normalize_sentence(std::u32string_view text);

// Which ends of a sentence skip words are taken from.
enum class skip_from { anywhere, start, end };

// `text` without the skip words (lower case, longest first).
std::u32string remove_skip_words(std::u32string_view text, const std::vector<std::u32string>& words, skip_from where);

// Maximal runs of letters, maximal runs of digits, and every other non-space character for itself: the units by which
// templates are looked up. "today's 50%" → today ' s 50 %
void tokenize(std::u32string_view text, std::vector<std::u32string_view>& tokens);

}  // namespace loqa::intent
