// Which parts there are and whether they can work.
//
// Every process says every second how it is; one that has not been heard of for a while is lost, by this node's own
// clock, whatever time its messages name. Ready means: every required part is here and says "ready". Used by one thread
// at a time.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "loqa/base/clock.hpp"
#include "loqa/protocol/messages.hpp"

namespace loqa::session {

class components {
public:
    static constexpr seconds silence_limit{3};

    components(const clock& clock, std::vector<std::string> required);

    struct change {
        bool readiness_changed = false;
        bool restarted = false;  // the part is another process than before
        bool became_ready = false;
    };
    change heard(const protocol::component_status& status);

    // Looks for parts that have gone silent; true when the readiness has changed.
    bool check();
    steady_time next_check() const;

    protocol::readiness state() const;

    // It was here, and cannot work now.
    bool away(std::string_view name) const;

private:
    struct entry {
        protocol::component_status status;
        steady_time heard_at{};
    };
    bool update();
    const clock& clock_;
    std::vector<entry> entries_;
    protocol::readiness last_;
};

}  // namespace loqa::session
