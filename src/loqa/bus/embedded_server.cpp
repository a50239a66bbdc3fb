#include "loqa/bus/embedded_server.hpp"

#include <array>
#include <condition_variable>
#include <cstdlib>
#include <map>
#include <mutex>
#include <stop_token>
#include <thread>
#include <utility>

#include <arpa/inet.h>
#include <fmt/ranges.h>
#include <netinet/in.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loqa/base/files.hpp"
#include "loqa/base/ids.hpp"
#include "loqa/base/process.hpp"

namespace loqa::bus {
namespace {

using json = nlohmann::json;

constexpr std::array all_roles = {role::core, role::stt, role::tts, role::client};
constexpr seconds start_time{10};

// What each role may say and hear. Everybody may answer requests (allow_responses) and has its own inboxes.
struct permissions {
    std::vector<std::string> publish, subscribe;
};

permissions permissions_of(role r) {
    switch (r) {
        case role::core:
            return {{">"}, {">"}};
        case role::stt:
            return {{"stt.>", "home.get", "ctrl.component.status.*", "trace.spans"},
                    {"audio.>", "session.state", "session.ended", "home.changed", "tts.pcm.>", "playback.*"}};
        case role::tts:
            return {{"tts.audio", "tts.pcm.>", "tts.done", "tts.started", "tts.flush.>", "playback.volume",
                     "session.degraded", "ctrl.component.status.*", "trace.spans"},
                    {"tts.request", "tts.prepare", "tts.cancel", "playback.>"}};
        case role::client:
            // What clients of loqa-core do, and what `loqa` asks. Not: claiming to be a component.
            return {{"audio.>", "stt.text.>", "nlu.>", "tts.request", "tts.prepare", "tts.cancel", "playback.>",
                     "skill.>", "ctrl.node.>", "ctrl.readiness.get", "trace.get", "timers.>", "sessions.>",
                     "session.dry_run", "home.get", "intent.declare"},
                    {"audio.>", "stt.>", "nlu.>", "tts.>", "playback.>", "skill.>", "session.>", "ctrl.>", "trace.>",
                     "timers.>", "home.>", "intent.>"}};
    }
    return {};
}

// A port nobody listens on now. Another process may take it before nats-server does; start() then says so.
result<int> free_port(int wanted) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return fail(errc::io_failed, "no socket: {}", errno_text(errno));
    const int on = 1;
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(wanted));
    socklen_t length = sizeof address;
    const bool free = ::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
                      ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) == 0;
    const int why = errno;
    ::close(fd);
    if (!free)
        return fail(errc::already_exists, "bus: port 127.0.0.1:{} cannot be used: {}", wanted, errno_text(why))
            .hint("set bus.port to another port, or to 0 for a free one");
    return ntohs(address.sin_port);
}

result<fs::path> find_binary(const fs::path& given) {
    std::vector<fs::path> places;
    if (!given.empty()) {
        places.push_back(given);
    } else {
        places.push_back(cache_folder() / "engines" / "nats-server" / "nats-server");
        if (const char* path = std::getenv("PATH")) {
            std::string_view rest(path);
            while (!rest.empty()) {
                const auto end = std::min(rest.find(':'), rest.size());
                places.push_back(fs::path(rest.substr(0, end)) / "nats-server");
                rest.remove_prefix(std::min(end + 1, rest.size()));
            }
        }
    }
    for (const auto& place : places)
        if (::access(place.c_str(), X_OK) == 0) return place;
    return fail(errc::not_found, "there is no nats-server at {}{}", places.front().string(),
                given.empty() ? ", nor in PATH" : "")
        .hint("run: scripts/setup.sh");
}

// Asks the server whether it is there, on a connection that is used for nothing else. One thread at a time.
class pulse {
public:
    pulse(int port, std::string user, std::string password)
        : port_(port), user_(std::move(user)), password_(std::move(password)) {}
    ~pulse() { hang_up(); }
    pulse(const pulse&) = delete;
    pulse& operator=(const pulse&) = delete;

    // Whether it answered before `deadline`.
    bool is_felt(steady_time deadline) {
        if ((fd_ >= 0 || connect(deadline)) && send("PING\r\n", deadline) && await("PONG\r\n", deadline)) return true;
        hang_up();
        return false;
    }

    void hang_up() {
        if (fd_ >= 0) ::close(std::exchange(fd_, -1));
        heard_.clear();
    }

private:
    bool connect(steady_time deadline) {
        fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd_ < 0) return false;
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address.sin_port = htons(static_cast<std::uint16_t>(port_));
        if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 && errno != EINPROGRESS)
            return false;
        const json who{
            {"verbose", false}, {"pedantic", false}, {"user", user_}, {"pass", password_}, {"name", "pulse"}};
        return await("\r\n", deadline) && send(fmt::format("CONNECT {}\r\n", who.dump()), deadline);
    }

    bool ready(short events, steady_time deadline) const {
        const auto left = std::chrono::ceil<milliseconds>(deadline - std::chrono::steady_clock::now());
        pollfd fd{fd_, events, 0};
        return left.count() > 0 && ::poll(&fd, 1, static_cast<int>(left.count())) > 0;
    }

    bool send(std::string_view text, steady_time deadline) const {
        while (!text.empty()) {
            if (!ready(POLLOUT, deadline)) return false;
            const auto sent = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
            if (sent < 0 && errno != EAGAIN && errno != EINTR) return false;
            if (sent > 0) text.remove_prefix(static_cast<std::size_t>(sent));
        }
        return true;
    }

    // Reads up to and with `text`.
    bool await(std::string_view text, steady_time deadline) {
        constexpr std::size_t most = 64u << 10;
        while (true) {
            if (const auto at = heard_.find(text); at != std::string::npos) {
                heard_.erase(0, at + text.size());
                return true;
            }
            if (heard_.size() > most || !ready(POLLIN, deadline)) return false;
            std::array<char, 4096> block{};
            const auto got = ::recv(fd_, block.data(), block.size(), 0);
            if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) return false;
            if (got > 0) heard_.append(block.data(), static_cast<std::size_t>(got));
        }
    }

    const int port_;
    const std::string user_, password_;
    int fd_ = -1;
    std::string heard_;
};

class private_server final : public embedded_server {
public:
    private_server(fs::path binary, fs::path data, int port, milliseconds hang_timeout, telemetry::logger log)
        : binary_(std::move(binary)),
          data_(std::move(data)),
          port_(port),
          hang_timeout_(hang_timeout),
          log_(std::move(log)) {
        for (const auto r : all_roles) passwords_[r] = random_secret();
    }

    ~private_server() override {
        watcher_ = {};
        process_.reset();
    }

    result<void> launch() {
        if (auto made = make_writable_folder(data_ / "jetstream", 0700); !made) return fail(std::move(made));
        const auto config = data_ / "run" / "nats-server.conf";
        if (auto made = make_writable_folder(config.parent_path(), 0700); !made) return fail(std::move(made));
        if (auto written = write_file_atomically(config, configuration(), 0600); !written)
            return fail(std::move(written));

        process_ = std::make_unique<supervised_process>(
            [this, config] {
                return process_options{.command = {binary_.string(), "--config", config.string()},
                                       .environment = {},
                                       .folder = {},
                                       .on_line = [this](std::string_view line, bool) { on_line(line); }};
            },
            supervised_process::events{.on_start = [this](int pid) { log_.debug("nats-server started, pid {}", pid); },
                                       .on_exit = [this](const exit_status& status, milliseconds) { on_exit(status); },
                                       .on_start_failed = [this](const error& e) { on_failed(e.message); },
                                       .on_held = [this] { log_.warn("nats-server is held by a signal, ending it"); }});

        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, start_time, [this] { return listening_ || !failed_.empty(); });
        if (!failed_.empty())
            return fail(errc::unavailable, "nats-server did not start: {}", failed_)
                .hint("its settings are in {}", config.string());
        if (!listening_) return fail(errc::timed_out, "nats-server was not ready after {} s", start_time.count());
        started_ = true;
        if (hang_timeout_.count() > 0)
            watcher_ = std::jthread([this](const std::stop_token& stop) { keep_watch(stop); });
        return {};
    }

    std::string server() const override { return fmt::format("nats://127.0.0.1:{}", port_); }
    std::string username(role r) const override { return std::string(to_string(r)); }
    std::string password(role r) const override { return passwords_.at(r); }
    std::string url(role r) const override {
        return fmt::format("nats://{}:{}@127.0.0.1:{}", username(r), password(r), port_);
    }
    int pid() const override { return process_ ? process_->pid() : 0; }

private:
    // nats-server reads JSON as well as its own form.
    std::string configuration() const {
        json users = json::array();
        for (const auto r : all_roles) {
            auto p = permissions_of(r);
            p.subscribe.emplace_back("_INBOX.>");
            users.push_back(
                {{"user", username(r)},
                 {"password", passwords_.at(r)},
                 {"permissions", {{"publish", p.publish}, {"subscribe", p.subscribe}, {"allow_responses", true}}}});
        }
        const json all{{"host", "127.0.0.1"},
                       {"port", port_},
                       {"server_name", "loqa"},
                       {"max_payload", 2 * 1024 * 1024},
                       {"ping_interval", "10s"},
                       {"authorization", {{"users", users}}},
                       {"jetstream",
                        {{"store_dir", (data_ / "jetstream").string()},
                         {"sync_interval", "always"},
                         {"max_file_store", 1 << 30}}}};
        return all.dump(2);
    }

    // Ends the server when it runs and does not answer. Its clients cannot: to them it looks like one that is away.
    void keep_watch(const std::stop_token& stop) {
        name_this_thread("bus watch");
        const auto every = std::clamp<milliseconds>(hang_timeout_ / 6, milliseconds(200), seconds(5));
        pulse of(port_, username(role::client), password(role::client));
        auto felt_at = std::chrono::steady_clock::now();
        auto looked_at = felt_at;
        int pid = 0;
        std::mutex waits;
        std::condition_variable_any never;
        std::unique_lock lock(waits);
        while (!never.wait_for(lock, stop, every, [&stop] { return stop.stop_requested(); })) {
            const auto now = std::chrono::steady_clock::now();
            // Another server than before, or this process itself was held.
            const bool anew = std::exchange(pid, process_->pid()) != pid || now - looked_at > every * 4;
            looked_at = now;
            if (anew) {
                of.hang_up();
                felt_at = now;
            }
            if (pid == 0 || of.is_felt(now + every)) {
                felt_at = std::chrono::steady_clock::now();
            } else if (std::chrono::steady_clock::now() - felt_at >= hang_timeout_) {
                log_.error("nats-server does not answer any more, ending it");
                process_->kill();
            }
        }
    }

    void on_line(std::string_view line) {
        if (line.find("[FTL]") != std::string_view::npos)
            on_failed(std::string(line.substr(line.find("[FTL]") + 6)));
        else if (line.find("[ERR]") != std::string_view::npos)
            log_.warn("nats-server: {}", line.substr(line.find("[ERR]") + 6));
        else
            log_.trace("nats-server: {}", line);
        if (line.find("Server is ready") == std::string_view::npos) return;
        std::lock_guard lock(mutex_);
        listening_ = true;
        changed_.notify_all();
    }

    void on_exit(const exit_status& status) {
        std::unique_lock lock(mutex_);
        if (started_ && !status.clean()) {
            lock.unlock();
            log_.warn("nats-server ended ({}), starting it again", status.text());
        } else if (!started_ && failed_.empty()) {
            failed_ = status.text();
            changed_.notify_all();
        }
    }

    void on_failed(std::string why) {
        log_.warn("nats-server: {}", why);
        std::lock_guard lock(mutex_);
        if (failed_.empty()) failed_ = std::move(why);
        changed_.notify_all();
    }

    const fs::path binary_, data_;
    const int port_;
    const milliseconds hang_timeout_;
    const telemetry::logger log_;
    std::map<role, std::string> passwords_;
    std::mutex mutex_;
    std::condition_variable changed_;
    bool listening_ = false;
    bool started_ = false;
    std::string failed_;
    std::unique_ptr<supervised_process> process_;
    std::jthread watcher_;  // last: uses all the others
};

result<void> write_info(const fs::path& file, const json& content) {
    if (auto made = make_writable_folder(file.parent_path(), 0700); !made) return fail(std::move(made));
    return write_file_atomically(file, content.dump(2) + "\n", 0600);
}

json read_info(const fs::path& file) {
    auto text = read_file(file, 64 * 1024);
    auto parsed = text ? json::parse(*text, nullptr, false) : json();
    return parsed.is_object() ? parsed : json::object();
}

std::string text_of(const json& object, const char* name) {
    const auto it = object.find(name);
    return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
}

}  // namespace

std::string_view to_string(role r) {
    switch (r) {
        case role::core:
            return "core";
        case role::stt:
            return "stt";
        case role::tts:
            return "tts";
        case role::client:
            return "client";
    }
    return "client";
}

result<std::unique_ptr<embedded_server>> embedded_server::start(embedded_server_options options,
                                                                telemetry::logger log) {
    auto binary = find_binary(options.binary);
    if (!binary) return fail(std::move(binary));
    auto port = free_port(options.port);
    if (!port) return fail(std::move(port));
    auto server = std::make_unique<private_server>(std::move(*binary), options.data_folder, *port, options.hang_timeout,
                                                   std::move(log));
    if (auto launched = server->launch(); !launched) return fail(std::move(launched));
    return server;
}

result<void> write_bus_info(const fs::path& data_folder, const std::string& nats_url, int pid) {
    return write_info(data_folder / "run" / "bus.json", {{"nats_url", nats_url}, {"pid", pid}});
}

result<void> write_http_info(const fs::path& data_folder, const std::string& http_url) {
    return write_info(data_folder / "run" / "http.json", {{"http_url", http_url}});
}

result<instance_info> read_instance_info(const fs::path& data_folder) {
    const auto bus = read_info(data_folder / "run" / "bus.json");
    instance_info info;
    info.nats_url = text_of(bus, "nats_url");
    if (const auto it = bus.find("pid"); it != bus.end() && it->is_number_integer()) info.pid = it->get<int>();
    info.http_url = text_of(read_info(data_folder / "run" / "http.json"), "http_url");
    // The file outlives an instance that was killed.
    if (info.nats_url.empty() || info.pid <= 0 || ::access(fmt::format("/proc/{}", info.pid).c_str(), F_OK) != 0)
        return fail(errc::not_found, "no Loqa runs on the data folder {}", data_folder.string())
            .hint("start one: loqa up --data {}", data_folder.string());
    return info;
}

void remove_instance_info(const fs::path& data_folder) {
    std::error_code ignored;
    fs::remove(data_folder / "run" / "bus.json", ignored);
    fs::remove(data_folder / "run" / "http.json", ignored);
}

}  // namespace loqa::bus
