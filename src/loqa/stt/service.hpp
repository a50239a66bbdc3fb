// Speech recognition on the bus.
//
// main makes one, on a recognizer and a voice model that are loaded already and outlive it. Frames come in on the bus's
// threads and go into one bounded queue; one thread of its own hears all sessions, one more decodes (decoder.hpp). What
// it listens to and says is in docs/protocol.md.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include "loqa/audio/vad.hpp"
#include "loqa/base/clock.hpp"
#include "loqa/bus/connection.hpp"
#include "loqa/config/config.hpp"
#include "loqa/stt/recognizer.hpp"
#include "loqa/stt/sentences.hpp"
#include "loqa/stt/session.hpp"
#include "loqa/telemetry/log.hpp"
#include "loqa/telemetry/metrics.hpp"
#include "loqa/telemetry/trace.hpp"

namespace loqa::stt {

struct service_options {
    session_options session;
    decoder_options decoder;
    std::size_t max_sessions = 64;
    std::size_t queued_frames = 4096;  // newer ones are dropped and counted
    milliseconds grace{2000};          // for readings under way when the service ends; the process has 5 s in all
};

service_options options_from(const config::stt_settings& settings);

// What the service stands on.
struct surroundings {
    bus::connection& bus;
    const loqa::clock& clock;
    telemetry::metrics& metrics;
    telemetry::tracer& tracer;
    telemetry::logger log;
    phrase_judge judge = {};  // as sentences::judge(); without one every text is unknown
};

class service {
public:
    static result<std::unique_ptr<service>> start(recognizer& engine, audio::voice_model& voices,
                                                  service_options options, surroundings with);

    // Has both loops answer: the one that hears, and, after it, the one that decodes, which calls `alive`.
    virtual void ask(std::function<void()> alive) = 0;

    // Takes no more frames, ends utterances that are being spoken as cancelled, and waits up to options.grace for
    // readings under way.
    virtual ~service() = default;
};

}  // namespace loqa::stt
