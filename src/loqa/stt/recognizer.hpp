// Speech recognition engines.
//
// A recognizer is a loaded model: made once, shared by every session of the process, its streams driven by the threads
// of decoder.hpp. A stream is one utterance on it, used by one thread at a time, and may outlive neither the recognizer
// nor its own finish().
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "loqa/audio/pcm.hpp"
#include "loqa/base/clock.hpp"
#include "loqa/base/result.hpp"
#include "loqa/stt/second_reading_options.hpp"

namespace loqa::stt {

struct hypothesis {
    std::string text;         // trimmed; empty when nothing was said
    float confidence = 1;     // 0..1, comparable within one engine only; 1 from an engine that gives none
    std::size_t settled = 0;  // leading bytes of text that later partials of the utterance will not change
    std::string heard = {};   // what text was before the engine listened again; empty when it is as it was heard
    bool begins = false;      // heard again, it sounds like the beginning of a sentence that is expected
    bool doubtful = false;    // heard again, it may be what text is, and not to be acted on without asking
};

class expectation;

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

    // From any thread: a read() or listen_again() that is under way is not waited for any more and may end at once,
    // with errc::cancelled. What was accepted stays. Says nothing to later ones; engines that cannot stop go on.
    virtual void interrupt() {}

    // The last reading, if one of the sentences that are expected is not what was said after all. Engines that cannot
    // listen for something leave it as it is. Of all streams of a recognizer one at a time does this.
    virtual result<hypothesis> listen_again(hypothesis last, const std::shared_ptr<expectation>&) { return last; }
};

class recognizer {
public:
    virtual ~recognizer() = default;
    virtual std::unique_ptr<stream> start() = 0;

    // So many of its streams may be used at once, each by one thread.
    virtual std::size_t at_once() const { return 1; }
};

struct moonshine_options {
    std::string model;  // a folder, or the name of an installed model
    int threads = 2;
    milliseconds longest{30'000};  // what one stream takes; memory grows with the longest input there was
    second_reading_options again{};
};

// Moonshine (Jeffries et al. 2024, arXiv:2410.15608) from a folder of encoder_model.ort, decoder_model_merged.ort and
// tokens.txt. Every file is checked before the engine sees it, since the engine ends the process on a bad one. Returns
// warm: one utterance has been decoded.
result<std::unique_ptr<recognizer>> load_moonshine(const moonshine_options& options);

struct transducer_options {
    std::string model;  // a folder, or the name of an installed model
    int threads = 2;
    milliseconds longest{30'000};
};

// Streaming transducers as icefall exports them for sherpa-onnx (zipformer, zipformer2, lstm, conformer): a folder of
// encoder*.onnx, decoder*.onnx, joiner*.onnx and tokens.txt. Its streams decode as they hear, so that read() costs next
// to nothing. Every file is checked before the engine sees it, since the engine ends the process on a bad one. Returns
// warm.
result<std::unique_ptr<recognizer>> load_transducer(const transducer_options& options);

struct command_options {
    std::string command;   // with arguments, split as a shell would, without its expansions
    std::string model;     // handed on as --model, unless empty
    std::string language;  // handed on as --language, unless empty
    milliseconds timeout{10'000};
};

// Any program: it is started for each reading with `--audio FILE.wav`, `--partial` when more may follow, and prints
// {"text": …, "confidence": …}. The way to plug in an engine of one's own.
result<std::unique_ptr<recognizer>> load_command(const command_options& options);

// What a worker says it has used since it was started.
struct worker_usage {
    std::int64_t peak_kb = 0;  // of memory
    std::int64_t cpu_ms = 0;
};

struct worker_options {
    std::vector<std::string> command;  // a program and its arguments
    std::string mend;                  // what to do when it cannot be started
    milliseconds longest{30'000};      // of one utterance
    milliseconds timeout{10'000};      // of one reading
    milliseconds start_timeout{60'000};
    std::function<void(const worker_usage&)> on_usage;  // told with each answer that says so
};

// A program that keeps its model loaded and is asked over and over: on its standard input a line {"samples": n,
// "partial": …} and n floats at audio::speech_rate_hz in this machine's byte order, on its standard output a line
// {"text": …, "confidence": …} for each, with "peak_kb" and "cpu_ms" where it counts them, or {"error": …, "hint": …};
// before the first it says {"ready": …} on a line. One that ends or does not answer in time fails the reading that was
// asked for, and is started anew for the next. docs/engines.md is the form in full. Returns warm.
result<std::unique_ptr<recognizer>> load_worker(const worker_options& options);

}  // namespace loqa::stt
