// Who may speak where, and when.
//
// Each target has a lane. On a lane one reply is heard at a time and the next waits, in the order of urgency and then
// of arrival. What is more urgent does not wait for what is less: an alarm is heard over a reply, which its speaker
// makes quieter meanwhile. What takes the place of something older of its own session, the answer to newer words, does
// not wait either: the older one is called off.
//
// A speaker that says when it plays (playback.started, playback.stopped) is believed; of one that says nothing it is
// assumed that it plays as fast as time goes, from the first samples on. A speaker that went away holds its lane no
// longer than its sound would have lasted.
//
// It knows no bus, no clock and no lock: its owner brings all three.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "loqa/base/clock.hpp"
#include "loqa/protocol/turn_headers.hpp"

namespace loqa::tts {

// One thing to be said.
struct utterance {
    virtual ~utterance() = default;

    std::string lane, session, target, turn;
    protocol::urgency urgency = protocol::urgency::reply;
    // Its lane is taken until it has been heard. Otherwise only until it was sent, and nothing is sent over it.
    bool timed = true;
    steady_time arrived;
    std::atomic<bool> cancelled{false};

    // The queue's.
    std::uint64_t generation = 0;           // 0 until it is begun
    std::optional<steady_time> first_sent;  // nothing: nothing was sent
    std::optional<steady_time> started;     // the speaker said so
    milliseconds sent{0};                   // of sound

    // When the speaker runs out of what it was sent: the time by which the next samples are due.
    steady_time due() const { return first_sent ? started.value_or(*first_sent) + sent : arrived; }
};

class playback_queue {
public:
    using entry = std::shared_ptr<utterance>;

    // `max_speaking` bounds how many are made into sound at once, over all lanes.
    playback_queue(std::size_t max_waiting, std::size_t max_speaking)
        : max_waiting_(max_waiting), max_speaking_(max_speaking) {}

    // False when too many wait.
    bool add(entry what);

    // Begins what may begin now, and numbers it.
    void begin(steady_time now, wall_time wall);

    // Of those that speak the one whose samples are due first, the most urgent before all others.
    entry next() const;

    void sent(utterance& what, milliseconds of_sound, steady_time now);
    void all_sent(const entry& what);  // it speaks no more; its lane stays taken while it is heard
    void give_up(const entry& what);   // it speaks no more, and its lane is free

    // The speaker's word; generation 0 where it gives none.
    void playback_started(const std::string& session, std::uint64_t generation, steady_time now);
    void playback_stopped(const std::string& session, std::uint64_t generation);

    // Calls off all that `which` names. Gives those of which a speaker may have samples.
    std::vector<entry> cancel(const std::function<bool(const utterance&)>& which);

    // What an answer to newer words of the same session replaces.
    std::vector<entry> cancel_older_than(const utterance& newer);

    // Whether there is one that waits or is made into sound.
    bool has(const std::function<bool(const utterance&)>& which) const;

    std::size_t waiting() const { return waiting_.size(); }
    std::size_t speaking() const { return speaking_.size(); }

    // When begin() may have more to begin, if nothing else happens until then.
    steady_time next_change() const;

private:
    bool may_begin(const utterance& what) const;
    static bool is(const utterance& one, const std::string& session, std::uint64_t generation);
    static steady_time heard_at_the_latest(const utterance& one);

    const std::size_t max_waiting_, max_speaking_;
    std::vector<entry> waiting_;   // the most urgent first, then the oldest
    std::vector<entry> speaking_;  // samples are still to be made or sent
    std::vector<entry> playing_;   // all is sent, and not all is heard yet
    std::uint64_t last_generation_ = 0;
};

}  // namespace loqa::tts
