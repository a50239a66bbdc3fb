// Who asks, and what is said to them: what the parts that answer intents have in common. Values without behaviour.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "loqa/base/result.hpp"
#include "loqa/intent/responses.hpp"
#include "loqa/protocol/messages.hpp"

namespace loqa::session {

struct asker {
    std::string session_id;
    std::string target;      // where the answer is heard
    bool pcm = false;        // whether that speaker takes raw PCM
    std::string last_reply;  // what was said last in this session, for "repeat that"; empty if nothing was
    std::string area;        // name of the room it was asked from; empty if unknown
    bool ephemeral = false;  // no word of it may be kept
};

struct spoken_answer {
    std::string text;              // empty: nothing is said
    bool failed = false;           // text is an apology
    bool stop_speaking = false;    // what is being said in the session now, and what rings, is to be silent
    std::string reason;            // for a failure: an errc name
    bool local = false;            // all that was done was done in the room it was asked from, for all to see
    intent::answer_values values;  // what the collection's template of the same answer may speak of
    std::string error_key;         // the collection's words for why nothing was done
    std::string announce;          // said by every other speaker; empty: nothing is
    std::optional<protocol::playback_volume> volume;  // how loud the speaker is to be from now on
    // Of a question that wants words: the commands that they make in the place of "{}", the likelier before.
    std::vector<std::string> completes;
};

// The answer to what could not be done because of `e`.
inline spoken_answer apology(const error& e, std::string text) {
    return {.text = std::move(text), .failed = true, .reason = std::string(to_string(e.code))};
}

}  // namespace loqa::session
