// A client that sends just the bytes it is told to, for tests of servers. Not thread-safe.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <utility>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace loqa::raw_http {

class connection {
public:
    explicit connection(int port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port = htons(static_cast<std::uint16_t>(port));
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        const timeval patience{10, 0};  // of a test that would otherwise hang
        ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        connected_ = ::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0;
    }
    ~connection() { ::close(fd_); }
    connection(const connection&) = delete;
    connection& operator=(const connection&) = delete;

    bool connected() const { return connected_; }

    // False when the other side no longer takes it.
    bool send(std::string_view bytes) {
        while (!bytes.empty()) {
            const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (n <= 0) return false;
            bytes.remove_prefix(static_cast<std::size_t>(n));
        }
        return true;
    }

    // All that comes until the other side closes.
    std::string read_all() {
        std::string all;
        std::array<char, 4096> chunk;
        for (ssize_t n; (n = ::recv(fd_, chunk.data(), chunk.size(), 0)) > 0;) all.append(chunk.data(), n);
        return all;
    }

private:
    int fd_;
    bool connected_;
};

struct answer {
    int status = 0;  // 0: there was none
    std::string head;
    std::string body;
};

inline answer parse_answer(const std::string& bytes) {
    answer read;
    if (bytes.starts_with("HTTP/1.1 ")) read.status = std::stoi(bytes.substr(9, 3));
    const auto end = bytes.find("\r\n\r\n");
    read.head = bytes.substr(0, end);
    if (end != std::string::npos) read.body = bytes.substr(end + 4);
    return read;
}

inline answer talk(int port, std::string_view bytes) {
    connection to(port);
    to.send(bytes);
    return parse_answer(to.read_all());
}

inline answer get(int port, std::string_view path) {
    return talk(port, fmt::format("GET {} HTTP/1.1\r\nHost: test\r\n\r\n", path));
}

}  // namespace loqa::raw_http
