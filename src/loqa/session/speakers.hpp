// The speakers of the house, as far as they are known: those that are configured and those that played something
// lately; and what is announced on all of them. Used by the conductor, on its thread.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "loqa/base/clock.hpp"
#include "loqa/bus/connection.hpp"
#include "loqa/protocol/messages.hpp"

namespace loqa::session {

class speakers {
public:
    // `configured` are known from the start, and understand JSON audio at least.
    speakers(const clock& clock, bus::connection& bus, std::string voice, std::vector<std::string> configured);

    // A speaker said that it plays: it is there, and takes PCM.
    void played(const protocol::playback_started& what);

    // It was sent something, and did not say that it plays: it is not counted on until it does.
    void silent(const std::string& name) { played_.erase(name); }

    // Takes PCM, as far as is known.
    bool takes_pcm(const std::string& name) const;

    // The one that played last, other than `name`; none is known: nullopt.
    std::optional<std::string> last_but(const std::string& name) const;

    // Says it on every speaker but the one that it was asked at, and how many those are.
    result<std::size_t> announce(const std::string& text, const std::string& asked_at);

private:
    static constexpr std::chrono::hours remembered{24};
    static constexpr std::size_t most = 32;

    const clock& clock_;
    bus::connection& bus_;
    const std::string voice_;
    const std::vector<std::string> configured_;
    std::map<std::string, steady_time> played_;
    std::uint64_t announcements_ = 0;
};

}  // namespace loqa::session
