// What goes on on the bus, in words: one line a message for `loqa listen`.
//
// Stateless but for audio_tally, which one thread uses.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "loqa/bus/connection.hpp"

namespace loqa::cli {

// The session that a message belongs to; empty when it belongs to none.
std::string session_of(const bus::message& message);

// What it says, on one line, without time and session. A message that cannot be read is shown by its size.
std::string describe(const bus::message& message);

// The message as one JSON object: {"time", "subject", "session_id", "headers", "payload" or "bytes"}.
std::string to_json(const bus::message& message, const std::string& time);

// Sound comes as fifty messages a second and session, which are told as one sum.
class audio_tally {
public:
    struct stream {
        std::string session, subject;
        std::size_t messages = 0, bytes = 0;
        double seconds = 0;
    };

    // True when the message is sound, which is then part of the sum.
    bool add(const bus::message& message);

    // The sums of a session, of all sessions when it is empty; counting begins anew.
    std::vector<stream> take(const std::string& session);

private:
    std::map<std::string, stream> streams_;  // by session and subject
};

std::string describe(const audio_tally::stream& sum);

}  // namespace loqa::cli
