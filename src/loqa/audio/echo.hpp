// Whether a microphone hears what our own speaker says.
//
// It is told what is played, and asked of each frame of the microphone. Both are looked at as the loudness of eight
// bands every 16 ms: what rises and falls in all bands as that which is played does, at any delay that rooms and sound
// devices have, is an echo; and the delay stays what it was. Where somebody speaks louder than the echo would be at
// that moment, it is not, even in the first syllable. It tells them apart; it takes nothing away from the sound.
// Somebody quieter than the echo is not noticed. Times are those at which samples are there to be read. Used by one
// thread at a time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <vector>

#include "loqa/base/clock.hpp"

namespace loqa::audio {

class echo {
public:
    static constexpr std::size_t bands = 8;
    static constexpr milliseconds step{16};
    static constexpr milliseconds least_delay{-100}, most_delay{800};

    echo();

    // What is played, at 16 kHz, as it is sent to the speaker: of one reply after the other, each with a number.
    void will_play(std::uint64_t generation, std::span<const float> samples, steady_time now);
    // The speaker has the first sample of it since then. Without it: since it was sent.
    void plays(std::uint64_t generation, steady_time since);
    // It is heard no longer.
    void stops(std::uint64_t generation, steady_time now);

    // True when these samples at 16 kHz, the last of which came `now`, are of what is played and of nobody else.
    bool hears(std::span<const float> samples, steady_time now);

    // How long after it was played it was last heard; nothing while that is not known.
    std::optional<milliseconds> delay() const { return delay_; }

    // It is played, or is on its way to the microphone where it ever came there.
    bool may_be_heard(steady_time now) const;

    // Nothing that is played can be heard any more.
    bool over(steady_time now) const;

private:
    using loudness = std::array<float, bands>;  // dB of full scale

    class filters {
    public:
        void push(std::span<const float> samples, std::deque<loudness>& to);

    private:
        struct state {
            double x1 = 0, x2 = 0, y1 = 0, y2 = 0;
        };
        std::array<state, bands> states_;
        std::array<double, bands> sums_{};
        std::size_t summed_ = 0;
    };

    // At one delay.
    struct likeness {
        double now = 0;        // the correlation of the last steps
        double long_term = 0;  // its mean; the path from speaker to microphone does not change from word to word
        int seen = 0;
    };
    // The way from the speaker to the microphone, as it was last.
    struct path {
        std::int64_t delay = 0;  // steps
        double gain_db = 0;
        int seen = 0;
    };
    steady_time ends() const;
    void compare(std::int64_t played_until);
    void learn(std::int64_t delay, double gain_db);
    std::optional<double> gain_db(std::int64_t begin) const;
    double excess_db(std::int64_t begin, double gain_db) const;
    bool expects(std::int64_t played_until) const;
    const loudness& played(std::int64_t index) const;
    void keep_earlier(steady_time now);
    void move_earlier(std::int64_t steps);

    loudness silence_{};
    std::uint64_t generation_ = 0;
    filters played_filters_, heard_filters_;
    std::deque<loudness> played_;   // of this reply, from its beginning
    std::deque<loudness> earlier_;  // right before it, the newest last: it may still be on its way
    std::deque<loudness> heard_;    // the newest last
    std::vector<likeness> delays_;
    steady_time since_{};
    std::optional<steady_time> stopped_;
    std::optional<milliseconds> delay_;
    std::optional<path> path_;
    bool is_told_ = false;  // since when this reply is played
};

}  // namespace loqa::audio
