// The HTTP front door of loqad.
//
// Answers /healthz (the process is alive) and /readyz (every component can do its work), and the routes it is given. It
// knows nothing of sessions: what it serves comes as functions, which are called on its worker threads, several at
// once, and must not throw. main owns it and destroys it before what its routes use; destruction waits for requests in
// work.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "loqa/base/clock.hpp"
#include "loqa/base/result.hpp"
#include "loqa/telemetry/listener.hpp"
#include "loqa/telemetry/log.hpp"

namespace loqa::http {

using telemetry::request;
using telemetry::response;

// One part of the process, as /readyz shows it.
struct component {
    std::string name;
    std::string state;   // one word, e.g. ready, starting, missing
    std::string detail;  // for people; may be empty
};

struct readiness {
    bool ready = false;
    std::vector<component> components;
};

struct route {
    std::string method;  // GET, POST, PUT or DELETE
    std::string path;    // whole, e.g. /api/v1/timers; a last segment of * stands for anything below
    std::function<response(const request&)> answer;
};

struct options {
    std::string bind = "127.0.0.1";
    int port = 8080;  // 0: any free one
    std::size_t max_request_bytes = 1 << 20;
    milliseconds request_time{5000};  // from the first byte of a request to its last
    std::size_t max_connections = 64;
};

// {"error":{"code":…,"message":…,"hint":…}} with the status that the code stands for.
response error_response(const error& failed);

class server {
public:
    // already_exists when the address is taken, io_failed when the system refuses it for another reason.
    static result<std::unique_ptr<server>> start(options options, std::function<readiness()> ready,
                                                 std::vector<route> routes = {});
    virtual ~server() = default;

    virtual int port() const = 0;
    virtual std::string url() const = 0;  // http://host:port
};

}  // namespace loqa::http
