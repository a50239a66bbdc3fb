#include "loqa/skills/engine.hpp"

#include <algorithm>
#include <array>
#include <condition_variable>
#include <cstring>
#include <ctime>
#include <mutex>
#include <thread>

#include <fmt/ranges.h>
#include <sys/mman.h>
#include <wasmtime.h>

#include "loqa/base/ids.hpp"
#include "loqa/base/process.hpp"
#include "loqa/base/text.hpp"

namespace loqa::skills {
namespace {

// The header says nothing of the values of C's enums.
constexpr std::uint8_t extern_function = 0;
constexpr std::uint8_t extern_memory = 3;
constexpr std::uint8_t valtype_i32 = 0;
constexpr std::uint8_t valtype_i64 = 1;
constexpr std::uint8_t optimise_for_speed = 1;
constexpr std::uint8_t deadline_continue = 0;

constexpr std::string_view wasi_module = "wasi_snapshot_preview1";
constexpr std::string_view command_start = "_start";
constexpr std::string_view reactor_start = "_initialize";
constexpr std::size_t guest_stack_bytes = 512 * 1024;
constexpr std::size_t kept_resident_bytes = 256 * 1024;  // of a pooled memory, cleared by hand instead of by the kernel
constexpr std::size_t max_cached_modules = 64;
constexpr std::size_t max_subscriptions = 64;  // of one poll_oneoff

template <class T, void (*Delete)(T*)>
struct deleter {
    void operator()(T* what) const { Delete(what); }
};
template <class T, void (*Delete)(T*)>
using owned = std::unique_ptr<T, deleter<T, Delete>>;

using owned_engine = owned<wasm_engine_t, wasm_engine_delete>;
using owned_error = owned<wasmtime_error_t, wasmtime_error_delete>;
using owned_trap = owned<wasm_trap_t, wasm_trap_delete>;
using owned_module = owned<wasmtime_module_t, wasmtime_module_delete>;
using owned_linker = owned<wasmtime_linker_t, wasmtime_linker_delete>;
using owned_instance_pre = owned<wasmtime_instance_pre_t, wasmtime_instance_pre_delete>;
using owned_store = owned<wasmtime_store_t, wasmtime_store_delete>;
using owned_function_type = owned<wasm_functype_t, wasm_functype_delete>;

struct byte_vector : wasm_byte_vec_t {
    byte_vector() : wasm_byte_vec_t{} {}
    ~byte_vector() { wasm_byte_vec_delete(this); }
    byte_vector(const byte_vector&) = delete;
    byte_vector& operator=(const byte_vector&) = delete;
    std::string_view view() const { return {reinterpret_cast<const char*>(data), size}; }
};

// The header has no const.
char* chars(std::string_view text) { return const_cast<char*>(text.data()); }
std::uint8_t* module_octets(std::string_view text) {
    return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));
}

// wasmtime's own words for a cause, without the stack below it.
std::string first_line(std::string_view text) {
    const auto end = text.find('\n');
    return std::string(trim(text.substr(0, end)));
}

std::string words(const owned_error& of) {
    byte_vector text;
    wasmtime_error_message(of.get(), &text);
    // "error while executing at …" comes first, the cause last.
    if (const auto at = text.view().rfind("Caused by:"); at != std::string_view::npos)
        return first_line(trim(text.view().substr(at + std::string_view("Caused by:").size())));
    return first_line(text.view());
}

std::string trap_words(std::uint8_t code) {
    static constexpr std::array names = {"stack overflow",
                                         "access outside its memory",
                                         "misaligned access",
                                         "access outside its table",
                                         "call of a null function",
                                         "call of a function of another type",
                                         "integer overflow",
                                         "division by zero",
                                         "conversion of a number that does not fit",
                                         "unreachable code (an abort or a panic)",
                                         "interrupt"};
    return code < names.size() ? names[code] : fmt::format("trap {}", code);
}

microseconds thread_cpu_time() {
    timespec now{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return std::chrono::duration_cast<microseconds>(std::chrono::seconds(now.tv_sec) +
                                                    std::chrono::nanoseconds(now.tv_nsec));
}

// ── What a module says of itself
// ──────────────────────────────────────────────────────────────────────────────────────

std::string_view value_name(std::uint8_t kind) {
    static constexpr std::array<std::string_view, 4> names = {"i32", "i64", "f32", "f64"};
    return kind < names.size() ? names[kind] : "reference";
}

std::string values(const wasm_valtype_vec_t& of) {
    std::vector<std::string_view> out;
    for (std::size_t i = 0; i < of.size; ++i) out.push_back(value_name(wasm_valtype_kind(of.data[i])));
    return fmt::format("{}", fmt::join(out, ", "));
}

std::string type_text(wasm_externtype_t* of) {
    static constexpr std::array<std::string_view, 5> kinds = {"", "global", "table", "memory", "tag"};
    const auto kind = wasm_externtype_kind(of);
    if (kind != extern_function) return std::string(kind < kinds.size() ? kinds[kind] : "unknown");
    auto* function = wasm_externtype_as_functype(of);
    const auto arguments = values(*wasm_functype_params(function));
    const auto results = values(*wasm_functype_results(function));
    return fmt::format("({}){}{}", arguments, results.empty() ? "" : " -> ", results);
}

std::string text_of(const wasm_name_t* name) { return {reinterpret_cast<const char*>(name->data), name->size}; }

module_facts facts_of(wasmtime_module_t* module) {
    module_facts facts;
    wasm_importtype_vec_t imports{};
    wasmtime_module_imports(module, &imports);
    for (std::size_t i = 0; i < imports.size; ++i) {
        auto* one = imports.data[i];
        facts.imports.push_back({text_of(wasm_importtype_module(one)), text_of(wasm_importtype_name(one)),
                                 type_text(wasm_importtype_type(one))});
    }
    wasm_importtype_vec_delete(&imports);
    wasm_exporttype_vec_t exports{};
    wasmtime_module_exports(module, &exports);
    for (std::size_t i = 0; i < exports.size; ++i) {
        auto* one = exports.data[i];
        facts.exports.emplace_back(text_of(wasm_exporttype_name(one)), type_text(wasm_exporttype_type(one)));
    }
    wasm_exporttype_vec_delete(&exports);
    return facts;
}

// A function type from its text, "(i32, i64) -> i32".
owned_function_type function_type_of(std::string_view text) {
    const auto make = [](std::string_view list) {
        std::vector<wasm_valtype_t*> kinds;
        for (const auto& word : split(list, ','))
            if (const auto name = trim(word); !name.empty())
                kinds.push_back(wasm_valtype_new(name == "i64" ? valtype_i64 : valtype_i32));
        wasm_valtype_vec_t out{};
        wasm_valtype_vec_new(&out, kinds.size(), kinds.data());
        return out;
    };
    const auto close = text.find(')');
    auto arguments = make(text.substr(1, close - 1));
    const auto arrow = text.find("->");
    auto results = make(arrow == std::string_view::npos ? std::string_view() : text.substr(arrow + 2));
    return owned_function_type(wasm_functype_new(&arguments, &results));
}

// ── A guest while it runs
// ─────────────────────────────────────────────────────────────────────────────────────────────

struct running {
    void* context = nullptr;
    steady_time deadline{};
    microseconds cpu_limit{}, cpu_at_start{};
    milliseconds wall_limit{};
    std::stop_token stop;
    std::optional<error> why;  // why the host ended it
    std::string output;
    usage* used = nullptr;

    // What must end the guest now, if anything.
    std::optional<error> overdue() const {
        if (stop.stop_requested()) return fail(errc::cancelled, "the host ends").error();
        if (std::chrono::steady_clock::now() >= deadline)
            return fail(errc::timed_out, "it ran longer than its {} ms", wall_limit.count()).error();
        if (thread_cpu_time() - cpu_at_start >= cpu_limit)
            return fail(errc::timed_out, "it used more than its {} ms of processor time",
                        std::chrono::duration_cast<milliseconds>(cpu_limit).count())
                .error();
        return std::nullopt;
    }
};

class guest_call final : public guest {
public:
    guest_call(wasmtime_caller_t* caller, wasmtime_val_raw_t* values, std::size_t count)
        : values_(values, count), context_(wasmtime_caller_context(caller)) {
        wasmtime_extern_t found;
        has_memory_ = wasmtime_caller_export_get(caller, chars("memory"), 6, &found) && found.kind == extern_memory;
        if (has_memory_) memory_ = found.of.memory;
    }

    std::uint32_t u32(std::size_t argument) const override { return static_cast<std::uint32_t>(values_[argument].i32); }
    std::uint64_t u64(std::size_t argument) const override { return static_cast<std::uint64_t>(values_[argument].i64); }

    std::optional<std::string_view> bytes(std::uint32_t at, std::uint32_t size) const override {
        if (auto found = const_cast<guest_call*>(this)->room(at, size))
            return std::string_view(found->data(), found->size());
        return std::nullopt;
    }
    std::optional<std::span<char>> room(std::uint32_t at, std::uint32_t size) override {
        if (!has_memory_) return std::nullopt;
        if (std::uint64_t{at} + size > wasmtime_memory_data_size(context_, &memory_)) return std::nullopt;
        return std::span(reinterpret_cast<char*>(wasmtime_memory_data(context_, &memory_)) + at, size);
    }

    void answer(std::int32_t value) override {
        values_[0] = {};
        values_[0].i32 = value;
    }
    void answer_u64(std::uint64_t value) override { values_[0].i64 = static_cast<std::int64_t>(value); }

    void* context() const override { return state().context; }
    steady_time deadline() const override { return state().deadline; }
    const std::stop_token& stop() const override { return state().stop; }

    running& state() const { return *static_cast<running*>(wasmtime_context_get_data(context_)); }

private:
    std::span<wasmtime_val_raw_t> values_;
    wasmtime_context_t* context_;
    wasmtime_memory_t memory_{};
    bool has_memory_ = false;
};

// Every import comes through here. A trap is handed back as a number because that is how the header has it.
std::size_t call_host(void* function, wasmtime_caller_t* caller, wasmtime_val_raw_t* values, std::size_t count) {
    guest_call call(caller, values, count);
    const auto& target = *static_cast<const host_function*>(function);
    if (auto done = target.call(call); !done) {
        call.state().why = std::move(done).error();
        return reinterpret_cast<std::size_t>(wasmtime_trap_new(chars("host"), 4));
    }
    return 0;
}

std::size_t on_tick(wasmtime_context_t*, void* data, std::uint64_t* more_ticks, std::uint8_t* kind) {
    auto& state = *static_cast<running*>(data);
    if (auto why = state.overdue()) {
        state.why = std::move(why);
        return reinterpret_cast<std::size_t>(wasmtime_error_new(chars("interrupted")));
    }
    *more_ticks = 1;
    *kind = deadline_continue;
    return 0;
}

// ── The two functions of WASI that are ours
// ───────────────────────────────────────────────────────────────────────────

template <class T>
T load(std::span<const char> from, std::size_t at) {
    T value;
    std::memcpy(&value, from.data() + at, sizeof value);
    return value;
}
template <class T>
void save(std::span<char> to, std::size_t at, T value) {
    std::memcpy(to.data() + at, &value, sizeof value);
}

constexpr std::int32_t wasi_ok = 0;
constexpr std::int32_t wasi_bad_descriptor = 8;
constexpr std::int32_t wasi_fault = 21;
constexpr std::int32_t wasi_invalid = 28;

// Output is kept for the audit, as far as it fits; the rest is taken and forgotten.
result<void> fd_write(guest& from) {
    auto& output = static_cast<guest_call&>(from).state().output;
    if (from.u32(0) != 1 && from.u32(0) != 2) return from.answer(wasi_bad_descriptor), result<void>();
    const auto pieces = from.u32(2);
    const auto vectors = pieces > 1024 ? std::nullopt : from.bytes(from.u32(1), pieces * 8);
    const auto written = from.room(from.u32(3), 4);
    if (!vectors || !written) return from.answer(wasi_fault), result<void>();
    std::uint32_t total = 0;
    for (std::size_t i = 0; i < pieces; ++i) {
        const auto text = from.bytes(load<std::uint32_t>(*vectors, i * 8), load<std::uint32_t>(*vectors, i * 8 + 4));
        if (!text) return from.answer(wasi_fault), result<void>();
        total += static_cast<std::uint32_t>(text->size());
        output += text->substr(0, max_output_bytes - output.size());
    }
    save(*written, 0, total);
    from.answer(wasi_ok);
    return {};
}

// wasmtime's own would sleep where no epoch reaches it.
result<void> poll_oneoff(guest& from) {
    constexpr std::size_t subscription_bytes = 48;
    constexpr std::size_t event_bytes = 32;
    const auto count = from.u32(2);
    if (count == 0 || count > max_subscriptions) return from.answer(wasi_invalid), result<void>();
    const auto wanted = from.bytes(from.u32(0), count * subscription_bytes);
    const auto events = from.room(from.u32(1), count * event_bytes);
    const auto event_count = from.room(from.u32(3), 4);
    if (!wanted || !events || !event_count) return from.answer(wasi_fault), result<void>();

    const auto now = std::chrono::steady_clock::now();
    const auto wall_now = std::chrono::system_clock::now();
    std::vector<std::optional<steady_time>> due(count);  // nothing: a descriptor, which is always ready
    auto wake = steady_time::max();
    for (std::size_t i = 0; i < count; ++i) {
        const auto one = wanted->substr(i * subscription_bytes, subscription_bytes);
        if (load<std::uint8_t>(one, 8) != 0) {
            wake = now;
            continue;
        }
        const auto clock = load<std::uint32_t>(one, 16);
        const auto timeout = load<std::uint64_t>(one, 24);
        const bool absolute = (load<std::uint16_t>(one, 40) & 1) != 0;
        // No guest sleeps for longer than a day, so that no sum below overflows.
        constexpr std::uint64_t day = std::chrono::nanoseconds(std::chrono::days(1)).count();
        std::uint64_t from_now = timeout;
        if (absolute) {
            const auto reference = clock == 0 ? wall_now.time_since_epoch() : now.time_since_epoch();
            const auto passed = static_cast<std::uint64_t>(std::chrono::nanoseconds(reference).count());
            from_now = timeout > passed ? timeout - passed : 0;
        }
        due[i] = now + std::chrono::nanoseconds(std::min(from_now, day));
        wake = std::min(wake, *due[i]);
    }
    if (wake > now) {
        std::mutex mutex;
        std::condition_variable_any stopped;
        std::unique_lock lock(mutex);
        stopped.wait_until(lock, from.stop(), std::min(wake, from.deadline()), [] { return false; });
        if (auto why = static_cast<guest_call&>(from).state().overdue()) return failure(std::move(*why));
    }
    std::uint32_t happened = 0;
    for (std::size_t i = 0; i < count; ++i) {
        if (due[i] && *due[i] > wake) continue;
        const auto one = wanted->substr(i * subscription_bytes, subscription_bytes);
        const auto event = events->subspan(happened * event_bytes, event_bytes);
        const auto user_data = load<std::uint64_t>(one, 0);
        const auto kind = load<std::uint8_t>(one, 8);
        std::ranges::fill(event, '\0');
        save(event, 0, user_data);
        save(event, 10, kind);
        ++happened;
    }
    save(*event_count, 0, happened);
    from.answer(wasi_ok);
    return {};
}

constexpr host_function own_wasi[] = {
    {wasi_module, "fd_write", "(i32, i32, i32, i32) -> i32", &fd_write},
    {wasi_module, "poll_oneoff", "(i32, i32, i32, i32) -> i32", &poll_oneoff},
};

// ── The engine
// ────────────────────────────────────────────────────────────────────────────────────────────────────────

// What engine and programs share.
class core {
public:
    core(engine_options with, owned_engine made, bool is_pooled)
        : options(std::move(with)), handle(std::move(made)), pooled(is_pooled) {
        ticker_ = std::thread([this] { tick(); });
    }
    ~core() {
        {
            std::lock_guard lock(mutex_);
            ending_ = true;
        }
        changed_.notify_all();
        ticker_.join();
    }
    core(const core&) = delete;
    core& operator=(const core&) = delete;

    // The ticker runs only while a guest does, so that an idle machine sleeps.
    void guest_begins() {
        std::lock_guard lock(mutex_);
        ++guests_;
        if (std::exchange(resting_, false)) changed_.notify_all();
    }
    void guest_ended() {
        std::lock_guard lock(mutex_);
        --guests_;
    }

    const engine_options options;
    const owned_engine handle;
    const bool pooled;

private:
    void tick() {
        name_this_thread("skill-ticks");
        std::unique_lock lock(mutex_);
        while (!ending_) {
            if (guests_ == 0) {
                resting_ = true;
                changed_.wait(lock, [this] { return ending_ || !resting_; });
                continue;
            }
            changed_.wait_for(lock, options.tick, [this] { return ending_; });
            wasmtime_engine_increment_epoch(handle.get());
        }
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    std::size_t guests_ = 0;
    bool resting_ = false;  // the ticker, until a guest wakes it
    bool ending_ = false;
    std::thread ticker_;
};

class compiled_program final : public program {
public:
    compiled_program(std::shared_ptr<core> on, module_facts about, owned_module module, owned_instance_pre linked)
        : core_(std::move(on)), facts_(std::move(about)), module_(std::move(module)), linked_(std::move(linked)) {}

    const module_facts& facts() const override { return facts_; }

    result<void> run(const run_options& with, usage& used) const override {
        for (const auto& [name, value] : with.environment)
            if (value.find('\0') != std::string::npos)
                return fail(errc::invalid_message, "{} has a byte 0 in it, which no environment variable can have",
                            name);
        running state{.context = with.context,
                      .deadline = std::chrono::steady_clock::now() + with.limits.wall,
                      .cpu_limit = with.limits.cpu,
                      .cpu_at_start = thread_cpu_time(),
                      .wall_limit = with.limits.wall,
                      .stop = with.stop,
                      .why = {},
                      .output = {},
                      .used = &used};
        const auto began = std::chrono::steady_clock::now();
        core_->guest_begins();
        auto done = run_in_store(with, state);
        core_->guest_ended();
        used.wall = std::chrono::duration_cast<microseconds>(std::chrono::steady_clock::now() - began);
        used.cpu = thread_cpu_time() - state.cpu_at_start;
        used.output = std::move(state.output);
        return done;
    }

private:
    enum class ending : std::uint8_t { returned, left };

    result<void> run_in_store(const run_options& with, running& state) const {
        const owned_store store(wasmtime_store_new(core_->handle.get(), &state, nullptr));
        auto* context = wasmtime_store_context(store.get());
        wasmtime_store_limiter(store.get(), static_cast<std::int64_t>(with.limits.memory_bytes),
                               static_cast<std::int64_t>(with.limits.table_elements), 1, 4, 1);
        wasmtime_context_set_epoch_deadline(context, 1);
        wasmtime_store_epoch_deadline_callback(store.get(), &on_tick, &state, nullptr);
        if (auto given = give_environment(context, with.environment); !given) return given;

        wasmtime_instance_t instance;
        wasm_trap_t* trap = nullptr;
        const owned_error failed(wasmtime_instance_pre_instantiate(linked_.get(), context, &instance, &trap));
        auto ended = judge(failed, owned_trap(trap), state);
        if (!ended) return fail(std::move(ended));
        auto done = call_in_order(context, instance, with, state);

        wasmtime_extern_t memory;
        if (wasmtime_instance_export_get(context, &instance, chars("memory"), 6, &memory) &&
            memory.kind == extern_memory)
            state.used->memory_bytes = wasmtime_memory_data_size(context, &memory.of.memory);
        return done;
    }

    static result<void> give_environment(wasmtime_context_t* context,
                                         std::span<const std::pair<std::string_view, std::string>> environment) {
        std::vector<char*> names, contents;
        std::vector<std::string> keys;
        keys.reserve(environment.size());
        for (const auto& [name, value] : environment) {
            names.push_back(keys.emplace_back(name).data());
            contents.push_back(chars(value));
        }
        auto* wasi = wasi_config_new();
        char* program_name = chars("skill");
        wasi_config_set_argv(wasi, 1, &program_name);
        const bool taken = wasi_config_set_env(wasi, names.size(), names.data(), contents.data());
        const owned_error failed(wasmtime_context_set_wasi(context, wasi));
        if (!taken || failed)
            return fail(errc::invalid_message, "the message is not UTF-8 and cannot be handed to a skill");
        return {};
    }

    result<void> call_in_order(wasmtime_context_t* context, wasmtime_instance_t& instance, const run_options& with,
                               running& state) const {
        const auto entrypoint = with.entrypoint;
        for (const auto name : {reactor_start, command_start, entrypoint}) {
            if (with.self_test && name == command_start) continue;
            if (name == entrypoint && (name == command_start || name == reactor_start)) continue;
            wasmtime_extern_t function;
            if (!wasmtime_instance_export_get(context, &instance, chars(name), name.size(), &function) ||
                function.kind != extern_function)
                continue;
            alignas(16) std::array<wasmtime_val_raw_t, 16> values{};  // room for what it returns
            wasm_trap_t* trap = nullptr;
            const owned_error failed(
                wasmtime_func_call_unchecked(context, &function.of.func, values.data(), values.size(), &trap));
            auto ended = judge(failed, owned_trap(trap), state);
            if (!ended) return fail(std::move(ended));
            if (*ended == ending::left) return {};
            if (with.self_test && name == entrypoint && values[0].i32 != 0)
                return fail(errc::engine_failed, "{} answered {}", name, values[0].i32);
        }
        return {};
    }

    static result<ending> judge(const owned_error& failed, const owned_trap& trap, running& state) {
        if (!failed && !trap) return ending::returned;
        if (state.why) return failure(std::move(*state.why));
        if (int status = 0; failed && wasmtime_error_exit_status(failed.get(), &status)) {
            if (status == 0) return ending::left;
            return fail(errc::engine_failed, "it ended with exit code {}", status);
        }
        if (std::uint8_t code = 0; trap && wasmtime_trap_code(trap.get(), &code))
            return fail(errc::engine_failed, "it was ended by {}", trap_words(code));
        if (trap) {
            byte_vector text;
            wasm_trap_message(trap.get(), &text);
            return fail(errc::engine_failed, "it was ended: {}", first_line(text.view()));
        }
        auto cause = words(failed);
        if (cause.contains("memory minimum size") || cause.contains("memory index"))
            return fail(errc::too_long, "it asks for more memory at its start than its limit: {}", cause);
        return fail(errc::engine_failed, "it could not be started: {}", cause);
    }

    const std::shared_ptr<core> core_;
    const module_facts facts_;
    const owned_module module_;
    const owned_instance_pre linked_;
};

// Whether the kernel would give that much address space. wasmtime ends the process when it does not.
bool address_space_is_there(std::size_t bytes) {
    void* at = ::mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) return false;
    ::munmap(at, bytes);
    return true;
}

wasm_config_t* make_config(const engine_options& with, bool pooled) {
    auto* config = wasm_config_new();
    wasmtime_config_epoch_interruption_set(config, true);
    wasmtime_config_cranelift_opt_level_set(config, optimise_for_speed);
    wasmtime_config_parallel_compilation_set(config, false);
    wasmtime_config_max_wasm_stack_set(config, guest_stack_bytes);
    // Handlers for SIGSEGV and its like belong to the whole process: bounds are checked in the code instead, which also
    // spares the guard pages that the address space of a small board has no room for.
    wasmtime_config_signals_based_traps_set(config, false);
    wasmtime_config_memory_init_cow_set(config, true);
    wasmtime_config_memory_reservation_set(config, with.max_memory_bytes);
    wasmtime_config_memory_reservation_for_growth_set(config, 0);
    wasmtime_config_memory_guard_size_set(config, 0);
    // What no skill's compiler emits unasked is off. Threads first: their wait blocks where no epoch reaches it.
    wasmtime_config_wasm_threads_set(config, false);
    wasmtime_config_wasm_memory64_set(config, false);
    wasmtime_config_wasm_multi_memory_set(config, false);
    wasmtime_config_wasm_relaxed_simd_set(config, false);
    wasmtime_config_wasm_gc_set(config, false);
    wasmtime_config_wasm_function_references_set(config, false);
    wasmtime_config_wasm_exceptions_set(config, false);
    wasmtime_config_wasm_stack_switching_set(config, false);
    if (!pooled) return config;
    auto* pool = wasmtime_pooling_allocation_config_new();
    wasmtime_pooling_allocation_config_total_memories_set(pool, with.max_guests);
    wasmtime_pooling_allocation_config_total_tables_set(pool, with.max_guests * 4);
    wasmtime_pooling_allocation_config_total_core_instances_set(pool, with.max_guests);
    wasmtime_pooling_allocation_config_total_stacks_set(pool, 0);
    wasmtime_pooling_allocation_config_total_gc_heaps_set(pool, 0);
    wasmtime_pooling_allocation_config_max_tables_per_module_set(pool, 4);
    wasmtime_pooling_allocation_config_table_elements_set(pool, run_limits{}.table_elements);
    wasmtime_pooling_allocation_config_max_core_instance_size_set(pool, mebibyte);
    wasmtime_pooling_allocation_config_max_memory_size_set(pool, with.max_memory_bytes);
    wasmtime_pooling_allocation_config_linear_memory_keep_resident_set(pool, kept_resident_bytes);
    wasmtime_pooling_allocation_config_table_keep_resident_set(pool, 64 * 1024);
    wasmtime_pooling_allocation_strategy_set(config, pool);
    wasmtime_pooling_allocation_config_delete(pool);
    return config;
}

class wasmtime_engine final : public engine {
public:
    wasmtime_engine(std::shared_ptr<core> on, std::span<const host_function> functions, telemetry::logger log)
        : core_(std::move(on)),
          functions_(functions),
          log_(std::move(log)),
          linker_(wasmtime_linker_new(core_->handle.get())) {}

    result<void> link() {
        owned_error failed(wasmtime_linker_define_wasi(linker_.get()));
        wasmtime_linker_allow_shadowing(linker_.get(), true);
        for (const auto functions : {std::span<const host_function>(own_wasi), functions_})
            for (const auto& one : functions) {
                if (failed) break;
                const auto type = function_type_of(one.signature);
                failed.reset(wasmtime_linker_define_func_unchecked(
                    linker_.get(), chars(one.module), one.module.size(), chars(one.name), one.name.size(), type.get(),
                    &call_host, const_cast<host_function*>(&one), nullptr));
            }
        if (failed) return fail(errc::internal, "skills: the host's functions cannot be linked: {}", words(failed));
        return {};
    }

    result<module_facts> inspect(std::string_view wasm) override {
        auto module = open(wasm);
        if (!module) return fail(std::move(module));
        return facts_of(module->get());
    }

    result<std::shared_ptr<const program>> load(std::string_view wasm) override {
        auto module = open(wasm);
        if (!module) return fail(std::move(module));
        auto facts = facts_of(module->get());
        if (auto known = check_imports(facts); !known) return fail(std::move(known));
        wasmtime_instance_pre_t* linked = nullptr;
        std::lock_guard lock(linking_);
        const owned_error failed(wasmtime_linker_instantiate_pre(linker_.get(), module->get(), &linked));
        if (failed) return fail(errc::not_permitted, "the module does not fit this host: {}", words(failed));
        return std::make_shared<compiled_program>(core_, std::move(facts), std::move(*module),
                                                  owned_instance_pre(linked));
    }

    bool pooled() const override { return core_->pooled; }

private:
    result<void> check_imports(const module_facts& facts) const {
        for (const auto& wanted : facts.imports) {
            if (wanted.module == wasi_module) continue;  // known when linking
            const auto same = [&](const host_function& f) {
                return f.module == wanted.module && f.name == wanted.name;
            };
            const auto found = std::ranges::find_if(functions_, same);
            if (found == functions_.end())
                return fail(errc::not_permitted, "the module imports {}.{}, which no skill is given", wanted.module,
                            wanted.name);
            if (found->signature != wanted.type)
                return fail(errc::not_permitted, "the module imports {}.{} as {}, but it is {}", wanted.module,
                            wanted.name, wanted.type, found->signature);
        }
        return {};
    }

    result<owned_module> open(std::string_view wasm) {
        if (wasm.size() > max_module_bytes)
            return fail(errc::too_long, "the module has {} bytes, the limit is {}", wasm.size(), max_module_bytes);
        const auto place = place_in_cache(wasm);
        std::error_code ec;
        wasmtime_module_t* module = nullptr;
        if (!place.empty() && fs::exists(place, ec)) {
            const owned_error failed(
                wasmtime_module_deserialize_file(core_->handle.get(), chars(place.native()), &module));
            if (!failed) return owned_module(module);
            log_.debug("{} is compiled anew: {}", place.string(), words(failed));
        }
        const owned_error failed(wasmtime_module_new(core_->handle.get(), module_octets(wasm), wasm.size(), &module));
        if (failed) return fail(errc::invalid_argument, "not a WebAssembly module: {}", words(failed));
        owned_module made(module);
        if (!place.empty()) keep(place, made.get());
        return made;
    }

    // Another wasmtime, or one set up in another way, refuses the file when it opens it.
    fs::path place_in_cache(std::string_view wasm) const {
        if (core_->options.cache.empty()) return {};
        return core_->options.cache / (sha256_hex(std::as_bytes(std::span(wasm))) + ".cwasm");
    }

    void keep(const fs::path& place, wasmtime_module_t* module) const {
        byte_vector bytes;
        const owned_error failed(wasmtime_module_serialize(module, &bytes));
        if (failed) return;
        if (auto written = write_file_atomically(place, bytes.view(), 0600); !written) log_.warn(written.error());
        std::vector<std::pair<fs::file_time_type, fs::path>> all;
        std::error_code ec;
        for (const auto& entry : fs::directory_iterator(core_->options.cache, ec))
            all.emplace_back(entry.last_write_time(ec), entry.path());
        if (all.size() <= max_cached_modules) return;
        std::ranges::sort(all);
        for (const auto& [time, path] : std::span(all).first(all.size() - max_cached_modules)) fs::remove(path, ec);
    }

    const std::shared_ptr<core> core_;
    const std::span<const host_function> functions_;
    const telemetry::logger log_;
    std::mutex linking_;
    const owned_linker linker_;
};

}  // namespace

result<std::unique_ptr<engine>> engine::start(engine_options with, std::span<const host_function> functions,
                                              telemetry::logger log) {
    if (!with.cache.empty())
        if (auto made = make_writable_folder(with.cache, 0700); !made) return fail(std::move(made));
    // Memories and, a fraction of them, tables.
    const bool pooled = address_space_is_there(with.max_guests * with.max_memory_bytes * 5 / 4);
    if (!pooled)
        log.info("skills: the address space is too small for a pool of {} memories; each guest gets its own",
                 with.max_guests);
    owned_engine handle(wasm_engine_new_with_config(make_config(with, pooled)));
    if (!handle) return fail(errc::engine_failed, "skills: wasmtime does not start");
    auto shared = std::make_shared<core>(std::move(with), std::move(handle), pooled);
    auto made = std::make_unique<wasmtime_engine>(std::move(shared), functions, std::move(log));
    if (auto linked = made->link(); !linked) return fail(std::move(linked));
    return made;
}

result<std::string> assemble(std::string_view text) {
    byte_vector binary;
    const owned_error failed(wasmtime_wat2wasm(chars(text), text.size(), &binary));
    if (failed) return fail(errc::invalid_argument, "not WebAssembly text: {}", words(failed));
    return std::string(binary.view());
}

}  // namespace loqa::skills
