#include "loqa/intent/spoken_time.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <string>
#include <vector>

#include "loqa/intent/spoken_numbers.hpp"
#include "loqa/intent/text.hpp"

namespace loqa::intent {
namespace {

using word_list = std::vector<std::string>;

word_list split_words(std::string_view text) {
    word_list out;
    const std::string lowered = encode_utf8(to_lower(normalize_spelling(decode_utf8(text))));
    std::string word;
    for (std::size_t i = 0; i <= lowered.size(); ++i) {
        const char c = i < lowered.size() ? lowered[i] : ' ';
        // "7:30", "p.m." and "twenty-five" are several words or one without its dots.
        if (c == ' ' || c == ':' || c == '-' || c == ',') {
            if (!word.empty()) out.push_back(word);
            word.clear();
            if (c == ':') out.emplace_back(":");
        } else if (c != '.') {
            word.push_back(c);
        }
    }
    return out;
}

// Takes a number off the front: digits, or one or two words.
std::optional<int> take_number(word_list& words) {
    if (words.empty()) return std::nullopt;
    for (std::size_t count = std::min<std::size_t>(words.size(), 2); count > 0; --count) {
        std::string text = words[0];
        if (count == 2) text += " " + words[1];
        if (const auto value = parse_small_number(text)) {
            words.erase(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(count));
            return value;
        }
    }
    return std::nullopt;
}

bool take(word_list& words, std::initializer_list<std::string_view> phrase) {
    if (words.size() < phrase.size() ||
        !std::ranges::equal(phrase,
                            word_list(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(phrase.size()))))
        return false;
    words.erase(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(phrase.size()));
    return true;
}

bool take_end(word_list& words, std::initializer_list<std::string_view> phrase) {
    if (words.size() < phrase.size() ||
        !std::ranges::equal(phrase, word_list(words.end() - static_cast<std::ptrdiff_t>(phrase.size()), words.end())))
        return false;
    words.resize(words.size() - phrase.size());
    return true;
}

enum class half_day { unsaid, morning, evening, clock };

}  // namespace

std::optional<int> parse_small_number(std::string_view text) {
    int value = 0;
    if (const auto [rest, code] = std::from_chars(text.data(), text.data() + text.size(), value);
        code == std::errc{} && rest == text.data() + text.size())
        return value;
    // "7pm" is taken apart by the caller; words are compared without hyphens.
    std::string plain(text);
    std::ranges::replace(plain, '-', ' ');
    if (plain == "oh") return 0;
    for (int n = 0; n < 100; ++n)
        for (std::string spelled : spell_number("en", n)) {
            std::ranges::replace(spelled, '-', ' ');
            if (spelled == plain) return n;
        }
    return std::nullopt;
}

std::optional<spoken_time> parse_spoken_time(std::string_view text) {
    word_list words = split_words(text);
    // "7pm", "730"
    for (std::size_t i = 0; i < words.size(); ++i)
        for (const std::string_view mark : {"am", "pm"})
            if (words[i].size() > 2 && words[i].ends_with(mark) &&
                std::isdigit(static_cast<unsigned char>(words[i][0]))) {
                words[i].resize(words[i].size() - 2);
                words.insert(words.begin() + static_cast<std::ptrdiff_t>(i) + 1, std::string(mark));
            }

    spoken_time out;
    half_day half = half_day::unsaid;
    const auto take_day = [&](bool at_end) {
        const auto is = [&](std::initializer_list<std::string_view> phrase) {
            return at_end ? take_end(words, phrase) : take(words, phrase);
        };
        if (is({"tomorrow", "morning"})) {
            out.days_ahead = 1;
            half = half_day::morning;
        } else if (is({"tomorrow", "evening"}) || is({"tomorrow", "afternoon"}) || is({"tomorrow", "night"})) {
            out.days_ahead = 1;
            half = half_day::evening;
        } else if (is({"tomorrow"})) {
            out.days_ahead = 1;
        } else if (is({"tonight"})) {
            out.days_ahead = 0;
            half = half_day::evening;
        } else if (is({"today"})) {
            out.days_ahead = 0;
        } else if (is({"in", "the", "morning"}) || is({"this", "morning"})) {
            half = half_day::morning;
        } else if (is({"in", "the", "evening"}) || is({"in", "the", "afternoon"}) || is({"this", "evening"}) ||
                   is({"this", "afternoon"}) || is({"at", "night"})) {
            half = half_day::evening;
        } else {
            return false;
        }
        return true;
    };
    while (take_day(false) || take_day(true)) {
    }
    take(words, {"at"});
    while (take_end(words, {"am"}) || take_end(words, {"a", "m"})) half = half_day::morning;
    while (take_end(words, {"pm"}) || take_end(words, {"p", "m"})) half = half_day::evening;
    for (const std::string_view end : {"o'clock", "oclock", "sharp"})
        if (take_end(words, {end})) break;

    if (words.size() == 1 && (words[0] == "noon" || words[0] == "midday" || words[0] == "midnight")) {
        out.hour = words[0] == "midnight" ? 0 : 12;
        out.half_day_said = true;
        return out;
    }
    int past = 0;
    bool before = false, relative = false;
    if (take(words, {"half", "past"})) {
        past = 30;
        relative = true;
    } else {
        word_list rest = words;
        std::optional<int> minutes;
        if (take(rest, {"a", "quarter"}) || take(rest, {"quarter"})) {
            minutes = 15;
        } else {
            minutes = take_number(rest);
        }
        take(rest, {"minutes"});
        if (minutes && (rest.empty() || rest[0] != ":")) {
            if (take(rest, {"to"}) || take(rest, {"before"}) || take(rest, {"till"}) || take(rest, {"of"})) {
                before = relative = true;
            } else if (take(rest, {"past"}) || take(rest, {"after"})) {
                relative = true;
            }
            if (relative) {
                past = *minutes;
                words = std::move(rest);
            }
        }
    }
    auto hour = take_number(words);
    if (!hour) return std::nullopt;
    int minute = 0;
    if (!relative && !words.empty()) {
        const bool colon = take(words, {":"});
        if (!take(words, {"oh"})) take(words, {"o"});  // "seven oh five"
        const auto said = take_number(words);
        if (!said) return std::nullopt;
        minute = *said;
        if (colon && *hour > 12) half = half_day::clock;
    } else if (!relative && *hour >= 100) {
        minute = *hour % 100;  // "730"
        hour = *hour / 100;
    }
    if (!words.empty() || *hour > 24 || minute > 59 || past > 59) return std::nullopt;
    if (relative) minute = before ? 60 - past : past;
    int h = *hour;
    if (relative && before && past > 0) --h;
    if (h < 0) h = 23;
    if (*hour > 12) half = half_day::clock;
    if (half == half_day::evening && h < 12) h += 12;
    if (half == half_day::morning && h == 12) h = 0;
    out.hour = h % 24;
    out.minute = minute % 60;
    out.half_day_said = half != half_day::unsaid;
    return out;
}

std::chrono::local_seconds next_occurrence(const spoken_time& time, std::chrono::local_seconds now) {
    using namespace std::chrono;
    const auto today = floor<days>(now);
    const auto of_day = hours(time.hour) + minutes(time.minute);
    if (time.days_ahead >= 0) {
        local_seconds at = today + days(time.days_ahead) + of_day;
        // "today at seven", said at noon, is in the evening.
        if (!time.half_day_said && time.days_ahead == 0 && at <= now && time.hour < 12) at += hours(12);
        return at;
    }
    local_seconds at = today + of_day;
    const auto step = time.half_day_said || time.hour >= 13 ? hours(24) : hours(12);
    while (at <= now) at += step;
    return at;
}

}  // namespace loqa::intent
