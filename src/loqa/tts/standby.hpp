// The voice that is wanted, or, while it cannot be loaded, another one in its place.
//
// A model that takes its time, is missing or broken is no reason to be mute: the plain voice speaks until the other is
// loaded, which is tried again and again on a thread of its own. speak() and what goes with it are for one thread at a
// time, as with any voice; why() is safe from any thread.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "loqa/base/clock.hpp"
#include "loqa/telemetry/log.hpp"
#include "loqa/tts/voice.hpp"

namespace loqa::tts {

class standby_voice final : public voice {
public:
    using loader = std::function<result<std::unique_ptr<voice>>()>;

    struct events {
        std::function<void(const voice&)> on_loaded;
        std::function<void(const error&)> on_failed;  // the first time
    };
    // `stand_in` outlives this.
    standby_voice(loader load, voice& stand_in, milliseconds pause, telemetry::logger log, events events);
    ~standby_voice() override;

    // Calls `load` at once, and every `pause` until it does not fail, then on_loaded, all on a thread of its own.
    void start();
    // Once this returns neither event is called any more.
    void stop();

    voice& current() override { return *current_; }
    std::optional<error> lacking() const override;

    std::string name() const override { return current_.load()->name(); }
    int sample_rate_hz() const override { return current_.load()->sample_rate_hz(); }
    std::string identity() const override { return current_.load()->identity(); }
    result<std::unique_ptr<speech>> speak(std::string_view text) override { return current_.load()->speak(text); }

private:
    bool try_to_load();
    void keep_trying(const std::stop_token& stop);

    const loader load_;
    const milliseconds pause_;
    const telemetry::logger log_;
    const events events_;
    std::unique_ptr<voice> wanted_;  // written once, before current_ points there
    std::atomic<voice*> current_;
    mutable std::mutex mutex_;
    std::condition_variable_any changed_;
    std::optional<error> why_;  // under mutex_
    std::jthread thread_;
};

}  // namespace loqa::tts
