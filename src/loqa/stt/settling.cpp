#include "loqa/stt/settling.hpp"

#include <algorithm>
#include <utility>

#include "loqa/base/text.hpp"
#include "loqa/stt/wording.hpp"

namespace loqa::stt {
namespace {

// Found by trying: with fewer, words settle that a reading with more context would have had right.
constexpr int agreeing_readings = 3;
constexpr std::size_t words_behind = 3;

constexpr std::size_t missing_cost = 10;

// Twice a missing word for words that have nothing in common.
std::size_t exchange_cost(const std::string& a, const std::string& b) {
    return 2 * missing_cost * edit_distance(a, b) / std::max<std::size_t>({a.size(), b.size(), 1});
}

}  // namespace

std::vector<settling::word> settling::words_of(const std::string& text) {
    std::vector<word> words;
    for (auto& each : split(text, ' ')) {
        if (each.empty()) continue;
        auto plain = without_punctuation(each);
        words.push_back({std::move(each), std::move(plain)});
    }
    return words;
}

hypothesis settling::take(hypothesis reading) {
    if (reading.text.empty()) return reading;
    auto words = words_of(reading.text);
    const auto same = [](const word& a, const word& b) { return a.plain == b.plain; };
    const bool kept =
        words.size() >= settled_.size() && std::equal(settled_.begin(), settled_.end(), words.begin(), same);
    if (!kept) {
        ++overruled_;
        // The words behind the settled ones are those behind the part of the reading that is most like them.
        std::vector<std::size_t> cost(words.size() + 1);
        for (std::size_t k = 0; k < cost.size(); ++k) cost[k] = k * missing_cost;
        for (std::size_t i = 1; i <= settled_.size(); ++i) {
            std::size_t diagonal = std::exchange(cost[0], i * missing_cost);
            for (std::size_t k = 1; k <= words.size(); ++k) {
                const auto exchanged = diagonal + exchange_cost(settled_[i - 1].plain, words[k - 1].plain);
                diagonal = cost[k];
                cost[k] = std::min({cost[k] + missing_cost, cost[k - 1] + missing_cost, exchanged});
            }
        }
        const auto best = std::ranges::min_element(cost) - cost.begin();
        words.erase(words.begin(), words.begin() + best);
        words.insert(words.begin(), settled_.begin(), settled_.end());
    } else {
        std::copy(settled_.begin(), settled_.end(), words.begin());
    }

    for (std::size_t i = 0; i < words.size() && i < last_.size() && same(words[i], last_[i]); ++i)
        words[i].agreed = last_[i].agreed + 1;
    std::size_t count = settled_.size();
    while (count + words_behind < words.size() && words[count].agreed >= agreeing_readings) ++count;
    settled_.assign(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(count));

    reading.text.clear();
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (i > 0) reading.text += ' ';
        reading.text += words[i].text;
        if (i + 1 == count) reading.settled = reading.text.size();
    }
    last_ = std::move(words);
    return reading;
}

}  // namespace loqa::stt
