// Speech recognition engines.
//
// A recognizer is a loaded model: made once, shared by every session of the process, its streams driven by one thread
// (decoder.hpp owns it). A stream is one utterance on it, used by one thread at a time, and may outlive neither the
// recognizer nor its own finish().
#pragma once

#include <memory>
#include <string>

#include "loqa/audio/pcm.hpp"
#include "loqa/base/clock.hpp"
#include "loqa/base/result.hpp"

namespace loqa::stt {

struct hypothesis {
    std::string text;      // trimmed; empty when nothing was said
    float confidence = 1;  // 0..1, comparable within one engine only; 1 from an engine that gives none
};

class stream {
public:
    virtual ~stream() = default;

    // Appends mono samples in [-1, 1] at audio::speech_rate_hz. too_long once there are more than the engine is made
    // for.
    virtual result<void> accept(audio::pcm_view samples) = 0;

    // The best reading of what was accepted so far; more may follow. Costs as much as finish(): ask at pauses, not at
    // frames.
    virtual result<hypothesis> read() = 0;

    // The reading of the whole utterance.
    virtual result<hypothesis> finish() = 0;
};

class recognizer {
public:
    virtual ~recognizer() = default;
    virtual std::unique_ptr<stream> start() = 0;
};

struct moonshine_options {
    std::string model;  // a folder, or the name of an installed model
    int threads = 2;
    milliseconds longest{30'000};  // what one stream takes; memory grows with the longest input there was
};

// Moonshine (Jeffries et al. 2024, arXiv:2410.15608) from a folder of encoder_model.ort, decoder_model_merged.ort and
// tokens.txt. Every file is checked before the engine sees it, since the engine ends the process on a bad one. Returns
// warm: one utterance has been decoded.
result<std::unique_ptr<recognizer>> load_moonshine(const moonshine_options& options);

struct command_options {
    std::string command;   // with arguments, split as a shell would, without its expansions
    std::string model;     // handed on as --model, unless empty
    std::string language;  // handed on as --language, unless empty
    milliseconds timeout{10'000};
};

// Any program: it is started for each reading with `--audio FILE.wav`, `--partial` when more may follow, and prints
// {"text": …, "confidence": …}. The way to plug in an engine of one's own.
result<std::unique_ptr<recognizer>> load_command(const command_options& options);

}  // namespace loqa::stt
