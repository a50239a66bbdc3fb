#include "loqa/session/service.hpp"

#include <algorithm>

#include "loqa/base/process.hpp"
#include "loqa/protocol/subjects.hpp"

namespace loqa::session {

service::service(conductor_config config, conductor::parts with, const intent::live_interpreter& sentences)
    : clock_(with.clock),
      conductor_(std::move(config), with, sentences),
      dropped_(
          with.metrics.counter("loqa_session_dropped_total", "Messages dropped because the session's queue was full")),
      depth_(with.metrics.gauge("loqa_session_queue_depth", "Messages waiting for the session")) {}

result<std::unique_ptr<service>> service::start(conductor_config config, conductor::parts with,
                                                const intent::live_interpreter& sentences) {
    std::unique_ptr<service> made(new service(std::move(config), with, sentences));
    if (auto subscribed = made->subscribe(with.bus); !subscribed) return fail(std::move(subscribed));
    made->thread_ = std::thread([s = made.get()] { s->run(); });
    with.timers.run([s = made.get()](const timers::timer& t) { s->enqueue(t); });
    return made;
}

service::~service() { stop(); }

void service::stop() {
    subscriptions_.clear();
    queue_.close();
    if (thread_.joinable()) thread_.join();
}

protocol::readiness service::readiness() const {
    std::lock_guard lock(readiness_mutex_);
    return readiness_;
}

result<void> service::subscribe(bus::connection& bus) {
    const auto put = [this](bus::message m) { enqueue(std::move(m)); };
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
    auto own = bus.subscribe(conductor_.own_subject(), put);
    if (!own) return fail(std::move(own));
    subscriptions_.push_back(std::move(*own));
    return bus.flush(seconds(2));
}

void service::enqueue(std::variant<bus::message, timers::timer> event) {
    if (!queue_.push(std::move(event)) && !queue_.closed()) dropped_.add();
}

void service::run() {
    name_this_thread("session");
    // A deadline that moves while the queue is waited for moves by a message, which ends the wait.
    while (!queue_.closed() || queue_.size() > 0) {
        auto event = queue_.pop_until(conductor_.next_deadline());
        if (event) {
            if (const auto* message = std::get_if<bus::message>(&*event))
                conductor_.handle(*message);
            else
                conductor_.ring(std::get<timers::timer>(*event));
        }
        if (clock_.steady() >= conductor_.next_deadline()) conductor_.tick();
        depth_.set(static_cast<double>(queue_.size()));
        std::lock_guard lock(readiness_mutex_);
        readiness_ = conductor_.readiness();
    }
    conductor_.cancel_all("stopping");
}

}  // namespace loqa::session
