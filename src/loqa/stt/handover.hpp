// Transcripts on their way to whoever answers them, until it is known what became of each.
//
// A message of the bus that nobody was there to hear is gone. So each final transcript is kept until its turn is said
// to be over, and told again every half second with what was last heard of its turn: loqad drops what it knows, and
// takes up what it does not, be it that the bus lost it or that loqad ended in the middle of it. Where another program
// answers, nobody listens to what is told again. Bounded, and safe from any thread.
#pragma once

#include <cstddef>
#include <deque>
#include <mutex>
#include <string>
#include <vector>

#include "loqa/base/clock.hpp"
#include "loqa/protocol/turn_headers.hpp"

namespace loqa::stt {

class handover {
public:
    static constexpr milliseconds again_every{500};
    static constexpr seconds given_up_after{6};           // as long as nothing was heard of its turn
    static constexpr seconds given_up_at_last_after{15};  // its end will not be heard any more
    static constexpr std::size_t most = 256;              // the oldest gives way

    struct transcript {
        std::string session_id, payload;
        protocol::turn_headers turn;
        steady_time speech_ended;
    };

    // It was published. What waits of the same session and nobody has begun to answer was said in vain.
    void told(transcript what, steady_time now);

    // As session.state and session.ended have it.
    void heard_of(const std::string& turn_id, const std::string& state, const std::string& owner = {});
    void over(const std::string& turn_id);

    // What is to be published once more, with the headers for it.
    std::vector<transcript> due(steady_time now);
    steady_time next() const;  // when due() may have something

private:
    struct open_turn {
        transcript what;
        std::string state;  // last heard of it; empty: nothing
        std::string owner;  // who took it up
        steady_time first, next;
    };

    mutable std::mutex mutex_;
    std::deque<open_turn> open_;
};

}  // namespace loqa::stt
