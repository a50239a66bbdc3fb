// HTTP for skills: requests to what a manifest lists, and to nothing else.
//
// Every address is checked when its socket is made, after the name was looked up: a name that leads into the house is
// not followed unless it was listed as such, whatever it led to a moment before. A redirect is a request like the
// first. Certificates are checked. Each request has a connection of its own. Safe from any thread; a call blocks its
// caller.
#pragma once

#include <functional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "loqa/base/clock.hpp"
#include "loqa/base/files.hpp"
#include "loqa/base/result.hpp"

namespace loqa::skills {

// One entry of http.allow.
struct http_grant {
    std::string scheme, host;  // in lower case
    int port = 0;
    std::string path;          // how a path must begin, a whole part of it at least; "/" is any
    bool private_too = false;  // addresses inside the house as well
};

// "https://host[:port][/path]". An address as numbers, and localhost, are inside the house if they say so themselves.
result<http_grant> parse_grant(std::string_view url, bool private_too);

struct http_header {
    std::string name, value;
    bool keep_to_host = false;  // not sent on to another scheme, host or port
};

struct http_request {
    std::string method, url;
    std::vector<http_header> headers;
    std::string_view body;
    milliseconds timeout{5000};
    std::size_t max_bytes = 0;  // of all that comes: heads and body
};

struct http_response {
    int status = 0;
    std::string url;                                           // after redirects
    std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
    std::string body;
};

struct http_client_options {
    fs::path certificates;  // trusted beside the system's; empty: none
};

// not_permitted: not granted, itself or a redirect or the address it leads to; invalid_argument: not a request;
// unavailable: no connection, or its certificate does not hold; too_long, timed_out, cancelled as they say.
result<http_response> http_fetch(const http_client_options& with, std::span<const http_grant> grants,
                                 const http_request& what, const std::stop_token& stop);

// Whether an IP address, as text, is inside the house: private, local, or for no single machine.
bool inside_the_house(std::string_view address);

}  // namespace loqa::skills
