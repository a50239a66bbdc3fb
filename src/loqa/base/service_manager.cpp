#include "loqa/base/service_manager.hpp"

#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace loqa {
namespace {

// A path, or a name that is none (Linux's abstract sockets), which begins with @. Zero: there is none, or it is too
// long.
socklen_t fill(sockaddr_un& to, std::string_view address) {
    to.sun_family = AF_UNIX;
    if (address.empty() || address.size() >= sizeof to.sun_path) return 0;
    std::memcpy(to.sun_path, address.data(), address.size());
    if (address.front() == '@') to.sun_path[0] = '\0';
    return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address.size());
}

std::int64_t number(std::string_view text) {
    std::int64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

std::string take_variable(const char* name) {
    const char* found = std::getenv(name);
    std::string value = found != nullptr ? found : "";
    ::unsetenv(name);
    return value;
}

}  // namespace

service_manager service_manager::from_environment() {
    service_manager made;
    const auto inherited = number(take_variable(report::socket_variable));
    made.address_ = take_variable("NOTIFY_SOCKET");
    const auto patience = number(take_variable(report::patience_variable));
    made.times_held_ = static_cast<int>(number(take_variable(report::held_variable)));
    made.times_hung_ = static_cast<int>(number(take_variable(report::hung_variable)));
    const auto whose = number(take_variable("WATCHDOG_PID"));
    if (inherited > STDERR_FILENO && ::fcntl(static_cast<int>(inherited), F_SETFD, FD_CLOEXEC) == 0) {
        made.socket_ = static_cast<int>(inherited);
        made.address_.clear();
    } else if (!made.address_.empty()) {
        made.socket_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    }
    if (made.socket_ >= 0 && patience > 0 && (whose == 0 || whose == ::getpid()))
        made.patience_ = std::chrono::duration_cast<milliseconds>(std::chrono::microseconds(patience));
    return made;
}

service_manager::service_manager(service_manager&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)),
      address_(std::move(other.address_)),
      patience_(other.patience_),
      times_held_(other.times_held_),
      times_hung_(other.times_hung_) {}

service_manager::~service_manager() {
    if (socket_ >= 0) ::close(socket_);
}

void service_manager::tell(std::string_view state) const {
    if (socket_ < 0) return;
    sockaddr_un to{};
    const auto length = fill(to, address_);
    // Who does not read what it is told is not waited for.
    ::sendto(socket_, state.data(), state.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
             length != 0 ? reinterpret_cast<const sockaddr*>(&to) : nullptr, length);
}

}  // namespace loqa
