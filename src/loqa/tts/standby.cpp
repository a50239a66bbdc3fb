#include "loqa/tts/standby.hpp"

#include <utility>

#include "loqa/base/process.hpp"

namespace loqa::tts {

standby_voice::standby_voice(error why, loader load, voice& stand_in, milliseconds pause, telemetry::logger log,
                             std::function<void(const voice&)> on_loaded)
    : load_(std::move(load)),
      pause_(pause),
      log_(std::move(log)),
      on_loaded_(std::move(on_loaded)),
      current_(&stand_in),
      why_(std::move(why)) {
    log_.error(*why_, {{"said_by", stand_in.name()}});
    thread_ = std::jthread([this](const std::stop_token& stop) { keep_trying(stop); });
}

standby_voice::~standby_voice() {
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
    for (;;) {
        {
            std::unique_lock lock(mutex_);
            changed_.wait_for(lock, stop, pause_, [] { return false; });
        }
        if (stop.stop_requested()) return;
        if (!try_to_load()) continue;
        log_.info("voice {} is back", wanted_->name());
        if (on_loaded_) on_loaded_(*wanted_);
        return;
    }
}

}  // namespace loqa::tts
