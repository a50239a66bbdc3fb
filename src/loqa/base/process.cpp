#include "loqa/base/process.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "loqa/base/service_manager.hpp"

namespace loqa {
namespace {

int poll_timeout(steady_time deadline) {
    const auto left = deadline - std::chrono::steady_clock::now();
    if (left <= std::chrono::nanoseconds::zero()) return 0;
    return static_cast<int>(std::min<std::int64_t>(std::chrono::ceil<milliseconds>(left).count(), 3'600'000));
}

std::vector<std::string> merged_environment(const std::vector<std::pair<std::string, std::string>>& added) {
    std::vector<std::string> all;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string_view line(*entry);
        const auto name = line.substr(0, line.find('='));
        if (std::ranges::none_of(added, [&](const auto& pair) { return pair.first == name; })) all.emplace_back(line);
    }
    for (const auto& [name, value] : added) all.push_back(name + "=" + value);
    return all;
}

// The lines of a pipe: complete ones are delivered as they come, the rest at the end.
class line_reader {
public:
    line_reader(int fd, bool is_stdout, std::size_t max_line_bytes)
        : fd_(fd), is_stdout_(is_stdout), max_line_bytes_(max_line_bytes) {}
    int fd() const { return fd_; }

    // False when the pipe has ended.
    bool read_some(const std::function<void(std::string_view, bool)>& on_line) {
        char block[8192];
        const auto n = ::read(fd_, block, sizeof block);
        if (n < 0 && (errno == EINTR || errno == EAGAIN)) return true;
        if (n <= 0) {
            if (!pending_.empty()) on_line(pending_, is_stdout_);
            ::close(fd_);
            fd_ = -1;
            return false;
        }
        pending_.append(block, static_cast<std::size_t>(n));
        std::size_t begin = 0;
        for (auto end = pending_.find('\n'); end != std::string::npos; end = pending_.find('\n', begin)) {
            on_line(std::string_view(pending_).substr(begin, end - begin), is_stdout_);
            begin = end + 1;
        }
        pending_.erase(0, begin);
        if (pending_.size() > max_line_bytes_) {
            on_line(pending_, is_stdout_);
            pending_.clear();
        }
        return true;
    }

private:
    int fd_;
    bool is_stdout_;
    std::size_t max_line_bytes_;
    std::string pending_;
};

// A file in memory that holds `content`, read from its beginning; -1 with errno when there can be none.
int file_in_memory(std::string_view content) {
    const int fd = ::memfd_create("loqa-input", MFD_CLOEXEC);
    while (fd >= 0 && !content.empty()) {
        const auto n = ::write(fd, content.data(), content.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            const int number = errno;
            ::close(fd);
            errno = number;
            return -1;
        }
        content.remove_prefix(static_cast<std::size_t>(n));
    }
    if (fd >= 0) ::lseek(fd, 0, SEEK_SET);
    return fd;
}

}  // namespace

result<std::vector<std::string>> split_command(std::string_view line) {
    std::vector<std::string> words;
    std::optional<std::string> word;
    char quote = 0;
    for (std::size_t i = 0; i < line.size(); ++i) {
        const char c = line[i];
        if (quote != '\'' && c == '\\' && i + 1 < line.size()) {
            word = word.value_or("") + line[++i];
        } else if (quote == 0 && (c == '\'' || c == '"')) {
            quote = c;
            word = word.value_or("");
        } else if (c == quote && quote != 0) {
            quote = 0;
        } else if (quote == 0 && (c == ' ' || c == '\t' || c == '\n')) {
            if (word) words.push_back(*std::exchange(word, std::nullopt));
        } else {
            word = word.value_or("") + c;
        }
    }
    if (quote != 0) return fail(errc::invalid_argument, "a {} is not closed in the command: {}", quote, line);
    if (word) words.push_back(*word);
    if (words.empty()) return fail(errc::invalid_argument, "the command is empty");
    return words;
}

std::string exit_status::text() const {
    if (signal != 0) return fmt::format("killed by signal {} ({})", signal, ::strsignal(signal));
    return fmt::format("exit code {}", code);
}

struct child_process::state {
    int pid = 0;
    int pidfd = -1;
    int input = -1;    // ours of its conversation
    int reports = -1;  // ours of what it reports on
    std::optional<exit_status> ended;
    std::optional<steady_time> held_since;
    std::thread reader;

    ~state() {
        if (!ended && pid != 0) {
            ::kill(pid, SIGKILL);
            reap(0);
        }
        if (reader.joinable()) reader.join();
        if (pidfd >= 0) ::close(pidfd);
        if (input >= 0) ::close(input);
        if (reports >= 0) ::close(reports);
    }

    bool reap(int flags) {
        siginfo_t info{};
        int rc = 0;
        do rc = ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT | flags);
        while (rc < 0 && errno == EINTR);
        if (rc == 0 && info.si_pid == 0) return false;
        // What it started and left behind would keep its pipes open. While it is not reaped, the number is its own.
        if (rc == 0) ::kill(-pid, SIGKILL);
        int status = 0;
        do rc = ::waitpid(pid, &status, 0);
        while (rc < 0 && errno == EINTR);
        exit_status result;
        if (rc == pid && WIFSIGNALED(status))
            result.signal = WTERMSIG(status);
        else if (rc == pid)
            result.code = WEXITSTATUS(status);
        else
            result.code = 255;
        ended = result;
        return true;
    }
};

child_process::child_process(std::unique_ptr<state> state) : state_(std::move(state)) {}
child_process::child_process(child_process&&) noexcept = default;
child_process& child_process::operator=(child_process&&) noexcept = default;
child_process::~child_process() = default;

result<child_process> child_process::start(process_options options) {
    if (options.command.empty()) return fail(errc::invalid_argument, "no command to start");

    int reports[2] = {-1, -1};  // ours, the child's
    if (options.reports && ::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, reports) == 0)
        options.environment.emplace_back(report::socket_variable, std::to_string(reports[1]));

    // Everything that allocates happens before the fork: other threads may hold the allocator's lock.
    auto environment = merged_environment(options.environment);
    std::vector<char*> argv;
    std::vector<char*> envp;
    for (auto& word : options.command) argv.push_back(word.data());
    for (auto& entry : environment) envp.push_back(entry.data());
    argv.push_back(nullptr);
    envp.push_back(nullptr);

    int out[2] = {-1, -1};
    int err[2] = {-1, -1};
    int failure_pipe[2] = {-1, -1};
    int conversation[2] = {-1, -1};  // ours, the child's
    if (options.converse) {
        // A socket and not a pipe: writing to a child that is gone is then an error and not a signal.
        if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, conversation) != 0) conversation[1] = -1;
    }
    const int in = options.converse        ? conversation[1]
                   : options.input.empty() ? ::open("/dev/null", O_RDONLY | O_CLOEXEC)
                                           : file_in_memory(options.input);
    const auto close_all = [&] {
        for (int fd : {in, conversation[0], out[0], out[1], err[0], err[1], failure_pipe[0], failure_pipe[1],
                       reports[0], reports[1]})
            if (fd >= 0) ::close(fd);
    };
    const bool capture = static_cast<bool>(options.on_line);
    if (in < 0 || (options.reports && reports[1] < 0) || ::pipe2(failure_pipe, O_CLOEXEC) != 0 ||
        (capture && (::pipe2(out, O_CLOEXEC) != 0 || ::pipe2(err, O_CLOEXEC) != 0))) {
        const int number = errno;
        close_all();
        return fail(errc::io_failed, "{} cannot be started: {}", options.command[0], errno_text(number));
    }

    const int parent = ::getpid();
    const int pid = ::fork();
    if (pid < 0) {
        const int number = errno;
        close_all();
        return fail(errc::io_failed, "{} cannot be started: {}", options.command[0], errno_text(number));
    }
    if (pid == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (::getppid() != parent) ::_exit(127);  // it died before the line above
        ::setpgid(0, 0);  // Ctrl-C in the terminal reaches the parent only, which then ends its children in order
        sigset_t none;
        sigemptyset(&none);
        ::sigprocmask(SIG_SETMASK, &none, nullptr);
        ::signal(SIGPIPE, SIG_DFL);
        if (in == STDIN_FILENO)
            ::fcntl(in, F_SETFD, 0);  // it took the number of one that was closed, and would be closed itself
        else
            ::dup2(in, STDIN_FILENO);
        if (capture) {
            ::dup2(out[1], STDOUT_FILENO);
            ::dup2(err[1], STDERR_FILENO);
        }
        if (options.reports) ::fcntl(reports[1], F_SETFD, 0);
        if (options.folder.empty() || ::chdir(options.folder.c_str()) == 0)
            ::execvpe(argv[0], argv.data(), envp.data());
        const int number = errno;
        [[maybe_unused]] const auto written = ::write(failure_pipe[1], &number, sizeof number);
        ::_exit(127);
    }

    for (int fd : {in, out[1], err[1], failure_pipe[1], reports[1]})
        if (fd >= 0) ::close(fd);
    int number = 0;
    ssize_t got = 0;
    do got = ::read(failure_pipe[0], &number, sizeof number);
    while (got < 0 && errno == EINTR);
    ::close(failure_pipe[0]);
    if (got == sizeof number) {
        ::waitpid(pid, nullptr, 0);
        for (int fd : {conversation[0], out[0], err[0], reports[0]})
            if (fd >= 0) ::close(fd);
        return fail(number == ENOENT ? errc::not_found : errc::io_failed, "{} cannot be started: {}",
                    options.command[0], errno_text(number));
    }

    auto s = std::make_unique<state>();
    s->pid = pid;
    s->input = conversation[0];
    s->reports = reports[0];
    s->pidfd = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
    if (s->pidfd < 0) {
        const int reason = errno;
        for (int fd : {conversation[0], out[0], err[0], reports[0]})
            if (fd >= 0) ::close(fd);
        return fail(errc::io_failed, "{} cannot be watched: {} (a kernel of 5.3 or newer is needed)",
                    options.command[0], errno_text(reason));
    }
    if (capture) {
        s->reader = std::thread(
            [on_line = std::move(options.on_line),
             readers = std::vector<line_reader>{line_reader(out[0], true, options.max_line_bytes),
                                                line_reader(err[0], false, options.max_line_bytes)}]() mutable {
                name_this_thread("child-output");
                while (!readers.empty()) {
                    std::vector<pollfd> fds;
                    for (const auto& reader : readers) fds.push_back({reader.fd(), POLLIN, 0});
                    if (::poll(fds.data(), fds.size(), -1) < 0 && errno != EINTR) return;
                    for (std::size_t i = fds.size(); i-- > 0;)
                        if (fds[i].revents != 0 && !readers[i].read_some(on_line))
                            readers.erase(readers.begin() + static_cast<std::ptrdiff_t>(i));
                }
            });
    }
    return child_process(std::move(s));
}

int child_process::pid() const { return state_->pid; }

void child_process::send_signal(int number) {
    // Through the pidfd: the number may belong to another process by now, the descriptor cannot.
    ::syscall(SYS_pidfd_send_signal, state_->pidfd, number, nullptr, 0);
}

result<void> child_process::say(std::string_view bytes, steady_time deadline) {
    while (!bytes.empty()) {
        const auto n = ::send(state_->input, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0) {
            bytes.remove_prefix(static_cast<std::size_t>(n));
        } else if (errno == EAGAIN) {
            pollfd fd{state_->input, POLLOUT, 0};
            ::poll(&fd, 1, poll_timeout(deadline));
            if (std::chrono::steady_clock::now() >= deadline)
                return fail(errc::timed_out, "process {} does not read what it is told", state_->pid);
        } else if (errno != EINTR) {
            return fail(errc::unavailable, "process {} cannot be told anything: {}", state_->pid, errno_text(errno));
        }
    }
    return {};
}

child_process::reported child_process::take_reports() {
    reported all;
    for (;;) {
        char text[256];
        const auto got = ::recv(state_->reports, text, sizeof text, MSG_DONTWAIT);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return all;
        const std::string_view said(text, static_cast<std::size_t>(got));
        all.ready = all.ready || said == report::ready;
        all.alive = all.alive || said == report::alive;
    }
}

std::optional<exit_status> child_process::wait_until(steady_time deadline) {
    while (!state_->ended) {
        pollfd fd{state_->pidfd, POLLIN, 0};
        const int rc = ::poll(&fd, 1, poll_timeout(deadline));
        if (rc < 0 && errno == EINTR) continue;
        if (state_->reap(WNOHANG)) break;
        if (std::chrono::steady_clock::now() >= deadline) return std::nullopt;
    }
    if (state_->reader.joinable()) state_->reader.join();
    return state_->ended;
}

exit_status child_process::stop(milliseconds grace) {
    send_signal(SIGTERM);
    if (auto ended = wait_until(std::chrono::steady_clock::now() + grace)) return *ended;
    send_signal(SIGKILL);
    return *wait_until(steady_time::max());
}

std::optional<steady_time> child_process::held_since() {
    // The kernel tells once of each time that it is held, and that it goes on; of several only the last.
    siginfo_t info{};
    if (::waitid(P_PID, static_cast<id_t>(state_->pid), &info, WSTOPPED | WCONTINUED | WNOHANG) == 0 &&
        info.si_pid != 0) {
        state_->held_since.reset();
        if (info.si_code == CLD_STOPPED) state_->held_since = std::chrono::steady_clock::now();
    }
    return state_->held_since;
}

supervised_process::supervised_process(std::function<process_options()> make_options, events events,
                                       milliseconds max_backoff, std::optional<milliseconds> patience)
    : make_options_(std::move(make_options)),
      events_(std::move(events)),
      max_backoff_(max_backoff),
      patience_(patience) {
    thread_ = std::thread([this] { run(); });
}

supervised_process::~supervised_process() { stop(seconds(5)); }

void supervised_process::stop(milliseconds grace) {
    {
        std::unique_lock lock(mutex_);
        stopping_ = true;
        changed_.notify_all();
        if (child_) child_->send_signal(SIGTERM);
        if (!changed_.wait_for(lock, grace, [this] { return !child_; }) && child_) child_->send_signal(SIGKILL);
    }
    if (thread_.joinable()) thread_.join();
}

void supervised_process::kill() {
    std::lock_guard lock(mutex_);
    if (child_) child_->send_signal(SIGKILL);
}

int supervised_process::pid() const {
    std::lock_guard lock(mutex_);
    return child_ ? child_->pid() : 0;
}

void supervised_process::run() {
    // PDEATHSIG is bound to the thread that forks: this one lives as long as the child should.
    name_this_thread("supervisor");
    constexpr milliseconds first_backoff{100};
    constexpr seconds proven{10};
    milliseconds backoff{0};
    std::unique_lock lock(mutex_);
    while (!changed_.wait_for(lock, backoff, [this] { return stopping_; })) {
        const auto began = std::chrono::steady_clock::now();
        lock.unlock();
        auto options = make_options_();
        if (patience_) {
            options.reports = true;
            options.environment.emplace_back(
                report::patience_variable,
                std::to_string(std::chrono::duration_cast<std::chrono::microseconds>(*patience_).count()));
        }
        auto child = child_process::start(std::move(options));
        lock.lock();
        std::optional<exit_status> ended;
        if (child) {
            child_ = std::move(*child);
            if (stopping_) child_->send_signal(SIGTERM);
            lock.unlock();
            if (events_.on_start) events_.on_start(child_->pid());
            ended = watch(*child_);
            lock.lock();
            child_.reset();
            changed_.notify_all();
        }
        const bool lasted = std::chrono::steady_clock::now() - began >= proven;
        backoff = lasted || stopping_ ? milliseconds{0} : std::clamp(backoff * 2, first_backoff, max_backoff_);
        lock.unlock();
        if (ended && events_.on_exit) events_.on_exit(*ended, backoff);
        if (!child && events_.on_start_failed) events_.on_start_failed(child.error());
        lock.lock();
    }
}

exit_status supervised_process::watch(child_process& child) const {
    constexpr milliseconds look_every{100};
    auto looked_at = std::chrono::steady_clock::now();
    auto silent_until = looked_at + std::max<milliseconds>(ready_within, patience_.value_or(milliseconds{0}));
    for (;;) {
        const auto now = std::chrono::steady_clock::now();
        // What stopped this process, or the machine, may have stopped the child too.
        if (now - looked_at > look_every * 10) silent_until += now - looked_at;
        looked_at = now;
        if (auto ended = child.wait_until(now + look_every)) return *ended;
        const auto held = child.held_since();
        const bool too_long = held && now - *held >= held_at_most;
        if (patience_) {
            const auto told = child.take_reports();
            if (told.ready || told.alive) silent_until = now + *patience_;
        }
        const bool hangs = patience_ && now >= silent_until;
        if (!too_long && !hangs) continue;
        if (const auto& tell = too_long ? events_.on_held : events_.on_hung) tell();
        child.send_signal(SIGKILL);
        return *child.wait_until(steady_time::max());
    }
}

shutdown_signal::shutdown_signal() {
    ::signal(SIGPIPE, SIG_IGN);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
    signal_fd_ = ::signalfd(-1, &set, SFD_CLOEXEC);
    event_fd_ = ::eventfd(0, EFD_CLOEXEC);
}

int shutdown_signal::wait() { return wait_until(steady_time::max()).value_or(0); }

std::optional<int> shutdown_signal::wait_until(steady_time deadline) {
    while (true) {
        pollfd fds[2] = {{signal_fd_, POLLIN, 0}, {event_fd_, POLLIN, 0}};
        const int rc = ::poll(fds, 2, deadline == steady_time::max() ? -1 : poll_timeout(deadline));
        if (rc < 0 && errno != EINTR) return 0;
        if (rc > 0 && fds[0].revents != 0) {
            signalfd_siginfo info{};
            if (::read(signal_fd_, &info, sizeof info) == sizeof info) return static_cast<int>(info.ssi_signo);
        }
        if (rc > 0 && fds[1].revents != 0) return 0;
        if (rc == 0 && std::chrono::steady_clock::now() >= deadline) return std::nullopt;
    }
}

void shutdown_signal::request() {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(event_fd_, &one, sizeof one);
}

void name_this_thread(std::string_view name) {
    ::pthread_setname_np(::pthread_self(), std::string(name.substr(0, 15)).c_str());
}

}  // namespace loqa
