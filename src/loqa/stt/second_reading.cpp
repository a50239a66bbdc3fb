#include "loqa/stt/second_reading.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "loqa/base/text.hpp"

namespace loqa::stt {
namespace {

bool is_letters(std::string_view text) {
    for (std::size_t at = 0; at < text.size();) {
        const auto bytes = utf8_length(text[at]);
        if (bytes == 0 || at + bytes > text.size() || static_cast<unsigned char>(text[at]) < ' ') return false;
        at += bytes;
    }
    return !text.empty() && !text.contains("  ");
}

// As they are spoken: a digit is a word.
std::size_t letters_of(std::string_view text) {
    constexpr std::size_t letters_of_a_digit = 4;
    std::size_t count = 0;
    for (const char c : text) {
        if (c >= '0' && c <= '9') {
            count += letters_of_a_digit;
        } else if (c == '%') {
            count += std::string_view("percent").size();
        } else if (c != ' ' && c != '.' && c != ',') {
            ++count;
        }
    }
    return count;
}

// A model that is held to a few sentences ends one early rather than say what it did not hear: "Thank you" is not too
// improbable, whatever was said. What was heard says how much it was.
bool as_long(std::string_view command, std::string_view heard) {
    const auto a = letters_of(command), b = letters_of(heard);
    return 3 * a >= 2 * b && 2 * a <= 3 * b;
}

}  // namespace

second_reading::second_reading(std::shared_ptr<const token_table> tokens, token begin, token end,
                               second_reading_options options)
    : tokens_(std::move(tokens)), begin_(begin), end_(end), options_(options) {
    for (token each = 0; static_cast<std::size_t>(each) < tokens_->size(); ++each) {
        const auto text = tokens_->text(each);
        if (text == "." || text == "?" || text == "!") {
            stops_.push_back(each);
        } else if (each != begin_ && each != end_ && is_letters(text)) {
            spelled_.emplace_back(to_lower(text), each);
        }
    }
    std::ranges::sort(spelled_);
}

// All tokens between first and last have the same letters up to `depth`, which lead to `state`.
void second_reading::walk(std::size_t first, std::size_t last, std::size_t depth, std::uint32_t state,
                          std::vector<option>& found) {
    for (; first < last && spelled_[first].first.size() == depth; ++first)
        found.push_back({spelled_[first].second, state});
    while (first < last) {
        const auto letter = spelled_[first].first.substr(depth, utf8_length(spelled_[first].first[depth]));
        auto same = first + 1;
        while (same < last && spelled_[same].first.compare(depth, letter.size(), letter) == 0) ++same;
        const auto to = for_what_->sentences().step(state, letter);
        if (to != intent::follower::dead) walk(first, same, depth + letter.size(), to, found);
        first = same;
    }
}

const std::vector<second_reading::option>& second_reading::options_at(std::uint32_t state) {
    const auto [known, fresh] = known_.try_emplace(state);
    if (fresh) walk(0, spelled_.size(), 0, state, known->second);
    return known->second;
}

// Commands that are no less probable than `floor`, the most probable among them.
result<std::vector<second_reading::finished>> second_reading::write(spelling& model, double floor) {
    // What would speak against the last that is near enough counts, too.
    floor -= options_.lead;
    auto& sentences = for_what_->sentences();
    std::vector<text> texts(1);
    texts.front().state = sentences.start();
    if (std::exchange(generation_, sentences.generation()) != sentences.generation()) known_.clear();

    std::vector<finished> found;
    std::vector<branch> branches{{0, begin_}};
    struct candidate {
        double score = 0;
        std::size_t of = 0;
        option step;
        bool closes = false;
    };
    std::vector<candidate> candidates;
    for (std::size_t length = 0; length < options_.longest; ++length) {
        const auto scores = model.next(branches);
        if (!scores) return fail(scores);
        candidates.clear();
        for (std::size_t i = 0; i < texts.size(); ++i) {
            const auto row = std::span(*scores).subspan(i * model.vocabulary(), model.vocabulary());
            const auto score = [&](token next) { return texts[i].score + row[static_cast<std::size_t>(next)]; };
            const auto consider = [&](option step, bool closes) {
                if (score(step.next) >= floor) candidates.push_back({score(step.next), i, step, closes});
            };
            const bool whole = sentences.whole(texts[i].state);
            const bool word_ends = length > 0 && sentences.step(texts[i].state, U' ') != intent::follower::dead;
            if ((whole || word_ends) && score(end_) >= floor) {
                auto written = tokens_->text(texts[i].tokens);
                auto meaning = whole ? for_what_->meaning(written) : "";
                // What is so much less probable than a command does not matter any more.
                if (!meaning.empty()) floor = std::max(floor, score(end_) - options_.lead);
                if (!meaning.empty() || word_ends)
                    found.push_back({std::move(written), std::move(meaning), score(end_)});
            }
            if (texts[i].closed) continue;
            if (whole || word_ends)
                for (const token stop : stops_) consider({stop, texts[i].state}, true);
            for (const option& each : options_at(texts[i].state)) consider(each, false);
        }
        std::ranges::sort(candidates, std::ranges::greater{}, &candidate::score);

        std::vector<text> next;
        branches.clear();
        std::set<std::string> written;  // each text once, however it is parted into tokens
        for (const candidate& each : candidates) {
            if (next.size() == options_.side_by_side || each.score < floor) break;
            text longer = texts[each.of];
            longer.tokens.push_back(each.step.next);
            if (!written.insert(to_lower(tokens_->text(longer.tokens))).second) continue;
            longer.state = each.step.to;
            longer.score = each.score;
            longer.closed = each.closes;
            next.push_back(std::move(longer));
            branches.push_back({each.of, each.step.next});
        }
        if (next.empty()) break;
        texts = std::move(next);
    }
    return found;
}

// How much more probable what the first of them does is than what any other does. A thing that is said in several ways
// is as probable as all of them together.
double second_reading::lead_of(const std::vector<finished>& found) const {
    const bool all_the_same =
        std::ranges::all_of(found, [&](const finished& each) { return each.meaning == found.front().meaning; });
    if (all_the_same) return std::numeric_limits<double>::infinity();
    std::map<std::string, double> weights;  // by what is done, beside the best text's
    std::map<std::string, std::string> effects;
    std::string first;
    for (const finished& each : found) {
        const auto [known, fresh] = effects.try_emplace(each.meaning);
        if (fresh) known->second = for_what_->effect(each.text);
        if (first.empty()) first = known->second;
        weights[known->second] += std::exp(each.score - found.front().score);
    }
    double other = 0;
    for (const auto& [effect, weight] : weights)
        if (effect != first) other = std::max(other, weight);
    return other > 0 ? std::log(weights[first] / other) : std::numeric_limits<double>::infinity();
}

result<std::optional<nearest_command>> second_reading::listen(const first_reading& first, spelling& model,
                                                              const std::shared_ptr<expectation>& for_what) {
    if (for_what_ != for_what) {
        for_what_ = for_what;
        known_.clear();
    }
    const auto fit = for_what_->fits(first.text);
    if (first.text.empty() || fit == expectation::fit::whole) return std::nullopt;
    const double margin = fit == expectation::fit::loose ? options_.loose_margin : options_.margin;
    // The nearer to nothing a text is, the less it says: the margin of a short one is a share of its letters.
    const auto likely_behind = [&](const finished& each) {
        return std::min(margin, options_.margin_a_letter * static_cast<double>(letters_of(each.text)));
    };
    auto found = write(model, first.score - margin);
    if (!found) return fail(std::move(found));
    if (found->empty()) return std::nullopt;

    std::ranges::sort(*found, std::ranges::greater{}, &finished::score);
    const finished& first_of_all = found->front();
    const bool begins = first_of_all.meaning.empty() && first.score - first_of_all.score <= options_.begin_margin &&
                        as_long(first_of_all.text, first.text);
    // What is not as long was not said, and says nothing against what is.
    std::erase_if(*found,
                  [&](const finished& each) { return each.meaning.empty() || !as_long(each.text, first.text); });
    nearest_command made{.lead = options_.lead, .begins = begins};
    if (found->empty()) return made;
    const finished& best = found->front();
    made.text = best.text;
    made.behind = first.score - best.score;
    made.lead = std::min(options_.lead, lead_of(*found));
    const bool clear = made.lead >= options_.lead;
    // Of what only answers a question the wrong one is not worth asking about.
    const auto worth_asking = [&] { return made.lead >= options_.doubtful_lead && for_what_->acts(best.text); };
    made.likely = made.behind <= likely_behind(best) && (clear || worth_asking());
    made.doubtful = made.likely && (!clear || made.behind > options_.sure_margin);
    return made;
}

}  // namespace loqa::stt
