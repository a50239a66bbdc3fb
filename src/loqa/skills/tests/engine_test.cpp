// What a guest may do and what it may not, on guests written as WebAssembly text.
#include "loqa/skills/engine.hpp"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include <gmock/gmock.h>
#include <sys/resource.h>

#include "loqa/base/ids.hpp"

namespace loqa::skills {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

std::string test_name(std::string_view row) {
    std::string name(row);
    std::ranges::replace(name, ' ', '_');
    return name;
}

struct heard {
    std::vector<std::string> said;
    bool outside = false;
};

result<void> say(guest& from) {
    auto& to = *static_cast<heard*>(from.context());
    if (const auto text = from.bytes(from.u32(0), from.u32(1)))
        to.said.emplace_back(*text);
    else
        to.outside = true;
    return {};
}
result<void> refuse(guest&) { return fail(errc::not_permitted, "that is not allowed"); }

constexpr host_function functions[] = {{"host", "say", "(i32, i32)", &say}, {"host", "refuse", "()", &refuse}};

class Engine : public testing::Test {
protected:
    void SetUp() override {
        auto made = engine::start({.cache = {}, .max_guests = 4, .max_memory_bytes = 4 * mebibyte}, functions,
                                  telemetry::logger::silent());
        ASSERT_TRUE(made) << made.error().text();
        engine_ = std::move(*made);
    }

    std::shared_ptr<const program> load(std::string_view text) {
        auto binary = assemble(text);
        EXPECT_TRUE(binary) << binary.error().text();
        auto loaded = engine_->load(*binary);
        EXPECT_TRUE(loaded) << loaded.error().text();
        return loaded ? *loaded : nullptr;
    }

    result<void> run(std::string_view text) {
        options_.context = &heard_;
        return load(text)->run(options_, usage_);
    }

    std::unique_ptr<engine> engine_;
    heard heard_;
    usage usage_;
    run_options options_{
        .entrypoint = "run",
        .environment = {},
        .limits = {.wall = milliseconds(2000), .cpu = milliseconds(1500), .memory_bytes = 2 * mebibyte},
        .context = nullptr,
        .stop = {}};
};

constexpr std::string_view greeter = R"((module
  (import "host" "say" (func $say (param i32 i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "hello")
  (global $calls (mut i32) (i32.const 0))
  (func (export "run")
    (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
    (call $say (i32.const 16) (i32.add (i32.const 4) (global.get $calls))))))";

TEST_F(Engine, GuestSpeaksThroughTheHost) {
    ASSERT_TRUE(run(greeter));

    EXPECT_THAT(heard_.said, testing::ElementsAre("hello"));
    EXPECT_EQ(usage_.memory_bytes, 65536U);
}

TEST_F(Engine, EveryRunBeginsAfresh) {
    const auto program = load(greeter);
    options_.context = &heard_;
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(program->run(options_, usage_));

    EXPECT_THAT(heard_.said, testing::ElementsAre("hello", "hello", "hello"));
}

TEST_F(Engine, CommandThenEntrypoint) {
    ASSERT_TRUE(run(R"((module
      (import "host" "say" (func $say (param i32 i32)))
      (memory (export "memory") 1)
      (data (i32.const 0) "startrun")
      (func (export "_start") (call $say (i32.const 0) (i32.const 5)))
      (func (export "run") (result i32) (call $say (i32.const 5) (i32.const 3)) (i32.const 7))))"));

    EXPECT_THAT(heard_.said, testing::ElementsAre("start", "run"));
}

TEST_F(Engine, NothingIsCalledAfterACleanExit) {
    ASSERT_TRUE(run(R"((module
      (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
      (import "host" "say" (func $say (param i32 i32)))
      (memory (export "memory") 1)
      (func (export "_start") (call $exit (i32.const 0)))
      (func (export "run") (call $say (i32.const 0) (i32.const 1)))))"));

    EXPECT_THAT(heard_.said, IsEmpty());
}

TEST_F(Engine, EnvironmentIsWhatWasGiven) {
    const std::pair<std::string_view, std::string> environment[] = {{"A", "b c"}};
    options_.environment = environment;
    ASSERT_TRUE(run(R"((module
      (import "wasi_snapshot_preview1" "environ_get" (func $get (param i32 i32) (result i32)))
      (import "host" "say" (func $say (param i32 i32)))
      (memory (export "memory") 1)
      (func (export "run") (drop (call $get (i32.const 0) (i32.const 64))) (call $say (i32.const 64) (i32.const 5)))))"));

    EXPECT_THAT(heard_.said, testing::ElementsAre("A=b c"));
}

TEST_F(Engine, OutputIsKeptAsFarAsItFits) {
    ASSERT_TRUE(run(R"((module
      (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
      (memory (export "memory") 1)
      (data (i32.const 0) "\20\00\00\00\05\00\00\00")
      (data (i32.const 32) "oops\n")
      (func (export "run") (local $i i32)
        (loop $again
          (drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 16)))
          (local.set $i (i32.add (local.get $i) (i32.const 1)))
          (br_if $again (i32.lt_u (local.get $i) (i32.const 100000)))))))"));

    EXPECT_EQ(usage_.output.size(), max_output_bytes);
    EXPECT_THAT(usage_.output, testing::StartsWith("oops\noops\n"));
}

TEST_F(Engine, NoFilesAreThere) {
    const auto done = run(R"((module
      (import "wasi_snapshot_preview1" "fd_prestat_get" (func $prestat (param i32 i32) (result i32)))
      (memory (export "memory") 1)
      (func (export "run") (if (i32.eqz (call $prestat (i32.const 3) (i32.const 0))) (then unreachable)))))");

    EXPECT_TRUE(done) << done.error().text();
}

struct contained {
    std::string_view name, module;
    errc code;
    std::string_view words;
};

constexpr std::string_view sleeping = R"((module
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "\01\00\00\00\00\00\00\00\00\f0\ff\ff\ff\ff\ff\7f")
  (func (export "run") (drop (call $poll (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128))))))";

class Contained : public Engine, public testing::WithParamInterface<contained> {};

TEST_P(Contained, AndTheNextRuns) {
    options_.limits.wall = GetParam().words.contains("longer than") ? milliseconds(150) : seconds(10);
    options_.limits.cpu = milliseconds(100);
    const auto begun = std::chrono::steady_clock::now();
    const auto done = run(GetParam().module);
    const auto took = std::chrono::steady_clock::now() - begun;

    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, GetParam().code) << done.error().text();
    EXPECT_THAT(done.error().message, HasSubstr(std::string(GetParam().words)));
    EXPECT_LE(usage_.memory_bytes, options_.limits.memory_bytes);
    EXPECT_LT(took, seconds(9));

    heard_ = {};
    options_.limits.wall = milliseconds(5000);
    ASSERT_TRUE(run(greeter));
    EXPECT_THAT(heard_.said, testing::ElementsAre("hello"));
}

INSTANTIATE_TEST_SUITE_P(
    Guests, Contained,
    testing::Values(
        contained{"endless loop", R"((module (func (export "run") (loop $l (br $l)))))", errc::timed_out,
                  "100 ms of processor time"},
        contained{"endless sleep", sleeping, errc::timed_out, "longer than its 150 ms"},
        contained{"loop while starting", R"((module (func $s (loop $l (br $l))) (start $s) (func (export "run"))))",
                  errc::timed_out, "processor time"},
        contained{"host call storm",
                  R"((module (import "host" "say" (func $say (param i32 i32))) (memory (export "memory") 1)
                     (func (export "run") (loop $l (call $say (i32.const 0) (i32.const -1)) (br $l)))))",
                  errc::timed_out, "processor time"},
        contained{"recursion", R"((module (func $f (export "run") (call $f) (call $f))))", errc::engine_failed,
                  "stack overflow"},
        contained{"memory bomb",
                  R"((module (memory (export "memory") 1) (func (export "run")
                     (loop $l (br_if $l (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) unreachable)))",
                  errc::engine_failed, "unreachable"},
        contained{"large from the start", R"((module (memory (export "memory") 40) (func (export "run"))))",
                  errc::too_long, "more memory at its start"},
        contained{"table bomb",
                  R"((module (table $t 1 funcref) (func (export "run")
                     (loop $l (br_if $l (i32.ne (table.grow $t (ref.null func) (i32.const 1000)) (i32.const -1))))
                     unreachable)))",
                  errc::engine_failed, "unreachable"},
        contained{"access outside its memory",
                  R"((module (memory (export "memory") 1)
                     (func (export "run") (drop (i32.load (i32.const 70000))))))",
                  errc::engine_failed, "outside its memory"},
        contained{"division by zero",
                  R"((module (func (export "run") (drop (i32.div_u (i32.const 1) (i32.const 0))))))",
                  errc::engine_failed, "division by zero"},
        contained{"exit code",
                  R"((module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
                     (memory (export "memory") 1) (func (export "run") (call $exit (i32.const 3)))))",
                  errc::engine_failed, "exit code 3"},
        contained{"what the host forbids",
                  R"((module (import "host" "refuse" (func $refuse)) (func (export "run") (call $refuse))))",
                  errc::not_permitted, "that is not allowed"}),
    [](const auto& row) { return test_name(row.param.name); });

TEST_F(Engine, BytesOutsideTheMemoryAreNotSeen) {
    ASSERT_TRUE(run(R"((module
      (import "host" "say" (func $say (param i32 i32)))
      (memory (export "memory") 1)
      (func (export "run") (call $say (i32.const 65530) (i32.const 7)))))"));
    EXPECT_TRUE(heard_.outside);
    EXPECT_THAT(heard_.said, IsEmpty());
}

TEST_F(Engine, GuestWithoutMemoryHasNoBytes) {
    ASSERT_TRUE(run(R"((module (import "host" "say" (func $say (param i32 i32)))
      (func (export "run") (call $say (i32.const 0) (i32.const 0)))))"));
    EXPECT_TRUE(heard_.outside);
}

TEST_F(Engine, StopEndsASleepAtOnce) {
    std::stop_source source;
    options_.stop = source.get_token();
    options_.limits.wall = seconds(60);
    std::jthread stopper([&] {
        std::this_thread::sleep_for(milliseconds(50));  // so that it sleeps by then, most times
        source.request_stop();
    });
    const auto done = run(sleeping);

    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, errc::cancelled);
    EXPECT_LT(usage_.wall, seconds(30));
}

TEST_F(Engine, ByteZeroInTheEnvironmentIsRefused) {
    const std::pair<std::string_view, std::string> environment[] = {{"A", std::string("b\0c", 3)}};
    options_.environment = environment;
    const auto done = run(greeter);

    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, errc::invalid_message);
}

TEST_F(Engine, FactsNameImportsAndExports) {
    const auto facts = load(greeter)->facts();

    EXPECT_THAT(facts.imports, testing::ElementsAre(import{"host", "say", "(i32, i32)"}));
    EXPECT_EQ(facts.type_of_export("run"), "()");
    EXPECT_EQ(facts.type_of_export("memory"), "memory");
    EXPECT_EQ(facts.type_of_export("walk"), "");
}

struct refused {
    std::string_view name, module, words;
};
class Refused : public Engine, public testing::WithParamInterface<refused> {};

TEST_P(Refused, AtLoad) {
    const auto loaded = engine_->load(assemble(GetParam().module).value());

    ASSERT_FALSE(loaded);
    EXPECT_THAT(loaded.error().message, HasSubstr(std::string(GetParam().words)));
}

INSTANTIATE_TEST_SUITE_P(
    Modules, Refused,
    testing::Values(refused{"unknown function", R"((module (import "env" "system" (func (param i32)))))", "env.system"},
                    refused{"other type", R"((module (import "host" "say" (func (param i64 i32)))))",
                            "host.say as (i64, i32), but it is (i32, i32)"},
                    refused{"unknown WASI", R"((module (import "wasi_snapshot_preview1" "fork" (func))))", "fork"},
                    refused{"foreign memory", R"((module (import "env" "memory" (memory 1))))", "env.memory"},
                    refused{"shared memory", R"((module (memory 1 2 shared)))", "not a WebAssembly module"}),
    [](const auto& row) { return test_name(row.param.name); });

TEST_F(Engine, TruncatedAndRandomBytesAreNoModules) {
    const auto whole = assemble(greeter).value();
    for (std::size_t size = 0; size < whole.size(); ++size) {
        const auto loaded = engine_->load(whole.substr(0, size));
        EXPECT_TRUE(!loaded || size >= 8) << size;  // cut between two sections it may still be a module
    }
    for (int i = 0; i < 200; ++i) {
        const auto noise = random_hex(40);
        EXPECT_FALSE(engine_->load(whole.substr(0, 8) + noise));
        EXPECT_FALSE(engine_->load(noise));
    }
}

TEST_F(Engine, CompiledModulesAreKeptAndFoundAgain) {
    const auto folder = fs::temp_directory_path() / ("loqa-skills-" + random_hex(8));
    const engine_options options{.cache = folder, .max_guests = 2, .max_memory_bytes = 4 * mebibyte};
    const auto binary = assemble(greeter).value();
    for (int i = 0; i < 2; ++i) {
        auto own = engine::start(options, functions, telemetry::logger::silent()).value();
        auto loaded = own->load(binary);
        ASSERT_TRUE(loaded);
        options_.context = &heard_;
        EXPECT_TRUE((*loaded)->run(options_, usage_));
    }
    EXPECT_EQ(heard_.said.size(), 2U);
    EXPECT_EQ(std::distance(fs::directory_iterator(folder), fs::directory_iterator()), 1);
    EXPECT_EQ(fs::status(folder).permissions(), fs::perms::owner_all);

    // Of another build, or broken: it is made anew.
    const auto file = fs::directory_iterator(folder)->path();
    ASSERT_TRUE(write_file_atomically(file, "no compiled module"));
    auto own = engine::start(options, functions, telemetry::logger::silent()).value();
    ASSERT_TRUE(own->load(binary));
    EXPECT_GT(fs::file_size(file), 1000U);
    fs::remove_all(folder);
}

TEST_F(Engine, ManyGuestsAtOnceThanThePoolHolds) {
    const auto program = load(greeter);
    std::atomic<int> ran = 0;
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&] {
            for (int i = 0; i < 500; ++i) {
                heard own;
                usage used;
                auto mine = options_;
                mine.context = &own;
                if (program->run(mine, used) && own.said.size() == 1) ++ran;
            }
        });
    threads.clear();
    EXPECT_EQ(ran, 2000);
}

#ifndef LOQA_SANITIZED  // sanitizers need more address space than is left here

// Exits with 0 when all went well.
[[noreturn]] void run_in_a_small_address_space() {
    const rlimit small{.rlim_cur = 700 * mebibyte, .rlim_max = 700 * mebibyte};
    ::setrlimit(RLIMIT_AS, &small);
    auto made = engine::start({.cache = {}, .max_guests = 64}, functions, telemetry::logger::silent());
    if (!made || (*made)->pooled()) std::_Exit(1);
    heard own;
    usage used;
    const run_options options{.entrypoint = "run", .environment = {}, .limits = {}, .context = &own, .stop = {}};
    auto loaded = (*made)->load(assemble(greeter).value());
    if (!loaded || !(*loaded)->run(options, used)) std::_Exit(2);
    std::_Exit(own.said.size() == 1 ? 0 : 3);
}

TEST(EngineWithoutPool, WorksAsWell) {
    testing::GTEST_FLAG(death_test_style) = "threadsafe";
    EXPECT_EXIT(run_in_a_small_address_space(), testing::ExitedWithCode(0), "");
}

#endif

#ifndef LOQA_SANITIZED
std::size_t resident_bytes() {
    std::ifstream statm("/proc/self/statm");
    std::size_t all = 0, resident = 0;
    statm >> all >> resident;
    return resident * 4096;
}

TEST_F(Engine, MemoryIsFlatAfterAHundredThousandInvocations) {
    const auto code = load(R"((module (import "host" "say" (func $say (param i32 i32)))
      (memory (export "memory") 4) (data (i32.const 0) "hello")
      (func (export "run") (i32.store (i32.const 200000) (i32.const 7)) (call $say (i32.const 0) (i32.const 5)))))");
    const auto run = [&](int times) {
        for (int i = 0; i < times; ++i) {
            heard to;
            usage used;
            ASSERT_TRUE(
                code->run({.entrypoint = "run", .environment = {}, .limits = {}, .context = &to, .stop = {}}, used));
        }
    };
    run(2000);
    const auto before = resident_bytes();
    run(100'000);
    EXPECT_LT(resident_bytes(), before + mebibyte);
}
#endif

TEST_F(Engine, ATableGrowsToItsLimitAndNoFarther) {
    const auto code = load(R"((module (import "host" "say" (func $say (param i32 i32)))
      (memory (export "memory") 1) (table $t 1 funcref)
      (func (export "run")
        (loop $l (br_if $l (i32.ne (table.grow $t (ref.null func) (i32.const 1000)) (i32.const -1))))
        (i32.store (i32.const 0) (table.size $t))
        (call $say (i32.const 0) (i32.const 4)))))");
    heard to;
    usage used;
    ASSERT_TRUE(code->run({.entrypoint = "run", .environment = {}, .limits = {}, .context = &to, .stop = {}}, used));
    ASSERT_EQ(to.said.size(), 1U);
    std::uint32_t size = 0;
    std::memcpy(&size, to.said[0].data(), sizeof size);
    EXPECT_LE(size, run_limits{}.table_elements);
    EXPECT_GE(size, run_limits{}.table_elements / 2);
}

}  // namespace
}  // namespace loqa::skills
