// Whether a frame is as loud as the speech around it.
//
// A voice detector notices the end of a word some 100 ms late. Where speech stands well above the background, its
// loudness tells at once. Where it stands out less, as over a fan, the ends of words drown: there it only tells when
// nothing but the background has been heard for a while, and otherwise says that it cannot tell. One object a stream,
// used by one thread at a time; it is told every frame, also those before anybody spoke, from which it knows the
// background.
#pragma once

#include <optional>

#include "loqa/audio/vad.hpp"

namespace loqa::audio {

class loudness {
public:
    // Nothing while speech and background are too near to each other to tell.
    std::optional<bool> push(vad_frame frame);

    // Another utterance begins: maybe of somebody else.
    void begin() { speech_db_ = quietest_db; }

private:
    static constexpr float quietest_db = -70;  // below is no sound of a room

    float background_db_ = 0;
    float speech_db_ = quietest_db;
    int background_frames_ = 0;  // in a row that were no louder than it
};

}  // namespace loqa::audio
