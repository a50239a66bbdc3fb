// Past sessions on the bus: the requests `sessions.list`, `sessions.show`, `sessions.audio` and `sessions.delete`, and
// the sound on `stt.audio` that is to be kept.
//
// Answers on the bus's threads: reading the disk holds up no turn. The stores and the bus outlive it.
#pragma once

#include <memory>
#include <vector>

#include "loqa/bus/connection.hpp"
#include "loqa/store/event_store.hpp"
#include "loqa/store/sound_store.hpp"
#include "loqa/telemetry/log.hpp"

namespace loqa::session {

class history {
public:
    // Without a store of sounds none is kept. `default_privacy` is the scope of turns that name none.
    static result<std::unique_ptr<history>> start(bus::connection& bus, store::event_store& store,
                                                  store::sound_store* sounds, std::string default_privacy,
                                                  telemetry::logger log);

private:
    history(bus::connection& bus, store::event_store& store, store::sound_store* sounds, std::string default_privacy,
            telemetry::logger log)
        : bus_(bus),
          store_(store),
          sounds_(sounds),
          default_privacy_(std::move(default_privacy)),
          log_(std::move(log)) {}
    void keep(const bus::message& sound);
    void send_sound(const bus::message& m);
    result<std::string> list(const bus::message& m);
    result<std::string> show(const bus::message& m);
    result<std::string> remove(const bus::message& m);

    bus::connection& bus_;
    store::event_store& store_;
    store::sound_store* const sounds_;
    const std::string default_privacy_;
    const telemetry::logger log_;
    std::vector<std::unique_ptr<bus::subscription>> subscriptions_;
};

}  // namespace loqa::session
