// Metrics, in the form that Prometheus scrapes.
//
// main owns one `metrics` for the process and hands it to the parts, which ask it once for what they count and keep the
// reference: it lives as long as the `metrics`. Asking again for the same name and labels gives the same object. All of
// it is safe from any thread; add(), set() and observe() take no lock that a scrape holds for long.
//
// Names are snake_case with the prefix loqa_ and the unit as suffix (_ms, _bytes, _total for counters). A name that
// Prometheus forbids, or one that is taken by another kind of metric, is a fault of the program and ends it. Label
// values must come from a small fixed set, never from outside: each one is a time series for ever.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "loqa/base/result.hpp"

namespace prometheus {
class Counter;
class Gauge;
class Histogram;
}  // namespace prometheus

namespace loqa::telemetry {

using labels = std::map<std::string, std::string>;

// Upper bounds of the buckets of every latency in milliseconds, so that stages can be compared and added.
inline constexpr std::array<double, 18> latency_buckets_ms = {5,   10,  20,  50,   75,   100,  150,  200,  300,
                                                              400, 500, 750, 1000, 1500, 2000, 3000, 5000, 10'000};

class counter {
public:
    explicit counter(prometheus::Counter& of) : of_(of) {}
    void add(double by = 1);
    double value() const;

private:
    prometheus::Counter& of_;
};

class gauge {
public:
    explicit gauge(prometheus::Gauge& of) : of_(of) {}
    void set(double to);
    void add(double by);
    double value() const;

private:
    prometheus::Gauge& of_;
};

class histogram {
public:
    explicit histogram(prometheus::Histogram& of) : of_(of) {}
    void observe(double value);

private:
    prometheus::Histogram& of_;
};

class metrics {
public:
    metrics();
    ~metrics();
    metrics(const metrics&) = delete;
    metrics& operator=(const metrics&) = delete;

    telemetry::counter& counter(const std::string& name, const std::string& help, const labels& with = {});
    telemetry::gauge& gauge(const std::string& name, const std::string& help, const labels& with = {});
    telemetry::histogram& histogram(const std::string& name, const std::string& help, std::span<const double> buckets,
                                    const labels& with = {});

    // All of them in Prometheus' text format 0.0.4.
    std::string text() const;

private:
    struct state;
    std::unique_ptr<state> state_;
};

// Answers GET /metrics until destroyed.
class metrics_server {
public:
    // `bind` is telemetry.prometheus_bind: "host:port", ":port" for all interfaces, or "" to listen nowhere. Processes
    // of one machine share the key: `port_offset` is what this one adds to the port, unless that is 0, which takes any
    // free one. already_exists when the port is taken, invalid_config when `bind` cannot be read.
    static result<std::unique_ptr<metrics_server>> start(const metrics& source, std::string_view bind,
                                                         int port_offset = 0);
    virtual ~metrics_server() = default;

    virtual int port() const = 0;  // 0 when it listens nowhere
};

}  // namespace loqa::telemetry
