// What one invocation costs: a module of nothing, one that reads its message and publishes, and loading from the cache.
#include <benchmark/benchmark.h>

#include "loqa/base/ids.hpp"
#include "loqa/skills/abi.hpp"
#include "loqa/skills/engine.hpp"

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
    out.publish = {"test.out"};
    return out;
}

void invoke(benchmark::State& state, std::string_view text) {
    static std::mutex loading;
    std::shared_ptr<const program> code;
    {
        std::lock_guard lock(loading);
        code = shared_engine().load(assemble(text).value()).value();
    }
    const auto skill = about();
    std::size_t told = 0;
    for (auto _ : state) {
        const std::pair<std::string_view, std::string> environment[] = {
            {"LOQA_SKILL_NAME", "bench"},
            {"LOQA_EVENT_SUBJECT", "skill.timer.start"},
            {"LOQA_EVENT_PAYLOAD", R"({"duration_ms":60000,"label":"tea"})"},
            {"LOQA_INVOCATION_ID", "0b7c8e8e-1111-4222-8333-444455556666"},
            {"LOQA_SKILL_DIRECTORY", "/skills/bench"}};
        invocation reach{.skill = skill,
                         .publish = [](std::string_view, std::string_view) { return result<void>(); },
                         .audit = [&](std::string_view, std::string_view members) { told += members.size(); }};
        usage used;
        const auto done = code->run(
            {.entrypoint = "run", .environment = environment, .limits = {}, .context = &reach, .stop = {}}, used);
        if (!done) state.SkipWithError(done.error().message.c_str());
    }
    benchmark::DoNotOptimize(told);
    state.SetItemsProcessed(state.iterations());
}

void load_from_the_cache(benchmark::State& state) {
    const auto wasm = assemble(answering).value();
    benchmark::DoNotOptimize(shared_engine().load(wasm));
    for (auto _ : state) benchmark::DoNotOptimize(shared_engine().load(wasm));
}

BENCHMARK_CAPTURE(invoke, empty_module, nothing)->Threads(1)->Threads(2)->UseRealTime();
BENCHMARK_CAPTURE(invoke, answering_module, answering)->Threads(1)->Threads(2)->UseRealTime();
BENCHMARK(load_from_the_cache);

}  // namespace

BENCHMARK_MAIN();
