#include "frame.hpp"

#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <thread>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include <CLI/CLI.hpp>
#include <unistd.h>

#include "loqa/base/process.hpp"
#include "loqa/base/service_manager.hpp"
#include "loqa/bus/embedded_server.hpp"
#include "loqa/protocol/messages.hpp"
#include "loqa/protocol/subjects.hpp"

namespace loqa::app {
namespace {

constexpr seconds status_interval{1};
constexpr milliseconds last_spans{1000};  // time for the last spans to leave at the end

void complain(const identity& who, const error& e) {
    std::fputs(fmt::format("{}: {}\n", who.binary, e.text()).c_str(), stderr);
}

// The settings, or the exit code with which to leave main.
std::variant<config::settings, int> parse(const identity& who, int argc, char** argv) {
    CLI::App app(who.description, who.binary);
    std::string file;
    bool check = false;
    bool print = false;
    bool keys = false;
    app.add_option("--config", file,
                   "Configuration file (default: $LOQA_CONFIG, ~/.config/loqa/loqa.yaml, /etc/loqa/loqa.yaml)");
    app.add_flag("--check-config", check, "Check the configuration, say what is wrong with it, and end");
    app.add_flag("--print-config", print, "Print a configuration file with every key at its default, and end");
    app.add_flag("--help-config", keys, "Explain every key of the configuration, and end");
    app.set_version_flag("--version", std::string(who.binary) + " " + LOQA_VERSION);
    app.footer(
        fmt::format("Every key can be overridden in the environment: LOQA_STT_THREADS=1 {0}\n"
                    "Examples:\n  {0} --config /etc/loqa/loqa.yaml\n  {0} --check-config --config loqa.yaml\n"
                    "  {0} --print-config > loqa.yaml",
                    who.binary));
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& e) {
        return app.exit(e) == 0 ? 0 : 2;
    }
    if (print || keys) {
        std::fputs((print ? config::example_yaml() : config::help()).c_str(), stdout);
        return 0;
    }
    config::source source{.file = {}, .environment = config::process_environment()};
    source.file = file.empty() ? config::find_file(source.environment) : fs::path(file);
    auto settings = config::load(source);
    if (!settings) {
        complain(who, settings.error());
        return 2;
    }
    if (check) {
        for (const auto& warning : settings->warnings)
            std::fputs(fmt::format("warning: {}\n", warning).c_str(), stdout);
        std::fputs("configuration valid\n", stdout);
        return 0;
    }
    return std::move(*settings);
}

telemetry::logger make_logger(const identity& who, const config::settings& settings) {
    return telemetry::logger::to_stderr(
        who.binary, telemetry::parse_level(settings.telemetry.log_level).value_or(telemetry::level::info),
        settings.telemetry.log_format == "json");
}

class process_frame final : public frame {
public:
    process_frame(identity who, config::settings settings, const service_manager& manager, shutdown_signal& shutdown)
        : who_(std::move(who)),
          settings_(std::move(settings)),
          manager_(manager),
          shutdown_(shutdown),
          log_(make_logger(who_, settings_)) {}

    ~process_frame() override {
        {
            std::lock_guard lock(mutex_);
            ending_ = true;
        }
        changed_.notify_all();
        if (status_thread_.joinable()) status_thread_.join();
        if (tracer_) tracer_->shutdown(clock_.steady() + last_spans);
        if (bus_ && bus_->connected()) std::ignore = bus_->flush(seconds(1));
    }

    result<void> start() {
        for (const auto& warning : settings_.warnings) log_.warn("configuration: {}", warning);
        for (const auto& [why, times] : {std::pair{"held", manager_.times_held()}, {"hung", manager_.times_hung()}})
            metrics_
                .counter("loqa_process_ended_total",
                         "Times that this process was ended and started anew, since a signal held it or it hung",
                         {{"reason", why}})
                .add(times);
        auto server =
            telemetry::metrics_server::start(metrics_, settings_.telemetry.prometheus_bind, who_.metrics_port_offset);
        if (!server) return fail(std::move(server));
        metrics_server_ = std::move(*server);
        if (metrics_server_->port() != 0) log_.debug("metrics on port {}", metrics_server_->port());

        auto options = bus_options();
        if (!options) return fail(std::move(options));
        auto connected = bus::connect(std::move(*options), log_, metrics_, [this](bus::link link) {
            if (link == bus::link::closed)
                give_up({errc::not_permitted, "bus: the server refuses our credentials for good",
                         "check bus.username and bus.password"});
        });
        if (!connected) return fail(std::move(connected));
        bus_ = std::move(*connected);

        std::vector<std::unique_ptr<telemetry::span_sink>> sinks;
        sinks.push_back(
            telemetry::callback_sink("bus", [this](const std::vector<telemetry::span>& batch) { publish(batch); }));
        if (!settings_.telemetry.otlp_endpoint.empty()) {
            auto otlp = telemetry::otlp_sink({.endpoint = settings_.telemetry.otlp_endpoint,
                                              .insecure = settings_.telemetry.otlp_insecure,
                                              .resource = {{"service.namespace", "loqa"},
                                                           {"service.version", LOQA_VERSION},
                                                           {"service.instance.id", settings_.node.id},
                                                           {"deployment.environment.name", settings_.environment}}});
            if (!otlp) return fail(std::move(otlp));
            sinks.push_back(std::move(*otlp));
        }
        tracer_ = std::make_unique<telemetry::tracer>(who_.binary, std::move(sinks), metrics_, log_);

        status_thread_ = std::thread([this] { report_status(); });
        return {};
    }

    const config::settings& settings() const override { return settings_; }
    const loqa::clock& clock() const override { return clock_; }
    telemetry::logger log() const override { return log_; }
    telemetry::metrics& metrics() override { return metrics_; }
    telemetry::tracer& tracer() override { return *tracer_; }
    bus::connection& bus() override { return *bus_; }

    void set_state(std::string_view state, std::string detail) override {
        {
            std::lock_guard lock(mutex_);
            state_ = state;
            detail_ = std::move(detail);
            dirty_ = true;
        }
        changed_.notify_all();
    }

    void give_up(const error& why) override {
        log_.error(why);
        gave_up_ = true;
        shutdown_.request();
    }

    bool gave_up() const { return gave_up_; }

    void watch(std::string name, std::function<void(std::function<void()>)> ask) override {
        std::lock_guard lock(loops_mutex_);
        loops_.push_back({std::move(name), std::move(ask)});
    }

    // From here on the part answers for the process; to end_watch(), before the part ends.
    void begin_watch() {
        std::lock_guard lock(loops_mutex_);
        watching_ = true;
        manager_.tell(report::ready);
    }
    void end_watch() {
        std::lock_guard lock(loops_mutex_);
        watching_ = false;
        loops_.clear();
        manager_.tell(report::stopping);
    }

    void publish_status() {
        protocol::component_status status{
            .name = who_.component, .node_id = settings_.node.id, .pid = static_cast<int>(::getpid())};
        {
            std::lock_guard lock(mutex_);
            status.state = state_;
            status.detail = detail_;
            dirty_ = false;
        }
        std::ignore = bus_->publish(protocol::join(protocol::subject::component_status, who_.component),
                                    protocol::encode(status));
    }

private:
    result<bus::options> bus_options() {
        const auto& b = settings_.bus;
        auto options = bus::options_from(b, who_.binary);
        if (!b.embedded) return options;
        if (!who_.owns_bus)
            return fail(errc::invalid_config, "bus.embedded is true, but {} does not start a bus", who_.binary)
                .hint("run `loqa up`, or set bus.embedded: false and bus.servers to where the bus is");
        auto server = bus::embedded_server::start(
            {.data_folder = settings_.data_dir, .port = b.port, .hang_timeout = settings_.hang_timeout}, log_);
        if (!server) return fail(std::move(server));
        server_ = std::move(*server);
        if (auto written =
                bus::write_bus_info(settings_.data_dir, server_->url(bus::role::client), static_cast<int>(::getpid()));
            !written)
            return fail(std::move(written));
        options.servers = {server_->server()};
        options.username = server_->username(bus::role::core);
        options.password = server_->password(bus::role::core);
        return options;
    }

    void publish(const std::vector<telemetry::span>& batch) {
        std::string list = "[";
        for (const auto& span : batch) {
            if (list.size() > 1) list += ',';
            list += telemetry::span_to_json(span);
        }
        std::ignore = bus_->publish(protocol::subject::trace_spans, list + "]");
    }

    void report_status() {
        name_this_thread("status");
        std::unique_lock lock(mutex_);
        while (!ending_) {
            lock.unlock();
            publish_status();
            ask_loops();
            lock.lock();
            changed_.wait_for(lock, status_interval, [this] { return ending_ || dirty_; });
        }
    }

    struct loop {
        std::string name;
        std::function<void(std::function<void()>)> ask;
        std::shared_ptr<std::atomic<bool>> answered = std::make_shared<std::atomic<bool>>(true);
        steady_time asked_at{};
        bool told = false;  // that it is slow
    };

    void ask_loops() {
        std::lock_guard lock(loops_mutex_);
        if (!watching_ || !manager_.patience()) return;
        const auto now = clock_.steady();
        bool all = true;
        for (auto& each : loops_) {
            if (*each.answered) continue;
            all = false;
            if (std::exchange(each.told, each.told || now - each.asked_at > *manager_.patience() / 2) != each.told)
                log_.error("{} has not answered for {:.1f} s", each.name, to_ms(now - each.asked_at) / 1000);
        }
        if (!all) return;
        manager_.tell(report::alive);
        for (auto& each : loops_) {
            each.asked_at = now;
            each.told = false;
            *each.answered = false;
            each.ask([answered = each.answered] { *answered = true; });
        }
    }

    const identity who_;
    const config::settings settings_;
    const service_manager& manager_;
    shutdown_signal& shutdown_;
    const real_clock clock_;
    const telemetry::logger log_;
    telemetry::metrics metrics_;
    std::unique_ptr<telemetry::metrics_server> metrics_server_;
    std::unique_ptr<bus::embedded_server> server_;
    std::unique_ptr<bus::connection> bus_;
    std::unique_ptr<telemetry::tracer> tracer_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::string state_ = "starting";
    std::string detail_;
    bool dirty_ = false;
    bool ending_ = false;
    std::atomic<bool> gave_up_{false};
    std::mutex loops_mutex_;
    std::vector<loop> loops_;
    bool watching_ = false;
    std::thread status_thread_;
};

}  // namespace

int run(const identity& who, int argc, char** argv, const std::function<result<std::unique_ptr<part>>(frame&)>& start) {
    const auto manager = service_manager::from_environment();
    shutdown_signal shutdown;
    auto parsed = parse(who, argc, argv);
    if (const int* exit_code = std::get_if<int>(&parsed)) return *exit_code;

    process_frame frame(who, std::get<config::settings>(std::move(parsed)), manager, shutdown);
    if (auto started = frame.start(); !started) {
        frame.log().error(started.error());
        return 1;
    }
    auto own = start(frame);
    if (!own) {
        frame.log().error(own.error());
        frame.set_state("failed", own.error().text());
        frame.publish_status();
        return 1;
    }
    if ((*own)->ready()) {
        frame.set_state("ready", (*own)->detail());
        frame.log().info("ready");
    }
    frame.begin_watch();
    const int signal = shutdown.wait();
    frame.end_watch();
    frame.set_state("stopping", "");
    frame.log().info("ending{}", signal == 0 ? "" : fmt::format(" on signal {}", signal));
    own->reset();
    return frame.gave_up() ? 1 : 0;
}

}  // namespace loqa::app
