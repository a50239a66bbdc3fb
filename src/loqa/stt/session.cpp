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
        done = step(audio::vad_frame(pending_.data() + at, audio::vad_frame_samples), what.arrived);
    }
    pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(at));
    return done;
}

result<void> session::step(audio::vad_frame samples, steady_time arrived) {
    const auto score = detector_->score(samples);
    if (!score) return fail(score);

    auto& kept = now_ ? now_->unsent : preroll_;
    kept.insert(kept.end(), samples.begin(), samples.end());
    if (!now_) {
        // The onset is noticed a little after it: that much more is kept.
        const auto most = samples_of(options_.preroll + options_.endpoint.onset);
        if (preroll_.size() > most)
            preroll_.erase(preroll_.begin(), preroll_.end() - static_cast<std::ptrdiff_t>(most));
    }

    const auto event = endpoint_.push(*score);
    if (event == audio::endpoint_event::started) begin(arrived);
    if (!now_) return {};

    const bool talking = endpoint_.speech_end() == endpoint_.frames();
    if (talking) now_->what.speech_ended = arrived;
    now_->what.speech = endpoint_.speech_end() * audio::vad_frame_duration;

    if (event == audio::endpoint_event::ended) {
        finish(end_reason::speech_end);
    } else if (event == audio::endpoint_event::cut_short) {
        finish(end_reason::timeout);
    } else if (event == audio::endpoint_event::paused) {
        ask(reading::ahead);
    } else if (talking && options_.interim &&
               endpoint_.frames() - now_->frames_at_reading >= frames_of(options_.partial_every)) {
        ask(reading::partial);
    }
    return {};
}

void session::begin(steady_time arrived) {
    now_ = current{};
    now_->what = new_utterance(arrived);
    now_->unsent = std::exchange(preroll_, {});
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
    now_->frames_at_reading = endpoint_.frames();
    if (what == reading::ahead) now_->ahead_mark = endpoint_.speech_end();
    host_.submit(now_->what.number, std::exchange(now_->unsent, {}), what, endpoint_.speech_end());
}

// The utterance is over. If what was said up to here is already read, or being read, that reading is the final one.
void session::finish(end_reason reason) {
    auto done = std::move(*now_);
    now_.reset();
    auto& of = done.what;
    of.ended = clock_.steady();
    of.reason = reason;
    of.mark = endpoint_.speech_end();
    const bool too_short = endpoint_.voiced() < frames_of(options_.min_speech);
    endpoint_.reset();

    if (too_short) {
        host_.forget(of.number);
        of.reason = end_reason::no_speech;
        of.read.reset();
        host_.on_final(of, {});
    } else if (of.read && of.read->what == reading::ahead && of.read->mark == of.mark) {
        host_.forget(of.number);
        tell(of);
    } else if (done.ahead_mark == of.mark) {
        host_.hurry(of.number);
        finishing_.push_back(std::move(of));
    } else {
        host_.submit(of.number, std::move(done.unsent), reading::final, of.mark);
        finishing_.push_back(std::move(of));
    }
}

bool session::take(const outcome& made) {
    if (now_ && now_->what.number == made.utterance) {
        if (made.heard) {
            now_->what.read = made;
            if (options_.interim && !made.heard->text.empty() && made.heard->text != now_->partial_text) {
                now_->partial_text = made.heard->text;
                host_.on_partial(now_->what, *made.heard);
            }
        } else {
            now_->ahead_mark.reset();  // read again at the end
        }
        return true;
    }
    const auto found = std::ranges::find(finishing_, made.utterance, &utterance::number);
    if (found == finishing_.end()) return false;
    const bool is_last = made.what == reading::final || (made.what == reading::ahead && made.mark == found->mark);
    if (!is_last) return true;
    auto of = std::move(*found);
    finishing_.erase(found);
    host_.forget(of.number);
    if (!made.heard) {
        host_.on_failed(of, made.heard.error());
        return true;
    }
    of.read = made;
    tell(of);
    return true;
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
    const auto stall = std::min(options_.client_timeout, std::max(milliseconds{1000}, 2 * options_.endpoint.silence));
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
        finishing_.push_back(std::move(now_->what));
        now_.reset();
        endpoint_.reset();
        finishing_.back().ended = clock_.steady();
        call_off(finishing_.size() - 1);
    }
    while (reading_too && !finishing_.empty()) call_off(0);
}

void session::call_off(std::size_t index) {
    auto of = std::move(finishing_[index]);
    finishing_.erase(finishing_.begin() + static_cast<std::ptrdiff_t>(index));
    host_.forget(of.number);
    of.reason = end_reason::cancelled;
    of.read.reset();
    host_.on_final(of, {});
}

}  // namespace loqa::stt
