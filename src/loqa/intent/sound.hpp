// How alike two words sound: for mending what a speech recogniser mangled. Internal to the module. Stateless.
#pragma once

#include <string>
#include <string_view>

namespace loqa::intent {

// The consonants of an English word as they are spoken, with vowels but the first left out: "kitchen" and "kitchin" are
// one.
std::string sound_code(std::string_view lower_case);

// Insertions, deletions, substitutions and swaps of neighbours; more than `limit` counts as limit + 1.
std::size_t spelling_distance(std::u32string_view a, std::u32string_view b, std::size_t limit);

// Sounds that are made alike have the same number.
int sound_family(char code);

// How far apart two sound codes are: sounds made alike (b, p; s, sh; m, n; l, r) are half as far as others.
double sound_distance(std::string_view a, std::string_view b);

// What it costs to believe that `meant` was said where `heard` was written: 0 is the same word, 1 and more are
// different words.
double mending_cost(std::u32string_view heard, const std::string& heard_code, std::u32string_view meant,
                    const std::string& meant_code);

}  // namespace loqa::intent
