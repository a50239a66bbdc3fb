#include "loqa/stt/sentences.hpp"

#include <utility>

#include "loqa/base/process.hpp"
#include "loqa/protocol/subjects.hpp"

namespace loqa::stt {

sentences::sentences(bus::connection& bus, loader load, options how, telemetry::logger log)
    : bus_(bus), load_(std::move(load)), how_(how), log_(std::move(log)) {
    auto made = bus_.subscribe(protocol::subject::home_changed, [this](const bus::message&) {
        {
            std::lock_guard lock(mutex_);
            stale_ = true;
        }
        changed_.notify_all();
    });
    if (made) {
        subscription_ = std::move(*made);
    } else {
        log_.warn(made.error());
    }
    thread_ = std::thread([this] { run(); });
}

sentences::~sentences() {
    subscription_.reset();
    {
        std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

std::shared_ptr<const intent::interpreter> sentences::now() const {
    std::lock_guard lock(mutex_);
    return now_;
}

std::shared_ptr<expectation> sentences::expected() const {
    std::lock_guard lock(mutex_);
    return expected_;
}

phrase sentences::judge(std::string_view text) const {
    const auto with = now();
    return with ? stt::judge(*with, text) : phrase::unknown;
}

void sentences::run() {
    name_this_thread("stt-sentences");
    // Something to go by at once: loqad may take its time.
    compile(std::make_shared<const intent::home>());
    std::unique_lock lock(mutex_);
    while (!stopping_) {
        stale_ = false;
        lock.unlock();
        auto house = ask_for_home();
        const bool answered = house != nullptr;
        if (answered) compile(std::move(house));
        lock.lock();
        const auto wake = [this] { return stopping_ || stale_; };
        if (answered) {
            changed_.wait(lock, wake);
        } else {
            changed_.wait_for(lock, how_.home_retry, wake);
        }
    }
}

std::shared_ptr<const intent::home> sentences::ask_for_home() {
    const auto answered = bus_.request(protocol::subject::home_get, "{}", how_.home_timeout);
    if (!answered) {
        log_.debug("no home: {}", answered.error().message);
        return nullptr;
    }
    auto read = intent::parse_home(answered->payload, protocol::subject::home_get);
    if (!read) {
        log_.warn(read.error());
        return nullptr;
    }
    return std::make_shared<const intent::home>(std::move(*read));
}

void sentences::compile(std::shared_ptr<const intent::home> house) {
    auto loaded = load_();
    if (!loaded) return log_.warn(loaded.error());
    std::vector<error> left_out;  // loqad tells of them
    auto compiled = intent::matcher::compile(*loaded, *house, {}, &left_out);
    if (!compiled) return log_.warn(compiled.error());
    auto made = std::make_shared<const intent::interpreter>(std::move(*compiled), std::move(house));
    const auto& stats = made->sentences().stats();
    log_.debug("{} sentences and {} names compiled in {} ms", stats.templates, stats.names,
               stats.compile_time.count() / 1000);
    auto expected = std::make_shared<expectation>(made);
    std::lock_guard lock(mutex_);
    now_ = std::move(made);
    expected_ = std::move(expected);
}

}  // namespace loqa::stt
