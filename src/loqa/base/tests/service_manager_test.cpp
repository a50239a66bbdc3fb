// What a process tells who runs it, over systemd's socket and over the one that it inherits.
#include "loqa/base/service_manager.hpp"

#include <cstdlib>
#include <cstring>

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "loqa/base/bounded_queue.hpp"
#include "loqa/base/files.hpp"
#include "loqa/base/ids.hpp"
#include "loqa/base/process.hpp"

namespace loqa {
namespace {

steady_time after(milliseconds wait) { return std::chrono::steady_clock::now() + wait; }

TEST(ServiceManager, IsToldOverTheSocketThatSystemdNames) {
    const auto path = fs::temp_directory_path() / ("loqa_notify_" + random_hex(8));
    const int listener = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_un at{};
    at.sun_family = AF_UNIX;
    std::strncpy(at.sun_path, path.c_str(), sizeof at.sun_path - 1);
    ASSERT_EQ(::bind(listener, reinterpret_cast<const sockaddr*>(&at), sizeof at), 0);
    ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
    ::setenv("WATCHDOG_USEC", "2500000", 1);

    const auto manager = service_manager::from_environment();
    EXPECT_EQ(manager.patience(), milliseconds(2500));
    EXPECT_EQ(std::getenv("NOTIFY_SOCKET"), nullptr);  // not for the children
    manager.tell(report::ready);
    char text[64];
    const auto got = ::recv(listener, text, sizeof text, MSG_DONTWAIT);
    EXPECT_EQ(std::string_view(text, static_cast<std::size_t>(std::max<ssize_t>(got, 0))), "READY=1");
    ::close(listener);
    fs::remove(path);
}

TEST(ServiceManager, WhereThereIsNoneNothingIsTold) {
    const auto manager = service_manager::from_environment();
    manager.tell(report::ready);
    EXPECT_FALSE(manager.patience());
}

class Reporting : public testing::Test {
protected:
    supervised_process run(const std::string& script, milliseconds patience) {
        return supervised_process(
            [script] {
                return process_options{
                    .command = {"bash", "-c", script}, .environment = {}, .folder = {}, .on_line = {}};
            },
            {.on_start = [this](int pid) { started.push(pid); },
             .on_exit = [this](const exit_status& ended, milliseconds) { exits.push(ended); },
             .on_start_failed = {},
             .on_hung = [this] { hung.push(0); }},
            seconds(2), patience);
    }
    bounded_queue<int> started{8, overflow::reject_newest}, hung{8, overflow::reject_newest};
    bounded_queue<exit_status> exits{8, overflow::reject_newest};
};

TEST_F(Reporting, AChildThatFallsSilentIsKilledAndStartedAgain) {
    const auto process = run("printf READY=1 >&$LOQA_NOTIFY_FD; while :; do sleep 1; done", milliseconds(300));
    ASSERT_TRUE(started.pop_until(after(seconds(20))));
    ASSERT_TRUE(hung.pop_until(after(seconds(20))));
    const auto ended = exits.pop_until(after(seconds(20)));
    ASSERT_TRUE(ended);
    EXPECT_EQ(ended->signal, SIGKILL);
    EXPECT_TRUE(started.pop_until(after(seconds(20))));
}

TEST_F(Reporting, AChildThatSaysThatItIsAliveIsLeftAlone) {
    const auto process =
        run("printf READY=1 >&$LOQA_NOTIFY_FD; for i in 1 2 3 4 5 6 7 8; do sleep 0.25; printf WATCHDOG=1 "
            ">&$LOQA_NOTIFY_FD; done; exit 0",
            seconds(1));
    const auto ended = exits.pop_until(after(seconds(30)));
    ASSERT_TRUE(ended);
    EXPECT_TRUE(ended->clean()) << ended->text();
    EXPECT_EQ(hung.size(), 0U);
}

TEST_F(Reporting, AChildThatIsNotReadyYetIsWaitedFor) {
    const auto process = run("sleep 1; exit 0", milliseconds(200));
    const auto ended = exits.pop_until(after(seconds(30)));
    ASSERT_TRUE(ended);
    EXPECT_TRUE(ended->clean()) << ended->text();
}

}  // namespace
}  // namespace loqa
