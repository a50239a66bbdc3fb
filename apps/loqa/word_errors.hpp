// How far what a recogniser wrote is from what was said, in words. Stateless: any thread.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace loqa::cli {

// English as it sounds: small letters, no punctuation, numbers in words ("7:05" and "seven oh five" are the same), so
// that engines are not held to one way of writing.
std::vector<std::string> spoken_words(std::string_view text);

// The fewest words to put in, take out and exchange to make `heard` of `said`.
std::size_t word_errors(std::span<const std::string> said, std::span<const std::string> heard);

}  // namespace loqa::cli
