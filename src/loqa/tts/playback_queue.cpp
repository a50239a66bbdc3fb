#include "loqa/tts/playback_queue.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

namespace loqa::tts {

namespace {

// How much later than its samples say a speaker may be heard to the end, before it is taken for gone.
constexpr milliseconds late_word{1000};
constexpr std::size_t max_playing = 1024;

}  // namespace

bool playback_queue::add(entry what) {
    if (waiting_.size() >= max_waiting_) return false;
    const auto behind =
        std::ranges::find_if(waiting_, [&](const entry& other) { return other->urgency < what->urgency; });
    waiting_.insert(behind, std::move(what));
    return true;
}

bool playback_queue::may_begin(const utterance& what) const {
    if (speaking_.size() >= max_speaking_ && what.urgency == protocol::urgency::reply) return false;
    const auto in_the_way = [&](const entry& other) {
        return other->lane == what.lane && (other->urgency >= what.urgency || !what.timed) && !other->cancelled;
    };
    return std::ranges::none_of(speaking_, in_the_way) && std::ranges::none_of(playing_, in_the_way);
}

void playback_queue::begin(steady_time now, wall_time wall) {
    std::erase_if(playing_, [&](const entry& each) { return heard_at_the_latest(*each) <= now; });
    for (auto at = waiting_.begin(); at != waiting_.end();) {
        // What was called off is begun as well: it is ended where all others are.
        if (!(*at)->cancelled && !may_begin(**at)) {
            ++at;
            continue;
        }
        const auto ms = std::chrono::duration_cast<milliseconds>(wall.time_since_epoch()).count();
        last_generation_ = std::max(last_generation_ + 1, static_cast<std::uint64_t>(std::max<std::int64_t>(ms, 0)));
        (*at)->generation = last_generation_;
        speaking_.push_back(std::move(*at));
        at = waiting_.erase(at);
    }
}

playback_queue::entry playback_queue::next() const {
    const auto first = std::ranges::min_element(speaking_, [](const entry& a, const entry& b) {
        return std::tuple(b->urgency, a->due()) < std::tuple(a->urgency, b->due());
    });
    return first == speaking_.end() ? nullptr : *first;
}

void playback_queue::sent(utterance& what, milliseconds of_sound, steady_time now) {
    if (!what.first_sent) what.first_sent = now;
    what.sent += of_sound;
}

void playback_queue::all_sent(const entry& what) {
    std::erase(speaking_, what);
    if (!what->timed || !what->first_sent || what->cancelled) return;
    if (playing_.size() >= max_playing) playing_.erase(playing_.begin());
    playing_.push_back(what);
}

void playback_queue::give_up(const entry& what) { std::erase(speaking_, what); }

bool playback_queue::is(const utterance& one, const std::string& session, std::uint64_t generation) {
    return one.session == session && (generation == 0 || one.generation == generation);
}

void playback_queue::playback_started(const std::string& session, std::uint64_t generation, steady_time now) {
    for (auto* all : {&speaking_, &playing_})
        for (const auto& each : *all)
            if (is(*each, session, generation) && each->first_sent && !each->started) each->started = now;
}

void playback_queue::playback_stopped(const std::string& session, std::uint64_t generation) {
    std::erase_if(playing_, [&](const entry& each) { return is(*each, session, generation); });
}

std::vector<playback_queue::entry> playback_queue::cancel(const std::function<bool(const utterance&)>& which) {
    std::vector<entry> heard;
    for (const auto& each : waiting_)
        if (which(*each)) each->cancelled = true;
    for (const auto& each : speaking_)
        if (which(*each) && !each->cancelled.exchange(true) && each->first_sent) heard.push_back(each);
    std::erase_if(playing_, [&](const entry& each) {
        if (!which(*each)) return false;
        heard.push_back(each);
        return true;
    });
    return heard;
}

std::vector<playback_queue::entry> playback_queue::cancel_older_than(const utterance& newer) {
    if (newer.turn.empty() || newer.session.empty() || newer.urgency != protocol::urgency::reply || !newer.timed)
        return {};
    return cancel([&](const utterance& other) {
        return &other != &newer && other.timed && other.session == newer.session && other.lane == newer.lane &&
               other.urgency == protocol::urgency::reply && !other.turn.empty() && other.turn != newer.turn;
    });
}

bool playback_queue::has(const std::function<bool(const utterance&)>& which) const {
    const auto is_one = [&](const entry& each) { return !each->cancelled && which(*each); };
    return std::ranges::any_of(waiting_, is_one) || std::ranges::any_of(speaking_, is_one);
}

steady_time playback_queue::heard_at_the_latest(const utterance& one) {
    return one.started ? *one.started + one.sent + late_word : *one.first_sent + one.sent;
}

steady_time playback_queue::next_change() const {
    auto next = steady_time::max();
    if (waiting_.empty()) return next;
    for (const auto& each : playing_) next = std::min(next, heard_at_the_latest(*each));
    return next;
}

}  // namespace loqa::tts
