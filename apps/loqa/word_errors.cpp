#include "word_errors.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <map>

namespace loqa::cli {
namespace {

using words = std::vector<std::string>;

constexpr std::array small = {"zero",     "one",     "two",     "three",     "four",     "five",    "six",
                              "seven",    "eight",   "nine",    "ten",       "eleven",   "twelve",  "thirteen",
                              "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"};
constexpr std::array tens = {"", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"};

void add_number(unsigned value, words& to) {
    if (value >= 1'000'000) {
        to.push_back(std::to_string(value));
    } else if (value >= 1000) {
        // As a year: "nineteen eighty four".
        if (value >= 1100 && value < 2100 && value % 1000 >= 10) {
            add_number(value / 100, to);
            if (value % 100 == 0)
                to.emplace_back("hundred");
            else
                add_number(value % 100, to);
            return;
        }
        add_number(value / 1000, to);
        to.emplace_back("thousand");
        if (value % 1000 != 0) add_number(value % 1000, to);
    } else if (value >= 100) {
        to.emplace_back(small[value / 100]);
        to.emplace_back("hundred");
        if (value % 100 != 0) add_number(value % 100, to);
    } else if (value >= 20) {
        to.emplace_back(tens[value / 10]);
        if (value % 10 != 0) to.emplace_back(small[value % 10]);
    } else {
        to.emplace_back(small[value]);
    }
}

// "5" and "5th" alike; "05" after a colon is "oh five", "00" nothing.
void add_digits(std::string_view digits, bool minutes, words& to) {
    if (minutes && digits == "00") return;
    if (minutes && digits.size() == 2 && digits[0] == '0') {
        to.emplace_back("oh");
        digits.remove_prefix(1);
    }
    unsigned value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error == std::errc{} && end == digits.data() + digits.size())
        add_number(value, to);
    else
        to.emplace_back(digits);
}

const std::map<std::string, std::string, std::less<>>& same_words() {
    static const std::map<std::string, std::string, std::less<>> table = {
        {"okay", "ok"},      {"first", "one"},      {"second", "two"},     {"third", "three"},      {"fifth", "five"},
        {"eighth", "eight"}, {"ninth", "nine"},     {"twelfth", "twelve"}, {"twentieth", "twenty"}, {"mister", "mr"},
        {"missus", "mrs"},   {"o'clock", "oclock"}, {"grey", "gray"}};
    return table;
}

}  // namespace

std::vector<std::string> spoken_words(std::string_view text) {
    words all;
    for (std::size_t at = 0; at < text.size();) {
        const auto c = static_cast<unsigned char>(text[at]);
        if (std::isdigit(c)) {
            std::string digits;
            const bool minutes = at > 0 && text[at - 1] == ':';
            for (; at < text.size(); ++at) {
                const bool digit = std::isdigit(static_cast<unsigned char>(text[at])) != 0;
                const bool separates = text[at] == ',' && at + 1 < text.size() &&
                                       std::isdigit(static_cast<unsigned char>(text[at + 1])) != 0;
                if (!digit && !separates) break;
                if (digit) digits += text[at];
            }
            add_digits(digits, minutes, all);
            for (const std::string_view ending : {"st", "nd", "rd", "th"})
                if (text.substr(at).starts_with(ending)) at += ending.size();
            if (text.substr(at).starts_with("%")) all.emplace_back("percent");
        } else if (std::isalpha(c) || c >= 0x80) {
            std::string word;
            // An apostrophe is left out and a full stop inside too: "p.m." is "pm".
            for (; at < text.size(); ++at) {
                const auto letter = static_cast<unsigned char>(text[at]);
                if (text.substr(at).starts_with("\u2019")) {
                    at += 2;
                } else if (std::isalpha(letter) || letter >= 0x80) {
                    word += static_cast<char>(std::tolower(letter));
                } else if (letter != '\'' && !(letter == '.' && at + 1 < text.size() &&
                                               std::isalpha(static_cast<unsigned char>(text[at + 1])) != 0)) {
                    break;
                }
            }
            const auto same = same_words().find(word);
            all.push_back(same == same_words().end() ? word : same->second);
        } else {
            ++at;
        }
    }
    return all;
}

std::size_t word_errors(std::span<const std::string> said, std::span<const std::string> heard) {
    std::vector<std::size_t> row(heard.size() + 1);
    for (std::size_t i = 0; i < row.size(); ++i) row[i] = i;
    for (std::size_t i = 1; i <= said.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i;
        for (std::size_t k = 1; k <= heard.size(); ++k) {
            const auto exchanged = diagonal + (said[i - 1] == heard[k - 1] ? 0 : 1);
            diagonal = row[k];
            row[k] = std::min({row[k] + 1, row[k - 1] + 1, exchanged});
        }
    }
    return row.back();
}

}  // namespace loqa::cli
