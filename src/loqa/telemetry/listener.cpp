#include "loqa/telemetry/listener.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <list>
#include <optional>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loqa/base/process.hpp"
#include "loqa/telemetry/http_head.hpp"

namespace loqa::telemetry {

namespace {

constexpr std::size_t max_head_bytes = 16 * 1024;

class file {
public:
    explicit file(int fd = -1) : fd_(fd) {}
    ~file() {
        if (fd_ >= 0) ::close(fd_);
    }
    file(file&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    file& operator=(file&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    int fd() const { return fd_; }

private:
    int fd_;
};

std::string printable_address(std::string_view host, int port) {
    if (host.empty()) return fmt::format("all interfaces, port {}", port);
    return host.contains(':') ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

int bound_port(int fd) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
    return ntohs(address.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(address).sin6_port
                                               : reinterpret_cast<sockaddr_in&>(address).sin_port);
}

failure cannot_listen(const listener_options& options, int number) {
    const std::string where = printable_address(options.host, options.port);
    if (number == EADDRINUSE) {
        return fail(errc::already_exists, "{} is taken by another program (configured by {})", where, options.key)
            .hint("set {} to another port, or to port 0 for any free one; who has it: ss -ltnp 'sport = :{}'",
                  options.key, options.port);
    }
    auto failed =
        fail(errc::io_failed, "cannot listen on {} (configured by {}): {}", where, options.key, errno_text(number));
    if (number == EACCES) return std::move(failed).hint("set {} to a port above 1023", options.key);
    if (number == EADDRNOTAVAIL) return std::move(failed).hint("set {} to an address of this machine", options.key);
    return failed;
}

// A listening socket, or errno.
std::expected<file, int> listen_on(const addrinfo& at) {
    file socket(::socket(at.ai_family, at.ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, at.ai_protocol));
    if (socket.fd() < 0) return std::unexpected(errno);
    const int on = 1;
    const int off = 0;
    // Without it a restart fails for a minute, while connections of the last run are remembered by the system.
    ::setsockopt(socket.fd(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (at.ai_family == AF_INET6) ::setsockopt(socket.fd(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (::bind(socket.fd(), at.ai_addr, at.ai_addrlen) != 0 || ::listen(socket.fd(), SOMAXCONN) != 0) {
        return std::unexpected(errno);
    }
    return socket;
}

result<file> open_socket(const listener_options& options) {
    addrinfo hints{};
    hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const int failed = ::getaddrinfo(options.host.empty() ? nullptr : options.host.c_str(),
                                     std::to_string(options.port).c_str(), &hints, &found);
    if (failed != 0) {
        return fail(errc::invalid_config, "cannot listen on {} (configured by {}): {}",
                    printable_address(options.host, options.port), options.key, ::gai_strerror(failed))
            .hint("set {} to an address of this machine, such as 127.0.0.1", options.key);
    }
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> all(found, &::freeaddrinfo);

    // Of all interfaces, IPv6's stands for both families and is tried first.
    std::vector<const addrinfo*> candidates;
    for (const addrinfo* at = found; at; at = at->ai_next) {
        const bool first = options.host.empty() && at->ai_family == AF_INET6;
        candidates.insert(first ? candidates.begin() : candidates.end(), at);
    }
    int number = EADDRNOTAVAIL;
    for (const addrinfo* at : candidates) {
        auto socket = listen_on(*at);
        if (socket) return std::move(*socket);
        number = socket.error();
        // A name's other address would hide from the user that the one they meant is taken.
        if (number == EADDRINUSE) break;
    }
    return cannot_listen(options, number);
}

std::string_view reason_of(int status) {
    switch (status) {
        case 200:
            return "OK";
        case 201:
            return "Created";
        case 202:
            return "Accepted";
        case 204:
            return "No Content";
        case 400:
            return "Bad Request";
        case 401:
            return "Unauthorized";
        case 403:
            return "Forbidden";
        case 404:
            return "Not Found";
        case 405:
            return "Method Not Allowed";
        case 408:
            return "Request Timeout";
        case 409:
            return "Conflict";
        case 411:
            return "Length Required";
        case 413:
            return "Content Too Large";
        case 429:
            return "Too Many Requests";
        case 431:
            return "Request Header Fields Too Large";
        case 500:
            return "Internal Server Error";
        case 501:
            return "Not Implemented";
        case 503:
            return "Service Unavailable";
        case 504:
            return "Gateway Timeout";
        case 505:
            return "HTTP Version Not Supported";
        default:
            return "Status";
    }
}

std::string to_wire(const response& answer, bool with_body) {
    std::string wire = fmt::format(
        "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nCache-Control: no-store\r\n"
        "X-Content-Type-Options: nosniff\r\nConnection: close\r\n",
        answer.status, reason_of(answer.status), answer.content_type, answer.body.size());
    if (!answer.allow.empty()) fmt::format_to(std::back_inserter(wire), "Allow: {}\r\n", answer.allow);
    wire += "\r\n";
    if (with_body) wire += answer.body;
    return wire;
}

// One connection's socket, with the deadline of what is being done on it. `ending` is readable once the server stops.
class peer {
public:
    peer(file socket, int ending) : socket_(std::move(socket)), ending_(ending) {}

    enum class outcome { done, closed, late, stopped };

    // Appends what is there, waiting for at least a byte.
    outcome read_some(std::string& to, std::size_t at_most, steady_time deadline) {
        std::array<char, 16 * 1024> chunk;
        for (;;) {
            const ssize_t n = ::recv(socket_.fd(), chunk.data(), std::min(at_most, chunk.size()), 0);
            if (n > 0) {
                to.append(chunk.data(), static_cast<std::size_t>(n));
                return outcome::done;
            }
            if (n == 0) return outcome::closed;
            if (errno == EINTR) continue;
            if (errno != EAGAIN) return outcome::closed;
            if (const auto waited = wait(POLLIN, deadline, true); waited != outcome::done) return waited;
        }
    }

    // A stop of the server does not cut an answer short.
    outcome write_all(std::string_view what, steady_time deadline) {
        while (!what.empty()) {
            const ssize_t n = ::send(socket_.fd(), what.data(), what.size(), MSG_NOSIGNAL);
            if (n > 0) {
                what.remove_prefix(static_cast<std::size_t>(n));
                continue;
            }
            if (n < 0 && errno == EINTR) continue;
            if (n < 0 && errno != EAGAIN) return outcome::closed;
            if (const auto waited = wait(POLLOUT, deadline, false); waited != outcome::done) return waited;
        }
        return outcome::done;
    }

    // Says that nothing more comes and takes in what the other side still sends, since closing on unread input would
    // throw away the answer before it is read.
    void finish() {
        ::shutdown(socket_.fd(), SHUT_WR);
        const steady_time deadline = std::chrono::steady_clock::now() + seconds(1);
        std::string ignored;
        while (ignored.size() < (1u << 20) && read_some(ignored, 16 * 1024, deadline) == outcome::done) {
        }
    }

private:
    outcome wait(short events, steady_time deadline, bool ends) {
        for (;;) {
            std::array<pollfd, 2> watched{{{socket_.fd(), events, 0}, {ending_, POLLIN, 0}}};
            const auto left = std::chrono::ceil<milliseconds>(deadline - std::chrono::steady_clock::now()).count();
            if (left <= 0) return outcome::late;
            const int ready =
                ::poll(watched.data(), ends ? 2 : 1, static_cast<int>(std::min<std::int64_t>(left, 60'000)));
            if (ready < 0 && errno != EINTR) return outcome::closed;
            if (ready > 0 && watched[0].revents != 0) return outcome::done;
            if (ready > 0 && watched[1].revents != 0) return outcome::stopped;
        }
    }

    file socket_;
    int ending_;
};

class running final : public listener {
public:
    running(listener_options options, std::function<response(const request&)> answer, file socket, file ending_read,
            file ending_write)
        : options_(std::move(options)),
          answer_(std::move(answer)),
          socket_(std::move(socket)),
          ending_read_(std::move(ending_read)),
          ending_write_(std::move(ending_write)),
          port_(bound_port(socket_.fd())),
          acceptor_([this] { accept_connections(); }) {}

    ~running() override {
        ending_write_ = file();  // its reading end becomes readable, for every thread and for good
        acceptor_.join();
    }

    int port() const override { return port_; }
    std::string url() const override {
        return fmt::format("http://{}", printable_address(options_.host.empty() ? "127.0.0.1" : options_.host, port_));
    }

private:
    struct worker {
        std::atomic<bool> done = false;
        std::jthread thread;  // joined before `done` goes away
    };

    void accept_connections() {
        name_this_thread("http");
        std::list<worker> workers;
        while (wait_for_connection()) {
            const int fd = ::accept4(socket_.fd(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
            if (fd < 0) {
                // Out of file descriptors: the connection stays in the queue, so poll() alone would spin.
                if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) pause();
                continue;
            }
            peer connection(file(fd), ending_read_.fd());
            std::erase_if(workers, [](const worker& w) { return w.done.load(); });
            if (workers.size() >= options_.max_connections) {
                // Fits the socket's empty buffer, so this never waits.
                connection.write_all(to_wire(refusal(503, "Too many connections."), true),
                                     std::chrono::steady_clock::now());
                continue;
            }
            worker& next = workers.emplace_back();
            try {
                next.thread = std::jthread([this, &next, moved = std::move(connection)]() mutable {
                    serve(moved);
                    next.done = true;
                });
            } catch (const std::system_error&) {
                workers.pop_back();  // no more threads to be had: the connection is closed without an answer
            }
        }
    }

    bool wait_for_connection() {
        std::array<pollfd, 2> watched{{{socket_.fd(), POLLIN, 0}, {ending_read_.fd(), POLLIN, 0}}};
        while (::poll(watched.data(), watched.size(), -1) < 0 && errno == EINTR) {
        }
        return watched[1].revents == 0;
    }

    void pause() {
        pollfd watched{ending_read_.fd(), POLLIN, 0};
        ::poll(&watched, 1, 100);
    }

    void serve(peer& connection) {
        using enum peer::outcome;
        const steady_time deadline = std::chrono::steady_clock::now() + options_.request_time;
        bool with_body = true;
        const auto send = [&](const response& answer) {
            const steady_time until = std::chrono::steady_clock::now() + options_.request_time;
            if (connection.write_all(to_wire(answer, with_body), until) == done) connection.finish();
        };
        const auto send_why_not = [&](peer::outcome why) {
            if (why == late) send(refusal(408, "The request took too long to arrive."));
        };

        std::string in;
        std::size_t head_end = std::string::npos;
        while ((head_end = in.find("\r\n\r\n")) == std::string::npos) {
            if (in.size() >= max_head_bytes) return send(refusal(431, "The headers are too long."));
            const auto got = connection.read_some(in, max_head_bytes, deadline);
            if (got != done) return send_why_not(got);
            // Such as a TLS greeting, whose sender would wait for an answer to it.
            if (in[0] < 'A' || in[0] > 'Z') return send(refusal(400, "This is no HTTP."));
        }
        auto what = parse_head(std::string_view(in).substr(0, head_end));
        if (!what) return send(what.error());
        if (what->body_bytes > options_.max_request_bytes) {
            return send(refusal(413, fmt::format("At most {} bytes.", options_.max_request_bytes)));
        }
        if (what->what.method == "HEAD") {
            with_body = false;
            what->what.method = "GET";
        }
        if (what->expects_continue && connection.write_all("HTTP/1.1 100 Continue\r\n\r\n", deadline) != done) return;
        std::string body = in.substr(head_end + 4);
        while (body.size() < what->body_bytes) {
            const auto got = connection.read_some(body, what->body_bytes - body.size(), deadline);
            if (got != done) return send_why_not(got);
        }
        body.resize(what->body_bytes);
        what->what.body = std::move(body);
        send(answer_(what->what));
    }

    const listener_options options_;
    const std::function<response(const request&)> answer_;
    const file socket_;
    const file ending_read_;
    file ending_write_;
    const int port_;
    std::jthread acceptor_;
};

}  // namespace

result<std::unique_ptr<listener>> listener::start(listener_options options,
                                                  std::function<response(const request&)> answer) {
    auto socket = open_socket(options);
    if (!socket) return fail(std::move(socket));
    std::array<int, 2> ending{};
    if (::pipe2(ending.data(), O_CLOEXEC) != 0) {
        return fail(errc::io_failed, "cannot make a pipe for {}: {}", options.key, errno_text(errno));
    }
    return std::make_unique<running>(std::move(options), std::move(answer), std::move(*socket), file(ending[0]),
                                     file(ending[1]));
}

}  // namespace loqa::telemetry
