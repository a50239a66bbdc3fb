#include "loqa/audio/loudness.hpp"

#include <algorithm>
#include <cmath>

#include "loqa/audio/pcm.hpp"

namespace loqa::audio {
namespace {

// The ends of words are up to 25 dB below the loudest vowel before them.
constexpr float range_of_speech_db = 30;
constexpr float above_background_db = 8;
// Between the loudest vowel and the background, or the ends of words drown in it.
constexpr float clear_db = range_of_speech_db - 6;

// A frame that is quieter is believed at once, one that is louder little by little: 2 dB in a second.
constexpr float background_rises_db = 0.064F;
// People speak more quietly towards the end: 6 dB in a second.
constexpr float speech_falls_db = 0.19F;

}  // namespace

std::optional<bool> loudness::push(vad_frame frame) {
    const float now_db = std::max(quietest_db, 20 * std::log10(std::max(rms(frame), 1e-6F)));
    background_db_ = std::min(background_db_ + background_rises_db, now_db);
    speech_db_ = std::max(speech_db_ - speech_falls_db, now_db);
    if (speech_db_ - background_db_ < clear_db) return std::nullopt;
    return now_db > std::max(speech_db_ - range_of_speech_db, background_db_ + above_background_db);
}

}  // namespace loqa::audio
