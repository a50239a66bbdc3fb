#include "loqa/audio/endpointer.hpp"

#include <algorithm>
#include <utility>

namespace loqa::audio {
namespace {

// The whole frames nearest to `duration`, at least one: 64 ms are 2 frames, 500 ms are 16.
std::int64_t frames_of(milliseconds duration) {
    const auto frame = vad_frame_duration.count();
    return std::max<std::int64_t>(1, (duration.count() + frame / 2) / frame);
}

}  // namespace

endpointer::endpointer(const endpointer_options& options)
    : threshold_(options.threshold),
      release_(options.threshold - options.hysteresis),
      pause_frames_(frames_of(options.pause)),
      default_silence_frames_(frames_of(options.silence)),
      max_frames_(frames_of(options.max_utterance)),
      onset_threshold_(options.threshold),
      onset_frames_(frames_of(options.onset)),
      silence_frames_(default_silence_frames_) {}

endpoint_event endpointer::push(std::optional<float> score) {
    if (!in_utterance_) return score ? listen(*score) : endpoint_event::none;

    ++frames_;
    const auto event = score ? follow(*score) : endpoint_event::none;
    if (event != endpoint_event::ended && frames_ >= max_frames_) {
        reset();
        return endpoint_event::cut_short;
    }
    if (event == endpoint_event::ended) reset();
    return event;
}

endpoint_event endpointer::listen(float score) {
    onset_run_ = score >= onset_threshold_ ? onset_run_ + 1 : 0;
    if (onset_run_ < onset_frames_) return endpoint_event::none;
    frames_ = speech_end_ = voiced_ = onset_run_;
    in_utterance_ = true;
    return endpoint_event::started;
}

endpoint_event endpointer::follow(float score) {
    if (score >= threshold_ || (!silent_ && score >= release_)) {
        if (score >= threshold_) ++voiced_;
        speech_end_ = frames_;
        silent_ = false;
        return std::exchange(paused_, false) ? endpoint_event::resumed : endpoint_event::none;
    }
    // A silence goes on through scores that are not quite speech: they come where a word fades and where a room echoes.
    silent_ = true;
    const auto silence = frames_ - speech_end_;
    if (silence >= silence_frames_) return endpoint_event::ended;
    if (silence >= pause_frames_ && !std::exchange(paused_, true)) return endpoint_event::paused;
    return endpoint_event::none;
}

void endpointer::set_silence(milliseconds silence) { silence_frames_ = frames_of(silence); }

bool endpointer::due() const { return in_utterance_ && silent_ && frames_ - speech_end_ >= silence_frames_; }

void endpointer::set_onset(float threshold, milliseconds onset) {
    onset_threshold_ = threshold;
    onset_frames_ = frames_of(onset);
}

void endpointer::reset() {
    in_utterance_ = paused_ = silent_ = false;
    onset_run_ = 0;
    silence_frames_ = default_silence_frames_;
}

}  // namespace loqa::audio
