// Takes what our own speaker says out of what a microphone hears.
//
// It is told what is played, and given each frame of the microphone. How long the way from one to the other is, `echo`
// finds; an adaptive filter (SpeexDSP's) learns what the room makes of it, and subtracts that while others speak, too.
// What is left is their speech, the noise of the room, and what no such filter can know: what the speaker distorts, and
// the first second of an answer. Samples are what it counts time by: frames may come late, but each has to follow the
// one before it. Used by one thread at a time. Costs some 15 ms of processor time for each second of echo, up to 20 ms
// of it at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "loqa/audio/echo.hpp"
#include "loqa/audio/vad.hpp"
#include "loqa/base/clock.hpp"

namespace loqa::audio {

class echo_canceller {
public:
    echo_canceller();
    echo_canceller(echo_canceller&&) noexcept;
    echo_canceller& operator=(echo_canceller&&) noexcept;
    ~echo_canceller();

    // As echo's functions of these names. What is called off was played until then.
    void will_play(std::uint64_t generation, std::span<const float> samples, steady_time now);
    void plays(std::uint64_t generation, steady_time since);
    void stops(std::uint64_t generation, steady_time now);
    bool over(steady_time now) const { return heard_in_.over(now); }
    bool may_be_heard(steady_time now) const { return heard_in_.may_be_heard(now); }

    // Takes what is played out of this frame, which came `now`. True when nobody else was in it.
    bool take_out(std::span<float, vad_frame_samples> frame, steady_time now);

    // By how many dB less of it is left than was heard, usually; 0 while that is not known.
    double taken_db() const { return taken_db_; }

private:
    class filter;
    using samples = std::span<std::int16_t>;

    std::int64_t samples_until(steady_time now) const;
    steady_time time_of(std::int64_t position) const;
    void align(steady_time now);
    void start_over();
    void search(bool is_echo);
    void train();
    void played_at(std::int64_t position, samples to) const;
    void watch(bool others_speak);
    bool judge(std::span<const std::int16_t> heard, std::span<const std::int16_t> left, bool is_echo);

    echo heard_in_;
    std::uint64_t generation_ = 0;
    steady_time since_{};
    bool stopped_ = false;
    std::vector<std::int16_t> played_;   // of this reply, from its beginning
    std::optional<std::int64_t> heard_;  // samples of the microphone since then
    std::deque<std::int16_t> before_;    // the last of them, to learn from
    bool located_ = false;               // the delay was known once

    std::unique_ptr<filter> filter_;       // once there is something to learn from
    std::int64_t lead_ = 0;                // samples from those that it is given of what is played to those it hears
    int astray_ = 0;                       // so many frames in a row the delay looked like another one
    int louder_ = 0;                       // so many more of the last frames it made worse than not
    int silent_ = 0;                       // so many frames in a row nothing was played
    int others_ = 0;                       // so many more of the last frames others spoke in than not
    int closed_ = 0;                       // frames that may still be the middle of a word
    int untrained_ = 0, train_every_ = 0;  // frames
    std::deque<double> lately_db_;         // taken out of frames that were an echo alone
    double taken_db_ = 0;
};

}  // namespace loqa::audio
