#include "loqa/session/service.hpp"

#include <algorithm>
#include <utility>

#include "loqa/base/process.hpp"
#include "loqa/protocol/subjects.hpp"

namespace loqa::session {

namespace {

constexpr seconds longest_wait{60};

}  // namespace

service::service(conductor_config config, conductor::parts with, const intent::live_interpreter& sentences)
    : clock_(with.clock),
      dropped_(
          with.metrics.counter("loqa_session_dropped_total", "Messages dropped because the session's queue was full")),
      depth_(with.metrics.gauge("loqa_session_queue_depth", "Messages waiting for the session")),
      due_(with.clock.steady()),
      conductor_(std::move(config), with, sentences) {}

result<std::unique_ptr<service>> service::start(conductor_config config, conductor::parts with,
                                                const intent::live_interpreter& sentences) {
    std::unique_ptr<service> made(new service(std::move(config), with, sentences));
    if (auto subscribed = made->subscribe(with.bus); !subscribed) return fail(std::move(subscribed));
    made->thread_ = std::thread([s = made.get()] { s->run(); });
    with.timers.run([s = made.get()](const timers::timer& t) { s->bring(t); });
    return made;
}

service::~service() { stop(); }

void service::stop() {
    subscriptions_.clear();
    {
        std::lock_guard lock(mutex_);
        closing_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
}

protocol::readiness service::readiness() const {
    std::lock_guard lock(mutex_);
    return readiness_;
}

result<void> service::subscribe(bus::connection& bus) {
    const auto put = [this](bus::message m) { bring(std::move(m)); };
    for (const auto& subject : conductor::work_subjects()) {
        auto made = bus.subscribe(subject, protocol::group::session, put);
        if (!made) return fail(std::move(made));
        subscriptions_.push_back(std::move(*made));
    }
    for (const auto& subject : conductor::broadcast_subjects()) {
        auto made = bus.subscribe(subject, put);
        if (!made) return fail(std::move(made));
        subscriptions_.push_back(std::move(*made));
    }
    for (const auto& subject : conductor_.own_subjects()) {
        auto made = bus.subscribe(subject, put);
        if (!made) return fail(std::move(made));
        subscriptions_.push_back(std::move(*made));
    }
    return bus.flush(seconds(2));
}

void service::ask(std::function<void()> alive) {
    {
        std::lock_guard lock(mutex_);
        asked_.push_back(std::move(alive));
    }
    changed_.notify_all();
}

void service::bring(event what) {
    std::unique_lock lock(mutex_);
    if (closing_) return;
    if (waiting_.size() >= queue_capacity) return dropped_.add();
    waiting_.push_back(std::move(what));
    if (!busy_) work(lock);
}

// Until nothing waits and nothing is due. Called, and left, with the lock.
void service::work(std::unique_lock<std::mutex>& lock) {
    busy_ = true;
    for (;;) {
        if (!waiting_.empty()) {
            const auto next = std::move(waiting_.front());
            waiting_.pop_front();
            depth_.set(static_cast<double>(waiting_.size()));
            lock.unlock();
            if (const auto* message = std::get_if<bus::message>(&next))
                conductor_.handle(*message);
            else
                conductor_.ring(std::get<timers::timer>(next));
        } else {
            lock.unlock();
        }
        if (clock_.steady() >= conductor_.next_deadline()) conductor_.tick();
        const auto due = conductor_.next_deadline();
        auto readiness = conductor_.readiness();
        lock.lock();
        readiness_ = std::move(readiness);
        if (!waiting_.empty()) continue;
        busy_ = false;
        const bool sooner = due < std::exchange(due_, due);
        if (sooner || closing_ || !asked_.empty()) changed_.notify_all();
        return;
    }
}

void service::run() {
    name_this_thread("session");
    std::unique_lock lock(mutex_);
    while (!closing_) {
        // Not wait_until(max()): some libraries compute with the deadline and overflow.
        const auto until = std::min(due_, std::chrono::steady_clock::now() + longest_wait);
        changed_.wait_until(lock, until, [&] { return closing_ || due_ < until || (!busy_ && !asked_.empty()); });
        if (closing_) break;
        if (!busy_)
            for (const auto& alive : std::exchange(asked_, {})) alive();
        if (busy_)
            due_ = steady_time::max();  // who is at work does what is due, and says what comes next
        else if (clock_.steady() >= due_)
            work(lock);
    }
    changed_.wait(lock, [this] { return !busy_; });
    busy_ = true;
    lock.unlock();
    conductor_.cancel_all("stopping");
}

}  // namespace loqa::session
