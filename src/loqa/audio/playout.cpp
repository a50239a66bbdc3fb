#include "loqa/audio/playout.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace loqa::audio {

namespace {

constexpr std::size_t remembered_flushes = 64;
constexpr std::size_t max_voices = 16;
constexpr int quiet_divisor = 6;  // about -16 dB

}  // namespace

playout::playout(playout_format format, milliseconds most)
    : format_(format),
      most_(static_cast<std::size_t>(most.count() * format.sample_rate_hz / 1000 * std::max(format.channels, 1))) {}

bool playout::push(std::uint64_t generation, int urgency, std::span<const std::int16_t> samples, bool last) {
    std::lock_guard lock(mutex_);
    if (std::ranges::any_of(flushed_, [&](const range& r) { return generation >= r.from && generation <= r.to; }))
        return false;
    auto at = std::ranges::find(voices_, generation, &voice::generation);
    if (at == voices_.end()) {
        if (voices_.size() >= max_voices) {
            dropped_ += samples.size();
            return false;
        }
        at = voices_.insert(voices_.end(), voice{.generation = generation, .urgency = urgency});
    }
    const auto room = most_ - std::min(most_, at->samples.size());
    const auto taken = samples.first(std::min(room, samples.size()));
    dropped_ += samples.size() - taken.size();
    at->samples.insert(at->samples.end(), taken.begin(), taken.end());
    at->last = at->last || last;
    if (at->last && at->samples.empty()) {
        end(*at, true);
        voices_.erase(at);
    }
    return true;
}

void playout::flush(std::uint64_t from, std::uint64_t to) {
    std::lock_guard lock(mutex_);
    flushed_.push_back({from, to});
    if (flushed_.size() > remembered_flushes) flushed_.pop_front();
    std::erase_if(voices_, [&](const voice& each) {
        if (each.generation < from || each.generation > to) return false;
        end(each, false);
        return true;
    });
}

void playout::close() {
    std::lock_guard lock(mutex_);
    for (auto& each : voices_) {
        each.broken = each.broken || !each.last;
        each.last = true;
    }
    std::erase_if(voices_, [&](const voice& each) {
        if (!each.samples.empty()) return false;
        end(each, !each.broken);
        return true;
    });
}

std::size_t playout::read(std::span<std::int16_t> out) {
    std::lock_guard lock(mutex_);
    std::ranges::fill(out, std::int16_t{0});
    int loudest = std::numeric_limits<int>::min();
    for (const auto& each : voices_)
        if (!each.samples.empty()) loudest = std::max(loudest, each.urgency);
    std::size_t most = 0;
    for (auto& each : voices_) {
        const auto count = std::min(out.size(), each.samples.size());
        const int divisor = each.urgency < loudest ? quiet_divisor : 1;
        for (std::size_t i = 0; i < count; ++i)
            out[i] = static_cast<std::int16_t>(std::clamp(out[i] + each.samples[i] / divisor, -32'768, 32'767));
        each.samples.erase(each.samples.begin(), each.samples.begin() + static_cast<std::ptrdiff_t>(count));
        each.played += count;
        most = std::max(most, count);
    }
    std::erase_if(voices_, [&](const voice& each) {
        if (!each.last || !each.samples.empty()) return false;
        end(each, !each.broken);
        return true;
    });
    return most;
}

void playout::end(const voice& which, bool completed) {
    ended_.push_back({which.generation, duration(which.played), completed});
}

milliseconds playout::duration(std::size_t samples) const {
    const auto frames = samples / static_cast<std::size_t>(std::max(format_.channels, 1));
    return milliseconds(frames * 1000 / static_cast<std::size_t>(std::max(format_.sample_rate_hz, 1)));
}

std::vector<heard> playout::take_ended() {
    std::lock_guard lock(mutex_);
    return std::exchange(ended_, {});
}

bool playout::idle() const {
    std::lock_guard lock(mutex_);
    return voices_.empty();
}

milliseconds playout::left() const {
    std::lock_guard lock(mutex_);
    std::size_t most = 0;
    for (const auto& each : voices_) most = std::max(most, each.samples.size());
    return duration(most);
}

std::size_t playout::dropped() const {
    std::lock_guard lock(mutex_);
    return dropped_;
}

}  // namespace loqa::audio
