// What a turn costs beside its engines: loqad's session on a real nats-server, with a recogniser and a voice that take
// no time, against the bare way of the same messages over the same bus in the same run.
//
// A turn is three hops: transcript → session, request → voice, samples → speaker. The bare way is three hops too, with
// payloads and headers of the same sizes, each relayed by a thread that does nothing else. Each is begun when all that
// the one before it left to be done is done: what a turn tells and stores behind its samples would else be in the way
// of the bare one that follows, and make it look slow.
//
// Spoken words do not come out of the blue: a recogniser tells when speech begins, and at a pause what it has heard so
// far, and only then that this was all. So does this one, and waits until the session has made use of it. Measured as
// well is a turn of which nothing was heard before its words, as of who sends text; and a bare way on which the second
// relay sends two small messages back behind the samples, as a voice tells that it began and that it is done: on two
// cores the samples are the later for it, whoever hears it.
#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include <fmt/format.h>

#include "loqa/base/files.hpp"
#include "loqa/base/ids.hpp"
#include "loqa/bus/connection.hpp"
#include "loqa/bus/embedded_server.hpp"
#include "loqa/intent/live.hpp"
#include "loqa/protocol/messages.hpp"
#include "loqa/protocol/subjects.hpp"
#include "loqa/session/service.hpp"

namespace {

using namespace loqa;
namespace subject = protocol::subject;

constexpr int rounds = 400;
constexpr int warm_up = 40;
constexpr std::size_t first_samples = 4096 * 2;  // bytes of the first piece of an answer

// The value of what has to work for the benchmark to mean anything.
void must(const result<void>& done) {
    if (done) return;
    fmt::print(stderr, "{}\n", done.error().text());
    std::exit(1);
}
template <class T>
T must(result<T> made) {
    if (!made) {
        fmt::print(stderr, "{}\n", made.error().text());
        std::exit(1);
    }
    return std::move(*made);
}

// One message at a time: who waits for it, and when it came.
class arrival {
public:
    void came() {
        {
            std::lock_guard lock(mutex_);
            at_ = std::chrono::steady_clock::now();
            there_ = true;
        }
        changed_.notify_one();
    }
    std::optional<steady_time> wait() {
        std::unique_lock lock(mutex_);
        if (!changed_.wait_for(lock, seconds{5}, [this] { return there_; })) return std::nullopt;
        there_ = false;
        return at_;
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool there_ = false;
    steady_time at_{};
};

struct summary {
    double least = 0, median = 0, p95 = 0;
};

summary of(std::vector<double> us) {
    std::ranges::sort(us);
    return {us.front(), us[us.size() / 2], us[us.size() * 95 / 100]};
}

}  // namespace

int main() {
    const auto folder = fs::temp_directory_path() / ("loqa_turn_bench_" + random_hex(8));
    telemetry::metrics metrics;
    const auto log = telemetry::logger::silent();
    real_clock clock;
    auto server = must(bus::embedded_server::start({.data_folder = folder / "bus"}, log));
    const auto open = [&] {
        return must(bus::connect({.servers = {server->server()},
                                  .name = "bench",
                                  .username = server->username(bus::role::core),
                                  .password = server->password(bus::role::core)},
                                 log, metrics));
    };
    const auto client = open(), voice = open(), core = open();

    auto store = must(store::event_store::open({.path = folder / "events.db"}, clock, log, metrics));
    auto timers = must(timers::timer_service::open(folder / "timers.db", clock, log));
    telemetry::tracer tracer("bench", {}, metrics, log);
    const auto house = std::make_shared<const intent::home>();
    const auto sentences = must(intent::live_interpreter::start({}, house));
    auto session = must(session::service::start({},
                                                {.clock = clock,
                                                 .bus = *core,
                                                 .timers = *timers,
                                                 .store = *store,
                                                 .tracer = tracer,
                                                 .metrics = metrics,
                                                 .log = log},
                                                *sentences));

    const std::string samples(first_samples, '\0');
    std::size_t request_bytes = 0;
    const auto speaks = must(voice->subscribe(subject::tts_request, [&](const bus::message& asked) {
        request_bytes = asked.payload.size();
        const auto read = protocol::decode<protocol::tts_request>(asked.payload);
        std::ignore = voice->publish(protocol::join(subject::tts_pcm, read->session_id), samples, asked.headers);
        std::ignore =
            voice->publish(subject::tts_started,
                           protocol::encode(protocol::tts_started{.session_id = read->session_id}), asked.headers);
        std::ignore = voice->publish(
            subject::tts_done, protocol::encode(protocol::tts_done{.session_id = read->session_id, .completed = true}),
            asked.headers);
    }));
    arrival prepared;
    const auto prepares = must(voice->subscribe(subject::tts_prepare, [&](const bus::message&) { prepared.came(); }));
    arrival heard;
    const auto speaker =
        must(client->subscribe(std::string(subject::tts_pcm) + ".*", [&](const bus::message&) { heard.came(); }));
    arrival listening;
    const auto states = must(client->subscribe(subject::session_state, [&](const bus::message& m) {
        if (m.payload.contains("\"listening\"")) listening.came();
    }));
    arrival over;
    const auto ends = must(client->subscribe(subject::session_ended, [&](const bus::message&) { over.came(); }));
    must(client->flush(seconds{2}));
    must(voice->flush(seconds{2}));

    // Nothing is left to be done.
    const auto settle = [&] {
        std::promise<void> idle;
        session->ask([&] { idle.set_value(); });
        idle.get_future().wait();
        must(store->flush(std::chrono::steady_clock::now() + seconds{2}));
        for (auto* each : {core.get(), voice.get(), client.get()}) must(each->flush(seconds{2}));
    };

    // Each in a session of its own: in one, a turn would first call off the answer before it, which still sounds.
    std::string said;
    protocol::headers headers;
    const auto turn = [&](bool announced) -> std::optional<double> {
        const auto session_id = random_hex(8);
        protocol::transcript words{.session_id = session_id,
                                   .text = "what time is it",
                                   .timestamp = to_rfc3339(clock.wall()),
                                   .confidence = 1,
                                   .reason = "speech_end"};
        protocol::turn_headers about;
        about.turn_id = random_hex(16);
        about.traceparent = telemetry::to_traceparent(telemetry::new_trace());
        about.age = std::chrono::duration<double, std::milli>(80);
        headers = protocol::write_turn(about);
        said = protocol::encode(words);
        if (announced) {
            must(
                client->publish(subject::stt_started, protocol::encode(protocol::speech_started{session_id}), headers));
            if (!listening.wait()) return std::nullopt;
            words.partial = true;
            must(client->publish(subject::stt_ahead, protocol::encode(words), headers));
            if (!prepared.wait()) return std::nullopt;
            settle();
        }
        const auto began = std::chrono::steady_clock::now();
        must(client->publish(subject::stt_final, said, headers));
        const auto at = heard.wait();
        if (!at || !over.wait()) return std::nullopt;
        return std::chrono::duration<double, std::micro>(*at - began).count();
    };

    arrival bare;
    bool tells = false;
    const std::string told(100, ' ');
    const auto first = must(core->subscribe("bench.first", [&](const bus::message& m) {
        must(core->publish("bench.second", std::string(request_bytes, ' '), m.headers));
    }));
    const auto second = must(voice->subscribe("bench.second", [&](const bus::message& m) {
        must(voice->publish("bench.third", samples, m.headers));
        if (!tells) return;
        must(voice->publish("bench.began", told, m.headers));
        must(voice->publish("bench.done", told, m.headers));
    }));
    const auto began = must(core->subscribe("bench.began", [](const bus::message&) {}));
    const auto done = must(core->subscribe("bench.done", [](const bus::message&) {}));
    const auto third = must(client->subscribe("bench.third", [&](const bus::message&) { bare.came(); }));
    for (auto* each : {core.get(), voice.get(), client.get()}) must(each->flush(seconds{2}));
    const auto way = [&](bool telling) -> std::optional<double> {
        tells = telling;
        const auto start = std::chrono::steady_clock::now();
        must(client->publish("bench.first", said, headers));
        const auto at = bare.wait();
        if (!at) return std::nullopt;
        return std::chrono::duration<double, std::micro>(*at - start).count();
    };

    // Taking turns, so that all see the same machine.
    const std::vector<std::pair<const char*, std::function<std::optional<double>()>>> measured = {
        {"three hops of the bus alone", [&] { return way(false); }},
        {"the same, with what a voice tells", [&] { return way(true); }},
        {"a spoken turn without its engines", [&] { return turn(true); }},
        {"a turn of words out of the blue", [&] { return turn(false); }}};
    std::vector<std::vector<double>> us(measured.size());
    // The first way is of the size of what the first turn asks for.
    if (!turn(true)) return fmt::print(stderr, "no answer within 5 s\n"), 1;
    for (int i = 0; i < rounds + warm_up; ++i)
        for (std::size_t k = 0; k < measured.size(); ++k) {
            settle();
            const auto took = measured[k].second();
            if (!took) return fmt::print(stderr, "no answer within 5 s\n"), 1;
            if (i >= warm_up) us[k].push_back(*took);
        }
    session->stop();
    const auto floor = of(us[0]);
    for (std::size_t k = 0; k < measured.size(); ++k) {
        const auto all = of(us[k]);
        fmt::print("{:35} min {:5.0f}   median {:5.0f}   p95 {:5.0f} us   ratio of medians {:5.2f}   of p95 {:5.2f}\n",
                   measured[k].first, all.least, all.median, all.p95, all.median / floor.median, all.p95 / floor.p95);
    }
    fs::remove_all(folder);
    return 0;
}
