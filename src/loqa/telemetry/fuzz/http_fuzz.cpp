// Heads of requests, answers of a collector and trace headers from anybody.
//
// The first byte says which; scripts/fuzz.sh builds and runs this with libFuzzer.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "loqa/telemetry/http_head.hpp"
#include "loqa/telemetry/otlp_codec.hpp"
#include "loqa/telemetry/trace.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace loqa::telemetry;
    if (size == 0) return 0;
    const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
    switch (data[0] % 3) {
        case 0: {
            const auto read = parse_head(rest);
            if (read && !read->what.path.starts_with('/')) std::abort();
            if (!read && read.error().status < 400) std::abort();
            break;
        }
        case 1:
            (void)decode_otlp_response(rest);
            break;
        default:
            if (const auto trace = parse_traceparent(rest))
                if (!parse_traceparent(to_traceparent(*trace))) std::abort();  // what we say ourselves we understand
    }
    return 0;
}
