#include "loqa/tts/service.hpp"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "loqa/audio/pcm.hpp"
#include "loqa/audio/resample.hpp"
#include "loqa/base/bounded_queue.hpp"
#include "loqa/protocol/messages.hpp"
#include "loqa/protocol/subjects.hpp"

namespace loqa::tts {

namespace {

namespace header = protocol::header;
namespace subject = protocol::subject;
using protocol::tts_request;

// One request, from its arrival to its tts.done.
struct job {
    job(tts_request asked, protocol::turn_headers asked_in, steady_time now, telemetry::timed_span queue_span)
        : request(std::move(asked)), turn(std::move(asked_in)), arrived(now), queued(std::move(queue_span)) {
        if (turn.budget) deadline = arrived + *turn.budget;
    }

    const tts_request request;
    const protocol::turn_headers turn;
    const steady_time arrived;
    std::optional<steady_time> deadline;  // of the turn's budget: nobody waits for a reply that begins after it
    telemetry::timed_span queued;
    std::atomic<bool> cancelled{false};
};

// The counters and histograms, made once.
class instruments {
public:
    explicit instruments(telemetry::metrics& metrics)
        : pending(metrics.gauge("loqa_tts_queue_depth", "Replies that wait for the synthesiser")),
          first_chunk_ms(metrics.histogram("loqa_tts_first_chunk_ms",
                                           "From the arrival of a request to its first samples on the bus",
                                           telemetry::latency_buckets_ms)),
          synthesis_ms(metrics.histogram("loqa_tts_synthesis_ms", "From the begin of a synthesis to its last samples",
                                         telemetry::latency_buckets_ms)),
          audio_ms(metrics.counter("loqa_tts_audio_ms_total", "Milliseconds of speech that were published")),
          unreadable(metrics.counter("loqa_tts_unreadable_total", "Messages that could not be read")),
          metrics_(metrics) {}

    // `outcome` is "completed" or an errc's name.
    void count(std::string_view outcome) {
        metrics_.counter("loqa_tts_requests_total", "Requests by how they ended", {{"outcome", std::string(outcome)}})
            .add();
    }

    telemetry::gauge& pending;
    telemetry::histogram &first_chunk_ms, &synthesis_ms;
    telemetry::counter &audio_ms, &unreadable;

private:
    telemetry::metrics& metrics_;
};

class bus_service final : public service {
public:
    bus_service(bus::connection& bus, voice& voice, tts::voice* fallback, const service_options& options,
                const clock& clock, telemetry::metrics& metrics, telemetry::tracer& tracer, telemetry::logger log)
        : bus_(bus),
          voice_(voice),
          fallback_(fallback),
          options_(options),
          clock_(clock),
          instruments_(metrics),
          tracer_(tracer),
          log_(std::move(log)),
          unreadable_(log_, clock_),
          queue_(options.max_pending, overflow::reject_newest) {}

    result<void> open() {
        worker_ = std::jthread([this] { work(); });
        auto requests = bus_.subscribe(subject::tts_request, protocol::group::tts,
                                       [this](bus::message message) { on_request(std::move(message)); });
        if (!requests) return fail(std::move(requests));
        requests_ = std::move(*requests);
        // Not in the group: whoever has the request must hear of it.
        auto cancels = bus_.subscribe(subject::tts_cancel, [this](bus::message message) { on_cancel(message); });
        if (!cancels) return fail(std::move(cancels));
        cancels_ = std::move(*cancels);
        return bus_.flush(seconds(2));  // what is asked for from here on is heard
    }

    ~bus_service() override {
        requests_.reset();
        finish_by_ = clock_.steady() + options_.finish_within;
        ending_ = true;
        queue_.close();
        if (worker_.joinable()) worker_.join();
        cancels_.reset();
    }

private:
    void on_request(bus::message message) {
        auto request = protocol::decode<tts_request>(message.payload);
        if (!request) return drop_unreadable(message, request.error());
        auto turn = protocol::read_turn(message.headers);
        const auto parent = telemetry::parse_traceparent(turn.traceparent);
        auto span = parent ? telemetry::timed_span(tracer_, clock_, "tts.queue", *parent)
                           : telemetry::timed_span(tracer_, clock_, "tts.queue");
        auto asked = std::make_shared<job>(std::move(*request), std::move(turn), clock_.steady(), std::move(span));

        if (asked->request.text.size() > options_.max_text_bytes)
            return refuse(*asked, fail(errc::too_long, "a reply of {} bytes was asked for, {} are allowed",
                                       asked->request.text.size(), options_.max_text_bytes)
                                      .hint("raise tts.max_text_bytes"));
        {
            std::lock_guard lock(mutex_);
            live_.push_back(asked);
        }
        if (!queue_.push(asked)) {
            forget(asked);
            return refuse(*asked, fail(errc::busy, "{} replies wait already", options_.max_pending)
                                      .hint("raise tts.max_pending, or run loqa-tts on one more node"));
        }
        instruments_.pending.set(static_cast<double>(queue_.size()));
    }

    void on_cancel(const bus::message& message) {
        auto cancel = protocol::decode<protocol::tts_cancel>(message.payload);
        if (!cancel) return drop_unreadable(message, cancel.error());
        std::lock_guard lock(mutex_);
        for (const auto& each : live_)
            if (each->request.session_id == cancel->session_id) each->cancelled = true;
    }

    void drop_unreadable(const bus::message& message, const error& why) {
        instruments_.unreadable.add();
        unreadable_("dropped a message of {} bytes on {}: {}", message.payload.size(), message.subject, why.message);
    }

    void forget(const std::shared_ptr<job>& done) {
        std::lock_guard lock(mutex_);
        std::erase(live_, done);
    }

    void work() {
        while (auto next = queue_.pop()) {
            instruments_.pending.set(static_cast<double>(queue_.size()));
            auto& asked = **next;
            asked.queued.end();
            const auto parent = telemetry::parse_traceparent(asked.turn.traceparent).value_or(asked.queued.context());
            if (auto said = say(asked, parent); said) {
                finish(asked, parent, {});
            } else {
                refuse(asked, said.error());
            }
            forget(*next);
        }
    }

    // Why the job is not to be gone on with, where there is a reason.
    std::optional<error> called_off(const job& asked) const {
        if (asked.cancelled) return fail(errc::cancelled, "the reply was cancelled").error();
        if (ending_ && clock_.steady() >= finish_by_) return fail(errc::cancelled, "the synthesiser ends").error();
        return std::nullopt;
    }

    result<void> say(const job& asked, const telemetry::trace_context& parent) {
        const auto begun = clock_.steady();
        if (auto why = called_off(asked)) return std::unexpected(*why);
        if (asked.deadline && begun >= *asked.deadline)
            return fail(errc::timed_out, "the turn's time was over before its reply was begun");

        telemetry::timed_span whole(tracer_, clock_, "tts.synthesise", parent);
        telemetry::timed_span first(tracer_, clock_, "tts.first_chunk", whole.context());
        std::int64_t sequence = 0;
        auto said = stream(voice_, asked, whole.context(), first, sequence);
        if (!said && fallback_ && sequence == 0 && said.error().code == errc::engine_failed) {
            say_degraded(asked, whole.context(), said.error());
            whole.set("voice", fallback_->name());
            said = stream(*fallback_, asked, whole.context(), first, sequence);
        }
        const auto took = to_ms(clock_.steady() - begun);
        if (!said) {
            first.fail(said.error().message);
            whole.fail(said.error().message);
            return fail(std::move(said));
        }
        whole.set("audio_ms", fmt::format("{:.0f}", *said));
        instruments_.synthesis_ms.observe(took);
        instruments_.audio_ms.add(*said);
        log_.debug("said {} bytes: {:.0f} ms of speech in {:.0f} ms", asked.request.text.size(), *said, took);
        return {};
    }

    // Publishes the reply; gives the milliseconds of speech. Ends `first` with the first samples; `sequence` is the
    // number of the next message.
    result<double> stream(voice& by, const job& asked, const telemetry::trace_context& context,
                          telemetry::timed_span& first, std::int64_t& sequence) {
        auto speech = by.speak(asked.request.text);
        if (!speech) return fail(std::move(speech));
        auto to_rate = audio::resampler::create(by.sample_rate_hz(), options_.sample_rate_hz);
        if (!to_rate) return fail(std::move(to_rate));

        const auto chunk_samples = std::max<std::size_t>(
            1, static_cast<std::size_t>(options_.sample_rate_hz * options_.chunk_duration.count() / 1000));
        std::size_t samples_sent = 0;
        for (bool last = false; !last;) {
            auto made = (*speech)->next();
            if (!made) return fail(std::move(made));
            if (auto why = called_off(asked)) return std::unexpected(*why);
            last = made->last;
            std::vector<float> samples;
            if (auto ok = to_rate->process(made->samples, samples, last); !ok) return fail(std::move(ok));

            audio::pcm_view rest(samples);
            do {
                const auto chunk = rest.first(std::min(chunk_samples, rest.size()));
                rest = rest.subspan(chunk.size());
                const bool final = last && rest.empty();
                // A reply without a sound has no frames at all; one with sounds has its last frame marked.
                if (chunk.empty() && !(final && sequence > 0)) break;
                if (auto sent = send(asked, context, sequence, chunk, final); !sent) return fail(std::move(sent));
                if (sequence++ == 0) {
                    first.end();
                    say_started(asked, context);
                }
                samples_sent += chunk.size();
            } while (!rest.empty());
        }
        return 1000.0 * static_cast<double>(samples_sent) / options_.sample_rate_hz;
    }

    result<void> send(const job& asked, const telemetry::trace_context& context, std::int64_t sequence,
                      audio::pcm_view chunk, bool final) {
        auto pcm = options_.channels == 2 ? audio::to_s16le(on_both_sides(chunk)) : audio::to_s16le(chunk);
        auto headers = headers_of(asked, context);
        if (asked.turn.audio == protocol::audio_form::json)
            return bus_.publish(subject::tts_audio,
                                protocol::encode(protocol::tts_audio{.session_id = asked.request.session_id,
                                                                     .target = asked.request.target,
                                                                     .sequence = sequence,
                                                                     .sample_rate = options_.sample_rate_hz,
                                                                     .channels = options_.channels,
                                                                     .pcm = std::move(pcm),
                                                                     .final = final}),
                                headers);
        headers.emplace_back(header::sequence, fmt::to_string(sequence));
        headers.emplace_back(header::sample_rate, fmt::to_string(options_.sample_rate_hz));
        headers.emplace_back(header::channels, fmt::to_string(options_.channels));
        if (final) headers.emplace_back(header::last, "1");
        const auto& target = asked.request.target.empty() ? asked.request.session_id : asked.request.target;
        return bus_.publish(protocol::join(subject::tts_pcm, target), pcm, headers);
    }

    static std::vector<float> on_both_sides(audio::pcm_view mono) {
        std::vector<float> both;
        both.reserve(2 * mono.size());
        for (const float sample : mono) both.insert(both.end(), 2, sample);
        return both;
    }

    static protocol::headers headers_of(const job& asked, const telemetry::trace_context& context) {
        auto turn = asked.turn;
        turn.traceparent = telemetry::to_traceparent(context);
        turn.budget.reset();  // it was the time to the first sample, and is spent
        turn.age.reset();
        auto headers = protocol::write_turn(turn);
        if (!asked.request.session_id.empty()) headers.emplace_back(header::session, asked.request.session_id);
        if (!asked.request.target.empty()) headers.emplace_back(header::target, asked.request.target);
        return headers;
    }

    void say_started(const job& asked, const telemetry::trace_context& context) {
        const auto waited = to_ms(clock_.steady() - asked.arrived);
        instruments_.first_chunk_ms.observe(waited);
        publish(subject::tts_started,
                protocol::encode(protocol::tts_started{.session_id = asked.request.session_id,
                                                       .target = asked.request.target,
                                                       .first_chunk_ms = waited,
                                                       .cached = false}),
                headers_of(asked, context));
    }

    void say_degraded(const job& asked, const telemetry::trace_context& context, const error& why) {
        log_.error(why, {{"session", asked.request.session_id}, {"said_by", fallback_->name()}});
        publish(subject::session_degraded,
                protocol::encode(protocol::session_degraded{.session_id = asked.request.session_id,
                                                            .turn_id = asked.turn.turn_id,
                                                            .stage = "tts",
                                                            .reason = std::string(to_string(why.code)),
                                                            .message = why.message}),
                headers_of(asked, context));
    }

    void refuse(job& asked, const error& why) {
        if (why.code == errc::cancelled) {
            log_.debug("session '{}': {}", asked.request.session_id, why.message);
        } else {
            log_.warn(why, {{"session", asked.request.session_id}, {"turn", asked.turn.turn_id}});
        }
        asked.queued.end();
        finish(asked, telemetry::parse_traceparent(asked.turn.traceparent).value_or(asked.queued.context()), why.code);
    }
    void refuse(job& asked, const failure& why) { refuse(asked, why.error()); }

    void finish(const job& asked, const telemetry::trace_context& context, std::optional<errc> fault) {
        const std::string outcome(fault ? to_string(*fault) : "completed");
        instruments_.count(outcome);
        publish(subject::tts_done,
                protocol::encode(protocol::tts_done{.session_id = asked.request.session_id,
                                                    .target = asked.request.target,
                                                    .completed = !fault,
                                                    .timestamp = to_rfc3339(clock_.wall()),
                                                    .error = fault ? outcome : ""}),
                headers_of(asked, context));
    }

    void publish(std::string_view to, std::string_view payload, const protocol::headers& headers) {
        if (auto sent = bus_.publish(to, payload, headers); !sent)
            log_.warn(sent.error(), {{"subject", std::string(to)}});
    }

    bus::connection& bus_;
    voice& voice_;
    voice* const fallback_;
    const service_options options_;
    const clock& clock_;
    instruments instruments_;
    telemetry::tracer& tracer_;
    const telemetry::logger log_;
    telemetry::rate_limited unreadable_;
    bounded_queue<std::shared_ptr<job>> queue_;
    std::mutex mutex_;
    std::vector<std::shared_ptr<job>> live_;  // queued or being said: what a cancel can reach; under mutex_
    steady_time finish_by_;                   // written before ending_ is set
    std::atomic<bool> ending_{false};
    std::jthread worker_;
    std::unique_ptr<bus::subscription> requests_, cancels_;
};

}  // namespace

result<std::unique_ptr<service>> service::start(bus::connection& bus, voice& voice, tts::voice* fallback,
                                                const service_options& options, const clock& clock,
                                                telemetry::metrics& metrics, telemetry::tracer& tracer,
                                                telemetry::logger log) {
    auto made = std::make_unique<bus_service>(bus, voice, fallback, options, clock, metrics, tracer, std::move(log));
    if (auto ok = made->open(); !ok) return fail(std::move(ok));
    return made;
}

}  // namespace loqa::tts
