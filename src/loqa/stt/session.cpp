#include "loqa/stt/session.hpp"

#include <algorithm>
#include <utility>

#include "loqa/audio/pcm.hpp"
#include "loqa/base/ids.hpp"
#include "loqa/stt/plausible.hpp"
#include "loqa/telemetry/trace.hpp"

namespace loqa::stt {
namespace {

std::size_t samples_of(milliseconds duration) {
    return static_cast<std::size_t>(duration.count()) * audio::speech_rate_hz / 1000;
}

std::int64_t frames_of(milliseconds duration) { return duration / audio::vad_frame_duration; }

// Frames by which the detector sees the end of a word later than its loudness does, at most.
constexpr std::int64_t detector_lag_frames = 6;

// A frame with less of a score may be where a word fades into the noise around it: there the detector sees the end
// later and less clearly than in silence. After two of them it is worth a look.
constexpr float sure_speech = 0.8F;
constexpr std::int64_t fading_frames = 2;

// How late it usually is.
constexpr milliseconds usual_lateness = 2 * audio::vad_frame_duration;

// A reading that lacks so many frames of what may still be speech, but says the same as the one before it, is whole.
constexpr std::int64_t agreed_frames = 2;

// So much silence behind a word makes it clear to the recogniser; so much more never did.
constexpr std::int64_t settling_frames = 3;
constexpr std::int64_t settled_frames = 10;

// So many frames of a quieter voice after an utterance that began over somebody, and what was said before it is read by
// itself.
constexpr std::int64_t quieter_frames = 6;

// So many frames since the person spoke, and it is somebody else, if they were heard before and what was said is a
// command that nothing can follow, or one that makes no sense with what was heard since. If it is, but nobody was heard
// before, or it is in doubt, they have to be heard for longer: the person may think, and go on. Whatever was said: so
// many frames of their voice.
constexpr std::int64_t somebody_else_frames = 12;
constexpr std::int64_t somebody_new_frames = 28;
constexpr std::int64_t somebody_new_voice_frames = 16;
constexpr std::int64_t somebody_else_for_long_frames = 47;

// The end of a word is quieter than the word, and so is its beginning.
constexpr std::int64_t word_end_frames = 3;
constexpr std::int64_t word_begin_frames = 6;

// So many frames of Loqa's own voice in a row, and nobody speaks over it any more.
constexpr int echo_frames = 6;

}  // namespace

std::string_view to_string(end_reason reason) {
    switch (reason) {
        case end_reason::speech_end:
            return "speech_end";
        case end_reason::client_final:
            return "client_final";
        case end_reason::timeout:
            return "timeout";
        case end_reason::no_speech:
            return "no_speech";
        case end_reason::cancelled:
            return "cancelled";
    }
    return "unknown";
}

session::session(std::string id, const session_options& options, std::unique_ptr<audio::voice_detector> detector,
                 const clock& clock, session_host& host)
    : id_(std::move(id)),
      options_(options),
      detector_(std::move(detector)),
      clock_(clock),
      host_(host),
      endpoint_(options.endpoint),
      last_frame_(clock.steady()) {}

void session::hear(const frame& what) {
    if (closed_) open_stream();
    last_frame_ = what.arrived;
    const auto moments = what.pcm.size() / (2 * static_cast<std::size_t>(what.channels));
    last_duration_ = milliseconds{moments * 1000 / static_cast<std::size_t>(what.sample_rate_hz)};
    remember(what.turn);
    if (!broken_) {
        if (auto heard = listen(what); !heard) {
            broken_ = true;
            if (!now_) begin(what.arrived);
            drop_shorter();
            auto lost = std::move(now_->what);
            now_.reset();
            host_.forget(lost.number);
            host_.on_failed(lost, heard.error());
        }
    }
    if (!what.last) return;
    closed_ = true;
    if (now_) {
        now_->unsent.insert(now_->unsent.end(), pending_.begin(), pending_.end());
        pending_.clear();
        finish(end_reason::client_final);
    } else if (!anything_told_) {
        end_empty(end_reason::no_speech);
    }
}

// What a client says of the turn it need say only once.
void session::remember(const protocol::turn_headers& said) {
    client_turn_.audio = said.audio;
    if (!said.turn_id.empty()) {
        client_turn_.turn_id = said.turn_id;
        client_turn_.traceparent = said.traceparent;
    }
    if (!said.privacy.empty()) client_turn_.privacy = said.privacy;
    if (!said.area.empty()) client_turn_.area = said.area;
}

void session::open_stream() {
    client_turn_ = {};
    closed_ = broken_ = anything_told_ = false;
    resample_.reset();
    pending_.clear();
    preroll_.clear();
    endpoint_.reset();
    foreground_.end();
    detector_->reset();
}

result<void> session::listen(const frame& what) {
    if (!resample_ || resample_->from_hz() != what.sample_rate_hz) {
        auto made = audio::resampler::create(what.sample_rate_hz, audio::speech_rate_hz);
        if (!made) return fail(std::move(made));
        resample_ = std::move(*made);
    }
    if (auto done = resample_->process(audio::mono_from_s16le(what.pcm, what.channels), pending_, what.last); !done) {
        return done;
    }
    std::size_t at = 0;
    result<void> done;
    for (; done && at + audio::vad_frame_samples <= pending_.size(); at += audio::vad_frame_samples) {
        done = step(audio_frame(pending_.data() + at, audio::vad_frame_samples), what.arrived);
    }
    pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(at));
    return done;
}

result<void> session::step(audio_frame samples, steady_time arrived) {
    const bool own = host_.take_out_echo(id_, samples, arrived);
    set_onset(host_.may_hear_itself(id_, arrived));
    auto score = detector_->score(samples);
    if (!score) return fail(score);
    // One's own voice is nobody's. Who speaks over it is not taken for it between two words.
    echoed_ = own ? echoed_ + 1 : 0;
    if (echoed_ > (now_ ? echo_frames : 0) && *score) *score = 0.0F;

    // Neither is that of somebody far off.
    foreground_.push(samples, score->value_or(0.0F));
    if ((foreground_.far() || foreground_.known_to_be_far()) && *score) *score = 0.0F;

    auto& kept = now_ ? now_->unsent : preroll_;
    kept.insert(kept.end(), samples.begin(), samples.end());
    if (now_) now_->what.sound.insert(now_->what.sound.end(), samples.begin(), samples.end());
    if (!now_) {
        // The onset is noticed a little after it: that much more is kept.
        const auto most = samples_of(options_.preroll + options_.endpoint.onset);
        if (preroll_.size() > most)
            preroll_.erase(preroll_.begin(), preroll_.end() - static_cast<std::ptrdiff_t>(most));
    }

    std::optional<bool> loud;
    const bool begun = now_.has_value();
    if (begun) {
        loud = loudness_.push(samples);
        if (foreground_.far()) loud = false;
        now_->resumes = loud.value_or(false);
        if (now_->resumes && now_->reading) host_.put_off(now_->what.number);
        endpoint_.set_silence(patience_now());
        now_->what.waited_for = patience_now();
    }
    const auto event = endpoint_.push(*score);
    if (event == audio::endpoint_event::started) begin(arrived);
    if (!begun) loud = loudness_.push(samples);
    if (!now_) return {};

    const bool talking = endpoint_.speech_end() == endpoint_.frames();
    now_->what.speech = endpoint_.speech_end() * audio::vad_frame_duration;

    if (event == audio::endpoint_event::ended) {
        finish(end_reason::speech_end);
        return {};
    }
    if (event == audio::endpoint_event::cut_short) {
        finish(end_reason::timeout);
        return {};
    }
    now_->clear = loud.has_value();
    const bool fades = now_->loud && loud.has_value() && !*loud;
    now_->loud = loud.value_or(talking);
    if (now_->loud) now_->loud_end = endpoint_.frames();
    if (score->value_or(0.0F) >= sure_speech) now_->sure_end = endpoint_.frames();
    if (foreground_.far()) now_->loud_end = std::min(now_->loud_end, endpoint_.frames() - foreground_.since_near());
    if (talking && heard_end() == endpoint_.frames()) now_->what.speech_ended = arrived;
    if (is_noise()) return {};
    if (const auto* said = said_before_quieter_voice(); said != nullptr && somebody_else_goes_on(*said)) {
        end_before_quieter_voice(*said, arrived);
        return {};
    }
    const bool first_look =
        (fades || fades_into_noise() || event == audio::endpoint_event::paused) && !covers(now_->asked_mark);
    // Where speech is clear, the loudness knows of a silence before the detector does.
    const bool silent = now_->clear ? !now_->loud : !talking;
    if (first_look || (silent && !now_->reading && worth_another_look())) {
        ask(reading::ahead);
    } else if (!now_->reading && worth_reading_without()) {
        read_without_quieter_voice();
    } else if (talking && options_.partial_every.count() > 0 && !now_->reading &&
               surely_said() - now_->asked_mark >= frames_of(options_.partial_every) && host_.spare()) {
        ask(reading::partial);
    }
    return {};
}

namespace {

bool is_command(const outcome& read) { return read.form == phrase::complete || read.form == phrase::growable; }

// Or one to ask about.
bool is_likely(const outcome& read) { return is_command(read) || (read.heard->doubtful && read.form != phrase::open); }

auto words_in(const std::string& text) { return std::ranges::count(text, ' ') + 1; }

// Of what was read while somebody spoke only a command can be the last word: the others are listened to again.
bool is_thorough(const outcome& read) { return read.what != reading::partial || is_command(read); }

}  // namespace

// What makes no sense may have been misheard: it is read again with more silence behind it, for there is time.
bool session::worth_another_look() const {
    const auto& read = now_->what.read;
    if (!read || !read->heard || is_command(*read)) return false;
    const auto end = heard_end();
    if (read->mark < end || read->mark >= end + settled_frames) return false;
    return !is_thorough(*read) || endpoint_.frames() >= read->mark + settling_frames;
}

// The last frame in which the person who spoke was surely heard.
std::int64_t session::loud_until() const { return endpoint_.frames() - foreground_.since_loud(); }

bool session::worth_reading_without() const {
    if ((now_->without && now_->without->mark == loud_until()) || !host_.idle()) return false;
    const auto quieter = foreground_.quieter_voice();
    if (quieter >= somebody_new_voice_frames) return true;  // a quiet word or two may be the person's own
    // At a pause it is known what was said in all.
    const auto& all = now_->what.read;
    const bool paused = endpoint_.speech_end() < endpoint_.frames();
    const bool without_sense = paused && all && all->heard && !is_command(*all);
    return (quieter >= quieter_frames || without_sense) && over_somebody();
}

bool session::over_somebody() const { return foreground_.knows_somebody() || foreground_.since_rise() > 0; }

// A quieter voice goes on. Whether what came before it is all that the person said is only known when it is read.
void session::read_without_quieter_voice() {
    drop_shorter();
    const auto after = std::max<std::int64_t>(0, foreground_.since_loud() - word_end_frames);
    const auto& all = now_->what.sound;
    const auto before_end = [&](std::int64_t frames) {
        const auto samples = static_cast<std::size_t>(frames) * audio::vad_frame_samples;
        return all.end() - static_cast<std::ptrdiff_t>(std::min(all.size(), samples));
    };
    const auto rise = foreground_.since_rise();
    now_->without = shorter{host_.next_utterance(), loud_until(), over_somebody(), {}};
    host_.submit(now_->without->number,
                 {rise > 0 ? before_end(rise + word_begin_frames) : all.begin(), before_end(after)}, reading::ahead,
                 loud_until());
}

void session::drop_shorter() {
    if (now_->without && !now_->without->read) host_.forget(now_->without->number);
    now_->without.reset();
}

// What was said before a quieter voice, if the person has not gone on since.
const outcome* session::said_before_quieter_voice() const {
    const auto& without = now_->without;
    const bool known = without && without->mark == loud_until() && without->read && without->read->heard;
    return known ? &*without->read : nullptr;
}

bool session::somebody_else_goes_on(const outcome& said) const {
    const auto quieter = foreground_.quieter_voice();
    const auto since = foreground_.since_loud();
    const bool over_somebody = now_->without->over_somebody;
    if (said.form == phrase::complete && said.heard->heard.empty() && over_somebody)
        return since >= somebody_else_frames;
    const auto& all = now_->what.read;
    if (!all || !all->heard || all->mark < said.mark + quieter_frames) return false;
    if (all->form != phrase::unknown && words_in(all->heard->text) > words_in(said.heard->text)) return false;
    if (!is_likely(said)) return quieter >= somebody_else_for_long_frames;
    return since >= (over_somebody && is_command(said) ? somebody_else_frames : somebody_new_frames);
}

// The last frame that has anything to read in it. The detector takes the end of a word for speech for some frames more
// than it lasts.
std::int64_t session::heard_end() const {
    const auto end = endpoint_.speech_end();
    if (foreground_.far()) return std::min(end, now_->loud_end);
    // Speech that goes on quietly, or that the detector goes on to be unsure of, is not over.
    const auto clear_end = now_->clear ? now_->loud_end : now_->sure_end;
    return end - clear_end <= detector_lag_frames ? std::min(end, clear_end) : end;
}

bool session::fades_into_noise() const { return !now_->clear && endpoint_.frames() == now_->sure_end + fading_frames; }

bool session::is_noise() const { return endpoint_.voiced() < frames_of(options_.min_speech); }

bool session::covers(std::int64_t mark) const { return mark >= heard_end(); }

std::int64_t session::slack() const { return now_->agreed && !now_->clear ? agreed_frames : 0; }

// The detector sees the end of a word late. By how much, the loudness tells where speech is clear: what it has missed
// of the silence need not be waited for twice.
milliseconds session::sooner(milliseconds wait) const {
    const auto late = (endpoint_.speech_end() - heard_end()) * audio::vad_frame_duration;
    return std::max(audio::vad_frame_duration, std::min(wait, wait + usual_lateness - late));
}

milliseconds session::patience_now() const {
    const auto& waits = attention_ == attention::asking ? options_.asked : options_.usual;
    const auto& read = now_->what.read;
    if (is_noise()) return waits.unknown;
    // The detector sees that somebody goes on some frames after it is loud again.
    if (now_->resumes) return waits.open;
    if (!read || !read->heard || !covers(read->mark + slack())) {
        // Nobody is cut off before it is known what they said.
        return now_->reading ? waits.open : waits.unknown;
    }
    if (attention_ == attention::asking && intent::yes_or_no(read->heard->text)) return waits.complete;
    switch (read->form) {
        case phrase::complete:
            return sooner(waits.complete);
        case phrase::growable:
            return sooner(waits.growable);
        case phrase::open:
            return waits.open;
        case phrase::unknown:
            break;
    }
    // It stays in doubt, and will be asked about.
    return read->heard->doubtful && now_->agreed ? sooner(waits.growable) : waits.unknown;
}

void session::attend(attention how) { attention_ = how; }

// What loqad says of it is not all: words that interrupt nothing do not end what is said, and a question is as loud as
// an answer.
void session::set_onset(bool hears_itself) {
    if (hears_itself || attention_ == attention::speaking) {
        endpoint_.set_onset(options_.speaking_threshold, options_.speaking_onset);
    } else {
        endpoint_.set_onset(options_.endpoint.threshold, options_.endpoint.onset);
    }
}

void session::begin(steady_time arrived) {
    now_ = current{};
    now_->what = new_utterance(arrived);
    now_->unsent = std::exchange(preroll_, {});
    now_->what.sound = now_->unsent;
    loudness_.begin();
    foreground_.begin();
    if (!broken_) host_.on_started(now_->what);
}

utterance session::new_utterance(steady_time began) {
    anything_told_ = true;  // what begins here ends with a final or a failure
    utterance made;
    made.number = host_.next_utterance();
    made.session_id = id_;
    made.turn = next_turn();
    made.began = made.speech_ended = made.ended = began;
    return made;
}

// A client may name the turn and its trace. It does so for one utterance: the next one in the stream is another turn.
protocol::turn_headers session::next_turn() {
    auto turn = client_turn_;
    if (turn.turn_id.empty() || turn.turn_id == last_turn_id_) {
        turn.turn_id = random_hex(16);
        turn.traceparent.clear();
    } else {
        last_turn_id_ = turn.turn_id;
    }
    if (!telemetry::parse_traceparent(turn.traceparent)) {
        turn.traceparent = telemetry::to_traceparent(telemetry::new_trace());
    }
    return turn;
}

void session::ask(reading what) {
    if (what != reading::partial && now_->without && !now_->without->read) drop_shorter();  // this is more urgent
    now_->reading = true;
    now_->asked_mark = what == reading::partial ? surely_said() : endpoint_.frames();
    host_.submit(now_->what.number, take_unsent(what != reading::partial), what, now_->asked_mark);
}

// Up to where it is the person who spoke, in frames since the onset.
std::int64_t session::surely_said() const { return endpoint_.frames() - foreground_.since_near(); }

// What has not been read yet. Behind the last that was surely said by the person who speaks may be somebody else's
// words: they are kept back as long as that is not known, unless `all` is wanted, and silence once it is.
std::vector<float> session::take_unsent(bool all) {
    auto& unsent = now_->unsent;
    const auto behind =
        std::min(unsent.size(), static_cast<std::size_t>(foreground_.since_near()) * audio::vad_frame_samples);
    if (foreground_.far()) std::fill(unsent.end() - static_cast<std::ptrdiff_t>(behind), unsent.end(), 0.0F);
    const auto kept = all ? 0 : behind;
    std::vector<float> rest(unsent.end() - static_cast<std::ptrdiff_t>(kept), unsent.end());
    unsent.resize(unsent.size() - kept);
    return std::exchange(unsent, std::move(rest));
}

// The utterance is over. If what was said up to here is already read, or being read, that reading is the final one.
void session::finish(end_reason reason) {
    auto& of = now_->what;
    of.ended = clock_.steady();
    of.reason = reason;
    // Who is cut off in the middle of a word has said more than is in the last whole frame.
    const bool talking = endpoint_.speech_end() == endpoint_.frames();
    of.mark = talking ? endpoint_.frames() + 1 : heard_end();
    of.overruled = now_->words.overruled();
    const bool read_already = of.read && of.read->heard && is_thorough(*of.read) && of.read->mark + slack() >= of.mark;
    const bool being_read = now_->reading && now_->asked_mark >= of.mark;
    const bool too_short = is_noise();
    auto unread = take_unsent(true);
    std::optional<outcome> said;
    if (const auto* shorter = said_before_quieter_voice(); shorter != nullptr && is_likely(*shorter)) said = *shorter;
    drop_shorter();
    auto done = std::move(*now_);
    now_.reset();
    endpoint_.reset();
    foreground_.end();
    if (!options_.keep_sound) done.what.sound = {};

    if (too_short) {
        host_.forget(done.what.number);
        done.what.reason = end_reason::no_speech;
        done.what.read.reset();
        host_.on_final(done.what, {});
    } else if (read_already) {
        host_.forget(done.what.number);
        if (said && !is_likely(*done.what.read)) done.what.read = std::move(said);
        tell(done.what);
    } else {
        if (being_read) {
            host_.hurry(done.what.number);
        } else {
            host_.submit(done.what.number, std::move(unread), reading::final, done.what.mark);
        }
        finishing_.push_back({std::move(done.what), std::move(done.words), std::move(said)});
    }
}

// The person has said all, and somebody else goes on.
void session::end_before_quieter_voice(const outcome& said, steady_time arrived) {
    auto of = std::move(now_->what);
    of.ended = clock_.steady();
    of.reason = end_reason::speech_end;
    of.speech_ended = arrived - foreground_.since_loud() * audio::vad_frame_duration;
    of.mark = said.mark;
    of.speech = of.mark * audio::vad_frame_duration;
    of.overruled = now_->words.overruled();
    of.read = said;
    now_.reset();
    endpoint_.reset();
    foreground_.end(true);
    if (!options_.keep_sound) of.sound = {};
    host_.forget(of.number);
    tell(of);
}

bool session::take(const outcome& made) {
    if (now_ && now_->without && now_->without->number == made.utterance) {
        now_->without->read = made;
        host_.forget(made.utterance);
        if (said_before_quieter_voice() != nullptr && is_command(made) && made.heard->text != now_->ahead_text) {
            now_->ahead_text = made.heard->text;
            host_.on_ahead(now_->what, *made.heard);
        }
        return true;
    }
    if (now_ && now_->what.number == made.utterance) {
        consider(made);
        return true;
    }
    const auto found =
        std::ranges::find_if(finishing_, [&](const ending& each) { return each.what.number == made.utterance; });
    if (found == finishing_.end()) return false;
    found->what.unused_ms += to_ms(made.interrupted);
    const bool is_last = made.what == reading::final || made.mark >= found->what.mark;
    if (!is_last) {
        found->what.unused_ms += to_ms(made.ended - made.began);
        return true;
    }
    auto done = std::move(*found);
    finishing_.erase(found);
    host_.forget(done.what.number);
    if (!made.heard) {
        host_.on_failed(done.what, made.heard.error());
        return true;
    }
    done.words.take(*made.heard);
    done.what.overruled = done.words.overruled();
    done.what.read = made;
    if (done.without && !is_likely(made)) done.what.read = std::move(done.without);
    tell(done.what);
    return true;
}

// A reading of an utterance that is not over, or not known to be.
void session::consider(const outcome& made) {
    now_->reading = made.mark < now_->asked_mark;
    auto& of = now_->what;
    of.unused_ms += to_ms(made.interrupted);
    if (of.read) of.unused_ms += to_ms(of.read->ended - of.read->began);
    if (!made.heard) {
        of.read.reset();
        if (!now_->reading) now_->asked_mark = -1;  // read again at the end
        return;
    }
    const auto before = of.read && of.read->heard ? *of.read->heard : hypothesis{};
    of.read = made;
    const auto& heard = *of.read->heard;
    now_->agreed = !heard.text.empty() && (heard.text == before.text || (heard.doubtful && before.doubtful));

    // Who reads along is not to see words change. What is done in the end goes by what was heard with all of the
    // utterance behind it: an early word that was wrong is not kept for having been shown.
    const auto shown = now_->words.take(heard);
    if (options_.interim && !shown.text.empty() && shown.text != now_->partial_text) {
        now_->partial_text = shown.text;
        host_.on_partial(of, shown);
    }
    const bool certain =
        made.form == phrase::complete || now_->agreed || (made.what == reading::ahead && covers(made.mark));
    if (certain && made.form != phrase::open && !heard.text.empty() && heard.text != now_->ahead_text &&
        plausible(heard.text, of.speech)) {
        now_->ahead_text = heard.text;
        host_.on_ahead(of, heard);
    }
    endpoint_.set_silence(patience_now());
    of.waited_for = patience_now();
    if (endpoint_.due()) finish(end_reason::speech_end);
}

void session::tell(const utterance& of) {
    auto heard = *of.read->heard;
    if (!plausible(heard.text, of.speech)) heard = {};
    host_.on_final(of, heard);
}

void session::end_empty(end_reason reason) {
    auto nothing = new_utterance(clock_.steady());
    nothing.reason = reason;
    host_.on_final(nothing, {});
}

steady_time session::deadline() const {
    if (closed_) return steady_time::max();
    // A stream that stops in the middle of a word: the silence after the last word may just not have been sent. A
    // network may hold frames back for as long as this, and they are still one utterance.
    const auto stall = std::min(options_.client_timeout,
                                std::max({milliseconds{1000}, 2 * options_.usual.unknown, options_.usual.open}));
    // A client that sends a second at a time is quiet for a second in between.
    return last_frame_ + std::min(last_duration_, options_.client_timeout) + (now_ ? stall : options_.client_timeout);
}

void session::tick(steady_time now) {
    if (now < deadline()) return;
    if (now_) {
        now_->unsent.insert(now_->unsent.end(), pending_.begin(), pending_.end());
        pending_.clear();
        finish(end_reason::timeout);
        return;
    }
    closed_ = true;
    if (!anything_told_) end_empty(end_reason::timeout);
}

void session::cancel(bool reading_too) {
    closed_ = true;
    if (now_) {
        drop_shorter();
        finishing_.push_back({std::move(now_->what), {}, {}});
        now_.reset();
        endpoint_.reset();
        finishing_.back().what.ended = clock_.steady();
        call_off(finishing_.size() - 1);
    }
    while (reading_too && !finishing_.empty()) call_off(0);
}

void session::call_off(std::size_t index) {
    auto of = std::move(finishing_[index].what);
    finishing_.erase(finishing_.begin() + static_cast<std::ptrdiff_t>(index));
    host_.forget(of.number);
    of.reason = end_reason::cancelled;
    of.read.reset();
    host_.on_final(of, {});
}

}  // namespace loqa::stt
