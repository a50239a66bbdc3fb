// Child processes and how this process is asked to end.
//
// The calls in process.cpp are Linux's own (PDEATHSIG, pidfd); nothing else in the project makes such calls. A child
// dies with its parent, however the parent ends; what it started itself dies with it.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "loqa/base/clock.hpp"
#include "loqa/base/files.hpp"
#include "loqa/base/result.hpp"

namespace loqa {

struct exit_status {
    int code = 0;    // exit code, when it ended by itself
    int signal = 0;  // the signal that ended it, or 0
    bool clean() const { return code == 0 && signal == 0; }
    std::string text() const;  // "exit code 1", "killed by signal 9 (Killed)"
};

struct process_options {
    std::vector<std::string> command;                              // command[0]: a path, or a name looked up in PATH
    std::vector<std::pair<std::string, std::string>> environment;  // added to, or replacing, this process's own
    fs::path folder;                                               // to run in; empty: this process's own
    std::string input;      // what the child reads from its standard input before that ends
    bool converse = false;  // instead of `input`: its standard input stays open, and say() writes to it
    bool reports = false;   // it inherits a socket on which it may tell how it is (service_manager.hpp)
    // Called for each line the child writes, from one thread; `is_stdout` or else stderr. Without it the child writes
    // where this process writes.
    std::function<void(std::string_view line, bool is_stdout)> on_line;
    std::size_t max_line_bytes = 64 * 1024;  // a longer line is delivered in pieces
};

// A command line as words: apart by spaces, with '…', "…" and backslashes as a shell reads them; nothing is expanded.
// invalid_argument when there is no word or a quote is not closed.
result<std::vector<std::string>> split_command(std::string_view line);

// A running child. One owner at a time; pid() and send_signal() are safe from any thread. Destroying
// it kills the child.
class child_process {
public:
    static result<child_process> start(process_options options);
    child_process(child_process&&) noexcept;
    child_process& operator=(child_process&&) noexcept;
    ~child_process();

    int pid() const;
    void send_signal(int number);

    // All of `bytes` to its standard input. timed_out when it has not read them by `deadline`, unavailable when it
    // reads no more. Only of a child that was started to converse; one thread at a time.
    result<void> say(std::string_view bytes, steady_time deadline);

    // What it reported since the last call. One thread at a time.
    struct reported {
        bool ready = false, alive = false;
    };
    reported take_reports();

    // Waits for the end; nothing when it still runs at `deadline`. After the end all its lines have been delivered.
    std::optional<exit_status> wait_until(steady_time deadline);

    // SIGTERM, then SIGKILL when it has not ended after `grace`.
    exit_status stop(milliseconds grace);

    // Since when a signal holds it (SIGSTOP), and it does nothing, as far as it was looked for: the first call that
    // sees it held counts. A debugger that holds it does not. One thread at a time.
    std::optional<steady_time> held_since();

private:
    struct state;
    explicit child_process(std::unique_ptr<state> state);
    std::unique_ptr<state> state_;
};

// Keeps one child running: starts it again whenever it ends, at once the first time, then after a wait that doubles
// from 100 ms to `max_backoff` while it keeps ending within 10 s of its start. A child that a signal holds for longer
// than held_at_most is killed: what waits for it waits in vain. So is one that reports, once it is ready, when it does
// not say for `patience` that it is alive, and one that is not ready after ready_within. Thread-safe.
class supervised_process {
public:
    static constexpr milliseconds held_at_most{400};
    static constexpr seconds ready_within{120};

    struct events {
        std::function<void(int pid)> on_start;
        std::function<void(const exit_status&, milliseconds next_start)> on_exit;
        std::function<void(const error&)> on_start_failed;
        std::function<void()> on_held = {};  // it was held for too long, and is killed
        std::function<void()> on_hung = {};  // it was silent for too long, and is killed
    };
    // `make_options` is asked before each start, so that a restart can use fresh values. With a `patience` the child
    // has to report.
    supervised_process(std::function<process_options()> make_options, events events,
                       milliseconds max_backoff = seconds(2), std::optional<milliseconds> patience = {});
    ~supervised_process();  // as stop(5 s)

    // SIGTERM, then SIGKILL after `grace`; it is not started again.
    void stop(milliseconds grace);

    // SIGKILL to the child that runs now; it is started again as after any end.
    void kill();

    int pid() const;  // 0 while it is not running

private:
    void run();
    exit_status watch(child_process& child) const;
    std::function<process_options()> make_options_;
    events events_;
    milliseconds max_backoff_;
    std::optional<milliseconds> patience_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    bool stopping_ = false;
    std::optional<child_process> child_;
    std::thread thread_;
};

// SIGTERM and SIGINT as an event. Make it in main before any thread starts: it blocks both signals for the process and
// waits for them itself. Also ignores SIGPIPE.
class shutdown_signal {
public:
    shutdown_signal();

    // Waits for a signal or for request(); returns the signal's number, or 0.
    int wait();
    // As wait(); nothing when `deadline` passes first.
    std::optional<int> wait_until(steady_time deadline);

    // Asks to end from inside, from any thread.
    void request();

private:
    int event_fd_ = -1;
    int signal_fd_ = -1;
};

// A name for the calling thread as debuggers and top show it, at most 15 characters.
void name_this_thread(std::string_view name);

}  // namespace loqa
