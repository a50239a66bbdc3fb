// Past sessions on the bus: the requests `sessions.list`, `sessions.show` and `sessions.delete`.
//
// Answers on the bus's threads: reading the disk holds up no turn. The store and the bus outlive it.
#pragma once

#include <memory>
#include <vector>

#include "loqa/bus/connection.hpp"
#include "loqa/store/event_store.hpp"
#include "loqa/telemetry/log.hpp"

namespace loqa::session {

class history {
public:
    static result<std::unique_ptr<history>> start(bus::connection& bus, store::event_store& store,
                                                  telemetry::logger log);

private:
    history(bus::connection& bus, store::event_store& store, telemetry::logger log)
        : bus_(bus), store_(store), log_(std::move(log)) {}
    result<std::string> list(const bus::message& m);
    result<std::string> show(const bus::message& m);
    result<std::string> remove(const bus::message& m);

    bus::connection& bus_;
    store::event_store& store_;
    const telemetry::logger log_;
    std::vector<std::unique_ptr<bus::subscription>> subscriptions_;
};

}  // namespace loqa::session
