// What a turn costs beside its engines: loqad's session on a real nats-server, with a recogniser and a voice that take
// no time, against the bare way of the same messages over the same bus in the same run.
//
// A turn is three hops: transcript → session, request → voice, samples → speaker. The bare way is three hops too, with
// payloads and headers of the same sizes, each relayed by a thread that does nothing else.
#include <algorithm>
#include <condition_variable>
#include <cstdlib>
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
    double median = 0, p95 = 0;
};

summary of(std::vector<double> us) {
    std::ranges::sort(us);
    return {us[us.size() / 2], us[us.size() * 95 / 100]};
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
    arrival heard;
    const auto speaker =
        must(client->subscribe(std::string(subject::tts_pcm) + ".*", [&](const bus::message&) { heard.came(); }));
    must(client->flush(seconds{2}));
    must(voice->flush(seconds{2}));

    // Each in a session of its own: in one, a turn would first call off the answer before it, which still sounds.
    std::string said;
    protocol::headers headers;
    const auto turn = [&]() -> std::optional<double> {
        said = protocol::encode(protocol::transcript{.session_id = random_hex(8),
                                                     .text = "what time is it",
                                                     .timestamp = to_rfc3339(clock.wall()),
                                                     .confidence = 1,
                                                     .reason = "speech_end"});
        protocol::turn_headers about;
        about.turn_id = random_hex(16);
        about.traceparent = telemetry::to_traceparent(telemetry::new_trace());
        about.age = std::chrono::duration<double, std::milli>(80);
        headers = protocol::write_turn(about);
        const auto began = std::chrono::steady_clock::now();
        std::ignore = client->publish(subject::stt_final, said, headers);
        const auto at = heard.wait();
        if (!at) return std::nullopt;
        return std::chrono::duration<double, std::micro>(*at - began).count();
    };

    arrival bare;
    const auto first = must(core->subscribe("bench.first", [&](const bus::message& m) {
        std::ignore = core->publish("bench.second", std::string(request_bytes, ' '), m.headers);
    }));
    const auto second = must(voice->subscribe("bench.second", [&](const bus::message& m) {
        std::ignore = voice->publish("bench.third", samples, m.headers);
    }));
    const auto third = must(client->subscribe("bench.third", [&](const bus::message&) { bare.came(); }));
    for (auto* each : {core.get(), voice.get(), client.get()}) must(each->flush(seconds{2}));
    const auto way = [&]() -> std::optional<double> {
        const auto began = std::chrono::steady_clock::now();
        std::ignore = client->publish("bench.first", said, headers);
        const auto at = bare.wait();
        if (!at) return std::nullopt;
        return std::chrono::duration<double, std::micro>(*at - began).count();
    };

    // Taking turns, so that both see the same machine.
    std::vector<double> turns, ways;
    for (int i = 0; i < rounds + warm_up; ++i) {
        const auto a = turn(), b = way();
        if (!a || !b) {
            fmt::print(stderr, "no answer within 5 s\n");
            return 1;
        }
        if (i < warm_up) continue;
        turns.push_back(*a);
        ways.push_back(*b);
    }
    session->stop();
    const auto whole = of(turns), raw = of(ways);
    fmt::print("three hops of the bus alone   median {:7.0f} us   p95 {:7.0f} us\n", raw.median, raw.p95);
    fmt::print("a turn without its engines    median {:7.0f} us   p95 {:7.0f} us\n", whole.median, whole.p95);
    fmt::print("ratio                         median {:7.2f}      p95 {:7.2f}\n", whole.median / raw.median,
               whole.p95 / raw.p95);
    fs::remove_all(folder);
    return 0;
}
