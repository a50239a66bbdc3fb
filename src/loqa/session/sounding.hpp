// In which sessions Loqa is heard at the moment, and what it says there.
//
// A turn is over when its words are on their way; they sound for some time longer. Speakers that say when they play are
// believed; of others it is assumed that they play as fast as time goes. Bounded; used by one thread at a time.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>

#include "loqa/base/clock.hpp"

namespace loqa::session {

class sounding {
public:
    static constexpr std::size_t most = 256;

    explicit sounding(const clock& clock) : clock_(clock) {}

    void begins(const std::string& session, std::string words);
    void lasts(const std::string& session, milliseconds sound);  // all of it was sent
    void plays(const std::string& session);                      // the speaker has the first sample now
    void stops(const std::string& session);

    bool is(const std::string& session) const;
    // What is heard, or was a moment ago; empty: nothing.
    std::string words(const std::string& session) const;

    // When the next of them is heard no more, where that is known.
    steady_time next_end() const;

private:
    struct one {
        std::string words;
        steady_time since;
        std::optional<milliseconds> sound;
        std::optional<steady_time> stopped;
    };
    steady_time ends(const one& of) const;

    const clock& clock_;
    std::map<std::string, one> all_;
};

// Whether what was heard is nothing but words of what is being said, in their order. Of what means nothing some may be
// heard wrongly; what is a command has to be word for word the same, and three words at least.
bool is_echo(const std::string& heard, const std::string& said, bool is_command);

}  // namespace loqa::session
