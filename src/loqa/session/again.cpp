// The part of the conductor that mends what was lost on the way: transcripts that are told again, words that are asked
// for again, and what to say where a process ended in the middle of a turn.
#include <algorithm>
#include <utility>

#include "loqa/base/text.hpp"
#include "loqa/protocol/subjects.hpp"
#include "loqa/session/conductor.hpp"

namespace loqa::session {

namespace subject = protocol::subject;

namespace {

constexpr std::size_t remembered_turns = 256;
constexpr milliseconds ask_again_every{1'000};

constexpr std::string_view apology_interrupted =
    "Sorry, I was interrupted, and don't know whether that was done. Please check, or say it again.";
constexpr std::string_view apology_broken_off = "Sorry, I was cut off. Ask me to repeat that to hear it again.";

}  // namespace

// From here on the turn's words are acted on: not a second time, whoever tells them again.
void conductor::remember_decided(const turn& t) {
    if (decided_.size() >= remembered_turns) decided_.pop_front();
    decided_.push_back(t.id);
}

// True when there is no more to do about a transcript that is told again.
bool conductor::told_again(const protocol::transcript& final, protocol::turn_headers& headers) {
    const auto last_known = std::exchange(headers.again, {});
    if (last_known.empty()) return false;
    if (std::ranges::find(decided_, headers.turn_id) != decided_.end()) return true;
    const auto waits = [&](const waiting& one) {
        return protocol::read_turn(one.said.headers).turn_id == headers.turn_id;
    };
    if (std::ranges::any_of(queued_, waits)) return true;
    if (last_known == "unknown") return false;
    // A process before this one took it up. What it did is not known here, and nothing is done twice.
    if (last_known == "speaking" || turns_.contains(final.session_id)) {
        const bool said = last_known == "speaking";
        publish(subject::session_ended,
                protocol::encode(protocol::session_ended{.session_id = final.session_id,
                                                         .turn_id = headers.turn_id,
                                                         .outcome = said ? "answered" : "cancelled",
                                                         .reason = "restarted",
                                                         .heard = final.text}));
        return true;
    }
    turn& t = begin(final.session_id, headers);
    t.heard = std::string(trim(final.text));
    t.deadline = t.heard_at + config_.turn_timeout;
    remember_decided(t);
    degrade(t, "session", "restarted", "loqad was started again in the middle of the turn");
    say_instead(t, apology_interrupted, "restarted");
    return true;
}

void conductor::say_instead(turn& t, std::string_view apology, const std::string& reason) {
    publish(subject::session_reply,
            protocol::encode(protocol::session_reply{t.session_id, t.id, t.heard, t.intent, std::string(apology), {}}),
            &t);
    speak(t, {.text = std::string(apology), .failed = true, .reason = reason});
}

// Speech synthesis is another process than before: what it had said of an answer is all of it that will be heard.
void conductor::broken_off(turn& t) {
    degrade(t, "tts", "unavailable", "speech synthesis was restarted");
    // It rings again when there is a voice.
    if (t.timer_id) {
        t.reason = "tts: restarted";
        return end(turns_.find(t.session_id), "apologised");
    }
    memory_of(t.session_id).last_reply = t.reply;
    t.cut_off = true;
    t.deadline = with_.clock.steady() + config_.turn_timeout;
    say_instead(t, apology_broken_off, "tts: restarted");
}

// Who was asked for the words and has not begun with them: the request may have been lost. A voice that had it drops
// it.
void conductor::ask_again(steady_time now) {
    for (auto& [session, t] : turns_) {
        if (t.at != state::speaking || now < t.ask_again_at || now >= t.phase_deadline) continue;
        t.ask_again_at = now + ask_again_every;
        publish_request(t, "speaking");
    }
}

steady_time conductor::next_ask() const {
    auto next = steady_time::max();
    for (const auto& [session, t] : turns_)
        if (t.at == state::speaking) next = std::min(next, t.ask_again_at);
    return next;
}

void conductor::publish_request(turn& t, const std::string& again) {
    t.ask_again_at = with_.clock.steady() + ask_again_every;
    t.headers.again = again;
    publish(subject::tts_request,
            protocol::encode(protocol::tts_request{.session_id = t.session_id,
                                                   .text = t.beep ? std::string(protocol::earcon_done) : t.reply,
                                                   .voice = config_.default_voice,
                                                   .target = t.target,
                                                   .trace_id = t.trace.trace_id}),
            &t);
    t.headers.again.clear();
}

}  // namespace loqa::session
