// What stands before the body of an HTTP/1.x request, read with no trust in it. Stateless: any thread.
#pragma once

#include <cstddef>
#include <expected>
#include <string_view>

#include "loqa/telemetry/listener.hpp"

namespace loqa::telemetry {

struct head {
    request what;
    std::size_t body_bytes = 0;
    bool expects_continue = false;
};

// `text` is the head without its last empty line. In the error's place: what to answer to one that cannot be served.
std::expected<head, response> parse_head(std::string_view text);

// An answer in plain words.
response refusal(int status, std::string_view why);

}  // namespace loqa::telemetry
