// The two messages of OTLP/HTTP that a sender of traces needs, as protobuf. Internal to the module; stateless.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "loqa/base/result.hpp"
#include "loqa/telemetry/trace.hpp"

namespace loqa::telemetry {

// An ExportTraceServiceRequest: the spans under a resource for each process, which is its service.name, with `resource`
// as further attributes.
std::string encode_otlp(const std::vector<span>& batch, const fields& resource);

// What an ExportTraceServiceResponse says of a request that was received, but not taken whole.
struct partial_success {
    std::int64_t rejected_spans = 0;
    std::string message;
};

result<partial_success> decode_otlp_response(std::string_view body);

}  // namespace loqa::telemetry
