#include "loqa/session/sounding.hpp"

#include <algorithm>
#include <cctype>
#include <string_view>
#include <utility>
#include <vector>

namespace loqa::session {

namespace {

constexpr seconds longest{60};         // of an answer whose end nobody told
constexpr milliseconds slack{500};     // a speaker begins a little later than it is sent the sound
constexpr milliseconds moment{2'000};  // what was said last may still be on its way through the recogniser

std::vector<std::string> words_of(std::string_view text) {
    std::vector<std::string> all;
    std::string word;
    for (const char c : text) {
        if (std::isalnum(static_cast<unsigned char>(c)) != 0) {
            word.push_back(static_cast<char>(std::tolower(static_cast<unsigned char>(c))));
        } else if (c != '\'' && !word.empty()) {
            all.push_back(std::exchange(word, {}));
        }
    }
    if (!word.empty()) all.push_back(std::move(word));
    return all;
}

}  // namespace

void sounding::begins(const std::string& session, const std::string& turn, std::string words) {
    const auto now = clock_.steady();
    if (all_.size() >= most) std::erase_if(all_, [&](const auto& each) { return ends(each.second) + moment < now; });
    if (all_.size() >= most && !all_.contains(session)) return;
    auto& here = all_[session];
    const auto before = std::max(here.before, here.generation);
    here = {.turn = turn, .words = std::move(words), .since = now, .before = before, .sound = {}, .stopped = {}};
}

void sounding::lasts(const std::string& session, const std::string& turn, milliseconds sound) {
    const auto it = all_.find(session);
    if (it != all_.end() && (turn.empty() || turn == it->second.turn)) it->second.sound = sound;
}

void sounding::breaks_off(const std::string& session, const std::string& turn) {
    const auto it = all_.find(session);
    if (it != all_.end() && (turn.empty() || turn == it->second.turn)) stops(session);
}

void sounding::plays(const std::string& session, std::uint64_t generation) {
    const auto it = all_.find(session);
    if (it == all_.end() || (generation != 0 && generation <= it->second.before)) return;
    it->second.since = clock_.steady();
    it->second.generation = generation;
}

void sounding::stops(const std::string& session, std::uint64_t generation) {
    const auto it = all_.find(session);
    if (it == all_.end() || it->second.stopped || (generation != 0 && generation <= it->second.before)) return;
    it->second.stopped = clock_.steady();
}

steady_time sounding::ends(const one& of) const {
    const auto end = of.since + (of.sound ? *of.sound + slack : longest);
    return of.stopped ? std::min(*of.stopped, end) : end;
}

bool sounding::is(const std::string& session) const {
    const auto it = all_.find(session);
    return it != all_.end() && clock_.steady() < ends(it->second);
}

std::string sounding::words(const std::string& session) const {
    const auto it = all_.find(session);
    return it != all_.end() && clock_.steady() < ends(it->second) + moment ? it->second.words : std::string();
}

steady_time sounding::next_end() const {
    const auto now = clock_.steady();
    auto next = steady_time::max();
    for (const auto& [session, each] : all_)
        if (const auto end = ends(each); end > now) next = std::min(next, end);
    return next;
}

bool is_echo(const std::string& heard, const std::string& said, bool is_command) {
    const auto ours = words_of(heard), theirs = words_of(said);
    if (ours.size() < (is_command ? 3U : 2U) || theirs.empty()) return false;  // too little to tell by
    // The longest common subsequence.
    std::vector<std::size_t> row(theirs.size() + 1, 0);
    for (const auto& word : ours) {
        std::size_t diagonal = 0;
        for (std::size_t i = 0; i < theirs.size(); ++i) {
            const auto above = row[i + 1];
            row[i + 1] = word == theirs[i] ? diagonal + 1 : std::max(above, row[i]);
            diagonal = above;
        }
    }
    return row.back() * 4 >= ours.size() * (is_command ? 4 : 3);
}

}  // namespace loqa::session
