#include "loqa/stt/service.hpp"

#include <algorithm>
#include <array>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "loqa/audio/pcm.hpp"
#include "loqa/base/ids.hpp"
#include "loqa/base/process.hpp"
#include "loqa/protocol/messages.hpp"
#include "loqa/protocol/subjects.hpp"
#include "loqa/stt/echoes.hpp"
#include "loqa/stt/handover.hpp"

namespace loqa::stt {
namespace {

namespace header = protocol::header;
namespace subject = protocol::subject;

// How many sessions that were turned away are remembered, so that each is told once.
constexpr std::size_t turned_away_at_most = 1024;

// A question of Loqa's is not answered later than this.
constexpr seconds attention_lasts{30};

// What loqad says of a session.
struct notice {
    std::string session_id;
    attention how = attention::idle;
    steady_time arrived;
};

// Frames and outcomes on their way to the one thread that hears. Frames give way when it is full; outcomes never do,
// there are at most as many as utterances.
class inbox {
public:
    using question = std::function<void()>;
    using item = std::variant<frame, outcome, notice, question>;

    explicit inbox(std::size_t frames) : capacity_(frames) {}

    bool push(frame what) {
        {
            std::lock_guard lock(mutex_);
            if (closed_ || frames_.size() >= capacity_) return false;
            frames_.push_back(std::move(what));
        }
        ready_.notify_one();
        return true;
    }
    void push(outcome what) {
        {
            std::lock_guard lock(mutex_);
            outcomes_.push_back(std::move(what));
        }
        ready_.notify_one();
    }
    // Of one session only the last counts: they are few.
    void push(notice what) {
        {
            std::lock_guard lock(mutex_);
            std::erase_if(notices_, [&](const notice& each) { return each.session_id == what.session_id; });
            if (closed_ || notices_.size() >= capacity_) return;
            notices_.push_back(std::move(what));
        }
        ready_.notify_one();
    }

    void push(question alive) {
        {
            std::lock_guard lock(mutex_);
            questions_.push_back(std::move(alive));
        }
        ready_.notify_one();
    }

    // Outcomes first. Nothing when `deadline` passes, or when it is closed and no frame is left.
    std::optional<item> pop_until(steady_time deadline) {
        std::unique_lock lock(mutex_);
        const auto ready = [this] {
            return closed_ || !frames_.empty() || !outcomes_.empty() || !notices_.empty() || !questions_.empty();
        };
        // Not wait_until(max()): some libraries compute with the deadline and overflow.
        if (deadline == steady_time::max()) {
            ready_.wait(lock, ready);
        } else {
            ready_.wait_until(lock, deadline, ready);
        }
        return take();
    }

    // As pop_until(), but waits for outcomes only: for after the end of frames.
    std::optional<item> pop_outcome_until(steady_time deadline) {
        std::unique_lock lock(mutex_);
        ready_.wait_until(lock, deadline, [this] { return !outcomes_.empty(); });
        return outcomes_.empty() ? std::nullopt : take();
    }

    // No more frames are taken.
    void close() {
        {
            std::lock_guard lock(mutex_);
            closed_ = true;
        }
        ready_.notify_all();
    }
    bool closed() const {
        std::lock_guard lock(mutex_);
        return closed_ && frames_.empty();
    }
    std::size_t frames() const {
        std::lock_guard lock(mutex_);
        return frames_.size();
    }
    // When the frame that waits longest arrived.
    std::optional<steady_time> oldest() const {
        std::lock_guard lock(mutex_);
        return frames_.empty() ? std::nullopt : std::optional(frames_.front().arrived);
    }

private:
    std::optional<item> take() {
        std::optional<item> taken;
        if (!outcomes_.empty()) {
            taken = std::move(outcomes_.front());
            outcomes_.pop_front();
        } else if (!notices_.empty()) {
            taken = std::move(notices_.front());
            notices_.pop_front();
        } else if (!questions_.empty()) {
            taken = std::move(questions_.front());
            questions_.pop_front();
        } else if (!frames_.empty()) {
            taken = std::move(frames_.front());
            frames_.pop_front();
        }
        return taken;
    }

    const std::size_t capacity_;
    mutable std::mutex mutex_;
    std::condition_variable ready_;
    std::deque<frame> frames_;
    std::deque<outcome> outcomes_;
    std::deque<notice> notices_;
    std::deque<question> questions_;
    bool closed_ = false;
};

result<frame> from_json(const bus::message& message) {
    auto read = protocol::decode<protocol::audio_frame>(message.payload);
    if (!read) return fail(std::move(read));
    if (read->session_id.empty()) return fail(errc::invalid_message, "session_id is empty");
    frame made;
    made.session_id = std::move(read->session_id);
    made.sequence = read->sequence;
    made.sample_rate_hz = read->sample_rate;
    made.channels = read->channels;
    made.pcm = std::move(read->pcm);
    made.last = read->final;
    made.turn = protocol::read_turn(message.headers);
    return made;
}

result<frame> from_pcm(const bus::message& message) {
    const auto& all = message.headers;
    const auto sequence = protocol::whole_number(all, header::sequence, 0);
    const auto rate = protocol::whole_number(all, header::sample_rate, audio::speech_rate_hz);
    const auto channels = protocol::whole_number(all, header::channels, 1);
    for (const auto* each : {&sequence, &rate, &channels}) {
        if (!*each) return fail(*each);
    }
    if (*rate < 8'000 || *rate > 48'000) {
        return fail(errc::invalid_message, "header {} is {}, expected 8000 to 48000", header::sample_rate, *rate);
    }
    if (*channels < 1 || *channels > 2) {
        return fail(errc::invalid_message, "header {} is {}, expected 1 or 2", header::channels, *channels);
    }
    if (message.payload.size() > protocol::max_pcm_bytes) {
        return fail(errc::too_long, "{} bytes of sound in one message, more than the {} allowed",
                    message.payload.size(), protocol::max_pcm_bytes);
    }
    if (message.payload.size() % (2 * static_cast<std::size_t>(*channels)) != 0) {
        return fail(errc::invalid_message, "{} bytes are no whole samples of {} channels", message.payload.size(),
                    *channels);
    }
    frame made;
    made.session_id = protocol::find(all, header::session);
    if (made.session_id.empty()) made.session_id = message.subject.substr(subject::audio_pcm.size() + 1);
    made.sequence = *sequence;
    made.sample_rate_hz = static_cast<int>(*rate);
    made.channels = static_cast<int>(*channels);
    made.pcm = message.payload;
    made.last = protocol::find(all, header::last) == "1";
    made.turn = protocol::read_turn(all);
    // Who speaks in this form is answered in it.
    if (protocol::find(all, header::audio).empty()) made.turn.audio = protocol::audio_form::pcm;
    return made;
}

class running_service final : public service, private session_host {
public:
    running_service(recognizer& engine, audio::voice_model& voices, service_options options, surroundings with)
        : options_(std::move(options)),
          voices_(voices),
          with_(std::move(with)),
          inbox_(options_.queued_frames),
          decoder_(engine, with_.clock, options_.decoder, with_.judge,
                   [this](outcome made) { inbox_.push(std::move(made)); }),
          unreadable_(with_.log, with_.clock),
          unsent_(with_.log, with_.clock),
          full_(with_.log, with_.clock) {
        thread_ = std::thread([this] { run(); });
    }

    ~running_service() override {
        subscriptions_.clear();
        inbox_.close();
        thread_.join();
    }

    void ask(std::function<void()> alive) override { inbox_.push(std::move(alive)); }

    result<void> subscribe() {
        const auto json = [this](bus::message message) { receive(std::move(message), from_json); };
        const auto pcm = [this](bus::message message) { receive(std::move(message), from_pcm); };
        const std::array<std::pair<std::string, bus::handler>, 3> all = {
            {{std::string(subject::audio_frame), json},
             {std::string(subject::audio_frame) + ".>", json},
             {std::string(subject::audio_pcm) + ".>", pcm}}};
        for (const auto& [name, on_message] : all) {
            auto made = with_.bus.subscribe(name, protocol::group::stt, on_message);
            if (!made) return fail(std::move(made));
            subscriptions_.push_back(std::move(*made));
        }
        for (const auto& [name, on_message] : {std::pair{subject::session_state, &running_service::receive_state},
                                               std::pair{subject::session_ended, &running_service::receive_end}}) {
            auto made =
                with_.bus.subscribe(name, [this, on_message](const bus::message& m) { (this->*on_message)(m); });
            if (!made) return fail(std::move(made));
            subscriptions_.push_back(std::move(*made));
        }
        const std::pair<std::string, void (echoes::*)(const bus::message&, steady_time)> of_speakers[] = {
            {std::string(subject::tts_pcm) + ".>", &echoes::sent},
            {std::string(subject::playback_started), &echoes::started},
            {std::string(subject::playback_stopped), &echoes::stopped}};
        for (const auto& [name, tell] : of_speakers) {
            auto made = with_.bus.subscribe(
                name, [this, tell](const bus::message& m) { (echoes_.*tell)(m, with_.clock.steady()); });
            if (!made) return fail(std::move(made));
            subscriptions_.push_back(std::move(*made));
        }
        return {};
    }

private:
    struct ear {
        ear(const frame& first, running_service& owner)
            : hears(first.session_id, owner.options_.session, owner.voices_.start(), owner.with_.clock, owner) {}

        session hears;
        std::int64_t last_sequence = -1;
    };

    // On the bus's threads.
    template <class Read>
    void receive(bus::message message, Read read) {
        const auto arrived = with_.clock.steady();
        auto made = read(message);
        if (!made) return refuse(message, made.error());
        made->arrived = arrived;
        if (!inbox_.push(std::move(*made))) {
            dropped_frames_.add();
            full_("more sound arrives than can be heard: frames are dropped");
        }
    }

    void refuse(const bus::message& message, const error& why) {
        count_error(why);
        unreadable_("{} bytes on {} cannot be read: {}", message.payload.size(), message.subject, why.message);
    }

    void receive_state(const bus::message& message) {
        const auto read = protocol::decode<protocol::session_state>(message.payload);
        if (!read) return refuse(message, read.error());
        handover_.heard_of(read->turn_id, read->state, read->owner);
        // What comes before it speaks is about what was just heard.
        if (read->state != "speaking") return;
        const auto how = read->expects.empty() ? attention::speaking : attention::asking;
        inbox_.push({read->session_id, how, with_.clock.steady()});
    }

    void receive_end(const bus::message& message) {
        const auto read = protocol::decode<protocol::session_ended>(message.payload);
        if (!read) return refuse(message, read.error());
        handover_.over(read->turn_id);
    }

    // From here on, all on the service's own thread.
    void run() {
        name_this_thread("stt-hear");
        while (!inbox_.closed()) {
            auto deadline = handover_.next();
            for (const auto& [id, each] : ears_) deadline = std::min(deadline, each.hears.deadline());
            if (auto item = inbox_.pop_until(deadline)) {
                handle(std::move(*item));
            }
            // While frames wait to be heard, a client has said nothing only until the oldest of them arrived.
            const auto now = inbox_.oldest().value_or(with_.clock.steady());
            for (auto& [id, each] : ears_) each.hears.tick(now);
            for (const auto& each : handover_.due(with_.clock.steady())) {
                told_again_.add();
                send(subject::stt_again, each.payload, each.turn);
            }
            sweep();
        }
        for (auto& [id, each] : ears_) each.hears.cancel(false);
        const auto deadline = with_.clock.steady() + options_.grace;
        const auto reading_something = [this] {
            return std::ranges::any_of(ears_, [](const auto& each) { return each.second.hears.awaits_reading(); });
        };
        while (reading_something()) {
            auto item = inbox_.pop_outcome_until(deadline);
            if (!item) break;
            handle(std::move(*item));
        }
        for (auto& [id, each] : ears_) each.hears.cancel(true);
        ears_.clear();
        sessions_.set(0);
    }

    void handle(inbox::item item) {
        if (auto* made = std::get_if<outcome>(&item)) {
            telemetry::histogram& took = *decode_ms_.at(static_cast<std::size_t>(made->what));
            took.observe(to_ms(made->ended - made->began));
            if (!made->heard) count_error(made->heard.error());
            for (auto& [id, each] : ears_) {
                if (each.hears.take(*made)) break;
            }
            return;
        }
        if (const auto* said = std::get_if<notice>(&item)) return attend(*said);
        if (auto* alive = std::get_if<inbox::question>(&item)) return decoder_.ask(std::move(*alive));
        const auto& what = std::get<frame>(item);
        const auto found = ears_.find(what.session_id);
        ear* hearing = found == ears_.end() ? admit(what) : &found->second;
        if (hearing == nullptr) return;
        if (hearing->last_sequence >= 0 && what.sequence > hearing->last_sequence + 1) {
            lost_frames_.add(static_cast<double>(what.sequence - hearing->last_sequence - 1));
        }
        hearing->last_sequence = what.last ? -1 : what.sequence;
        hearing->hears.hear(what);
        queued_frames_.set(static_cast<double>(inbox_.frames()));
        queued_readings_.set(static_cast<double>(decoder_.waiting()));
    }

    // A session that is not heard now may be again, before long.
    void attend(const notice& said) {
        const auto forgotten = said.arrived - attention_lasts;
        std::erase_if(attentions_, [&](const auto& each) { return each.second.arrived < forgotten; });
        attentions_.erase(said.session_id);
        if (said.how != attention::idle && attentions_.size() < options_.max_sessions)
            attentions_.emplace(said.session_id, said);
        if (const auto found = ears_.find(said.session_id); found != ears_.end()) found->second.hears.attend(said.how);
    }

    // A session of its own for a client that was not heard before, unless there are too many.
    ear* admit(const frame& what) {
        if (ears_.size() >= options_.max_sessions) {
            const error busy{
                errc::busy,
                fmt::format("{} sessions are being heard, which is all this node hears at once", ears_.size()),
                "Try again in a moment, or raise stt.max_sessions."};
            if (turned_away_.size() < turned_away_at_most && !turned_away_.contains(what.session_id)) {
                turned_away_.emplace(what.session_id, what.arrived);
                count_error(busy);
                send(subject::stt_error,
                     encode(protocol::stt_error{what.session_id, std::string(to_string(busy.code)), busy.text()}),
                     what.turn);
            }
            return nullptr;
        }
        turned_away_.erase(what.session_id);
        ear& made = ears_.try_emplace(what.session_id, what, *this).first->second;
        const auto said = attentions_.find(what.session_id);
        if (said != attentions_.end() && what.arrived - said->second.arrived < attention_lasts)
            made.hears.attend(said->second.how);
        return &made;
    }

    void sweep() {
        std::erase_if(ears_, [](const auto& each) { return each.second.hears.over(); });
        sessions_.set(static_cast<double>(ears_.size()));
        const auto forgotten = with_.clock.steady() - options_.session.client_timeout;
        std::erase_if(turned_away_, [&](const auto& each) { return each.second < forgotten; });
    }

    // session_host
    std::uint64_t next_utterance() override { return ++utterances_; }
    void submit(std::uint64_t utterance, std::vector<float> samples, reading what, std::int64_t mark) override {
        decoder_.submit(utterance, std::move(samples), what, mark);
    }
    void hurry(std::uint64_t utterance) override { decoder_.hurry(utterance); }
    void put_off(std::uint64_t utterance) override { decoder_.put_off(utterance); }
    void forget(std::uint64_t utterance) override { decoder_.forget(utterance); }
    bool spare() const override { return decoder_.spare(); }
    bool idle() const override { return decoder_.idle(); }
    bool take_out_echo(const std::string& session_id, audio_frame frame, steady_time now) override {
        return echoes_.take_out(session_id, frame, now);
    }
    bool may_hear_itself(const std::string& session_id, steady_time now) const override {
        return echoes_.may_be_heard(session_id, now);
    }

    void on_started(const utterance& of) override {
        send(subject::stt_started, encode(protocol::speech_started{of.session_id}), of.turn);
    }

    void on_partial(const utterance& of, const hypothesis& heard) override {
        send(subject::stt_partial, encode(transcript_of(of, heard, true, "")), of.turn);
    }

    void on_ahead(const utterance& of, const hypothesis& heard) override {
        ahead_.add();
        send(subject::stt_ahead, encode(transcript_of(of, heard, true, "")), of.turn);
    }

    void on_final(const utterance& of, const hypothesis& heard) override {
        auto turn = of.turn;
        const auto age = with_.clock.steady() - of.speech_ended;
        turn.age = age;
        const auto payload = encode(transcript_of(of, heard, false, to_string(of.reason)));
        // Noted first: who answers may say so before publishing has returned, and a turn somebody has must not be told
        // to another as unknown.
        handover_.told({of.session_id, payload, turn, of.speech_ended}, with_.clock.steady());
        send(subject::stt_final, payload, turn);
        if (!heard.text.empty()) keep(of);

        finals_.at(static_cast<std::size_t>(of.reason))->add();
        if (of.reason == end_reason::speech_end) {
            endpoint_ms_.observe(to_ms(of.ended - of.speech_ended));
            final_ms_.observe(to_ms(age));
            endpoints_.at(static_cast<std::size_t>(of.read ? of.read->form : phrase::unknown))->add();
        }
        unused_ms_.add(of.unused_ms);
        overruled_.add(static_cast<double>(of.overruled));
        // A question of Loqa's is answered, or was not heard: either way the next words are any words.
        if (const auto found = ears_.find(of.session_id); found != ears_.end())
            found->second.hears.attend(attention::idle);
        attentions_.erase(of.session_id);
        if (of.read && heard.text.empty() && !of.read->heard->text.empty()) implausible_.add();
        if (!heard.heard.empty()) heard_again_.add();
        trace(of, nullptr);
        // What was said may be private; how it went is not.
        with_.log.debug("session {}: {} bytes of text ({}, {:.0f} ms after the end of speech)", of.session_id,
                        heard.text.size(), to_string(of.reason), to_ms(age));
    }

    // What is private is not even told.
    void keep(const utterance& of) {
        if (of.sound.empty() || of.turn.privacy == "ephemeral") return;
        auto headers = protocol::write_turn(of.turn);
        headers.emplace_back(header::session, of.session_id);
        headers.emplace_back(header::sample_rate, std::to_string(audio::speech_rate_hz));
        headers.emplace_back(header::channels, "1");
        const auto most = protocol::max_pcm_bytes / sizeof(std::int16_t);
        const audio::pcm_view all(of.sound);
        std::ignore = with_.bus.publish(protocol::join(subject::stt_audio, of.session_id),
                                        audio::to_s16le(all.first(std::min(most, all.size()))), headers);
    }

    void on_failed(const utterance& of, const error& why) override {
        count_error(why);
        with_.log.error(why, {{"session", of.session_id}, {"turn", of.turn.turn_id}});
        send(subject::stt_error,
             encode(protocol::stt_error{of.session_id, std::string(to_string(why.code)), why.text()}), of.turn);
        trace(of, &why);
    }

    protocol::transcript transcript_of(const utterance& of, const hypothesis& heard, bool partial,
                                       std::string_view reason) const {
        protocol::transcript made;
        made.session_id = of.session_id;
        made.text = heard.text;
        made.partial = partial;
        made.settled = heard.settled;
        made.timestamp = to_rfc3339(with_.clock.wall());
        made.confidence = heard.text.empty() ? 0 : heard.confidence;
        made.reason = reason;
        made.heard = heard.heard;
        made.doubtful = heard.doubtful;
        return made;
    }

    void send(std::string_view on, const std::string& payload, const protocol::turn_headers& turn) {
        if (auto sent = with_.bus.publish(on, payload, protocol::write_turn(turn)); !sent) {
            count_error(sent.error());
            unsent_("{} cannot be published: {}", on, sent.error().message);
        }
    }

    // The hops of this utterance, as children of the turn's root.
    void trace(const utterance& of, const error* failed) {
        const auto parent = telemetry::parse_traceparent(of.turn.traceparent);
        if (!parent || !parent->sampled || of.speech == milliseconds{0}) return;
        hop(*parent, "stt.listen", of.began, of.speech_ended, {{"speech_ms", std::to_string(of.speech.count())}},
            nullptr);
        hop(*parent, "stt.endpoint", of.speech_ended, of.ended,
            {{"reason", std::string(to_string(of.reason))},
             {"phrase", std::string(to_string(of.read ? of.read->form : phrase::unknown))},
             {"waited_for_ms", std::to_string(of.waited_for.count())}},
            nullptr);
        if (!of.read) return;
        hop(*parent, "stt.decode", of.read->began, of.read->ended,
            {{"reading", std::string(to_string(of.read->what))},
             {"heard_again", of.read->heard && !of.read->heard->heard.empty() ? "true" : "false"},
             {"waited_ms", fmt::format("{:.1f}", to_ms(of.read->began - of.read->asked))}},
            failed);
    }

    void hop(const telemetry::trace_context& parent, std::string name, steady_time from, steady_time to,
             telemetry::fields attributes, const error* failed) {
        const auto wall = [&, wall_now = with_.clock.wall(), steady_now = with_.clock.steady()](steady_time at) {
            return wall_now - std::chrono::duration_cast<wall_time::duration>(steady_now - at);
        };
        telemetry::span made;
        made.trace_id = parent.trace_id;
        made.span_id = random_hex(8);
        made.parent_span_id = parent.span_id;
        made.name = std::move(name);
        made.start = wall(from);
        made.end = wall(to);
        made.attributes = std::move(attributes);
        made.failed = failed != nullptr;
        if (failed != nullptr) made.status_message = failed->message;
        with_.tracer.record(std::move(made));
    }

    void count_error(const error& what) {
        with_.metrics
            .counter("loqa_stt_errors_total", "What went wrong in speech recognition, by kind",
                     {{"kind", std::string(to_string(what.code))}})
            .add();
    }

    telemetry::histogram* decode_histogram(reading what) {
        return &with_.metrics.histogram("loqa_stt_decode_ms", "Time of one reading of the recogniser",
                                        telemetry::latency_buckets_ms, {{"reading", std::string(to_string(what))}});
    }
    telemetry::counter* endpoint_counter(phrase form) {
        return &with_.metrics.counter("loqa_stt_endpoints_total",
                                      "Utterances that a silence ended, by how much of a command they were",
                                      {{"phrase", std::string(to_string(form))}});
    }
    telemetry::counter* final_counter(end_reason reason) {
        return &with_.metrics.counter("loqa_stt_finals_total", "Utterances, by why they ended",
                                      {{"reason", std::string(to_string(reason))}});
    }

    const service_options options_;
    audio::voice_model& voices_;
    const surroundings with_;

    telemetry::gauge& sessions_ = with_.metrics.gauge("loqa_stt_sessions", "Sessions that are being heard");
    telemetry::gauge& queued_frames_ =
        with_.metrics.gauge("loqa_stt_queued_frames", "Frames of sound that wait to be heard");
    telemetry::gauge& queued_readings_ =
        with_.metrics.gauge("loqa_stt_queued_readings", "Readings that wait for the recogniser");
    telemetry::counter& dropped_frames_ =
        with_.metrics.counter("loqa_stt_dropped_frames_total", "Frames dropped because too many waited");
    telemetry::counter& lost_frames_ =
        with_.metrics.counter("loqa_stt_lost_frames_total", "Frames missing in the sequence of a session");
    telemetry::counter& implausible_ = with_.metrics.counter(
        "loqa_stt_implausible_total", "Readings thrown away because nobody can have said so much in that time");
    telemetry::counter& told_again_ = with_.metrics.counter(
        "loqa_stt_told_again_total", "Transcripts that were published once more, because nobody answered them");
    telemetry::counter& ahead_ = with_.metrics.counter(
        "loqa_stt_ahead_total", "Texts that were told before it was certain that they were whole");
    telemetry::counter& heard_again_ = with_.metrics.counter(
        "loqa_stt_heard_again_total", "Transcripts that were another text until the recogniser listened again");
    telemetry::counter& unused_ms_ =
        with_.metrics.counter("loqa_stt_unused_ms_total", "Time of readings that did not become a final transcript");
    telemetry::counter& overruled_ =
        with_.metrics.counter("loqa_stt_overruled_total", "Readings with other words than those that were settled");
    telemetry::histogram& endpoint_ms_ =
        with_.metrics.histogram("loqa_stt_endpoint_ms", "From the last speech to the decision that it was the end",
                                telemetry::latency_buckets_ms);
    telemetry::histogram& final_ms_ = with_.metrics.histogram(
        "loqa_stt_final_ms", "From the last speech to the final transcript", telemetry::latency_buckets_ms);
    // In the order of the enums.
    const std::array<telemetry::histogram*, 3> decode_ms_ = {
        decode_histogram(reading::partial), decode_histogram(reading::ahead), decode_histogram(reading::final)};
    const std::array<telemetry::counter*, 5> finals_ = {
        final_counter(end_reason::speech_end), final_counter(end_reason::client_final),
        final_counter(end_reason::timeout), final_counter(end_reason::no_speech), final_counter(end_reason::cancelled)};

    const std::array<telemetry::counter*, 4> endpoints_ = {
        endpoint_counter(phrase::unknown), endpoint_counter(phrase::open), endpoint_counter(phrase::growable),
        endpoint_counter(phrase::complete)};

    inbox inbox_;
    decoder decoder_;
    telemetry::rate_limited unreadable_, unsent_, full_;

    handover handover_;
    echoes echoes_;
    std::map<std::string, ear> ears_;           // by session id
    std::map<std::string, notice> attentions_;  // other than idle
    std::map<std::string, steady_time> turned_away_;
    std::uint64_t utterances_ = 0;

    std::vector<std::unique_ptr<bus::subscription>> subscriptions_;
    std::thread thread_;
};

}  // namespace

service_options options_from(const config::stt_settings& settings) {
    service_options made;
    made.session.endpoint.threshold = static_cast<float>(settings.vad_threshold);
    made.session.endpoint.silence = settings.endpoint_silence;
    made.session.usual = {.complete = settings.endpoint_complete,
                          .growable = settings.endpoint_growable,
                          .unknown = settings.endpoint_silence,
                          .open = settings.endpoint_open};
    made.session.asked = made.session.usual;
    made.session.asked.unknown = std::max(settings.endpoint_silence, settings.answer_silence);
    made.session.asked.open = std::max(settings.endpoint_open, settings.answer_silence);
    made.session.speaking_threshold = static_cast<float>(std::max(settings.vad_threshold, settings.speaking_threshold));
    made.session.speaking_onset = settings.speaking_onset;
    made.decoder.partial_share = settings.partial_share;
    made.session.endpoint.max_utterance = settings.max_utterance;
    made.session.preroll = settings.preroll;
    made.session.interim = settings.publish_interim;
    made.session.partial_every = settings.partial_every;
    made.session.client_timeout = settings.client_timeout;
    made.max_sessions = static_cast<std::size_t>(settings.max_sessions);
    return made;
}

result<std::unique_ptr<service>> service::start(recognizer& engine, audio::voice_model& voices, service_options options,
                                                surroundings with) {
    auto made = std::make_unique<running_service>(engine, voices, std::move(options), std::move(with));
    if (auto listening = made->subscribe(); !listening) return fail(std::move(listening));
    return made;
}

}  // namespace loqa::stt
