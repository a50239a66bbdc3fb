#include "loqa/audio/echo_canceller.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include <speex/speex_echo.h>

namespace loqa::audio {

namespace {

using std::chrono::microseconds;

constexpr std::int64_t samples_a_ms = speech_rate_hz / 1000;
constexpr int block = 256;                          // samples that the filter takes at once
constexpr int tail = 256 * samples_a_ms;            // what the delay may be wrong by, and the room
constexpr std::int64_t margin = 48 * samples_a_ms;  // by which what is played comes sooner than it is heard
constexpr std::size_t most_played_samples = 120'000 * samples_a_ms;  // two minutes
constexpr std::int64_t most_adrift = 400 * samples_a_ms;             // more is another beginning

// Speech is little to learn from, and the filter is slow: it hears the same again, soon at first, less often later.
constexpr std::size_t least_lesson = 600 * samples_a_ms, longest_lesson = 2'500 * samples_a_ms;
constexpr int lessons = 2;
constexpr int frames_to_next_lesson = 8;
constexpr double learnt_db = 20;

constexpr std::size_t lately = 32;  // frames
constexpr std::size_t some = 8;
constexpr double hardly_usable_db = 5, usable_db = 10;  // from which on what is left tells who speaks
constexpr double unsteady_db = 12;
constexpr double least_limit_db = 3, most_limit_db = 12;
constexpr double quiet = 300;  // mean square of integers: -65 dB of full scale
constexpr double audible = 100;
constexpr double loud = 3'000;
constexpr double certain = 0.1;
constexpr double clearly_louder = 1.5;
constexpr int sure_frames = 4, closure_frames = 2, astray_frames = 15, worse_frames = 3, useless_frames = 12;
constexpr int silent_frames = tail / vad_frame_samples + 1;

static_assert(vad_frame_samples % block == 0);

std::int16_t to_integer(float x) { return static_cast<std::int16_t>(std::clamp(x, -1.0F, 1.0F) * 32'767.0F); }

double mean_square(std::span<const std::int16_t> of) {
    double sum = 0;
    for (const double x : of) sum += x * x;
    return sum / static_cast<double>(of.size());
}

}  // namespace

class echo_canceller::filter {
public:
    filter() : state_(speex_echo_state_init(block, tail)) {
        int rate = speech_rate_hz;
        speex_echo_ctl(state_, SPEEX_ECHO_SET_SAMPLING_RATE, &rate);
    }
    ~filter() { speex_echo_state_destroy(state_); }
    filter(const filter&) = delete;
    filter& operator=(const filter&) = delete;

    // `block` samples each.
    void run(const std::int16_t* heard, const std::int16_t* played, std::int16_t* left) {
        speex_echo_cancellation(state_, heard, played, left);
    }

private:
    SpeexEchoState* state_;
};

echo_canceller::echo_canceller() = default;
echo_canceller::echo_canceller(echo_canceller&&) noexcept = default;
echo_canceller& echo_canceller::operator=(echo_canceller&&) noexcept = default;
echo_canceller::~echo_canceller() = default;

void echo_canceller::will_play(std::uint64_t generation, std::span<const float> samples, steady_time now) {
    heard_in_.will_play(generation, samples, now);
    if (generation != generation_ || played_.empty()) {
        generation_ = generation;
        played_.clear();
        since_ = now;
        stopped_ = false;
        heard_.reset();
        start_over();
    }
    if (stopped_) return;
    for (const float x : samples.first(std::min(samples.size(), most_played_samples - played_.size())))
        played_.push_back(to_integer(x));
}

void echo_canceller::plays(std::uint64_t generation, steady_time since) {
    heard_in_.plays(generation, since);
    if ((generation != generation_ && generation != 0) || since == since_) return;
    since_ = since;
    heard_.reset();
    start_over();
}

void echo_canceller::stops(std::uint64_t generation, steady_time now) {
    heard_in_.stops(generation, now);
    if ((generation != generation_ && generation != 0) || stopped_) return;
    stopped_ = true;
    const auto played = std::max<std::int64_t>(1, samples_until(now));
    if (std::cmp_less(played, played_.size())) played_.resize(static_cast<std::size_t>(played));
}

std::int64_t echo_canceller::samples_until(steady_time now) const {
    return std::chrono::duration_cast<microseconds>(now - since_).count() * samples_a_ms / 1000;
}

steady_time echo_canceller::time_of(std::int64_t position) const {
    return since_ + microseconds{position * 1000 / samples_a_ms};
}

// The samples are counted; the clock says where they begin, and when many were lost.
void echo_canceller::align(steady_time now) {
    const auto due = samples_until(now);
    if (heard_) *heard_ += vad_frame_samples;
    if (heard_ && std::abs(*heard_ - due) < most_adrift) return;
    heard_ = due;
    start_over();
}

void echo_canceller::start_over() {
    filter_.reset();
    before_.clear();
    lately_db_.clear();
    astray_ = louder_ = others_ = closed_ = silent_ = untrained_ = 0;
    train_every_ = frames_to_next_lesson;
    taken_db_ = 0;
    located_ = false;
}

void echo_canceller::played_at(std::int64_t position, samples to) const {
    for (auto& x : to) {
        const bool is_played = position >= 0 && std::cmp_less(position, played_.size());
        x = is_played ? played_[static_cast<std::size_t>(position)] : std::int16_t{0};
        ++position;
    }
}

// Sees to it that there is a filter at the right delay. `before_` ends before the frame that `heard_` counts.
void echo_canceller::search(bool is_echo) {
    const auto found = heard_in_.delay();
    if (filter_) {
        const bool elsewhere = found && std::abs(found->count() * samples_a_ms - margin - lead_) > margin;
        astray_ = elsewhere ? astray_ + 1 : 0;
        if (astray_ > astray_frames || louder_ > useless_frames) return start_over();
        if (taken_db_ < learnt_db && others_ == 0 && louder_ == 0 && ++untrained_ >= train_every_ &&
            before_.size() >= least_lesson) {
            train_every_ += train_every_ / 2;
            train();
        }
    } else if (found && is_echo && before_.size() >= least_lesson) {
        lead_ = found->count() * samples_a_ms - margin;
        filter_ = std::make_unique<filter>();
        train();
    }
}

void echo_canceller::train() {
    untrained_ = 0;
    std::array<std::int16_t, block> heard{}, played{}, left{};
    for (int lesson = 0; lesson < lessons; ++lesson) {
        auto position = *heard_ - static_cast<std::int64_t>(vad_frame_samples + before_.size()) - lead_;
        for (auto from = before_.begin(); from != before_.end(); from += block, position += block) {
            std::copy_n(from, block, heard.begin());
            played_at(position, played);
            filter_->run(heard.data(), played.data(), left.data());
        }
    }
}

bool echo_canceller::take_out(std::span<float, vad_frame_samples> frame, steady_time now) {
    if (played_.empty() || over(now)) return false;
    align(now);
    const bool is_echo = heard_in_.hears(frame, time_of(*heard_));
    search(is_echo);
    std::array<std::int16_t, vad_frame_samples> heard{}, played{}, left{};
    std::ranges::transform(frame, heard.begin(), to_integer);
    before_.insert(before_.end(), heard.begin(), heard.end());
    if (before_.size() > longest_lesson) before_.erase(before_.begin(), before_.begin() + vad_frame_samples);
    if (!filter_) {
        if (heard_in_.delay()) located_ = true;
        watch(located_ && !is_echo && mean_square(heard) > loud);
        return is_echo;
    }

    played_at(*heard_ - static_cast<std::int64_t>(vad_frame_samples) - lead_, played);
    for (std::size_t at = 0; at < vad_frame_samples; at += block)
        filter_->run(heard.data() + at, played.data() + at, left.data() + at);
    silent_ = std::ranges::all_of(played, [](auto x) { return x == 0; }) ? silent_ + 1 : 0;
    const bool worse = mean_square(left) > clearly_louder * mean_square(heard) + quiet;
    louder_ = std::max(0, louder_ + (worse ? 1 : -1));
    // It takes out what is not played any more, or not where it was; or there is nothing to take out, as where we
    // pause.
    if (worse || louder_ >= worse_frames) return is_echo;
    if (silent_ > silent_frames) return false;
    std::ranges::transform(left, frame.begin(), [](std::int16_t x) { return static_cast<float>(x) / 32'768.0F; });
    return judge(heard, left, is_echo);
}

// Whether what is left is no more than what the filter usually leaves of an echo.
bool echo_canceller::judge(std::span<const std::int16_t> heard, std::span<const std::int16_t> left, bool is_echo) {
    std::array<std::int16_t, vad_frame_samples> difference{};
    std::ranges::transform(heard, left, difference.begin(),
                           [](int a, int b) { return static_cast<std::int16_t>(std::clamp(a - b, -32'768, 32'767)); });
    const double all = mean_square(heard), rest = mean_square(left), taken = mean_square(difference);
    if (taken > audible && all > quiet && (is_echo || rest < certain * taken)) {
        lately_db_.push_back(10 * std::log10(all / (rest + 1)));
        if (lately_db_.size() > lately) lately_db_.pop_front();
        // The median: who speaks over some of them changes it little.
        std::vector<double> sorted(lately_db_.begin(), lately_db_.end());
        const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2);
        std::ranges::nth_element(sorted, middle);
        taken_db_ = sorted.size() < some ? 0 : *middle;
    }
    const double least = is_echo ? 0 : least_limit_db;
    const double limit = std::pow(10, -std::clamp(taken_db_ - unsteady_db, least, most_limit_db) / 10);
    const bool own = taken_db_ < hardly_usable_db ? is_echo
                     : taken_db_ < usable_db      ? is_echo && (rest < 2 * taken || rest < quiet)
                                                  : rest < limit * taken || rest < quiet;
    // Two ways of looking at it have to say so, for one of them is the filter itself.
    watch(!own && !is_echo && rest > loud);
    // Where a word closes, "t" and "p", nothing is left for a moment.
    const bool word = rest > loud && rest > taken && taken_db_ > unsteady_db;
    closed_ = own ? std::max(0, closed_ - 1) : word ? closure_frames : closed_;
    return own && closed_ == 0;
}

// There is nothing to learn from a sound in which somebody else speaks.
void echo_canceller::watch(bool others_speak) {
    others_ = std::clamp(others_ + (others_speak ? 1 : -1), 0, 2 * sure_frames);
    if (others_ >= sure_frames) before_.clear();
}

}  // namespace loqa::audio
