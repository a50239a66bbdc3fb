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

// Takes a number off the front: digits, or as many words as are one.
std::optional<int> take_number(word_list& words) {
    constexpr std::size_t most_words = 7;
    for (std::size_t count = std::min(words.size(), most_words); count > 0; --count) {
        std::string text = words[0];
        for (std::size_t i = 1; i < count; ++i) text += " " + words[i];
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

constexpr std::array<std::string_view, 7> weekdays{"sunday",   "monday", "tuesday", "wednesday",
                                                   "thursday", "friday", "saturday"};
constexpr std::array<std::string_view, 12> months{"january",   "february", "march",    "april",
                                                  "may",       "june",     "july",     "august",
                                                  "september", "october",  "november", "december"};
constexpr std::array<std::string_view, 20> ordinals{
    "",           "first",     "second",    "third",       "fourth",     "fifth",     "sixth",
    "seventh",    "eighth",    "ninth",     "tenth",       "eleventh",   "twelfth",   "thirteenth",
    "fourteenth", "fifteenth", "sixteenth", "seventeenth", "eighteenth", "nineteenth"};

template <std::size_t N>
int index_of(const std::array<std::string_view, N>& names, std::string_view name) {
    const auto found = std::ranges::find(names, name);
    return found == names.end() || name.empty() ? -1 : static_cast<int>(found - names.begin());
}

// "third", "3rd", "twenty first".
std::optional<int> take_ordinal(word_list& words) {
    if (words.empty()) return std::nullopt;
    const std::string first = words[0];
    const auto drop = [&](std::size_t count, int value) {
        words.erase(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(count));
        return std::optional(value);
    };
    if ((first == "twenty" || first == "thirty") && words.size() > 1)
        if (const int unit = index_of(ordinals, words[1]); unit > 0 && unit < 10)
            return drop(2, (first == "twenty" ? 20 : 30) + unit);
    if (first == "twentieth") return drop(1, 20);
    if (first == "thirtieth") return drop(1, 30);
    if (const int value = index_of(ordinals, first); value > 0) return drop(1, value);
    for (const std::string_view ending : {"st", "nd", "rd", "th"})
        if (first.size() > ending.size() && first.ends_with(ending))
            if (int value = 0; std::from_chars(first.data(), first.data() + first.size() - ending.size(), value).ptr ==
                               first.data() + first.size() - ending.size())
                return drop(1, value);
    return std::nullopt;
}

// "on the third", "may 3", "the third of may": all of `words`.
bool is_date(word_list words, spoken_time& out) {
    int month = 0;
    std::optional<int> day;
    take(words, {"on"});
    if (!words.empty() && index_of(months, words[0]) >= 0) {
        month = index_of(months, words[0]) + 1;
        words.erase(words.begin());
        take(words, {"the"});
        day = take_ordinal(words);
        if (!day) day = take_number(words);
    } else {
        const bool article = take(words, {"the"});
        day = take_ordinal(words);
        if (!day && !article) day = take_number(words);
        const bool of = take(words, {"of"});
        if (!words.empty() && index_of(months, words[0]) >= 0) {
            month = index_of(months, words[0]) + 1;
            words.erase(words.begin());
        } else if (!article || of) {
            return false;
        }
    }
    if (!day || *day < 1 || *day > 31 || !words.empty()) return false;
    out.month = month;
    out.day = *day;
    return true;
}

// "minutes" → 60.
int seconds_of_unit(std::string_view word) {
    if (word == "second" || word == "seconds" || word == "sec" || word == "secs") return 1;
    if (word == "minute" || word == "minutes" || word == "min" || word == "mins") return 60;
    if (word == "hour" || word == "hours" || word == "hr" || word == "hrs") return 3600;
    if (word == "day" || word == "days") return 86'400;
    return 0;
}

// Half or a quarter, in quarters; 0 if it is neither.
int take_share(word_list& words) {
    if (take(words, {"three", "quarters"})) return 3;
    if (take(words, {"a", "half"}) || take(words, {"half"})) return 2;
    if (take(words, {"a", "quarter"}) || take(words, {"quarter"})) return 1;
    return 0;
}

}  // namespace

std::optional<int> parse_small_number(std::string_view text) {
    if (text == "oh") return 0;
    const auto value = parse_number("en", text);
    if (!value || *value < 0 || *value > 99'999) return std::nullopt;
    return static_cast<int>(*value);
}

std::optional<std::chrono::seconds> parse_spoken_duration(std::string_view text) {
    word_list words = split_words(text);
    std::int64_t total = 0;
    int last_unit = 0;
    while (!words.empty()) {
        if (total > 0) take(words, {"and"});
        if (words.empty()) return std::nullopt;
        // "… and a half", "… and a quarter" of the unit before.
        if (last_unit > 1) {
            word_list rest = words;
            if (const int share = take_share(rest); share > 0 && rest.empty()) {
                total += last_unit * share / 4;
                break;
            }
        }
        word_list rest = words;
        std::int64_t quarters = take_share(rest);
        if (quarters > 0) {
            take(rest, {"of"});
            if (!take(rest, {"an"})) take(rest, {"a"});
        } else {
            rest = words;
            if (take(rest, {"a", "couple", "of"}) || take(rest, {"a", "couple"})) {
                quarters = 8;
            } else if (const auto number = take_number(rest)) {
                quarters = *number * std::int64_t{4};
                if (take(rest, {"and", "a", "half"}) || take(rest, {"and", "half", "a"})) quarters += 2;
                if (take(rest, {"point", "five"})) quarters += 2;
            } else if (take(rest, {"a"}) || take(rest, {"an"}) || take(rest, {"another"}) ||
                       (!rest.empty() && seconds_of_unit(rest[0]) > 0)) {
                quarters = 4;
            } else {
                return std::nullopt;
            }
        }
        const int unit = rest.empty() ? 0 : seconds_of_unit(rest[0]);
        if (unit == 0 || (last_unit > 0 && unit >= last_unit)) return std::nullopt;
        rest.erase(rest.begin());
        total += quarters * unit / 4;
        last_unit = unit;
        words = std::move(rest);
    }
    if (total <= 0) return std::nullopt;
    return std::chrono::seconds(total);
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
        if (is({"the", "day", "after", "tomorrow"})) {
            out.days_ahead = 2;
        } else if (is({"tomorrow", "morning"})) {
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
            for (std::size_t day = 0; day < weekdays.size(); ++day) {
                const std::string_view name = weekdays[day];
                const auto is_on = [&](std::string_view part) {
                    const bool said = part.empty()
                                          ? is({"on", name}) || is({"next", name}) || is({"this", name}) || is({name})
                                          : is({"on", name, part}) || is({"next", name, part}) ||
                                                is({"this", name, part}) || is({name, part});
                    if (said) out.weekday = static_cast<int>(day);
                    return said;
                };
                if (is_on("morning")) {
                    half = half_day::morning;
                    return true;
                }
                if (is_on("evening") || is_on("afternoon") || is_on("night")) {
                    half = half_day::evening;
                    return true;
                }
                if (is_on({})) return true;
            }
            constexpr std::size_t longest_date = 6, shortest_date = 2;
            if (out.day > 0) return false;
            for (std::size_t count = std::min(words.size(), longest_date); count >= shortest_date; --count) {
                const auto begin = at_end ? words.end() - static_cast<std::ptrdiff_t>(count) : words.begin();
                const word_list part(begin, begin + static_cast<std::ptrdiff_t>(count));
                if (!is_date(part, out)) continue;
                words.erase(begin, begin + static_cast<std::ptrdiff_t>(count));
                return true;
            }
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
    if (!relative && take(words, {"half"})) {  // "half eight"
        past = 30;
        relative = true;
    }
    std::optional<int> hour;
    bool noon = false;
    if (words.size() == 1 && (words[0] == "noon" || words[0] == "midday")) {
        noon = true;
        hour = 12;
        half = half_day::evening;
        words.clear();
    } else if (words.size() == 1 && words[0] == "midnight") {
        hour = before ? 24 : 0;
        half = half_day::clock;
        words.clear();
    } else {
        hour = take_number(words);
    }
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
    if (half == half_day::evening && h < 12 && !noon) h += 12;
    if (half == half_day::morning && h == 12) h = 0;
    out.hour = h % 24;
    out.minute = minute % 60;
    out.half_day_said = half != half_day::unsaid;
    return out;
}

std::chrono::local_seconds next_occurrence(const spoken_time& time, std::chrono::local_seconds now) {
    using namespace std::chrono;
    const auto today = std::chrono::floor<days>(now);
    const auto of_day = hours(time.hour) + minutes(time.minute);
    if (time.days_ahead >= 0) {
        local_seconds at = today + days(time.days_ahead) + of_day;
        // "today at seven", said at noon, is in the evening.
        if (!time.half_day_said && time.days_ahead == 0 && at <= now && time.hour < 12) at += hours(12);
        return at;
    }
    local_seconds at = today + of_day;
    if (time.weekday >= 0) {
        const days ahead = weekday(static_cast<unsigned>(time.weekday)) - weekday(today);
        at += ahead;
        if (ahead == days(0) && !time.half_day_said && at <= now && time.hour < 12) at += hours(12);
        return at <= now ? at + days(7) : at;
    }
    if (time.day > 0) {
        const year_month_day date{today};
        year year_meant = date.year();
        month month_meant = time.month > 0 ? month(static_cast<unsigned>(time.month)) : date.month();
        // A 30th of February never comes; the 29th does within eight years.
        for (int tries = 0; tries < 100; ++tries) {
            const year_month_day there = year_meant / month_meant / time.day;
            if (there.ok() && local_days(there) + of_day > now) return local_days(there) + of_day;
            if (time.month > 0 || month_meant == December) ++year_meant;
            if (time.month == 0) ++month_meant;
        }
    }
    const auto step = time.half_day_said || time.hour >= 13 ? hours(24) : hours(12);
    while (at <= now) at += step;
    return at;
}

}  // namespace loqa::intent
