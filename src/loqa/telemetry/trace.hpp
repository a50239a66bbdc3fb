// Traces: what one turn did, hop by hop, over all processes.
//
// A turn is one trace. Each hop makes a timed_span as a child of the context that came with the message, sends its own
// context on, and the finished span goes to the process's tracer, which hands it to its sinks in batches on threads of
// their own: nothing on the way of a turn waits for a trace. main owns the tracer, and shuts it down before what its
// sinks use goes away. Contexts and spans are values.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "loqa/base/clock.hpp"
#include "loqa/base/result.hpp"
#include "loqa/telemetry/log.hpp"
#include "loqa/telemetry/metrics.hpp"

namespace loqa::telemetry {

// W3C trace context: which trace, and which span of it is the parent of what comes next.
struct trace_context {
    std::string trace_id;  // 32 hex digits
    std::string span_id;   // 16 hex digits
    bool sampled = true;   // false: the sender wants no spans recorded
};

// Nothing when the header is not one, or names no trace (all zeros).
std::optional<trace_context> parse_traceparent(std::string_view header);
std::string to_traceparent(const trace_context& context);

// The context of a trace's root span.
trace_context new_trace();

struct span {
    std::string trace_id;
    std::string span_id;
    std::string parent_span_id;  // empty for a root
    std::string name;
    std::string process;
    wall_time start;
    wall_time end;
    fields attributes;
    bool failed = false;
    std::string status_message;  // why it failed
};

// A span as one JSON object: what the processes publish on the bus for `loqa trace`. Times in whole microseconds since
// 1970.
std::string span_to_json(const span& from);
result<span> span_from_json(std::string_view json);

// Where finished spans go. accept() is called by one thread at a time with 1 to tracer::batch_size spans; it may take
// its time, but returns soon once a stop is requested. An error says that the whole batch was lost.
class span_sink {
public:
    virtual ~span_sink() = default;
    virtual std::string_view name() const = 0;  // label in metrics and logs
    virtual result<void> accept(const std::vector<span>& batch, std::stop_token stop) = 0;
};

// Hands each batch to `deliver`, on the tracer's thread.
std::unique_ptr<span_sink> callback_sink(std::string name, std::function<void(const std::vector<span>&)> deliver);

struct otlp_options {
    std::string endpoint;   // http://host:4318, https://…, or host:port; "/v1/traces" is added
    bool insecure = false;  // for host:port without a scheme: plain HTTP instead of TLS
    fields resource;        // attributes of the process besides service.name, e.g. service.version
};

// Sends to an OpenTelemetry receiver: OTLP/HTTP with protobuf. Tries a batch up to four times over about two seconds
// when the receiver is away or overloaded. invalid_config when the endpoint cannot be read; that nobody listens there
// is no failure.
result<std::unique_ptr<span_sink>> otlp_sink(otlp_options options);

class tracer {
public:
    static constexpr std::size_t batch_size = 256;
    static constexpr std::size_t queue_capacity = 4096;  // for each sink; newer spans are dropped and counted
    static constexpr milliseconds batch_delay{100};      // how long the first span of a batch waits for others

    tracer(std::string process, std::vector<std::unique_ptr<span_sink>> sinks, metrics& metrics, const logger& log);
    ~tracer();  // as shutdown() with a second's time
    tracer(const tracer&) = delete;
    tracer& operator=(const tracer&) = delete;

    // Takes a finished span; fills in its process if empty. Never blocks.
    void record(span finished);

    // Delivers what was recorded until now, and ends the threads. What is left at the deadline is dropped and counted.
    // Later spans are dropped. (A sink that is just connecting to a host that swallows packets may take up to a second
    // more.)
    void shutdown(steady_time deadline);

private:
    class lane;

    const std::string process_;
    std::vector<std::unique_ptr<lane>> lanes_;
};

// A span from construction to end(), or destruction. Its duration comes from the monotonic clock. Used by one thread at
// a time; movable.
class timed_span {
public:
    // The root of a new trace.
    timed_span(tracer& tracer, const clock& clock, std::string name);
    timed_span(tracer& tracer, const clock& clock, std::string name, const trace_context& parent);
    ~timed_span();
    timed_span(timed_span&& other) noexcept;
    timed_span& operator=(timed_span&& other) noexcept;

    // For its children, here or, as a traceparent header, in another process.
    const trace_context& context() const { return context_; }

    void set(std::string key, std::string value);
    void fail(std::string why);

    // Records it; later calls do nothing.
    void end();

private:
    tracer* tracer_;  // null once ended, or moved from
    const clock* clock_;
    trace_context context_;
    steady_time started_;
    span span_;
};

}  // namespace loqa::telemetry
