#include "loqa/audio/loudness.hpp"

#include <algorithm>

#include "loqa/audio/pcm.hpp"

namespace loqa::audio {
namespace {

// The ends of words are up to 25 dB below the loudest vowel before them.
constexpr float range_of_speech_db = 30;
constexpr float above_background_db = 8;
// Between the loudest vowel and the background, or the ends of words drown in it.
constexpr float clear_db = range_of_speech_db - 6;

// An even background is within 4 dB of its quietest frames. Speech that stands out by so much is not always drowned.
constexpr float even_db = 4;
constexpr float audible_db = 12;
constexpr int background_frames = 3;

// A frame that is quieter is believed at once, one that is louder little by little: 2 dB in a second.
constexpr float background_rises_db = 0.064F;
// People speak more quietly towards the end: 6 dB in a second.
constexpr float speech_falls_db = 0.19F;

}  // namespace

std::optional<bool> loudness::push(vad_frame frame) {
    const float now_db = std::max(quietest_db, level_db(frame));
    background_db_ = std::min(background_db_ + background_rises_db, now_db);
    speech_db_ = std::max(speech_db_ - speech_falls_db, now_db);
    background_frames_ = now_db < background_db_ + even_db ? background_frames_ + 1 : 0;
    if (speech_db_ - background_db_ < clear_db) {
        const bool only_background =
            background_frames_ >= background_frames && speech_db_ - background_db_ >= audible_db;
        return only_background ? std::optional(false) : std::nullopt;
    }
    return now_db > std::max(speech_db_ - range_of_speech_db, background_db_ + above_background_db);
}

}  // namespace loqa::audio
