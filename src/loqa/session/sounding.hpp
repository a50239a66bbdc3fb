// In which sessions Loqa is heard at the moment, and what it says there.
//
// A turn is over when its words are on their way; they sound for some time longer. Speakers that say when they play are
// believed; of others it is assumed that they play as fast as time goes. Bounded; used by one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "loqa/base/clock.hpp"

namespace loqa::session {

class sounding {
public:
    static constexpr std::size_t most = 256;

    explicit sounding(const clock& clock) : clock_(clock) {}

    void begins(const std::string& session, const std::string& turn, std::string words);
    // All of it was sent. What is told late of an older turn is nothing to the one that sounds; "" means any.
    void lasts(const std::string& session, const std::string& turn, milliseconds sound);
    void breaks_off(const std::string& session, const std::string& turn);
    // The speaker has the first sample now, and has no more. 0: it knows of no generations.
    void plays(const std::string& session, std::uint64_t generation);
    void stops(const std::string& session, std::uint64_t generation = 0);

    bool is(const std::string& session) const;
    // What is heard, or was a moment ago; empty: nothing.
    std::string words(const std::string& session) const;

    // When the next of them is heard no more, where that is known.
    steady_time next_end() const;

private:
    struct one {
        std::string turn, words;
        steady_time since;
        std::uint64_t generation = 0, before = 0;  // as its speaker named them; before: of what sounded here last
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
