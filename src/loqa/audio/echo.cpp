#include "loqa/audio/echo.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace loqa::audio {

namespace {

constexpr double rate_hz = 16'000;
constexpr std::size_t step_samples = 256;
constexpr std::size_t window = 24;         // steps that are compared: 384 ms
constexpr std::size_t moment = 4;          // the last of them, in which somebody may just have begun
constexpr std::size_t most_played = 7500;  // steps: two minutes
constexpr float floor_db = -60;
constexpr float audible_db = -50;
constexpr double alike = 0.65;
constexpr double alike_for_long = 0.4;
constexpr double least_weight = 0.02;  // of a frame of 32 ms: the mean is that of the last second or two
constexpr double louder_db = 7;
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

// Before its beginning there was silence.
const echo::loudness& echo::played(std::int64_t index) const {
    return index < 0 ? silence_ : played_[static_cast<std::size_t>(index)];
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
        generation_ = generation;
        played_.clear();
        played_filters_ = {};
        since_ = now;
        stopped_.reset();
    }
    if (played_.size() < most_played) played_filters_.push(samples, played_);
}

void echo::plays(std::uint64_t generation, steady_time since) {
    if (generation != generation_ && generation != 0) return;
    if (since - since_ >= step || since_ - since >= step) delays_.assign(delays_.size(), {});
    since_ = since;
}

void echo::stops(std::uint64_t generation, steady_time now) {
    if (generation == generation_ || generation == 0) stopped_ = now;
}

bool echo::over(steady_time now) const {
    const auto ends = since_ + step * static_cast<std::int64_t>(played_.size());
    return now > std::min(stopped_.value_or(ends), ends) + most_delay + step * static_cast<std::int64_t>(window);
}

bool echo::hears(std::span<const float> samples, steady_time now) {
    heard_filters_.push(samples, heard_);
    while (heard_.size() > window) heard_.pop_front();
    if (played_.empty() || over(now)) return false;
    const auto played_until = (now - since_) / step;
    compare(played_until);
    const auto best = std::ranges::max_element(delays_, {}, &likeness::long_term);
    if (best->long_term < alike_for_long || best->now < alike) return false;
    const auto delay = least_delay / step + (best - delays_.begin());
    const auto end = std::min(played_until - delay, static_cast<std::int64_t>(played_.size()));
    return excess_db(end - static_cast<std::int64_t>(window)) < louder_db;
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
        if (end <= 0 || loudest < audible_db) continue;  // nothing to hear: that tells nothing
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

// By how much the last moments are louder than the echo would be, whose loudness the moments before them tell.
double echo::excess_db(std::int64_t begin) const {
    const auto was_played = [&](std::size_t i, std::size_t b) -> double {
        return played(begin + static_cast<std::int64_t>(i))[b];
    };
    std::vector<double> gains;
    for (std::size_t i = 0; i + moment < window; ++i)
        for (std::size_t b = 0; b < bands; ++b)
            if (was_played(i, b) > audible_db) gains.push_back(heard_[i][b] - was_played(i, b));
    if (gains.empty()) return 0;
    std::ranges::nth_element(gains, gains.begin() + static_cast<std::ptrdiff_t>(gains.size() / 2));
    const double gain = gains[gains.size() / 2];
    double excess = 0;
    for (std::size_t i = window - moment; i < window; ++i)
        for (std::size_t b = 0; b < bands; ++b)
            excess += heard_[i][b] - std::max<double>(floor_db, was_played(i, b) + gain);
    return excess / static_cast<double>(moment * bands);
}

}  // namespace loqa::audio
