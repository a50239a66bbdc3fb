#include "loqa/intent/sound.hpp"

#include <algorithm>
#include <array>

namespace loqa::intent {
namespace {

bool is_vowel(char c) { return c == 'a' || c == 'e' || c == 'i' || c == 'o' || c == 'u' || c == 'y'; }

}  // namespace

std::string sound_code(std::string_view word) {
    std::string out;
    const auto at = [&](std::size_t i) { return i < word.size() ? word[i] : '\0'; };
    const auto put = [&](char c) {
        if (out.empty() || out.back() != c) out.push_back(c);
    };
    std::size_t i = 0;
    if ((at(0) == 'k' || at(0) == 'g' || at(0) == 'p') && at(1) == 'n') i = 1;
    if (at(0) == 'w' && at(1) == 'r') i = 1;
    if (at(0) == 'w' && at(1) == 'h') {
        put(at(2) == 'o' ? 'H' : 'W');  // who, whole; what
        i = 2;
    }
    for (; i < word.size(); ++i) {
        const char c = at(i), next = at(i + 1);
        if (is_vowel(c)) {
            if (i == 0) put(c == 'y' && is_vowel(next) ? 'Y' : 'A');
            continue;
        }
        switch (c) {
            case 'b':
                put('B');
                break;
            case 'c':
                if (next == 'h') {
                    put('X');
                    ++i;
                } else if (next == 'k') {
                    put('K');
                    ++i;
                } else {
                    put(next == 'e' || next == 'i' || next == 'y' ? 'S' : 'K');
                }
                break;
            case 'd':
                if (next == 'g' && (at(i + 2) == 'e' || at(i + 2) == 'i')) {
                    put('J');
                    ++i;
                } else {
                    put('T');
                }
                break;
            case 'f':
                put('F');
                break;
            case 'g':
                if (next == 'h') {
                    ++i;  // light, through
                } else {
                    put(next == 'e' || next == 'i' || next == 'y' ? 'J' : 'K');
                }
                break;
            case 'h':
                if (i == 0) put('H');
                break;
            case 'j':
                put('J');
                break;
            case 'k':
            case 'q':
                put('K');
                break;
            case 'l':
                put('L');
                break;
            case 'm':
                put('M');
                break;
            case 'n':
                put('N');
                break;
            case 'p':
                if (next == 'h') {
                    put('F');
                    ++i;
                } else {
                    put('P');
                }
                break;
            case 'r':
                put('R');
                break;
            case 's':
                if (next == 'h') {
                    put('X');
                    ++i;
                } else {
                    put('S');
                }
                break;
            case 't':
                if (next == 'h') {
                    put('0');
                    ++i;
                } else if (next == 'c' && at(i + 2) == 'h') {
                    put('X');
                    i += 2;
                } else {
                    put('T');
                }
                break;
            case 'v':
                put('F');
                break;
            case 'w':
                if (is_vowel(next)) put('W');
                break;
            case 'x':
                put('K');
                put('S');
                break;
            case 'z':
                put('S');
                break;
            default:
                put(c);
                break;
        }
    }
    return out;
}

std::size_t spelling_distance(std::u32string_view a, std::u32string_view b, std::size_t limit) {
    constexpr std::size_t longest = 48;
    if (a.size() > longest || b.size() > longest) return a == b ? 0 : limit + 1;
    const std::size_t difference = a.size() > b.size() ? a.size() - b.size() : b.size() - a.size();
    if (difference > limit) return limit + 1;
    std::array<std::array<std::size_t, longest + 1>, 3> rows;
    for (std::size_t j = 0; j <= b.size(); ++j) rows[0][j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        auto& row = rows[i % 3];
        const auto& above = rows[(i + 2) % 3];
        const auto& before = rows[(i + 1) % 3];
        row[0] = i;
        std::size_t least = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] == b[j - 1] ? 0u : 1u)});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = std::min(row[j], before[j - 2] + 1);
            least = std::min(least, row[j]);
        }
        if (least > limit) return limit + 1;
    }
    return std::min(rows[a.size() % 3][b.size()], limit + 1);
}

int sound_family(char code) {
    switch (code) {
        case 'B':
        case 'P':
        case 'T':
        case 'K':
            return 1;
        case 'S':
        case 'X':
        case 'J':
        case 'F':
        case '0':
            return 2;
        case 'M':
        case 'N':
            return 3;
        case 'L':
        case 'R':
        case 'W':
            return 4;
        default:
            return 0;
    }
}

double sound_distance(std::string_view a, std::string_view b) {
    constexpr std::size_t longest = 48;
    if (a.size() > longest || b.size() > longest) return a == b ? 0 : static_cast<double>(longest);
    std::array<std::array<double, longest + 1>, 2> rows{};
    for (std::size_t j = 0; j <= b.size(); ++j) rows[0][j] = static_cast<double>(j);
    for (std::size_t i = 1; i <= a.size(); ++i) {
        auto& row = rows[i % 2];
        const auto& above = rows[(i + 1) % 2];
        row[0] = static_cast<double>(i);
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const char x = a[i - 1], y = b[j - 1];
            const double change = x == y ? 0 : sound_family(x) != 0 && sound_family(x) == sound_family(y) ? 0.5 : 1;
            row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + change});
        }
    }
    return rows[a.size() % 2][b.size()];
}

double mending_cost(std::u32string_view heard, const std::string& heard_code, std::u32string_view meant,
                    const std::string& meant_code) {
    constexpr double different = 2;
    if (heard == meant) return 0;
    const std::size_t length = std::max(heard.size(), meant.size());
    const std::size_t limit = length <= 3 ? 1 : length <= 5 ? 2 : length / 2;
    const std::size_t distance = spelling_distance(heard, meant, limit);
    if (distance > limit) return different;
    const double share = static_cast<double>(distance) / static_cast<double>(length);
    const bool sounds_alike = heard_code == meant_code && !heard_code.empty();
    if (length <= 3) {
        // "of" may be "off", but "in" is never "on": short words differ by a letter more or less, not by another
        // letter.
        return heard.size() != meant.size() && sounds_alike ? 0.1 : different;
    }
    if (sounds_alike) return 0.05 + 0.4 * share;
    if (share > 0.5) return different;
    const double sounds = sound_distance(heard_code, meant_code) /
                          static_cast<double>(std::max({heard_code.size(), meant_code.size(), std::size_t{1}}));
    return std::min(0.08 + 0.55 * sounds + 0.35 * share, share <= 0.34 ? 0.1 + share : different);
}

}  // namespace loqa::intent
