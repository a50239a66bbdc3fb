#include "loqa/tts/standby.hpp"

#include <utility>

#include "loqa/base/process.hpp"

namespace loqa::tts {

standby_voice::standby_voice(loader load, voice& stand_in, milliseconds pause, telemetry::logger log, events events)
    : load_(std::move(load)),
      pause_(pause),
      log_(std::move(log)),
      events_(std::move(events)),
      current_(&stand_in),
      why_(error{errc::unavailable, "the voice is still being loaded", ""}) {}

void standby_voice::start() {
    thread_ = std::jthread([this](const std::stop_token& stop) { keep_trying(stop); });
}

standby_voice::~standby_voice() { stop(); }

void standby_voice::stop() {
    thread_.request_stop();
    if (thread_.joinable()) thread_.join();
}

std::optional<error> standby_voice::lacking() const {
    std::lock_guard lock(mutex_);
    return why_;
}

bool standby_voice::try_to_load() {
    auto loaded = load_();
    std::lock_guard lock(mutex_);
    if (!loaded) {
        why_ = loaded.error();
        return false;
    }
    wanted_ = std::move(*loaded);
    current_ = wanted_.get();
    why_.reset();
    return true;
}

void standby_voice::keep_trying(const std::stop_token& stop) {
    name_this_thread("voice-loader");
    for (bool first = true; !stop.stop_requested(); first = false) {
        if (try_to_load()) {
            if (!first) log_.info("voice {} is back", wanted_->name());
            if (events_.on_loaded) events_.on_loaded(*wanted_);
            return;
        }
        if (first && events_.on_failed) events_.on_failed(*lacking());
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, stop, pause_, [] { return false; });
    }
}

}  // namespace loqa::tts
