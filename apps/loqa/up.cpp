#include <algorithm>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include <unistd.h>

#include "child_lines.hpp"
#include "client.hpp"
#include "commands.hpp"
#include "instance_lock.hpp"
#include "loqa/base/bounded_queue.hpp"
#include "loqa/base/process.hpp"
#include "loqa/base/service_manager.hpp"
#include "loqa/protocol/messages.hpp"
#include "loqa/protocol/subjects.hpp"
#include "loqa/tts/command.hpp"
#include "terminal.hpp"

namespace loqa::cli {
namespace {

constexpr seconds stop_grace{5};         // for all children
constexpr seconds least_grace{1};        // for those that are asked last
constexpr seconds readiness_timeout{2};  // of one question; a component that starts will say so by itself
constexpr std::size_t max_news = 64;

using role = bus::role;
using variables = config::environment_variables;

// What the threads of the instance tell each other: is it ready, and has something failed for good before that.
class start_progress {
public:
    explicit start_progress(shutdown_signal& shutdown) : shutdown_(shutdown) {}

    // True the first time.
    bool set_ready() {
        std::lock_guard lock(mutex_);
        return !std::exchange(ready_, true);
    }
    // False when it is not fatal any more, since the instance was ready before.
    bool fail_start(error why) {
        {
            std::lock_guard lock(mutex_);
            if (ready_ || stopping_) return false;
            if (!failed_) failed_ = std::move(why);
        }
        shutdown_.request();
        return true;
    }
    void set_stopping() {
        std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    bool stopping() const {
        std::lock_guard lock(mutex_);
        return stopping_;
    }
    std::optional<error> failed() const {
        std::lock_guard lock(mutex_);
        return failed_;
    }

private:
    shutdown_signal& shutdown_;
    mutable std::mutex mutex_;
    bool ready_ = false;
    bool stopping_ = false;
    std::optional<error> failed_;
};

// One binary beside this one, kept running.
class component {
public:
    component(std::string binary, variables environment, std::optional<milliseconds> patience, start_progress& progress,
              telemetry::logger log, const style& style)
        : binary_(std::move(binary)),
          environment_(std::move(environment)),
          progress_(progress),
          log_(std::move(log)),
          style_(style),
          process_([this] { return start_options(); },
                   {.on_start = [this](int pid) { log_.debug("{} started, process {}", binary_, pid); },
                    .on_exit = [this](const exit_status& status, milliseconds next) { on_exit(status, next); },
                    .on_start_failed =
                        [this](const error& why) {
                            if (!progress_.fail_start(why)) log_.error(why);
                        },
                    .on_held =
                        [this] {
                            ++times_held_;
                            log_.warn("{} is held by a signal, ending it", binary_);
                        },
                    .on_hung =
                        [this] {
                            ++times_hung_;
                            log_.error("{} does not answer any more, ending it", binary_);
                        }},
                   seconds(2), patience) {}

    void stop(milliseconds grace) { process_.stop(grace); }

private:
    process_options start_options() {
        auto environment = environment_;
        environment.emplace_back(report::held_variable, std::to_string(times_held_));
        environment.emplace_back(report::hung_variable, std::to_string(times_hung_));
        return {.command = {(executable_folder() / binary_).string()},
                .environment = std::move(environment),
                .folder = {},
                .on_line = [this](std::string_view line, bool) { on_line(line); }};
    }

    // All lines are delivered before on_exit() is called, from another thread that has ended by then.
    void on_line(std::string_view line) {
        fmt::print(stderr, "{}\n", show_child_line(binary_, line, style_));
        if (auto complaint = complaint_in(line); !complaint.empty()) complaint_ = std::move(complaint);
    }

    void on_exit(const exit_status& status, milliseconds next) {
        // 1 and 2 are what a process of Loqa says when it is of no use to try again.
        if (status.code == 1 || status.code == 2) {
            const error why{errc::unavailable, fmt::format("{} ended before it was ready ({})", binary_, status.text()),
                            complaint_.empty() ? std::string() : "it said: " + complaint_};
            if (progress_.fail_start(why)) return;
        }
        if (!progress_.stopping())
            log_.warn("{} ended ({}), starting it again{}", binary_, status.text(),
                      next.count() > 0 ? fmt::format(" in {} ms", next.count()) : "");
    }

    const std::string binary_;
    const variables environment_;
    start_progress& progress_;
    const telemetry::logger log_;
    const style style_;
    std::string complaint_;  // the last one
    int times_held_ = 0, times_hung_ = 0;
    supervised_process process_;  // last: its thread uses all the others
};

// Hears from loqad how the components are, and asks it again when the bus was away.
class readiness_watch {
public:
    // A payload, or nothing where loqad is to be asked. Only the newest state counts.
    using news_queue = bounded_queue<std::optional<std::string>>;

    readiness_watch(bus::connection& bus, news_queue& news, start_progress& progress, const service_manager& manager,
                    telemetry::logger log)
        : bus_(bus), news_(news), progress_(progress), manager_(manager), log_(std::move(log)) {}
    ~readiness_watch() {
        subscription_.reset();
        news_.close();
    }
    readiness_watch(const readiness_watch&) = delete;
    readiness_watch& operator=(const readiness_watch&) = delete;

    result<void> start() {
        auto subscribed = bus_.subscribe(protocol::subject::readiness,
                                         [this](bus::message message) { news_.push(std::move(message.payload)); });
        if (!subscribed) return fail(std::move(subscribed));
        subscription_ = std::move(*subscribed);
        news_.push(std::nullopt);
        thread_ = std::jthread([this] { run(); });
        return {};
    }

private:
    void run() {
        name_this_thread("readiness");
        while (auto next = news_.pop()) {
            if (!*next) {
                auto answer = bus_.request(protocol::subject::readiness_get, "{}", readiness_timeout);
                if (!answer) continue;  // not up yet: it will publish
                *next = std::move(answer->payload);
            }
            if (const auto state = protocol::decode<protocol::readiness>(**next)) tell(*state);
        }
    }

    void tell(const protocol::readiness& state) {
        if (progress_.stopping()) return;
        if (state.ready) {
            if (progress_.set_ready()) {
                print_line("ready");
                manager_.tell(report::ready);
            } else if (!waiting_.empty()) {
                log_.info("ready again");
            }
            waiting_.clear();
            return;
        }
        std::string waiting;
        for (const auto& c : state.components)
            if (c.state != "ready")
                waiting += fmt::format("{}{} ({})", waiting.empty() ? "" : ", ", printable(c.name), printable(c.state));
        if (!waiting.empty() && waiting != waiting_) log_.info("waiting for {}", waiting);
        waiting_ = std::move(waiting);
    }

    bus::connection& bus_;
    news_queue& news_;
    start_progress& progress_;
    const service_manager& manager_;
    const telemetry::logger log_;
    std::string waiting_;
    std::unique_ptr<bus::subscription> subscription_;
    std::jthread thread_;
};

// Takes what tells others about this instance away again.
class instance_info_guard {
public:
    explicit instance_info_guard(fs::path data) : data_(std::move(data)) {}
    ~instance_info_guard() { bus::remove_instance_info(data_); }
    instance_info_guard(const instance_info_guard&) = delete;
    instance_info_guard& operator=(const instance_info_guard&) = delete;

private:
    fs::path data_;
};

variables environment_for(const up_options& options, const config::settings& settings,
                          const bus::embedded_server* server, role who) {
    variables all{{"LOQA_RUNTIME_DATA_DIR", settings.data_dir.string()}};
    if (options.instance.config) all.emplace_back("LOQA_CONFIG", fs::absolute(*options.instance.config).string());
    if (server != nullptr) {
        all.emplace_back("LOQA_BUS_EMBEDDED", "false");
        all.emplace_back("LOQA_BUS_SERVERS", server->server());
        all.emplace_back("LOQA_BUS_USERNAME", server->username(who));
        all.emplace_back("LOQA_BUS_PASSWORD", server->password(who));
    }
    return all;
}

// loqad, the last that was started, ends its turns while the others still work for it; then these end together.
void stop(std::vector<std::unique_ptr<component>>& components) {
    const auto deadline = std::chrono::steady_clock::now() + stop_grace;
    components.back()->stop(stop_grace);
    components.pop_back();
    const auto left = std::chrono::duration_cast<milliseconds>(deadline - std::chrono::steady_clock::now());
    std::vector<std::jthread> stoppers;
    for (const auto& each : components)
        stoppers.emplace_back([&each, grace = std::max<milliseconds>(left, least_grace)] { each->stop(grace); });
}

}  // namespace

result<int> up(const up_options& options) {
    const auto manager = service_manager::from_environment();
    shutdown_signal shutdown;
    const auto settings = load_settings(options.instance);
    if (!settings) return fail(settings);

    const auto style = style_of_stderr();
    const auto log = telemetry::logger::to(
        [style](std::string_view line) { fmt::print(stderr, "{}\n", show_child_line("loqa", line, style)); }, "loqa",
        telemetry::parse_level(settings->telemetry.log_level).value_or(telemetry::level::info),
        settings->telemetry.log_format == "json");
    for (const auto& warning : settings->warnings) log.warn("configuration: {}", warning);

    const auto lock = instance_lock::take(settings->data_dir);
    if (!lock) return fail(lock);
    const instance_info_guard info(settings->data_dir);

    auto bus_to = bus::options_from(settings->bus, "loqa up");
    std::string client_url = bus_to.servers.empty() ? std::string() : bus_to.servers.front();
    std::unique_ptr<bus::embedded_server> server;
    if (settings->bus.embedded) {
        auto started = bus::embedded_server::start({.data_folder = settings->data_dir,
                                                    .binary = {},
                                                    .port = settings->bus.port,
                                                    .hang_timeout = settings->hang_timeout},
                                                   log);
        if (!started) return fail(std::move(started));
        server = std::move(*started);
        client_url = server->url(role::client);
        bus_to.servers = {server->server()};
        bus_to.username = server->username(role::client);
        bus_to.password = server->password(role::client);
        bus_to.token.clear();
    }
    if (auto written = bus::write_bus_info(settings->data_dir, client_url, ::getpid()); !written)
        return fail(std::move(written));

    start_progress progress(shutdown);
    telemetry::metrics metrics;
    readiness_watch::news_queue news(max_news, overflow::drop_oldest);
    auto bus = bus::connect(std::move(bus_to), log, metrics, [&news](bus::link link) {
        if (link == bus::link::up) news.push(std::nullopt);
    });
    if (!bus) {
        if (!settings->bus.embedded && bus.error().hint.empty())
            bus.error().hint = "check bus.servers and the credentials in section bus";
        return fail(std::move(bus));
    }
    readiness_watch watch(**bus, news, progress, manager, log);
    if (auto started = watch.start(); !started) return fail(std::move(started));

    std::vector<std::unique_ptr<component>> components;
    const auto start = [&](const char* binary, role who) {
        // A voice that is a program of its own has as much time for a piece.
        auto patience = settings->hang_timeout;
        if (who == role::tts && settings->tts.mode == "exec") patience += tts::command_config{}.timeout;
        components.push_back(std::make_unique<component>(
            binary, environment_for(options, *settings, server.get(), who),
            settings->hang_timeout.count() > 0 ? std::optional(patience) : std::nullopt, progress, log, style));
    };
    if (settings->stt.enabled) start("loqa-stt", role::stt);
    if (settings->tts.enabled) start("loqa-tts", role::tts);
    start("loqad", role::core);

    int signal = 0;
    for (;;) {
        manager.tell(report::alive);
        const auto asked =
            shutdown.wait_until(std::chrono::steady_clock::now() + manager.patience().value_or(seconds(60)) / 3);
        if (!asked) continue;
        signal = *asked;
        break;
    }
    manager.tell(report::stopping);
    progress.set_stopping();
    if (signal != 0) log.info("stopping");
    stop(components);
    if (const auto failed = progress.failed()) return failure(*failed);
    return 0;
}

}  // namespace loqa::cli
