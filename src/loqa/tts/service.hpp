// The voice on the bus: answers tts.request with the samples of what it says.
//
// loqa-tts owns one. A reply goes out piece by piece while later pieces are still made: on tts.audio as JSON, or, for a
// request whose Loqa-Audio header is "pcm", on tts.pcm.<target> as plain samples with the rest in headers. Each
// request ends with exactly one tts.done, also one that was refused, cancelled, too late or failed: its `error` is then
// an errc's name. The handlers of the bus put requests in a bounded queue and never wait.
//
// Each target has its turn-taking (playback_queue.hpp): one thing at a time, alarms over all else. One thread makes the
// sound, a piece at a time for whichever speaker runs out first. Each reply has a number, its generation; a reply that
// is called off is flushed: its speaker is told to drop what it has of that number.
//
// A reply that was said before comes from the cache. tts.prepare names a text that may be asked for soon: it is made
// while no reply waits, piece by piece, and played to nobody; whoever asks for it meanwhile gets what there is at once.
//
// When the voice fails before its first sample, a fallback says the reply, and session.degraded says that it did.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "loqa/base/clock.hpp"
#include "loqa/base/result.hpp"
#include "loqa/bus/connection.hpp"
#include "loqa/telemetry/log.hpp"
#include "loqa/telemetry/metrics.hpp"
#include "loqa/telemetry/trace.hpp"
#include "loqa/tts/cache.hpp"
#include "loqa/tts/voice.hpp"

namespace loqa::tts {

struct service_options {
    std::size_t max_pending = 32;  // requests that wait; one more is refused with busy
    std::size_t max_text_bytes = 4096;
    milliseconds chunk_duration{400};         // the longest message of samples
    int sample_rate_hz = 22'050;              // of what is published; the voice's samples are converted
    int channels = 1;                         // 2: the same on both
    std::size_t max_speaking = 16;            // replies that are made into sound at once, on as many targets
    fs::path volume_file;                     // keeps how loud each target is; empty: forgotten at the end
    std::size_t max_prepares = 4;             // texts to make ahead that wait; one more pushes out the oldest
    std::string default_privacy = "session";  // of requests that name no scope; what is ephemeral stays off the disk
    seconds finish_within{3};  // what is asked for when the service ends is said until then, or cancelled
};

class service {
public:
    // The arguments outlive the service. `fallback` may be null.
    static result<std::unique_ptr<service>> start(bus::connection& bus, voice& voice, tts::voice* fallback,
                                                  sound_cache& cache, const service_options& options,
                                                  const clock& clock, telemetry::metrics& metrics,
                                                  telemetry::tracer& tracer, telemetry::logger log);

    // Takes no more requests, and ends those it has: see finish_within.
    virtual ~service() = default;

    // Has these in the cache soon, in this order, without keeping anybody waiting.
    virtual void warm(std::vector<std::string> texts) = 0;

    // Calls `alive` on the thread that makes the sound, after the piece that is being made.
    virtual void ask(std::function<void()> alive) = 0;
};

}  // namespace loqa::tts
