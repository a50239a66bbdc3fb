#include "loqa/telemetry/otlp_codec.hpp"

#include <charconv>
#include <map>

#include <protozero/pbf_reader.hpp>
#include <protozero/pbf_writer.hpp>

#include "loqa/telemetry/utf8.hpp"

namespace loqa::telemetry {

namespace {

using wire = protozero::pbf_wire_type;

// Field numbers of opentelemetry/proto/{collector/trace,trace,resource,common}/v1.
namespace export_request {
constexpr int resource_spans = 1;
}
namespace export_response {
constexpr int partial_success = 1;
}
namespace partial {
constexpr int rejected_spans = 1, error_message = 2;
}
namespace resource_spans {
constexpr int resource = 1, scope_spans = 2;
}
namespace resource_message {
constexpr int attributes = 1;
}
namespace scope_spans {
constexpr int scope = 1, spans = 2;
}
namespace scope {
constexpr int name = 1;
}
namespace span_message {
constexpr int trace_id = 1, span_id = 2, parent_span_id = 4, name = 5, kind = 6, start_ns = 7, end_ns = 8,
              attributes = 9, status = 15;
}
namespace status {
constexpr int message = 2, code = 3;
}
namespace key_value {
constexpr int key = 1, value = 2;
}
namespace any_value {
constexpr int string_value = 1;
}

constexpr int kind_internal = 1;
constexpr int code_error = 2;

std::string bytes_of_hex(std::string_view hex) {
    std::string bytes;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
        unsigned value = 0;
        std::from_chars(hex.data() + i, hex.data() + i + 2, value, 16);
        bytes += static_cast<char>(value);
    }
    return bytes;
}

std::uint64_t unix_ns(wall_time time) {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count());
}

// A receiver refuses the whole batch for one string that is not UTF-8.
void add_text(protozero::pbf_writer& to, int field, std::string_view text) {
    to.add_string(static_cast<protozero::pbf_tag_type>(field), to_valid_utf8(text));
}

protozero::pbf_writer nested(protozero::pbf_writer& in, int field) {
    return {in, static_cast<protozero::pbf_tag_type>(field)};
}

void add_attribute(protozero::pbf_writer& to, int field, std::string_view key, std::string_view value) {
    auto pair = nested(to, field);
    add_text(pair, key_value::key, key);
    auto any = nested(pair, key_value::value);
    add_text(any, any_value::string_value, value);
}

void add_span(protozero::pbf_writer& to, const span& from) {
    auto message = nested(to, scope_spans::spans);
    message.add_bytes(span_message::trace_id, bytes_of_hex(from.trace_id));
    message.add_bytes(span_message::span_id, bytes_of_hex(from.span_id));
    if (!from.parent_span_id.empty())
        message.add_bytes(span_message::parent_span_id, bytes_of_hex(from.parent_span_id));
    add_text(message, span_message::name, from.name);
    message.add_enum(span_message::kind, kind_internal);
    message.add_fixed64(span_message::start_ns, unix_ns(from.start));
    message.add_fixed64(span_message::end_ns, unix_ns(from.end));
    for (const auto& [key, value] : from.attributes) add_attribute(message, span_message::attributes, key, value);
    if (!from.failed) return;
    auto failure = nested(message, span_message::status);
    add_text(failure, status::message, from.status_message);
    failure.add_enum(status::code, code_error);
}

}  // namespace

std::string encode_otlp(const std::vector<span>& batch, const fields& resource) {
    std::map<std::string_view, std::vector<const span*>> by_process;
    for (const span& each : batch) by_process[each.process].push_back(&each);

    std::string bytes;
    protozero::pbf_writer request(bytes);
    for (const auto& [process, spans] : by_process) {
        auto group = nested(request, export_request::resource_spans);
        {
            auto described = nested(group, resource_spans::resource);
            add_attribute(described, resource_message::attributes, "service.name", process);
            for (const auto& [key, value] : resource)
                add_attribute(described, resource_message::attributes, key, value);
        }
        auto in_scope = nested(group, resource_spans::scope_spans);
        {
            auto instrumentation = nested(in_scope, scope_spans::scope);
            add_text(instrumentation, scope::name, "loqa");
        }
        for (const span* each : spans) add_span(in_scope, *each);
    }
    return bytes;
}

result<partial_success> decode_otlp_response(std::string_view body) {
    partial_success found;
    try {
        protozero::pbf_reader response(body.data(), body.size());
        // The reader asserts the wire type of what is taken; a field of another type is skipped like an unknown one.
        while (response.next(export_response::partial_success, wire::length_delimited)) {
            auto partly = response.get_message();
            while (partly.next()) {
                switch (partly.tag_and_type()) {
                    case protozero::tag_and_type(partial::rejected_spans, wire::varint):
                        found.rejected_spans = partly.get_int64();
                        break;
                    case protozero::tag_and_type(partial::error_message, wire::length_delimited):
                        found.message = partly.get_string();
                        break;
                    default:
                        partly.skip();
                }
            }
        }
    } catch (const protozero::exception& e) {
        return fail(errc::invalid_message, "an OTLP response of {} bytes cannot be read: {}", body.size(), e.what());
    }
    return found;
}

}  // namespace loqa::telemetry
