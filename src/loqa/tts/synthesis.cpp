#include "loqa/tts/synthesis.hpp"

#include <utility>

#include "loqa/audio/pcm.hpp"

namespace loqa::tts {

synthesis::synthesis(std::string key, std::string text, const sound& kept)
    : key_(std::move(key)),
      text_(std::move(text)),
      rate_hz_(kept.sample_rate_hz),
      samples_(audio::mono_from_s16le(audio::to_s16le(kept.samples), 1)),
      whole_(true) {}

void synthesis::make_piece(sound_cache& cache) {
    if (!speech_) {
        auto begun = by_->speak(text_);
        if (!begun) {
            failed_ = begun.error();
            return;
        }
        speech_ = std::move(*begun);
    }
    auto made = speech_->next();
    if (!made) {
        failed_ = made.error();
        speech_.reset();
        return;
    }
    samples_.insert(samples_.end(), made->samples.begin(), made->samples.end());
    if (!made->last) return;
    whole_ = true;
    speech_.reset();
    if (key_.empty()) return;
    cache.put(key_, std::make_shared<const sound>(sound{rate_hz_, audio::from_s16le(audio::to_s16le(samples_))}),
              leaves_);
}

}  // namespace loqa::tts
