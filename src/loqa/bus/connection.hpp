// The bus: one connection to NATS a process.
//
// connect() makes the first connection or fails; from then on it is kept for ever: lost connections come back with
// jittered retries, and so do subscriptions. Every function may be called from any thread. A handler runs on a thread
// of its subscription, one call at a time: while it runs, the later messages of that subscription wait and those of all
// others do not. So it does only what is soon done, and puts the rest in a queue of its own; the end of its
// subscription waits for it. Messages that a handler is too slow for are dropped, newest first, and counted in
// loqa_bus_dropped_total. A handler must not end its own subscription, nor throw.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "loqa/base/clock.hpp"
#include "loqa/base/result.hpp"
#include "loqa/protocol/turn_headers.hpp"
#include "loqa/telemetry/log.hpp"
#include "loqa/telemetry/metrics.hpp"

namespace loqa::config {
struct bus_settings;
}

namespace loqa::bus {

using protocol::headers;

struct message {
    std::string subject;
    std::string reply;  // where an answer is expected; empty when none is
    protocol::headers headers;
    std::string payload;
};

struct options {
    std::vector<std::string> servers;  // nats://host:port or tls://host:port
    std::string name;                  // of this client, as the server shows it
    std::string username, password, token;
    bool tls_insecure = false;
    std::filesystem::path tls_ca, tls_cert, tls_key;
    milliseconds connect_timeout{2000};
    milliseconds ping_interval{5000};
    std::size_t pending_messages = 4096;  // bound of each subscription's queue
};

// What the configuration says of an outer server; for the private one its owner sets servers, username and password.
options options_from(const config::bus_settings& settings, std::string name);

// Ends the subscription when destroyed; no call of its handler is running or will start after that.
class subscription {
public:
    virtual ~subscription() = default;
};

using handler = std::function<void(message)>;

// A message that the server keeps until it was worked on. Whoever lets one go without a word leaves it to come again
// after the queue's patience. Safe from any thread.
class work_item {
public:
    virtual ~work_item() = default;
    virtual const message& what() const = 0;    // without a reply: the server has answered for it
    virtual const std::string& id() const = 0;  // the same each time that it comes
    virtual int attempt() const = 0;            // 1 the first time
    virtual void keep() = 0;                    // it is still worked on: patience begins anew
    virtual result<void> done() = 0;            // it is gone from the queue
    virtual result<void> again(milliseconds after) = 0;
};

struct work_options {
    std::string name;  // letters, digits, - and _; of this name there is one queue for all processes
    std::vector<std::string> subjects;
    milliseconds patience{10'000};
    std::size_t max_bytes = 64u << 20;  // beyond that the server takes no more
};

// Messages on some subjects, each kept on the server's disk from the moment that it has it, and given to one of those
// who take. Ends its part in it when destroyed; what is kept stays.
class work_queue {
public:
    virtual ~work_queue() = default;
    // Up to `most`, as soon as there is one; none when there was none for so long.
    virtual result<std::vector<std::shared_ptr<work_item>>> take(int most, milliseconds timeout) = 0;
};

class connection {
public:
    virtual ~connection() = default;

    // Hands the message to the client library; it is on the wire within a millisecond. Fails with too_long above the
    // server's limit, with unavailable when the connection is down and the reconnect buffer is full.
    virtual result<void> publish(std::string_view subject, std::string_view payload, const headers& headers = {}) = 0;
    // The same for a message that asks: answers, or that nobody is there (no payload, header Status 503), come on
    // `reply`, which the caller has subscribed to.
    virtual result<void> publish_request(std::string_view subject, std::string_view reply, std::string_view payload,
                                         const headers& headers = {}) = 0;
    virtual result<void> respond(const message& request, std::string_view payload, const headers& headers = {}) = 0;

    // Every subscriber gets every message.
    virtual result<std::unique_ptr<subscription>> subscribe(std::string_view subject, handler on_message) = 0;
    // One subscriber of `group` gets each message.
    virtual result<std::unique_ptr<subscription>> subscribe(std::string_view subject, std::string_view group,
                                                            handler on_message) = 0;

    // Waits for one answer: timed_out, or unavailable when nobody listens on the subject.
    virtual result<message> request(std::string_view subject, std::string_view payload, milliseconds timeout,
                                    const headers& headers = {}) = 0;

    // already_exists when another queue has one of the subjects, unavailable where the server keeps nothing
    // (JetStream).
    virtual result<std::unique_ptr<work_queue>> work(const work_options& with) = 0;

    // Waits until the server has seen all that was published before.
    virtual result<void> flush(milliseconds timeout) = 0;

    virtual bool connected() const = 0;
    virtual std::string connected_url() const = 0;  // without credentials
};

enum class link {
    down,    // lost; it is being looked for
    up,      // back
    closed,  // for good, because the server refuses the credentials: only a new process can help
};
// Called on a thread of the library when the connection changes after connect().
using on_state_change = std::function<void(link)>;

result<std::unique_ptr<connection>> connect(options options, telemetry::logger log, telemetry::metrics& metrics,
                                            on_state_change on_change = {});

}  // namespace loqa::bus
