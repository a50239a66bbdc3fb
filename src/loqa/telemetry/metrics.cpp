#include "loqa/telemetry/metrics.hpp"

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <unordered_map>

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include "loqa/telemetry/listener.hpp"

namespace loqa::telemetry {

namespace {

// One handle for each metric of the library; nodes of the map never move.
template <class Handle, class Metric>
Handle& handle_of(std::unordered_map<Metric*, Handle>& handles, Metric& metric) {
    return handles.try_emplace(&metric, metric).first->second;
}

template <class Make>
auto& or_abort(const std::string& name, const Make& make) {
    try {
        return make();
    } catch (const std::exception& e) {
        fmt::print(stderr, "metric {} cannot be registered: {}\n", name, e.what());
        std::abort();
    }
}

}  // namespace

void counter::add(double by) { of_.Increment(by); }
double counter::value() const { return of_.Value(); }
void gauge::set(double to) { of_.Set(to); }
void gauge::add(double by) { of_.Increment(by); }
double gauge::value() const { return of_.Value(); }
void histogram::observe(double value) { of_.Observe(value); }

struct metrics::state {
    prometheus::Registry registry;
    std::mutex mutex;  // of the maps
    std::unordered_map<prometheus::Counter*, telemetry::counter> counters;
    std::unordered_map<prometheus::Gauge*, telemetry::gauge> gauges;
    std::unordered_map<prometheus::Histogram*, telemetry::histogram> histograms;
};

metrics::metrics() : state_(std::make_unique<state>()) {}
metrics::~metrics() = default;

counter& metrics::counter(const std::string& name, const std::string& help, const labels& with) {
    return or_abort(name, [&]() -> telemetry::counter& {
        auto& metric = prometheus::BuildCounter().Name(name).Help(help).Register(state_->registry).Add(with);
        std::lock_guard lock(state_->mutex);
        return handle_of(state_->counters, metric);
    });
}

gauge& metrics::gauge(const std::string& name, const std::string& help, const labels& with) {
    return or_abort(name, [&]() -> telemetry::gauge& {
        auto& metric = prometheus::BuildGauge().Name(name).Help(help).Register(state_->registry).Add(with);
        std::lock_guard lock(state_->mutex);
        return handle_of(state_->gauges, metric);
    });
}

histogram& metrics::histogram(const std::string& name, const std::string& help, std::span<const double> buckets,
                              const labels& with) {
    return or_abort(name, [&]() -> telemetry::histogram& {
        auto& metric = prometheus::BuildHistogram()
                           .Name(name)
                           .Help(help)
                           .Register(state_->registry)
                           .Add(with, prometheus::Histogram::BucketBoundaries(buckets.begin(), buckets.end()));
        std::lock_guard lock(state_->mutex);
        return handle_of(state_->histograms, metric);
    });
}

std::string metrics::text() const { return prometheus::TextSerializer{}.Serialize(state_->registry.Collect()); }

namespace {

constexpr std::string_view bind_key = "telemetry.prometheus_bind";

class serving final : public metrics_server {
public:
    explicit serving(std::unique_ptr<listener> on) : on_(std::move(on)) {}
    int port() const override { return on_ ? on_->port() : 0; }

private:
    std::unique_ptr<listener> on_;  // null: listens nowhere
};

struct address {
    std::string host;
    int port;
};

result<address> parse_bind(std::string_view bind) {
    const auto unreadable = [&] {
        return fail(errc::invalid_config, "{} is \"{}\", which is no address", bind_key, bind)
            .hint("write host:port such as 127.0.0.1:9091, :9091 for all interfaces, or \"\" for no metrics server");
    };
    const auto colon = bind.rfind(':');
    if (colon == std::string_view::npos) return unreadable();
    std::string_view host = bind.substr(0, colon);
    const std::string_view digits = bind.substr(colon + 1);
    if (host.starts_with('[') && host.ends_with(']')) {
        host = host.substr(1, host.size() - 2);
    } else if (host.contains(':')) {
        return unreadable();  // an IPv6 address without its brackets
    }
    int port = 0;
    const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (failed != std::errc{} || end != digits.data() + digits.size() || port < 0 || port > 65'535) return unreadable();
    return address{std::string(host), port};
}

}  // namespace

result<std::unique_ptr<metrics_server>> metrics_server::start(const metrics& source, std::string_view bind,
                                                              int port_offset) {
    if (bind.empty()) return std::make_unique<serving>(nullptr);
    auto where = parse_bind(bind);
    if (!where) return fail(std::move(where));
    std::string key(bind_key);
    if (where->port != 0 && port_offset != 0) {
        where->port += port_offset;
        key += fmt::format(" plus {}", port_offset);
        if (where->port > 65'535) {
            return fail(errc::invalid_config, "{} is \"{}\": {} is no port", key, bind, where->port)
                .hint("set {} to a port below {}", bind_key, 65'536 - port_offset);
        }
    }
    listener_options options{.host = where->host, .port = where->port, .key = std::move(key), .max_request_bytes = 0};
    auto on = listener::start(std::move(options), [&source](const request& r) -> response {
        if (r.path != "/metrics")
            return {.status = 404, .content_type = "text/plain", .body = "Metrics are at /metrics.\n"};
        if (r.method != "GET")
            return {.status = 405, .content_type = "text/plain", .body = "Only GET.\n", .allow = "GET"};
        return {.content_type = "text/plain; version=0.0.4; charset=utf-8", .body = source.text()};
    });
    if (!on) return fail(std::move(on));
    return std::make_unique<serving>(std::move(*on));
}

}  // namespace loqa::telemetry
