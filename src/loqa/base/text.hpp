// Small text helpers. Stateless: safe from any thread.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace loqa {

// Levenshtein distance in bytes.
std::size_t edit_distance(std::string_view a, std::string_view b);

// The candidate nearest to `word`, or "" when none is near enough to be what was meant (more than a third of it
// differs).
std::string nearest(std::string_view word, std::span<const std::string> candidates);

std::string_view trim(std::string_view text);
std::vector<std::string> split(std::string_view text, char separator);
std::string to_lower(std::string_view ascii);

// How many bytes a character of UTF-8 has that begins with this one; 0 where none does.
std::size_t utf8_length(char first);

}  // namespace loqa
