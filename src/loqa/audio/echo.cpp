#include "loqa/audio/echo.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace loqa::audio {

namespace {

constexpr double rate_hz = 16'000;
constexpr std::size_t step_samples = 256;
constexpr std::size_t window = 24;               // steps that are compared: 384 ms
constexpr std::size_t moment = 4;                // the last of them, in which somebody may just have begun
constexpr std::size_t most_played_steps = 7500;  // steps: two minutes
constexpr float floor_db = -60;
constexpr float heard_db = -50;
constexpr double alike = 0.65;
constexpr double alike_for_long = 0.4;
constexpr double least_weight = 0.02;  // of a frame of 32 ms: the mean is that of the last second or two
constexpr double louder_db = 7;
constexpr int sure_of_path = 8;  // frames
constexpr double fades_db = 2;   // in a step, in a room of 0.5 s
constexpr std::int64_t fades_steps = 24;
constexpr double gain_weight = 0.1;
constexpr std::size_t most_earlier = (echo::most_delay / echo::step) + window + fades_steps;
constexpr double quality = 2;
constexpr std::array<double, echo::bands> centres_hz = {250, 400, 620, 920, 1350, 1950, 2750, 3700};

// A band-pass with unit gain at its centre.
struct band_pass {
    double b0, a1, a2;
};

std::array<band_pass, echo::bands> make_bands() {
    std::array<band_pass, echo::bands> all{};
    for (std::size_t i = 0; i < echo::bands; ++i) {
        const double w = 2 * std::numbers::pi * centres_hz.at(i) / rate_hz;
        const double alpha = std::sin(w) / (2 * quality);
        all.at(i) = {.b0 = alpha / (1 + alpha), .a1 = -2 * std::cos(w) / (1 + alpha), .a2 = (1 - alpha) / (1 + alpha)};
    }
    return all;
}

}  // namespace

echo::echo() {
    silence_.fill(floor_db);
    heard_.assign(window, silence_);
    delays_.resize(static_cast<std::size_t>((most_delay - least_delay) / step + 1));
}

const echo::loudness& echo::played(std::int64_t index) const {
    const auto& of = index < 0 ? earlier_ : played_;
    if (index < 0) index += std::ssize(earlier_);
    return index < 0 || index >= std::ssize(of) ? silence_ : of[static_cast<std::size_t>(index)];
}

// What was played up to now of the reply before.
void echo::keep_earlier(steady_time now) {
    const auto until = (now - since_) / step;
    const auto stopped = stopped_ ? (*stopped_ - since_) / step : until;
    std::deque<loudness> kept;
    for (auto i = until - static_cast<std::int64_t>(most_earlier); i < until; ++i)
        kept.push_back(i < stopped ? played(i) : silence_);
    earlier_ = std::move(kept);
}

// The reply begins later than was thought.
void echo::move_earlier(std::int64_t steps) {
    if (earlier_.empty()) return;
    for (; steps < 0; ++steps) {
        earlier_.pop_back();
        earlier_.push_front(silence_);
    }
    for (steps = std::min<std::int64_t>(steps, most_earlier); steps > 0; --steps) {
        earlier_.pop_front();
        earlier_.push_back(silence_);
    }
}

void echo::filters::push(std::span<const float> samples, std::deque<loudness>& to) {
    static const auto passes = make_bands();
    for (const double x : samples) {
        for (std::size_t i = 0; i < bands; ++i) {
            auto& s = states_[i];
            const auto& p = passes[i];
            const double y = p.b0 * (x - s.x2) - p.a1 * s.y1 - p.a2 * s.y2;
            s.x2 = s.x1;
            s.x1 = x;
            s.y2 = s.y1;
            s.y1 = y;
            sums_[i] += y * y;
        }
        if (++summed_ < step_samples) continue;
        auto& made = to.emplace_back();
        for (std::size_t i = 0; i < bands; ++i) {
            const double power = sums_[i] / static_cast<double>(step_samples);
            made[i] = std::max(floor_db, static_cast<float>(10 * std::log10(power + 1e-12)));
        }
        sums_ = {};
        summed_ = 0;
    }
}

void echo::will_play(std::uint64_t generation, std::span<const float> samples, steady_time now) {
    if (generation != generation_ || played_.empty()) {
        if (!played_.empty()) keep_earlier(now);
        generation_ = generation;
        played_.clear();
        is_told_ = false;
        played_filters_ = {};
        since_ = now;
        stopped_.reset();
        delay_.reset();
    }
    if (played_.size() < most_played_steps) played_filters_.push(samples, played_);
}

void echo::plays(std::uint64_t generation, steady_time since) {
    if (generation != generation_ && generation != 0) return;
    if (since - since_ >= step || since_ - since >= step) {
        // What is known from the reply before still holds.
        if (is_told_ || earlier_.empty()) delays_.assign(delays_.size(), {});
        delay_.reset();
        move_earlier((since - since_) / step);
    }
    since_ = since;
    is_told_ = true;
}

void echo::stops(std::uint64_t generation, steady_time now) {
    if (generation == generation_ || generation == 0) stopped_ = now;
}

steady_time echo::ends() const {
    const auto whole = since_ + step * std::ssize(played_);
    return std::min(stopped_.value_or(whole), whole);
}

bool echo::may_be_heard(steady_time now) const {
    if (played_.empty()) return false;
    const bool comes_back = path_ && path_->seen >= sure_of_path;
    const auto later = comes_back ? std::max<std::int64_t>(0, path_->delay) + fades_steps : 0;
    return now <= ends() + step * later;
}

bool echo::over(steady_time now) const { return now > ends() + most_delay + step * static_cast<std::int64_t>(window); }

bool echo::hears(std::span<const float> samples, steady_time now) {
    heard_filters_.push(samples, heard_);
    while (heard_.size() > window) heard_.pop_front();
    delay_.reset();
    if (played_.empty() || over(now)) return false;
    const auto played_until = (now - since_) / step;
    compare(played_until);
    const auto best = std::ranges::max_element(delays_, {}, &likeness::long_term);
    if (best->long_term < alike_for_long || best->now < alike) return expects(played_until);
    const auto delay = least_delay / step + (best - delays_.begin());
    delay_ = delay * step;
    const auto end = std::min(played_until - delay, std::ssize(played_));
    const auto begin = end - static_cast<std::int64_t>(window);
    const auto gain = gain_db(begin);
    if (!gain) return true;
    if (excess_db(begin, *gain) >= louder_db) return false;
    learn(delay, *gain);
    return true;
}

void echo::learn(std::int64_t delay, double gain_db) {
    if (!path_ || std::abs(path_->delay - delay) > 1) path_ = path{.delay = delay, .gain_db = gain_db};
    path_->gain_db += gain_weight * (gain_db - path_->gain_db);
    ++path_->seen;
}

// Whether the last moments are no louder than the echo should be, at the beginning of a reply: the window is still full
// of what was before it, the words of who interrupted us perhaps. What a room adds fades.
bool echo::expects(std::int64_t played_until) const {
    if (!path_ || path_->seen < sure_of_path) return false;
    const auto end = played_until - path_->delay;
    if (end >= static_cast<std::int64_t>(window + moment)) return false;
    double excess = 0;
    float loudest = floor_db;
    for (std::size_t i = 0; i < moment; ++i) {
        const auto index = end - static_cast<std::int64_t>(moment - i);
        for (std::size_t b = 0; b < bands; ++b) {
            double expected = played(index + 1)[b];
            for (std::int64_t ago = 0; ago < fades_steps; ++ago)
                expected = std::max(expected, played(index - ago)[b] - fades_db * static_cast<double>(ago));
            expected = std::max<double>(floor_db, expected + path_->gain_db);
            loudest = std::max(loudest, static_cast<float>(expected));
            excess += heard_[window - moment + i][b] - expected;
        }
    }
    return loudest > heard_db && excess / static_cast<double>(moment * bands) < louder_db;
}

// With what was played up to `played_until`, at each delay.
void echo::compare(std::int64_t played_until) {
    loudness heard_mean{};
    float heard_loudest = floor_db;
    for (const auto& each : heard_)
        for (std::size_t b = 0; b < bands; ++b) {
            heard_mean[b] += each[b] / static_cast<float>(window);
            heard_loudest = std::max(heard_loudest, each[b]);
        }
    for (std::size_t k = 0; k < delays_.size(); ++k) {
        auto& at = delays_[k];
        at.now = 0;
        const auto delay = least_delay / step + static_cast<std::int64_t>(k);
        const auto end = std::min(played_until - delay, static_cast<std::int64_t>(played_.size()));
        const auto begin = end - static_cast<std::int64_t>(window);
        loudness mean{};
        float loudest = floor_db;
        for (auto i = begin; i < end; ++i)
            for (std::size_t b = 0; b < bands; ++b) {
                mean[b] += played(i)[b] / static_cast<float>(window);
                loudest = std::max(loudest, played(i)[b]);
            }
        if (loudest < heard_db) continue;  // nothing to hear: that tells nothing
        double together = 0, ours = 0, theirs = 0;
        for (std::size_t i = 0; i < window; ++i)
            for (std::size_t b = 0; b < bands; ++b) {
                const double x = heard_[i][b] - heard_mean[b];
                const double y = played(begin + static_cast<std::int64_t>(i))[b] - mean[b];
                together += x * y;
                ours += x * x;
                theirs += y * y;
            }
        if (heard_loudest > floor_db && ours > 0 && theirs > 0) at.now = together / std::sqrt(ours * theirs);
        const double weight = std::max(1.0 / ++at.seen, least_weight);
        at.long_term += weight * (at.now - at.long_term);
    }
}

// How much louder than it was played it was heard, usually, in the moments before the last.
std::optional<double> echo::gain_db(std::int64_t begin) const {
    std::vector<double> gains;
    for (std::size_t i = 0; i + moment < window; ++i)
        for (std::size_t b = 0; b < bands; ++b) {
            const double was_played = played(begin + static_cast<std::int64_t>(i))[b];
            if (was_played > heard_db) gains.push_back(heard_[i][b] - was_played);
        }
    if (gains.empty()) return std::nullopt;
    std::ranges::nth_element(gains, gains.begin() + static_cast<std::ptrdiff_t>(gains.size() / 2));
    return gains[gains.size() / 2];
}

// By how much the last moments are louder than the echo would be.
double echo::excess_db(std::int64_t begin, double gain_db) const {
    double excess = 0;
    for (std::size_t i = window - moment; i < window; ++i)
        for (std::size_t b = 0; b < bands; ++b)
            excess +=
                heard_[i][b] - std::max<double>(floor_db, played(begin + static_cast<std::int64_t>(i))[b] + gain_db);
    return excess / static_cast<double>(moment * bands);
}

}  // namespace loqa::audio
