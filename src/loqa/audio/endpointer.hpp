// When somebody begins to speak, and when they are done.
//
// One object a stream, used by one thread at a time: it is told the voice score of each frame and answers what that
// frame changed. It knows neither samples nor engines nor clocks: time is the number of frames. How long a silence ends
// an utterance may be changed at any frame, since who knows what was said so far knows better how long to wait.
#pragma once

#include <cstdint>
#include <optional>

#include "loqa/audio/vad.hpp"

namespace loqa::audio {

struct endpointer_options {
    float threshold = 0.5F;             // a score from here on is speech
    float hysteresis = 0.15F;           // speech that has begun goes on until a score is this much lower
    milliseconds onset{64};             // that much speech without a gap begins an utterance: a click is shorter
    milliseconds pause{32};             // that much silence is a pause: worth a look at what was said so far
    milliseconds silence{500};          // that much silence ends the utterance
    milliseconds max_utterance{15000};  // from the onset
};

enum class endpoint_event : std::uint8_t {
    none,
    started,
    paused,
    resumed,   // speech again after `paused`
    ended,     // the silence was long enough
    cut_short  // max_utterance has passed while speech went on
};

class endpointer {
public:
    explicit endpointer(const endpointer_options& options);

    // No score is neither speech nor silence.
    endpoint_event push(std::optional<float> score);

    // From the next frame on, until the utterance ends; then it is options.silence again.
    void set_silence(milliseconds silence);

    // Whether the silence at the end of what was pushed is long enough already: a wait may have been shortened since.
    bool due() const;

    // How sure and how long a sound has to be to begin an utterance, from the next frame on.
    void set_onset(float threshold, milliseconds onset);

    // Ends the utterance for a reason of the caller's.
    void reset();

    bool in_utterance() const { return in_utterance_; }

    // In frames since the onset of this utterance, or of the last one after its end: how many it has, with the silence
    // at its end; the end of the last one that was speech; how many were surely speech.
    std::int64_t frames() const { return frames_; }
    std::int64_t speech_end() const { return speech_end_; }
    std::int64_t voiced() const { return voiced_; }

private:
    endpoint_event listen(float score);
    endpoint_event follow(float score);

    const float threshold_;
    const float release_;
    const std::int64_t pause_frames_, default_silence_frames_, max_frames_;

    float onset_threshold_;
    std::int64_t onset_frames_;
    std::int64_t silence_frames_;
    bool in_utterance_ = false;
    bool paused_ = false;
    bool silent_ = false;
    std::int64_t onset_run_ = 0;
    std::int64_t frames_ = 0;
    std::int64_t speech_end_ = 0;
    std::int64_t voiced_ = 0;
};

}  // namespace loqa::audio
