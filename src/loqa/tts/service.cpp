#include "loqa/tts/service.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "loqa/audio/pcm.hpp"
#include "loqa/audio/resample.hpp"
#include "loqa/base/process.hpp"
#include "loqa/protocol/messages.hpp"
#include "loqa/protocol/subjects.hpp"
#include "loqa/tts/playback_queue.hpp"
#include "loqa/tts/synthesis.hpp"
#include "loqa/tts/volumes.hpp"

namespace loqa::tts {

namespace {

namespace header = protocol::header;
namespace subject = protocol::subject;
using protocol::tts_request;

// One request, from its arrival to the end of its sound.
struct job final : utterance {
    job(tts_request asked, protocol::turn_headers asked_in, steady_time now, telemetry::timed_span queue_span)
        : request(std::move(asked)), headers(std::move(asked_in)), queued(std::move(queue_span)) {
        // Speakers that take JSON say nothing of what they play: what they are sent is one stream, as it ever was.
        timed = headers.audio == protocol::audio_form::pcm;
        target = request.target;
        lane = !timed ? json_lane : "to " + (target.empty() ? request.session_id : target);
        session = request.session_id;
        turn = headers.turn_id;
        urgency = headers.urgency;
        arrived = now;
        if (headers.budget) deadline = arrived + *headers.budget;
    }

    static constexpr const char* json_lane = "json";

    const tts_request request;
    const protocol::turn_headers headers;
    std::optional<steady_time> deadline;  // of the turn's budget: nobody waits for a reply that begins after it
    telemetry::timed_span queued;

    // The synthesis thread's alone.
    std::shared_ptr<synthesis> sound;  // null until it is begun
    bool cached = false;               // the sound was whole when it was begun
    bool degraded = false;             // the fallback says it
    steady_time begun;
    telemetry::trace_context parent;
    std::optional<telemetry::timed_span> whole, first;
    std::optional<audio::resampler> to_rate;
    std::size_t taken = 0;      // samples of the sound that were published, or wait in the resampler
    std::size_t published = 0;  // samples
    std::int64_t sequence = 0;
    bool over = false, failed = false;
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
          flushes(metrics.counter("loqa_tts_flushes_total", "Replies that speakers were told to drop")),
          metrics_(metrics) {}

    // `outcome` is made, kept (it was there), joined (it was asked for while it was made), dropped or failed.
    void count_ahead(std::string_view outcome) {
        metrics_
            .counter("loqa_tts_prepares_total", "Texts to synthesise ahead, by what became of them",
                     {{"outcome", std::string(outcome)}})
            .add();
    }

    // `outcome` is "completed" or an errc's name.
    void count(std::string_view outcome) {
        metrics_.counter("loqa_tts_requests_total", "Requests by how they ended", {{"outcome", std::string(outcome)}})
            .add();
    }

    telemetry::gauge& pending;
    telemetry::histogram &first_chunk_ms, &synthesis_ms;
    telemetry::counter &audio_ms, &unreadable, &flushes;

private:
    telemetry::metrics& metrics_;
};

class bus_service final : public service {
public:
    bus_service(bus::connection& bus, voice& voice, tts::voice* fallback, sound_cache& cache,
                const service_options& options, const clock& clock, telemetry::metrics& metrics,
                telemetry::tracer& tracer, telemetry::logger log)
        : bus_(bus),
          voice_(voice),
          fallback_(fallback),
          cache_(cache),
          options_(options),
          clock_(clock),
          instruments_(metrics),
          tracer_(tracer),
          log_(std::move(log)),
          unreadable_(log_, clock_),
          volumes_(options_.volume_file, log_),
          queue_(options_.max_pending, options_.max_speaking) {}

    result<void> open() {
        worker_ = std::jthread([this] { work(); });
        auto requests = bus_.subscribe(subject::tts_request, protocol::group::tts,
                                       [this](bus::message message) { on_request(std::move(message)); });
        if (!requests) return fail(std::move(requests));
        requests_ = std::move(*requests);
        auto prepares = bus_.subscribe(subject::tts_prepare, protocol::group::tts,
                                       [this](bus::message message) { on_prepare(message); });
        if (!prepares) return fail(std::move(prepares));
        prepares_ = std::move(*prepares);
        // Not in the group: whoever has the request must hear of it.
        const std::pair<std::string_view, void (bus_service::*)(const bus::message&)> for_all[] = {
            {subject::tts_cancel, &bus_service::on_cancel},
            {subject::playback_started, &bus_service::on_playback_started},
            {subject::playback_stopped, &bus_service::on_playback_stopped},
            {subject::playback_volume, &bus_service::on_volume}};
        for (const auto& [name, handle] : for_all) {
            auto heard =
                bus_.subscribe(name, [this, handle](const bus::message& message) { (this->*handle)(message); });
            if (!heard) return fail(std::move(heard));
            heard_.push_back(std::move(*heard));
        }
        return bus_.flush(seconds(2));  // what is asked for from here on is heard
    }

    ~bus_service() override {
        finish_by_ = clock_.steady() + options_.finish_within;
        {
            std::lock_guard lock(mutex_);
            ending_ = true;
        }
        requests_.reset();
        prepares_.reset();
        {
            std::lock_guard lock(mutex_);
            closed_ = true;
        }
        changed_.notify_all();
        if (worker_.joinable()) worker_.join();
        heard_.clear();
    }

    void warm(std::vector<std::string> texts) override {
        std::lock_guard lock(mutex_);
        for (auto& text : texts) to_warm_.push_back({std::move(text), trace::disk});
        changed_.notify_all();
    }

    void ask(std::function<void()> alive) override {
        std::lock_guard lock(mutex_);
        asked_.push_back(std::move(alive));
        changed_.notify_all();
    }

private:
    // What was said to its end, for who asks for it again.
    struct said {
        std::string turn, session, text, started, done;
        protocol::headers headers;
    };
    static constexpr std::size_t remembered = 64;

    // A text to be made before anybody asked for it.
    struct ahead {
        std::string text;
        trace leaves = trace::none;
    };

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
        std::vector<playback_queue::entry> replaced;
        bool taken = false;
        if (!asked->headers.again.empty() && had(*asked)) return;
        {
            std::lock_guard lock(mutex_);
            replaced = queue_.cancel_older_than(*asked);
            taken = queue_.add(asked);
            instruments_.pending.set(static_cast<double>(queue_.waiting()));
        }
        changed_.notify_all();
        for (const auto& each : replaced) flush(*each);
        if (taken) return;
        refuse(*asked, fail(errc::busy, "{} replies wait already", options_.max_pending)
                           .hint("raise tts.max_pending, or run loqa-tts on one more node"));
    }

    // Whether a request that is sent again was had before: then it waits, or is being said, or was, which is told
    // again. Of a turn that another process of loqad had decided any words count: those are the answer.
    bool had(const job& asked) {
        const bool any_words = asked.headers.again == "deciding";
        const auto is_it = [&](const std::string& turn, const std::string& session, const std::string& text) {
            return turn == asked.turn && session == asked.session && (any_words || text == asked.request.text);
        };
        std::optional<said> over;
        bool waits = false, sounds = false;
        {
            std::lock_guard lock(mutex_);
            // First: what is over stays in the queue for a moment.
            const auto found = std::ranges::find_if(
                said_, [&](const said& each) { return is_it(each.turn, each.session, each.text); });
            if (found != said_.end())
                over = *found;
            else
                waits = queue_.has([&](const utterance& each) {
                    const bool same = is_it(each.turn, each.session, static_cast<const job&>(each).request.text);
                    sounds = sounds || (same && each.first_sent);
                    return same;
                });
        }
        if (sounds)
            publish(subject::tts_started,
                    protocol::encode(protocol::tts_started{.session_id = asked.session, .target = asked.target}),
                    headers_of(asked, asked.queued.context()));
        if (!over) return waits;
        publish(subject::tts_started, over->started, over->headers);
        publish(subject::tts_done, over->done, over->headers);
        return true;
    }

    // Nobody waits for these: what is too long or too much is dropped without a word.
    void on_prepare(const bus::message& message) {
        auto prepare = protocol::decode<protocol::tts_prepare>(message.payload);
        if (!prepare) return drop_unreadable(message, prepare.error());
        std::lock_guard lock(mutex_);
        if (prepare->text.size() > options_.max_text_bytes) return instruments_.count_ahead("dropped");
        if (to_prepare_.size() >= options_.max_prepares) {
            to_prepare_.pop_front();  // the oldest guess is the least likely to be right
            instruments_.count_ahead("dropped");
        }
        to_prepare_.push_back({std::move(prepare->text), trace::none});
        changed_.notify_all();
    }

    void on_cancel(const bus::message& message) {
        auto cancel = protocol::decode<protocol::tts_cancel>(message.payload);
        if (!cancel) return drop_unreadable(message, cancel.error());
        std::vector<playback_queue::entry> heard;
        {
            std::lock_guard lock(mutex_);
            heard = queue_.cancel([&](const utterance& each) {
                const bool session = !cancel->session_id.empty() && each.session == cancel->session_id;
                const bool target = !cancel->target.empty() && each.target == cancel->target;
                return (session || target) && (cancel->turn_id.empty() || each.turn == cancel->turn_id) &&
                       (cancel->except_turn_id.empty() || each.turn != cancel->except_turn_id);
            });
        }
        changed_.notify_all();
        for (const auto& each : heard) flush(*each);
    }

    // What a speaker has of it is not to be heard. Said here and not by the synthesis thread, which may be in the
    // middle of a piece.
    void flush(const utterance& what) {
        if (!what.timed) return;
        instruments_.flushes.add();
        std::lock_guard sending(sending_);
        publish(protocol::join(subject::tts_flush, what.target.empty() ? what.session : what.target),
                protocol::encode(protocol::tts_flush{
                    .session_id = what.session, .from = what.generation, .generation = what.generation}),
                {});
    }

    void on_playback_started(const bus::message& message) {
        const auto started = protocol::decode<protocol::playback_started>(message.payload);
        if (!started) return drop_unreadable(message, started.error());
        std::lock_guard lock(mutex_);
        queue_.playback_started(started->session_id, started->generation, clock_.steady());
    }

    void on_playback_stopped(const bus::message& message) {
        const auto stopped = protocol::decode<protocol::playback_stopped>(message.payload);
        if (!stopped) return drop_unreadable(message, stopped.error());
        {
            std::lock_guard lock(mutex_);
            queue_.playback_stopped(stopped->session_id, stopped->generation);
        }
        changed_.notify_all();
    }

    void on_volume(const bus::message& message) {
        const auto wanted = protocol::decode<protocol::playback_volume>(message.payload);
        if (!wanted) return drop_unreadable(message, wanted.error());
        if (wanted->is) return;  // what a synthesiser says itself
        const int percent = volumes_.change(wanted->target, wanted->percent, wanted->change);
        publish(subject::playback_volume,
                protocol::encode(protocol::playback_volume{.target = wanted->target, .percent = percent, .is = true}),
                {});
    }

    void drop_unreadable(const bus::message& message, const error& why) {
        instruments_.unreadable.add();
        unreadable_("dropped a message of {} bytes on {}: {}", message.payload.size(), message.subject, why.message);
    }

    // One step at a time, the most urgent first: a piece of the reply whose speaker runs out first, else a piece of
    // what is made ahead.
    void work() {
        name_this_thread("synthesis");
        std::unique_lock lock(mutex_);
        for (;;) {
            for (const auto& alive : std::exchange(asked_, {})) alive();
            queue_.begin(clock_.steady(), clock_.wall());
            instruments_.pending.set(static_cast<double>(queue_.waiting()));
            if (const auto next = queue_.next()) {
                lock.unlock();
                auto& asked = static_cast<job&>(*next);
                step(asked);
                lock.lock();
                if (asked.over) asked.failed ? queue_.give_up(next) : queue_.all_sent(next);
                continue;
            }
            if (ending_) {
                // What waits for another to be heard waits no longer than there is time.
                if (queue_.waiting() == 0) {
                    if (closed_) return;
                    changed_.wait(lock);
                    continue;
                }
                if (clock_.steady() >= finish_by_) queue_.cancel([](const utterance&) { return true; });
            } else if (auto* what = next_ahead()) {
                lock.unlock();
                step_ahead(*what);
                lock.lock();
                continue;
            }
            auto until = queue_.next_change();
            if (ending_) until = std::min(until, finish_by_);
            if (until == steady_time::max()) {
                changed_.wait(lock);
            } else if (const auto left = until - clock_.steady(); left > left.zero()) {
                changed_.wait_for(lock, left);
            }
        }
    }

    // Why the job is not to be gone on with, where there is a reason.
    std::optional<error> called_off(const job& asked) const {
        if (asked.cancelled) return fail(errc::cancelled, "the reply was cancelled").error();
        if (ending_ && clock_.steady() >= finish_by_) return fail(errc::cancelled, "the synthesiser ends").error();
        return std::nullopt;
    }

    // Publishes what there is and was not published yet; where there is nothing, makes a piece first.
    void step(job& asked) {
        if (auto why = called_off(asked)) return give_up(asked, *why);
        if (!asked.sound) {
            if (auto ok = begin(asked); !ok) return give_up(asked, ok.error());
        }
        if (asked.taken == asked.sound->samples().size() && !asked.sound->whole() && !asked.sound->failed())
            asked.sound->make_piece(cache_);
        if (auto why = called_off(asked)) return give_up(asked, *why);
        if (asked.sound->failed() && asked.taken == asked.sound->samples().size()) {
            const auto why = *asked.sound->failed();
            if (!fallback_ || asked.degraded || asked.sequence > 0 || why.code != errc::engine_failed) {
                // A speaker plays what it has to the end, and then waits for no more.
                if (asked.sequence > 0 && asked.timed) {
                    std::lock_guard sending(sending_);
                    if (!asked.cancelled) std::ignore = send(asked, {}, true);
                }
                return give_up(asked, why);
            }
            say_degraded(asked, why, fallback_->name());
            asked.degraded = true;
            asked.whole->set("voice", fallback_->name());
            asked.sound = std::make_shared<synthesis>("", asked.request.text, *fallback_);
            auto to_rate = audio::resampler::create(asked.sound->sample_rate_hz(), options_.sample_rate_hz);
            if (!to_rate) return give_up(asked, to_rate.error());
            asked.to_rate = std::move(*to_rate);
            return;
        }
        if (auto ok = publish_new(asked); !ok) return give_up(asked, ok.error());
        if (auto why = called_off(asked)) return give_up(asked, *why);
        if (asked.sound->whole() && asked.taken == asked.sound->samples().size()) complete(asked);
    }

    result<void> begin(job& asked) {
        asked.queued.end();
        asked.begun = clock_.steady();
        if (asked.deadline && asked.begun >= *asked.deadline)
            return fail(errc::timed_out, "the turn's time was over before its reply was begun");
        asked.parent = telemetry::parse_traceparent(asked.headers.traceparent).value_or(asked.queued.context());
        asked.whole.emplace(tracer_, clock_, "tts.synthesise", asked.parent);
        asked.first.emplace(tracer_, clock_, "tts.first_chunk", asked.whole->context());
        if (const auto why = voice_.lacking()) say_degraded(asked, *why, voice_.name());
        asked.sound = sound_of(asked.request.text, leaves(asked.headers));
        asked.cached = asked.sound->whole();
        auto to_rate = audio::resampler::create(asked.sound->sample_rate_hz(), options_.sample_rate_hz);
        if (!to_rate) return fail(std::move(to_rate));
        asked.to_rate = std::move(*to_rate);
        return {};
    }

    trace leaves(const protocol::turn_headers& turn) const {
        const auto& scope = turn.privacy.empty() ? options_.default_privacy : turn.privacy;
        return scope == "ephemeral" || voice_.identity().empty() ? trace::none : trace::disk;
    }

    // The sound of a text: kept, or under way already, or to be made from here on.
    std::shared_ptr<synthesis> sound_of(const std::string& text, trace leaves) {
        auto& by = voice_.current();
        const auto key = key_of(text, by);
        for (auto* under_way : {&prepared_, &warmed_})
            if (*under_way && (*under_way)->key() == key) {
                instruments_.count_ahead("joined");
                auto joined = std::exchange(*under_way, nullptr);
                joined->may_leave(leaves);
                return joined;
            }
        if (const auto kept = cache_.find(key, leaves)) return std::make_shared<synthesis>(key, text, *kept);
        auto made = std::make_shared<synthesis>(key, text, by);
        made->may_leave(leaves);
        return made;
    }

    static std::string key_of(const std::string& text, const voice& by) {
        const auto identity = by.identity();
        return sound_cache::key(identity.empty() ? by.name() : identity, text);
    }

    // With mutex_ held. What is to be made ahead, the nearest guess first; null where nothing is.
    std::shared_ptr<synthesis>* next_ahead() {
        if (begin_ahead(prepared_, to_prepare_)) return &prepared_;
        return begin_ahead(warmed_, to_warm_) ? &warmed_ : nullptr;
    }

    bool begin_ahead(std::shared_ptr<synthesis>& what, std::deque<ahead>& from) {
        while (!what) {
            if (from.empty()) return false;
            const auto wanted = std::move(from.front());
            from.pop_front();
            auto& by = voice_.current();
            const auto key = key_of(wanted.text, by);
            if (wanted.text.empty()) continue;
            if (cache_.has(key)) {
                instruments_.count_ahead("kept");
                continue;
            }
            what = std::make_shared<synthesis>(key, wanted.text, by);
            if (!by.identity().empty()) what->may_leave(wanted.leaves);
        }
        return true;
    }

    void step_ahead(std::shared_ptr<synthesis>& what) {
        what->make_piece(cache_);
        if (!what->whole() && !what->failed()) return;
        instruments_.count_ahead(what->failed() ? "failed" : "made");
        if (what->failed()) log_.debug("nothing was made ahead: {}", what->failed()->message);
        what.reset();
    }

    result<void> publish_new(job& asked) {
        const auto& all = asked.sound->samples();
        const bool last = asked.sound->whole();
        std::vector<float> samples;
        const auto fresh = audio::pcm_view(all).subspan(asked.taken);
        if (auto ok = asked.to_rate->process(fresh, samples, last); !ok) return fail(std::move(ok));
        asked.taken = all.size();

        const auto chunk_samples = std::max<std::size_t>(
            1, static_cast<std::size_t>(options_.sample_rate_hz * options_.chunk_duration.count() / 1000));
        audio::pcm_view rest(samples);
        do {
            const auto chunk = rest.first(std::min(chunk_samples, rest.size()));
            rest = rest.subspan(chunk.size());
            const bool final = last && rest.empty();
            // A reply without a sound has no frames at all; one with sounds has its last frame marked.
            if (chunk.empty() && !(final && asked.sequence > 0)) break;
            std::unique_lock sending(sending_);
            {
                // Before it is sent: a cancel that comes now knows that there is something to flush.
                std::lock_guard lock(mutex_);
                if (asked.cancelled) return {};
                queue_.sent(asked,
                            milliseconds(chunk.size() * 1000 / static_cast<std::size_t>(options_.sample_rate_hz)),
                            clock_.steady());
            }
            if (auto sent = send(asked, chunk, final); !sent) return fail(std::move(sent));
            sending.unlock();
            if (asked.sequence++ == 0) {
                asked.first->end();
                say_started(asked);
            }
            asked.published += chunk.size();
        } while (!rest.empty());
        return {};
    }

    void complete(job& asked) {
        const auto took = to_ms(clock_.steady() - asked.begun);
        const auto audio_ms = 1000.0 * static_cast<double>(asked.published) / options_.sample_rate_hz;
        asked.whole->set("audio_ms", fmt::format("{:.0f}", audio_ms));
        asked.whole->set("cached", asked.cached ? "yes" : "no");
        asked.whole->end();
        instruments_.synthesis_ms.observe(took);
        instruments_.audio_ms.add(audio_ms);
        log_.debug("said {} bytes: {:.0f} ms of speech in {:.0f} ms", asked.request.text.size(), audio_ms, took);
        asked.over = true;
        finish(asked, asked.parent, {});
    }

    void give_up(job& asked, const error& why) {
        if (asked.first) asked.first->fail(why.message);
        if (asked.whole) asked.whole->fail(why.message);
        asked.first.reset();
        asked.whole.reset();
        asked.over = asked.failed = true;
        refuse(asked, why);
    }

    result<void> send(const job& asked, audio::pcm_view chunk, bool final) {
        auto samples = options_.channels == 2 ? on_both_sides(chunk) : std::vector<float>(chunk.begin(), chunk.end());
        volumes_.apply(asked.target, samples);
        auto pcm = audio::to_s16le(samples);
        auto headers = headers_of(asked, asked.whole->context());
        if (asked.headers.audio == protocol::audio_form::json)
            return bus_.publish(subject::tts_audio,
                                protocol::encode(protocol::tts_audio{.session_id = asked.request.session_id,
                                                                     .target = asked.request.target,
                                                                     .sequence = asked.sequence,
                                                                     .sample_rate = options_.sample_rate_hz,
                                                                     .channels = options_.channels,
                                                                     .pcm = std::move(pcm),
                                                                     .final = final}),
                                headers);
        headers.emplace_back(header::sequence, fmt::to_string(asked.sequence));
        headers.emplace_back(header::sample_rate, fmt::to_string(options_.sample_rate_hz));
        headers.emplace_back(header::channels, fmt::to_string(options_.channels));
        headers.emplace_back(header::generation, fmt::to_string(asked.generation));
        if (asked.urgency != protocol::urgency::reply && (asked.sequence == 0 || final))
            headers.emplace_back(header::duck, final ? "end" : "begin");
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
        auto turn = asked.headers;
        turn.traceparent = telemetry::to_traceparent(context);
        turn.budget.reset();  // it was the time to the first sample, and is spent
        turn.age.reset();
        turn.again.clear();
        auto headers = protocol::write_turn(turn);
        if (!asked.request.session_id.empty()) headers.emplace_back(header::session, asked.request.session_id);
        if (!asked.request.target.empty()) headers.emplace_back(header::target, asked.request.target);
        return headers;
    }

    void say_started(const job& asked) {
        const auto waited = to_ms(clock_.steady() - asked.arrived);
        instruments_.first_chunk_ms.observe(waited);
        publish(subject::tts_started,
                protocol::encode(protocol::tts_started{.session_id = asked.request.session_id,
                                                       .target = asked.request.target,
                                                       .first_chunk_ms = waited,
                                                       .cached = asked.cached}),
                headers_of(asked, asked.whole->context()));
    }

    void say_degraded(const job& asked, const error& why, const std::string& said_by) {
        log_.warn(why, {{"session", asked.request.session_id}, {"said_by", said_by}});
        publish(subject::session_degraded,
                protocol::encode(protocol::session_degraded{.session_id = asked.request.session_id,
                                                            .turn_id = asked.turn,
                                                            .stage = "tts",
                                                            .reason = std::string(to_string(why.code)),
                                                            .message = why.message}),
                headers_of(asked, asked.whole->context()));
    }

    void refuse(job& asked, const error& why) {
        if (why.code == errc::cancelled) {
            log_.debug("session '{}': {}", asked.request.session_id, why.message);
        } else {
            log_.warn(why, {{"session", asked.request.session_id}, {"turn", asked.turn}});
        }
        asked.queued.end();
        finish(asked, telemetry::parse_traceparent(asked.headers.traceparent).value_or(asked.queued.context()),
               why.code);
    }
    void refuse(job& asked, const failure& why) { refuse(asked, why.error()); }

    void finish(const job& asked, const telemetry::trace_context& context, std::optional<errc> fault) {
        const std::string outcome(fault ? to_string(*fault) : "completed");
        instruments_.count(outcome);
        const auto done = protocol::encode(protocol::tts_done{.session_id = asked.request.session_id,
                                                              .target = asked.request.target,
                                                              .completed = !fault,
                                                              .timestamp = to_rfc3339(clock_.wall()),
                                                              .error = fault ? outcome : "",
                                                              .audio_ms = published_ms(asked)});
        const auto headers = headers_of(asked, context);
        if (!fault && !asked.turn.empty()) {
            const protocol::tts_started started{.session_id = asked.request.session_id, .target = asked.request.target};
            std::lock_guard lock(mutex_);
            if (said_.size() >= remembered) said_.pop_front();
            said_.push_back({asked.turn, asked.session, asked.request.text, protocol::encode(started), done, headers});
        }
        publish(subject::tts_done, done, headers);
    }

    std::int64_t published_ms(const job& asked) const {
        return static_cast<std::int64_t>(asked.published) * 1000 / options_.sample_rate_hz;
    }

    void publish(std::string_view to, std::string_view payload, const protocol::headers& headers) {
        if (auto sent = bus_.publish(to, payload, headers); !sent)
            log_.warn(sent.error(), {{"subject", std::string(to)}});
    }

    bus::connection& bus_;
    voice& voice_;
    voice* const fallback_;
    sound_cache& cache_;
    const service_options options_;
    const clock& clock_;
    instruments instruments_;
    telemetry::tracer& tracer_;
    const telemetry::logger log_;
    telemetry::rate_limited unreadable_;
    volumes volumes_;
    std::shared_ptr<synthesis> prepared_, warmed_;  // made when no reply waits; the synthesis thread's alone

    // Held while a frame is sent, from the look whether it was called off, and while a flush is: no frame comes behind
    // the flush that calls it off. Before mutex_, where both are.
    std::mutex sending_;

    std::mutex mutex_;
    std::condition_variable changed_;
    // Under mutex_.
    playback_queue queue_;
    std::deque<ahead> to_prepare_, to_warm_;
    std::deque<said> said_;
    std::vector<std::function<void()>> asked_;

    steady_time finish_by_;  // written before ending_ is set
    std::atomic<bool> ending_{false};
    bool closed_ = false;  // no more requests come; under mutex_
    std::jthread worker_;
    std::unique_ptr<bus::subscription> requests_, prepares_;
    std::vector<std::unique_ptr<bus::subscription>> heard_;
};

}  // namespace

result<std::unique_ptr<service>> service::start(bus::connection& bus, voice& voice, tts::voice* fallback,
                                                sound_cache& cache, const service_options& options, const clock& clock,
                                                telemetry::metrics& metrics, telemetry::tracer& tracer,
                                                telemetry::logger log) {
    auto made =
        std::make_unique<bus_service>(bus, voice, fallback, cache, options, clock, metrics, tracer, std::move(log));
    if (auto ok = made->open(); !ok) return fail(std::move(ok));
    return made;
}

}  // namespace loqa::tts
