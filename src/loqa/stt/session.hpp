// One session's ear: what a client sends, what was said in it.
//
// A session hears a stream of frames that the client may mark as over. In the stream it finds utterances, each of which
// is a turn of its own: its beginning is announced, then come its partials, then its final reading or a failure, never
// nothing. A stream in which nobody spoke yields one final without text when it is over. Its state machine has no
// threads and does no work of its own: the host, which owns it, calls it from one thread, decodes for it and tells the
// world.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "loqa/audio/endpointer.hpp"
#include "loqa/audio/foreground.hpp"
#include "loqa/audio/loudness.hpp"
#include "loqa/audio/resample.hpp"
#include "loqa/audio/vad.hpp"
#include "loqa/base/clock.hpp"
#include "loqa/protocol/turn_headers.hpp"
#include "loqa/stt/decoder.hpp"
#include "loqa/stt/settling.hpp"

namespace loqa::stt {

// How long a silence ends an utterance, by what was said so far.
struct patience {
    milliseconds complete{32};  // a command that nothing can follow
    milliseconds growable{64};  // a command that might go on
    milliseconds unknown{500};  // nothing that is known
    milliseconds open{1000};    // the beginning of a command; also while it is not known what was said
};

// What a session's owner is doing, as far as it changes how it is listened to.
enum class attention : std::uint8_t {
    idle,
    speaking,  // Loqa speaks: only what is surely speech begins an utterance, as ever when it may hear itself
    asking,    // Loqa asked something: a yes or a no is all there will be, and people think before they say it
};

struct session_options {
    audio::endpointer_options endpoint;
    patience usual;
    patience asked{.unknown = milliseconds{800}, .open = milliseconds{1200}};
    float speaking_threshold = 0.7F;
    milliseconds speaking_onset{128};
    milliseconds preroll{300};          // heard before the onset and still read
    bool interim = true;                // tell partials
    milliseconds partial_every{200};    // while somebody speaks, if the host has time for it; 0: not at all
    milliseconds client_timeout{3000};  // a client that is quiet for so long is gone
    milliseconds min_speech{96};        // less is a noise
    bool keep_sound = false;            // of each utterance, until it was told
};

// Why an utterance is over; what stt.text.final says as `reason`.
enum class end_reason : std::uint8_t {
    speech_end,    // the person was silent for long enough
    client_final,  // the client said so
    timeout,       // the person went on for too long, or the client stopped sending
    no_speech,     // nothing that was speech
    cancelled,     // this process ends
};

std::string_view to_string(end_reason reason);

// One piece of sound from a client.
struct frame {
    std::string session_id;
    std::int64_t sequence = 0;
    int sample_rate_hz = audio::speech_rate_hz;
    int channels = 1;
    std::string pcm;  // S16LE
    bool last = false;
    protocol::turn_headers turn;  // what the client said about the turn; often nothing
    steady_time arrived;
};

struct utterance {
    std::uint64_t number = 0;  // unique in the process
    std::string session_id;
    protocol::turn_headers turn;
    end_reason reason = end_reason::speech_end;
    steady_time began;            // when the frame with the onset arrived
    steady_time speech_ended;     // when the last frame with speech arrived
    steady_time ended;            // when the end was decided
    milliseconds speech{};        // from the onset to the end of speech
    std::int64_t mark = 0;        // where its speech ended: a reading with this mark or a later one has all of it
    std::optional<outcome> read;  // the latest reading; of the whole when the utterance is over
    milliseconds waited_for{};    // the silence that would have ended it, or did
    double unused_ms = 0;         // that went into readings which did not become the final one
    std::vector<float> sound;     // all of it; once it is over, where that is kept
    std::size_t overruled = 0;    // readings that had other words than those that were settled
};

using audio_frame = std::span<float, audio::vad_frame_samples>;

class session_host {
public:
    virtual ~session_host() = default;
    virtual std::uint64_t next_utterance() = 0;

    // As decoder's functions of these names; the outcome is handed to session::take().
    virtual void submit(std::uint64_t utterance, std::vector<float> samples, reading what, std::int64_t mark) = 0;
    virtual void hurry(std::uint64_t utterance) = 0;
    virtual void put_off(std::uint64_t utterance) = 0;
    virtual void forget(std::uint64_t utterance) = 0;
    virtual bool spare() const = 0;
    virtual bool idle() const = 0;

    // Takes what Loqa itself says in the session out of the frame, which came `now`. True when nobody speaks over it.
    virtual bool take_out_echo(const std::string& /*session_id*/, audio_frame /*frame*/, steady_time /*now*/) {
        return false;
    }

    // Whether anything that Loqa says may be heard `now` where the session listens.
    virtual bool may_hear_itself(const std::string& /*session_id*/, steady_time /*now*/) const { return false; }

    virtual void on_started(const utterance& of) = 0;
    virtual void on_partial(const utterance& of, const hypothesis& heard) = 0;
    // If what follows is silence, this will be the final text. Nothing may be done yet that cannot be undone.
    virtual void on_ahead(const utterance& of, const hypothesis& heard) = 0;
    virtual void on_final(const utterance& of, const hypothesis& heard) = 0;
    virtual void on_failed(const utterance& of, const error& why) = 0;
};

class session {
public:
    session(std::string id, const session_options& options, std::unique_ptr<audio::voice_detector> detector,
            const clock& clock, session_host& host);

    void hear(const frame& what);

    // False when the outcome is not of this session.
    bool take(const outcome& made);

    // From the next frame on; an utterance that has begun is waited for in the new way.
    void attend(attention how);

    // When tick() has something to do next if no frame comes.
    steady_time deadline() const;
    void tick(steady_time now);

    // Ends all that is not over yet; with `reading_too` also what only waits for its final reading.
    void cancel(bool reading_too);

    // The stream is over and all of it was told: the session can go.
    bool over() const { return closed_ && finishing_.empty(); }
    bool awaits_reading() const { return !finishing_.empty(); }

private:
    // A reading of the utterance up to `mark` alone, under a number of its own.
    struct shorter {
        std::uint64_t number = 0;
        std::int64_t mark = 0;
        bool over_somebody = false;  // who was heard before it
        std::optional<outcome> read;
    };

    struct current {
        utterance what;
        settling words;
        std::vector<float> unsent;             // not yet handed to the decoder
        std::int64_t asked_mark = -1;          // up to where a reading was last asked for; -1: none, or it failed
        bool reading = false;                  // one is under way
        std::int64_t loud_end = 0;             // in frames since the onset: the last that was as loud as speech
        bool clear = false;                    // speech stands out of the background: loud_end means something
        std::int64_t sure_end = 0;             // in frames since the onset: the last that surely was speech
        bool loud = true;                      // the last frame was
        bool resumes = false;                  // the last frame was surely as loud as speech
        bool agreed = false;                   // the last two readings have the same words, or are both in doubt
        std::string partial_text, ahead_text;  // as last told
        std::optional<shorter> without;        // read without what may be somebody else's
    };

    // Over, and waiting for its final reading.
    struct ending {
        utterance what;
        settling words;
        std::optional<outcome> without;  // a command, or one to ask about, that was said before a quieter voice
    };

    void open_stream();
    void remember(const protocol::turn_headers& said);
    result<void> listen(const frame& what);
    void set_onset(bool hears_itself);
    result<void> step(audio_frame samples, steady_time arrived);
    void begin(steady_time arrived);
    utterance new_utterance(steady_time began);
    void ask(reading what);
    std::int64_t surely_said() const;
    std::vector<float> take_unsent(bool all);
    void consider(const outcome& made);
    std::int64_t heard_end() const;
    bool fades_into_noise() const;
    bool covers(std::int64_t mark) const;
    std::int64_t slack() const;
    bool is_noise() const;
    bool worth_another_look() const;
    std::int64_t loud_until() const;
    bool worth_reading_without() const;
    bool over_somebody() const;
    void read_without_quieter_voice();
    void drop_shorter();
    const outcome* said_before_quieter_voice() const;
    bool somebody_else_goes_on(const outcome& said) const;
    void end_before_quieter_voice(const outcome& said, steady_time arrived);
    milliseconds patience_now() const;
    milliseconds sooner(milliseconds wait) const;
    void finish(end_reason reason);
    void end_empty(end_reason reason);
    void tell(const utterance& of);
    void call_off(std::size_t index);
    protocol::turn_headers next_turn();

    const std::string id_;
    const session_options options_;
    const std::unique_ptr<audio::voice_detector> detector_;
    const clock& clock_;
    session_host& host_;
    audio::endpointer endpoint_;
    audio::loudness loudness_;
    audio::foreground foreground_;
    attention attention_ = attention::idle;
    std::optional<audio::resampler> resample_;

    std::vector<float> pending_;  // less than a frame of the detector
    std::vector<float> preroll_;
    std::optional<current> now_;
    std::deque<ending> finishing_;

    bool closed_ = false;
    int echoed_ = 0;              // so many frames in a row were Loqa's own voice
    bool broken_ = false;         // the detector failed: the rest of the stream is not heard
    bool anything_told_ = false;  // of this stream
    steady_time last_frame_;
    milliseconds last_duration_{};
    protocol::turn_headers client_turn_;
    std::string last_turn_id_;
};

}  // namespace loqa::stt
