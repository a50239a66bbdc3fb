// What a process and who runs it tell each other, in systemd's own protocol (sd_notify): that it is ready, and, again
// and again, that it is alive. systemd speaks it to a unit of the type notify with a WatchdogSec, and `loqa up` to its
// children. Linux's own calls, as in process.cpp.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "loqa/base/clock.hpp"

namespace loqa {

namespace report {
inline constexpr std::string_view ready = "READY=1", alive = "WATCHDOG=1", stopping = "STOPPING=1";
// Where the inherited socket is.
inline constexpr const char* socket_variable = "LOQA_NOTIFY_FD";
inline constexpr const char* patience_variable = "WATCHDOG_USEC";
// How often processes before this one were ended because a signal held them, or because they hung.
inline constexpr const char *held_variable = "LOQA_TIMES_HELD", *hung_variable = "LOQA_TIMES_HUNG";
}  // namespace report

// Who runs this process. tell() is safe from any thread.
class service_manager {
public:
    // As the environment names it; that is taken out of it, since it is not for the children. Call it before there are
    // other threads.
    static service_manager from_environment();

    service_manager(service_manager&&) noexcept;
    service_manager& operator=(service_manager&&) = delete;
    ~service_manager();

    // One of report's. Nothing happens when nobody wants to know.
    void tell(std::string_view state) const;

    // After so long without report::alive the process is taken for one that hangs; nothing where nobody looks.
    std::optional<milliseconds> patience() const { return patience_; }

    // How often it ended this process's predecessors, as far as it says.
    int times_held() const { return times_held_; }
    int times_hung() const { return times_hung_; }

private:
    service_manager() = default;

    int socket_ = -1;
    std::string address_;  // empty: the socket has its other end
    std::optional<milliseconds> patience_;
    int times_held_ = 0, times_hung_ = 0;
};

}  // namespace loqa
