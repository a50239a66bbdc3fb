#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "loqa/base/bounded_queue.hpp"
#include "loqa/base/process.hpp"
#include "loqa/telemetry/trace.hpp"

namespace loqa::telemetry {

// One sink with its queue and thread, so that a receiver that hangs delays nobody but itself.
class tracer::lane {
public:
    lane(std::unique_ptr<span_sink> sink, metrics& metrics, logger log)
        : sink_(std::move(sink)),
          exported_(metrics.counter("loqa_spans_exported_total", "Trace spans handed to a sink.", {{"sink", name()}})),
          dropped_(metrics.counter("loqa_spans_dropped_total", "Trace spans lost before a sink took them.",
                                   {{"sink", name()}})),
          log_failure_(std::move(log), clock_),
          thread_([this](const std::stop_token& stop) { run(stop); }) {}

    void push(span finished) {
        if (!queue_.push(std::move(finished))) dropped_.add();
    }

    void close() { queue_.close(); }

    void wait_until(steady_time deadline) {
        std::unique_lock lock(mutex_);
        done_changed_.wait_until(lock, deadline, [this] { return done_; });
    }

    void stop() { thread_.request_stop(); }

    void join() {
        if (thread_.joinable()) thread_.join();
    }

private:
    std::string name() const { return std::string(sink_->name()); }

    void run(const std::stop_token& stop) {
        name_this_thread("trace-" + name());
        while (auto first = queue_.pop()) {
            std::vector<span> batch;
            batch.push_back(std::move(*first));
            const steady_time full_at = std::chrono::steady_clock::now() + batch_delay;
            while (batch.size() < batch_size) {
                auto next = queue_.pop_until(full_at);
                if (!next) break;
                batch.push_back(std::move(*next));
            }
            deliver(batch, stop);
        }
        {
            std::lock_guard lock(mutex_);
            done_ = true;
        }
        done_changed_.notify_all();
    }

    void deliver(const std::vector<span>& batch, const std::stop_token& stop) {
        const auto count = static_cast<double>(batch.size());
        if (stop.stop_requested()) return dropped_.add(count);
        const auto accepted = sink_->accept(batch, stop);
        if (accepted) return exported_.add(count);
        dropped_.add(count);
        log_failure_("traces are lost: {}", accepted.error().message);
    }

    const real_clock clock_;
    const std::unique_ptr<span_sink> sink_;
    counter& exported_;
    counter& dropped_;
    rate_limited log_failure_;
    bounded_queue<span> queue_{queue_capacity, overflow::reject_newest};
    std::mutex mutex_;
    std::condition_variable done_changed_;
    bool done_ = false;
    std::jthread thread_;
};

tracer::tracer(std::string process, std::vector<std::unique_ptr<span_sink>> sinks, metrics& metrics, const logger& log)
    : process_(std::move(process)) {
    for (auto& sink : sinks) lanes_.push_back(std::make_unique<lane>(std::move(sink), metrics, log));
}

tracer::~tracer() { shutdown(std::chrono::steady_clock::now() + seconds(1)); }

void tracer::record(span finished) {
    if (finished.process.empty()) finished.process = process_;
    for (const auto& lane : lanes_) lane->push(finished);
}

void tracer::shutdown(steady_time deadline) {
    for (const auto& lane : lanes_) lane->close();
    for (const auto& lane : lanes_) lane->wait_until(deadline);
    for (const auto& lane : lanes_) lane->stop();
    for (const auto& lane : lanes_) lane->join();
}

namespace {

class callback final : public span_sink {
public:
    callback(std::string name, std::function<void(const std::vector<span>&)> deliver)
        : name_(std::move(name)), deliver_(std::move(deliver)) {}

    std::string_view name() const override { return name_; }
    result<void> accept(const std::vector<span>& batch, std::stop_token) override {
        deliver_(batch);
        return {};
    }

private:
    const std::string name_;
    const std::function<void(const std::vector<span>&)> deliver_;
};

}  // namespace

std::unique_ptr<span_sink> callback_sink(std::string name, std::function<void(const std::vector<span>&)> deliver) {
    return std::make_unique<callback>(std::move(name), std::move(deliver));
}

}  // namespace loqa::telemetry
