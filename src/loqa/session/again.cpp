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
constexpr std::size_t most_handed_on = 64;
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
bool conductor::told_again(const bus::message& m, const protocol::transcript& final, protocol::turn_headers& headers) {
    const auto last_known = std::exchange(headers.again, {});
    const auto owner = std::exchange(headers.owner, {});
    if (last_known.empty()) return false;
    if (std::ranges::find(decided_, headers.turn_id) != decided_.end()) return true;
    const auto waits = [&](const waiting& one) {
        return protocol::read_turn(one.said.headers).turn_id == headers.turn_id;
    };
    if (std::ranges::any_of(queued_, waits)) return true;
    if (last_known == "unknown") return false;
    if (!owner.empty() && owner != id_ && m.subject == subject::stt_again) {
        hand_on(m, owner);
        return true;
    }
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
    t.taken_up = last_known;
    t.heard = std::string(trim(final.text));
    t.deadline = t.heard_at + config_.turn_timeout;
    remember_decided(t);
    degrade(t, "session", "restarted", "loqad was started again in the middle of the turn");
    say_instead(t, apology_interrupted, "restarted");
    return true;
}

// To the process that took up the turn: what became of it is known there alone. Where there is none any more, the bus
// says so.
void conductor::hand_on(const bus::message& m, const std::string& owner) {
    if (handed_on_.size() >= most_handed_on) handed_on_.pop_front();
    auto& kept = handed_on_.emplace_back(m);
    kept.reply = fmt::format("{}.{}", own_again_, ++times_handed_on_);
    const auto sent =
        with_.bus.publish_request(protocol::join(subject::stt_again, owner), kept.reply, m.payload, m.headers);
    if (!sent) with_.log.warn(sent.error());
}

void conductor::on_owner_gone(const bus::message& m) {
    const auto found = std::ranges::find(handed_on_, m.subject, &bus::message::reply);
    if (found == handed_on_.end()) return;
    auto ours = std::move(*found);
    handed_on_.erase(found);
    ours.subject = own_again_;
    on_final(ours);
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
        publish_request(t, t.taken_up.empty() ? "speaking" : t.taken_up);
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
