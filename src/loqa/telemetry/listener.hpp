// A small HTTP/1.1 server with limits: what /metrics and the http module stand on.
//
// One function answers every request, on worker threads, several at once; it must not throw. Its owner destroys it
// before what the function uses; destruction lets the requests in work end. A connection above the limit is answered
// 503 and closed, a request that is too big or too slow is refused, and neither costs the others more than a thread's
// moment.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "loqa/base/clock.hpp"
#include "loqa/base/result.hpp"

namespace loqa::telemetry {

struct request {
    std::string method;
    std::string path;  // decoded, without the query
    std::string query;
    std::string body;
};

struct response {
    int status = 200;
    std::string content_type = "application/json";
    std::string body;
    std::string allow;  // with 405: the methods that would do
};

struct listener_options {
    std::string host;  // address or name to listen on; empty: all interfaces
    int port = 0;      // 0: any free one
    std::string key;   // of the configuration, for the error when the address cannot be had
    std::size_t max_request_bytes = 1 << 20;
    milliseconds request_time{5000};  // from the first byte of a request to its last
    std::size_t max_connections = 64;
};

class listener {
public:
    // already_exists when the address is taken, io_failed when the system refuses it for another reason.
    static result<std::unique_ptr<listener>> start(listener_options options,
                                                   std::function<response(const request&)> answer);
    virtual ~listener() = default;

    virtual int port() const = 0;
    virtual std::string url() const = 0;  // http://host:port
};

}  // namespace loqa::telemetry
