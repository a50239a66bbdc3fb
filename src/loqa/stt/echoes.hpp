// What Loqa is saying in each session, for who listens there: its own voice is nobody's speech.
//
// Told by the bus what speakers are sent and what they play, on the bus's threads; asked by the one thread that hears.
// Sessions in which nothing is played take no room. Safe from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>

#include "loqa/audio/echo_canceller.hpp"
#include "loqa/audio/resample.hpp"
#include "loqa/audio/vad.hpp"
#include "loqa/base/clock.hpp"
#include "loqa/bus/connection.hpp"

namespace loqa::stt {

class echoes {
public:
    static constexpr std::size_t most_sessions = 256;

    // Messages on tts.pcm.<target>, playback.started and playback.stopped; what cannot be read is nothing.
    void sent(const bus::message& sound, steady_time now);
    void started(const bus::message& m, steady_time now);
    void stopped(const bus::message& m, steady_time now);

    // Takes Loqa's own voice out of the frame, which came `now`. True when nobody else was in it.
    bool take_out(const std::string& session_id, std::span<float, audio::vad_frame_samples> frame, steady_time now);

    // Whether anything of it may be heard `now`.
    bool may_be_heard(const std::string& session_id, steady_time now) const;

private:
    template <class Said>  // what a speaker says of what it plays
    void played(const bus::message& m, auto&& then);

    struct speaking {
        audio::echo_canceller sound;
        std::uint64_t generation = 0;
        std::optional<audio::resampler> to_rate;
    };

    mutable std::mutex mutex_;
    std::map<std::string, speaking> sessions_;
};

}  // namespace loqa::stt
