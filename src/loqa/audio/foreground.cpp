#include "loqa/audio/foreground.hpp"

#include <algorithm>

#include "loqa/audio/pcm.hpp"

namespace loqa::audio {
namespace {

constexpr float quietest_db = -70;

// Found by trying, on commands of a dozen voices with and without somebody far off: near enough to tell the two apart,
// and no end of a word is taken for the latter.
constexpr float far_db = 14;
constexpr std::int64_t far_frames = 8;

// If an utterance begins with a voice that is so much quieter than what follows, that was somebody else: what is hardly
// louder than that is not the person who spoke over it.
constexpr std::int64_t lead_frames = 6;
constexpr float lead_below_db = 7;
constexpr float far_behind_lead_db = 8.5F;
constexpr std::int64_t far_frames_behind_lead = 12;

// A syllable in a person's speech is seldom further below the loudest ones; whose voice it is has to be found out by
// other means. People may speak more quietly towards the end: 2 dB in a second.
constexpr float quieter_db = 7;
constexpr float loud_falls_db = 0.06F;
constexpr std::int64_t quiet_lead_frames = 5;
constexpr std::size_t frames_before = 10;

// The ends of words are often hissed, quietly and for long: "curtains". What crosses zero so often (a share of the
// samples) says nothing of who speaks; nor does what is hardly speech to the detector, which is late to see an end.
constexpr float hissed = 0.25F;
constexpr float surely_speech = 0.7F;
constexpr float silence_db = 30;

// People speak more quietly towards the end: 9 dB in a second.
constexpr float voice_falls_db = 0.29F;

// Somebody far off makes no longer pauses: 5 s.
constexpr std::int64_t longest_pause_frames = 156;

float crossings(vad_frame frame) {
    int count = 0;
    for (std::size_t i = 1; i < frame.size(); ++i) count += (frame[i] < 0) != (frame[i - 1] < 0) ? 1 : 0;
    return static_cast<float>(count) / static_cast<float>(frame.size());
}

}  // namespace

void foreground::begin() {
    speaking_ = true;
    speaker_db_ = quietest_db;
    since_near_ = far_voice_ = 0;
    loud_db_ = quietest_db;
    since_loud_ = quieter_voice_ = 0;
}

void foreground::end(bool quieter_is_far) {
    if (quieter_is_far || far()) {
        known_below_db_ = quieter_is_far ? loud_db_ - quieter_db : floor_db();
        known_for_ = longest_pause_frames;
    }
    speaking_ = false;
    frames_.clear();
    lead_ = 0;
}

bool foreground::spoke_over_somebody() const { return lead_ >= lead_frames && lead_db_ < speaker_db_ - lead_below_db; }

float foreground::floor_db() const { return speaker_db_ - (spoke_over_somebody() ? far_behind_lead_db : far_db); }

bool foreground::far() const {
    return speaking_ && far_voice_ >= (spoke_over_somebody() ? far_frames_behind_lead : far_frames);
}

std::int64_t foreground::since_rise() const {
    const auto loud = [&](const heard& each) { return each.db >= loud_db_ - quieter_db; };
    const auto first = std::ranges::find_if(frames_, loud);
    const auto lead = std::count_if(frames_.begin(), first,
                                    [&](const heard& each) { return each.voice && each.db > loud_db_ - silence_db; });
    return lead < quiet_lead_frames ? 0 : frames_.end() - first;
}

void foreground::push(vad_frame frame, float score) {
    const float now_db = level_db(frame);
    const bool voice = score >= surely_speech && crossings(frame) < hissed;
    if (voice && lead_ < lead_frames) {
        lead_db_ = lead_ == 0 ? now_db : std::max(lead_db_, now_db);
        ++lead_;
    }
    frames_.push_back({now_db, voice});
    if (!speaking_) {
        if (frames_.size() > frames_before) frames_.pop_front();
        if (score < surely_speech) lead_ = 0;
        known_ = known_for_ > 0 && now_db < known_below_db_;
        if (known_for_ > 0) known_for_ = voice && known_ ? longest_pause_frames : known_for_ - 1;
        return;
    }
    known_ = false;
    loud_db_ = std::max(loud_db_, now_db);
    if (now_db >= loud_db_ - quieter_db) {
        since_loud_ = quieter_voice_ = 0;
        loud_db_ = std::max(loud_db_ - loud_falls_db, now_db);
    } else {
        ++since_loud_;
        if (voice && now_db > loud_db_ - silence_db) ++quieter_voice_;
    }
    speaker_db_ = std::max(speaker_db_, now_db);
    if (now_db >= floor_db()) {
        since_near_ = far_voice_ = 0;
        speaker_db_ = std::max(speaker_db_ - voice_falls_db, now_db);
    } else {
        ++since_near_;
        if (voice && now_db > speaker_db_ - silence_db) ++far_voice_;
    }
}

}  // namespace loqa::audio
