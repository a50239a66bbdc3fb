#include "loqa/telemetry/trace.hpp"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "loqa/base/ids.hpp"

namespace loqa::telemetry {

namespace {

// Lower-case hex of the given length and not all zeros, as W3C wants ids to be.
bool is_id(std::string_view text, std::size_t digits) {
    return text.size() == digits && text.find_first_not_of("0123456789abcdef") == std::string_view::npos &&
           text.find_first_not_of('0') != std::string_view::npos;
}

bool is_hex(std::string_view text) { return text.find_first_not_of("0123456789abcdef") == std::string_view::npos; }

}  // namespace

std::optional<trace_context> parse_traceparent(std::string_view header) {
    // version-trace-span-flags: 2, 32, 16 and 2 digits. A later version may add to the end, after another dash.
    constexpr std::size_t length = 55;
    if (header.size() < length || header[2] != '-' || header[35] != '-' || header[52] != '-') return std::nullopt;
    const auto version = header.substr(0, 2);
    const auto flags = header.substr(53, 2);
    if (!is_hex(version) || version == "ff" || !is_hex(flags)) return std::nullopt;
    if (header.size() > length && (version == "00" || header[length] != '-')) return std::nullopt;

    trace_context context{std::string(header.substr(3, 32)), std::string(header.substr(36, 16))};
    if (!is_id(context.trace_id, 32) || !is_id(context.span_id, 16)) return std::nullopt;
    const char last = flags[1];
    context.sampled = ((last <= '9' ? last - '0' : last - 'a' + 10) & 1) != 0;
    return context;
}

std::string to_traceparent(const trace_context& context) {
    return fmt::format("00-{}-{}-{}", context.trace_id, context.span_id, context.sampled ? "01" : "00");
}

trace_context new_trace() { return {random_hex(16), random_hex(8)}; }

namespace {

std::int64_t to_us(wall_time time) { return std::chrono::duration_cast<microseconds>(time.time_since_epoch()).count(); }

wall_time from_us(std::int64_t us) { return wall_time(microseconds(us)); }

}  // namespace

std::string span_to_json(const span& from) {
    nlohmann::ordered_json json{
        {"trace_id", from.trace_id}, {"span_id", from.span_id}, {"parent_span_id", from.parent_span_id},
        {"name", from.name},         {"process", from.process}, {"start_us", to_us(from.start)},
        {"end_us", to_us(from.end)}};
    auto& attributes = json["attributes"] = nlohmann::ordered_json::object();
    for (const auto& [key, value] : from.attributes) attributes[key] = value;
    if (from.failed) {
        json["failed"] = true;
        json["status_message"] = from.status_message;
    }
    return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

result<span> span_from_json(std::string_view text) {
    // Without exceptions: a value of the wrong type is as good as none, and then the checks below speak.
    const auto json = nlohmann::ordered_json::parse(text, nullptr, false);
    if (!json.is_object()) return fail(errc::invalid_message, "a span is no JSON object ({} bytes)", text.size());
    const auto word = [&](const char* key) {
        const auto found = json.find(key);
        return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
    };
    const auto time = [&](const char* key) -> std::optional<wall_time> {
        const auto found = json.find(key);
        if (found == json.end() || !found->is_number_integer()) return std::nullopt;
        const auto us = found->get<std::int64_t>();
        // Beyond this nanoseconds since 1970 do not fit their 64 bits (year 2262).
        if (us < 0 || us > std::chrono::duration_cast<microseconds>(wall_time::duration::max()).count())
            return std::nullopt;
        return from_us(us);
    };

    span read;
    read.trace_id = word("trace_id");
    read.span_id = word("span_id");
    read.parent_span_id = word("parent_span_id");
    read.name = word("name");
    read.process = word("process");
    const auto start = time("start_us");
    const auto end = time("end_us");
    const auto lacks = [](std::string_view field) {
        return fail(errc::invalid_message, "a span has no valid {}", field);
    };
    if (!is_id(read.trace_id, 32)) return lacks("trace_id");
    if (!is_id(read.span_id, 16)) return lacks("span_id");
    if (!read.parent_span_id.empty() && !is_id(read.parent_span_id, 16)) return lacks("parent_span_id");
    if (read.name.empty()) return lacks("name");
    if (!start) return lacks("start_us");
    if (!end) return lacks("end_us");
    read.start = *start;
    read.end = *end;
    if (const auto found = json.find("attributes"); found != json.end() && found->is_object()) {
        for (const auto& [key, value] : found->items()) {
            if (value.is_string()) read.attributes.emplace_back(key, value.get<std::string>());
        }
    }
    const auto failed = json.find("failed");
    read.failed = failed != json.end() && failed->is_boolean() && failed->get<bool>();
    read.status_message = word("status_message");
    return read;
}

timed_span::timed_span(tracer& tracer, const clock& clock, std::string name)
    : timed_span(tracer, clock, std::move(name), trace_context{random_hex(16), {}}) {}

timed_span::timed_span(tracer& tracer, const clock& clock, std::string name, const trace_context& parent)
    : tracer_(&tracer),
      clock_(&clock),
      context_{parent.trace_id, random_hex(8), parent.sampled},
      started_(clock.steady()) {
    span_.trace_id = context_.trace_id;
    span_.span_id = context_.span_id;
    span_.parent_span_id = parent.span_id;
    span_.name = std::move(name);
    span_.start = clock.wall();
}

timed_span::~timed_span() { end(); }

timed_span::timed_span(timed_span&& other) noexcept
    : tracer_(std::exchange(other.tracer_, nullptr)),
      clock_(other.clock_),
      context_(std::move(other.context_)),
      started_(other.started_),
      span_(std::move(other.span_)) {}

timed_span& timed_span::operator=(timed_span&& other) noexcept {
    if (this == &other) return *this;
    end();
    tracer_ = std::exchange(other.tracer_, nullptr);
    clock_ = other.clock_;
    context_ = std::move(other.context_);
    started_ = other.started_;
    span_ = std::move(other.span_);
    return *this;
}

void timed_span::set(std::string key, std::string value) {
    span_.attributes.emplace_back(std::move(key), std::move(value));
}

void timed_span::fail(std::string why) {
    span_.failed = true;
    span_.status_message = std::move(why);
}

void timed_span::end() {
    if (!tracer_) return;
    // Not the wall clock at the end: it may have been set meanwhile.
    span_.end = span_.start + std::chrono::duration_cast<wall_time::duration>(clock_->steady() - started_);
    tracer* const to = std::exchange(tracer_, nullptr);
    if (context_.sampled) to->record(std::move(span_));
}

}  // namespace loqa::telemetry
