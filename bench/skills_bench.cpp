// What one invocation costs: a module of nothing, one that reads its message and publishes, loading from the cache, and
// the way from a message on the bus to the skill's own, beside the same way without a skill.
#include <algorithm>
#include <condition_variable>
#include <fstream>
#include <mutex>
#include <vector>

#include <benchmark/benchmark.h>

#include "loqa/base/ids.hpp"
#include "loqa/bus/connection.hpp"
#include "loqa/bus/embedded_server.hpp"
#include "loqa/skills/abi.hpp"
#include "loqa/skills/engine.hpp"
#include "loqa/skills/service.hpp"

namespace {

using namespace loqa;
using namespace loqa::skills;

constexpr std::string_view nothing = R"((module (func (export "run"))))";

// As a skill of the first ABI does: finds its message in the environment, logs, publishes.
constexpr std::string_view answering = R"((module
  (import "wasi_snapshot_preview1" "environ_get" (func $get (param i32 i32) (result i32)))
  (import "env" "host_log" (func $log (param i32 i32)))
  (import "env" "host_publish" (func $publish (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 2)
  (data (i32.const 0) "test.outhello")
  (func (export "run")
    (drop (call $get (i32.const 64) (i32.const 1024)))
    (call $log (i32.const 8) (i32.const 5))
    (drop (call $publish (i32.const 0) (i32.const 8) (i32.const 1024) (i32.const 64))))))";

engine& shared_engine() {
    static const auto made =
        engine::start({.cache = fs::temp_directory_path() / ("loqa-bench-" + random_hex(8)), .max_guests = 16},
                      host_functions(), telemetry::logger::silent())
            .value();
    return *made;
}

manifest about() {
    manifest out;
    out.name = "bench";
    out.permissions = {std::string(permission::bus_publish)};
    out.publish = {"test.out", "skill.timer.status", "example.greeted"};
    return out;
}

double percentile(std::vector<double> of, double share) {
    std::ranges::sort(of);
    return of.empty() ? 0 : of[static_cast<std::size_t>(share * static_cast<double>(of.size() - 1))];
}

// Timers that are taken note of and nothing more: the disk is measured elsewhere.
class no_timers final : public guest_timers {
public:
    result<void> set(std::string_view, milliseconds, std::string_view) override { return {}; }
    result<void> cancel(std::string_view) override { return {}; }
    result<std::string> list() const override { return "[]"; }
};

void invoke_module(benchmark::State& state, const std::string& wasm) {
    static std::mutex loading;
    std::shared_ptr<const program> code;
    {
        std::lock_guard lock(loading);
        code = shared_engine().load(wasm).value();
    }
    const auto skill = about();
    no_timers timers;
    std::size_t told = 0;
    std::vector<double> each;
    for (auto _ : state) {
        const auto began = std::chrono::steady_clock::now();
        const std::pair<std::string_view, std::string> environment[] = {
            {"LOQA_SKILL_NAME", "bench"},
            {"LOQA_EVENT_KIND", "message"},
            {"LOQA_EVENT_SUBJECT", "skill.timer.start"},
            {"LOQA_EVENT_PAYLOAD", R"({"duration_ms":60000,"label":"tea"})"},
            {"LOQA_INVOCATION_ID", "0b7c8e8e-1111-4222-8333-444455556666"},
            {"LOQA_SKILL_DIRECTORY", "/skills/bench"}};
        invocation reach{.skill = skill,
                         .publish = [](std::string_view, std::string_view) { return result<void>(); },
                         .audit = [&](std::string_view, std::string_view members) { told += members.size(); }};
        reach.timers = &timers;
        usage used;
        const auto done = code->run(
            {.entrypoint = "run", .environment = environment, .limits = {}, .context = &reach, .stop = {}}, used);
        if (!done) state.SkipWithError(done.error().message.c_str());
        if (each.size() < 1'000'000) each.push_back(to_ms(std::chrono::steady_clock::now() - began) * 1000);
    }
    benchmark::DoNotOptimize(told);
    using per_thread = benchmark::Counter;
    state.counters["p50_us"] = per_thread(percentile(each, 0.5), per_thread::kAvgThreads);
    state.counters["p99_us"] = per_thread(percentile(each, 0.99), per_thread::kAvgThreads);
    state.SetItemsProcessed(state.iterations());
}

void invoke(benchmark::State& state, std::string_view text) { invoke_module(state, assemble(text).value()); }

// Skills as they are built: the timer that ships, and the example in Go where somebody built it.
void invoke_file(benchmark::State& state, const char* file) {
    const auto wasm = read_file(executable_folder() / ".." / file, max_module_bytes);
    if (!wasm) return state.SkipWithError(wasm.error().message.c_str());
    invoke_module(state, *wasm);
}

void load_from_the_cache(benchmark::State& state) {
    const auto wasm = assemble(answering).value();
    benchmark::DoNotOptimize(shared_engine().load(wasm));
    for (auto _ : state) benchmark::DoNotOptimize(shared_engine().load(wasm));
}

double resident_kib() {
    std::ifstream statm("/proc/self/statm");
    double all = 0, resident = 0;
    statm >> all >> resident;
    return resident * 4;
}

// A node with a server, the skills' service, and beside it somebody who sends back what it hears.
class node {
public:
    node() {
        fs::create_directories(folder_ / "skills" / "one");
        std::ignore = write_file_atomically(folder_ / "skills" / "one" / "skill.wasm", assemble(answering).value());
        std::ignore = write_file_atomically(folder_ / "skills" / "one" / "skill.yaml",
                                            R"(metadata: {name: one, version: 1.0.0}
runtime: {mode: wasm, module: skill.wasm, entrypoint: run}
capabilities: {bus: {subscribe: [bench.skill], publish: [test.out]}}
permissions: [bus:publish]
)");
        server_ = bus::embedded_server::start({.data_folder = folder_}, telemetry::logger::silent()).value();
        host_ = connect();
        client_ = connect();
        store_ = store::event_store::open({.path = folder_ / "events.db"}, time_, telemetry::logger::silent(), metrics_)
                     .value();
        skills_ = service::start({.directory = folder_ / "skills",
                                  .cache = folder_ / "compiled",
                                  .file = folder_ / "events.db",
                                  .data = folder_},
                                 {time_, *host_, *store_, metrics_, telemetry::logger::silent()})
                      .value();
        echo_ = host_
                    ->subscribe("bench.raw", "skill",
                                [this](const bus::message& m) { std::ignore = host_->publish("test.out", m.payload); })
                    .value();
        heard_ = client_
                     ->subscribe("test.out",
                                 [this](const bus::message&) {
                                     {
                                         std::lock_guard lock(mutex_);
                                         ++answers_;
                                     }
                                     changed_.notify_all();
                                 })
                     .value();
        std::ignore = client_->flush(seconds(5));
        std::ignore = host_->flush(seconds(5));
    }
    ~node() {
        heard_.reset();
        echo_.reset();
        skills_.reset();
        store_.reset();
        client_.reset();
        host_.reset();
        server_.reset();
        std::error_code ec;
        fs::remove_all(folder_, ec);
    }

    // Microseconds from sending to the answer.
    double round_trip(std::string_view subject) {
        std::unique_lock lock(mutex_);
        const auto wanted = answers_ + 1;
        const auto began = std::chrono::steady_clock::now();
        std::ignore = client_->publish(subject, R"({"duration_ms":60000,"label":"tea"})");
        changed_.wait_for(lock, seconds(5), [&] { return answers_ >= wanted; });
        return to_ms(std::chrono::steady_clock::now() - began) * 1000;
    }

private:
    std::unique_ptr<bus::connection> connect() {
        return bus::connect({.servers = {server_->server()},
                             .name = "bench",
                             .username = server_->username(bus::role::core),
                             .password = server_->password(bus::role::core)},
                            telemetry::logger::silent(), metrics_)
            .value();
    }

    const fs::path folder_ = fs::temp_directory_path() / ("loqa-bench-" + random_hex(8));
    real_clock time_;
    telemetry::metrics metrics_;
    std::unique_ptr<bus::embedded_server> server_;
    std::unique_ptr<bus::connection> host_, client_;
    std::unique_ptr<store::event_store> store_;
    std::unique_ptr<service> skills_;
    std::unique_ptr<bus::subscription> echo_, heard_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::uint64_t answers_ = 0;
};

// Raw and through the skill in turns, so that both see the same machine.
void bus_to_bus(benchmark::State& state) {
    node at;
    for (int i = 0; i < 100; ++i) {
        at.round_trip("bench.raw");
        at.round_trip("bench.skill");
    }
    std::vector<double> raw, skill;
    for (auto _ : state) {
        raw.push_back(at.round_trip("bench.raw"));
        skill.push_back(at.round_trip("bench.skill"));
    }
    state.counters["raw_p50_us"] = percentile(raw, 0.5);
    state.counters["skill_p50_us"] = percentile(skill, 0.5);
    state.counters["skill_p99_us"] = percentile(skill, 0.99);
    state.counters["ratio_p50"] = percentile(skill, 0.5) / percentile(raw, 0.5);
}

// What one more skill takes of memory once it is loaded; each module is another one.
void memory_per_skill(benchmark::State& state) {
    std::vector<std::shared_ptr<const program>> loaded;
    const auto load = [&](int number) {
        auto text = std::string(answering);
        text.replace(text.find("hello"), 5, fmt::format("{:05}", number));
        loaded.push_back(shared_engine().load(assemble(text).value()).value());
    };
    for (int i = 0; i < 20; ++i) load(i);
    constexpr int more = 200;
    for (auto _ : state) {
        const auto before = resident_kib();
        for (int i = 0; i < more; ++i) load(1000 + i);
        state.counters["kib_per_skill"] = (resident_kib() - before) / more;
    }
}

BENCHMARK(bus_to_bus)->Iterations(3000)->UseRealTime();
BENCHMARK(memory_per_skill)->Iterations(1);
BENCHMARK_CAPTURE(invoke, empty_module, nothing)->Threads(1)->Threads(2)->UseRealTime();
BENCHMARK_CAPTURE(invoke, answering_module, answering)->Threads(1)->Threads(2)->UseRealTime();
BENCHMARK_CAPTURE(invoke_file, timer_skill, "skills/timer/timer.wasm")->Threads(1)->Threads(2)->UseRealTime();
BENCHMARK_CAPTURE(invoke_file, go_module, "../skills/examples/go/build/greeter.wasm")->UseRealTime();
BENCHMARK(load_from_the_cache);

}  // namespace

BENCHMARK_MAIN();
