// WebAssembly, contained.
//
// An engine is made once for a process: it compiles modules (or takes them compiled from its cache), and stops guests
// that use more than they were given. A program is one module, ready to run: each run() is a guest of its own with
// fresh memory, so nothing leaks from one to the next. Both are safe from any thread; a program may outlive its engine.
// A guest runs on the caller's thread, and reaches nothing but the functions it was linked with: no files, no network,
// no environment but the one given.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "loqa/base/clock.hpp"
#include "loqa/base/files.hpp"
#include "loqa/base/result.hpp"
#include "loqa/telemetry/log.hpp"

namespace loqa::skills {

inline constexpr std::size_t mebibyte = 1024 * 1024;
inline constexpr std::size_t max_module_bytes = 32 * mebibyte;
inline constexpr std::size_t max_output_bytes = 4096;  // of what a guest writes to its standard output and error

// A guest in the middle of a call into the host. Valid for that call only.
class guest {
public:
    virtual ~guest() = default;

    virtual std::uint32_t u32(std::size_t argument) const = 0;
    virtual std::uint64_t u64(std::size_t argument) const = 0;

    // `size` bytes of the guest's memory; nothing when they are not all inside it.
    virtual std::optional<std::string_view> bytes(std::uint32_t at, std::uint32_t size) const = 0;
    virtual std::optional<std::span<char>> room(std::uint32_t at, std::uint32_t size) = 0;

    virtual void answer(std::int32_t value) = 0;
    virtual void answer_u64(std::uint64_t value) = 0;

    virtual void* context() const = 0;  // run_options::context
    virtual steady_time deadline() const = 0;
    virtual const std::stop_token& stop() const = 0;
};

// What a module may import. An error ends the guest and is what run() then returns.
struct host_function {
    std::string_view module, name;
    std::string_view signature;  // "(i32, i32) -> i32"
    result<void> (*call)(guest& from) = nullptr;
    std::string_view needs = {};  // what a manifest must have for a module to import it; empty: nothing
    bool waits = false;           // for somebody else, who may take his time
};

struct import {
    std::string module, name;
    std::string type;  // "(i32, i32) -> i32", or memory, table, global, tag
    bool operator==(const import&) const = default;
};

struct module_facts {
    std::vector<import> imports;
    std::vector<std::pair<std::string, std::string>> exports;  // name and type

    std::string_view type_of_export(std::string_view name) const;  // empty when there is none
};

struct run_limits {
    milliseconds wall{30'000};  // sleeping and waiting included
    milliseconds cpu{30'000};
    std::size_t memory_bytes = 32 * mebibyte;
    std::size_t table_elements = 100'000;
};

struct run_options {
    std::string_view entrypoint;  // called last, where it is exported
    std::span<const std::pair<std::string_view, std::string>> environment;
    run_limits limits;
    void* context = nullptr;
    std::stop_token stop;
    bool self_test = false;  // `_start` is left out, and another answer of the entrypoint than 0 is a failure
};

struct usage {
    microseconds wall{}, cpu{};
    std::size_t memory_bytes = 0;  // what the guest's memory grew to
    std::string output;            // the beginning of what it wrote to its standard output and error
};

class program {
public:
    virtual ~program() = default;
    virtual const module_facts& facts() const = 0;

    // Runs `_initialize` or `_start`, whichever there is, and then the entrypoint unless the guest has ended itself.
    // timed_out past one of the times, too_long for more memory at the start than allowed, cancelled when asked to
    // stop, engine_failed when it trapped or ended with another exit code than 0; else what a host function returned.
    // `used` is filled in every case.
    virtual result<void> run(const run_options& with, usage& used) const = 0;
};

struct engine_options {
    fs::path cache;            // for compiled modules; who can write there can run code here. Empty: none
    unsigned max_guests = 16;  // at the same time; more are slower to start, or fail
    std::size_t max_memory_bytes = 64 * mebibyte;
    milliseconds tick{10};  // how exact the times in run_limits are
};

class engine {
public:
    // `functions` must live as long as the engine and its programs.
    static result<std::unique_ptr<engine>> start(engine_options with, std::span<const host_function> functions,
                                                 telemetry::logger log);
    virtual ~engine() = default;

    // What a module imports and exports; invalid_argument when it is no module that could be compiled.
    virtual result<module_facts> inspect(std::string_view wasm) = 0;

    // not_permitted when it imports what is not there, naming that. Compiling takes about a second for each megabyte;
    // from the cache it takes less than a millisecond.
    virtual result<std::shared_ptr<const program>> load(std::string_view wasm) = 0;

    // Whether guests get their memory from a pool, which is faster; where the address space is too small for it they
    // do without.
    virtual bool pooled() const = 0;
};

// A module written as WebAssembly text, in binary form.
result<std::string> assemble(std::string_view text);

}  // namespace loqa::skills
