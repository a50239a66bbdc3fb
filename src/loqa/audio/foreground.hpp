// Whether the voice that is heard is still that of the person who speaks to us.
//
// A television, or somebody in the next room, is speech to a voice detector: in front of it an utterance would never
// end, and behind an utterance it would be the next one. Who speaks to us is louder. One object a stream, used by one
// thread at a time; it is told every frame, also those in which nobody speaks.
#pragma once

#include <cstdint>
#include <deque>

#include "loqa/audio/vad.hpp"

namespace loqa::audio {

class foreground {
public:
    // `score` is the voice detector's, 0 to 1.
    void push(vad_frame frame, float score);

    // An utterance has begun: maybe of somebody else.
    void begin();

    // It is over. If somebody far off goes on speaking, they are known for as long as they do; `quieter_is_far`: it has
    // turned out that the quieter voice is theirs.
    void end(bool quieter_is_far = false);

    // In an utterance: nobody near has spoken for so long that only somebody far off can be speaking.
    bool far() const;

    // In an utterance: frames since the last one of somebody near; 0: it was the last one.
    std::int64_t since_near() const { return since_near_; }

    // In an utterance: frames since the last one about as loud as the person who speaks has been, and how many of them
    // are surely a voice: their own, more quietly, or that of somebody far off. Only what is said can tell.
    std::int64_t since_loud() const { return since_loud_; }
    std::int64_t quieter_voice() const { return quieter_voice_; }

    // In an utterance that began with a quieter voice: frames since the first one about as loud as the person who
    // speaks has been, this one included; 0 in others. Costs a look at each frame.
    std::int64_t since_rise() const;

    // Somebody far off was heard not long before this utterance.
    bool knows_somebody() const { return known_for_ > 0; }

    // Between utterances: the last frame is no louder than who is known to be far off.
    bool known_to_be_far() const { return known_; }

private:
    bool spoke_over_somebody() const;
    float floor_db() const;

    bool speaking_ = false, known_ = false;
    float speaker_db_ = 0;
    std::int64_t since_near_ = 0, far_voice_ = 0;  // frames; of the latter those that are surely a voice

    float loud_db_ = 0;
    std::int64_t since_loud_ = 0, quieter_voice_ = 0;  // as above

    // Of the frames since the utterance began, and some before it.
    struct heard {
        float db = 0;
        bool voice = false;
    };
    std::deque<heard> frames_;

    float lead_db_ = 0;  // of the voice that the utterance began with
    std::int64_t lead_ = 0;

    float known_below_db_ = 0;
    std::int64_t known_for_ = 0;  // frames
};

}  // namespace loqa::audio
