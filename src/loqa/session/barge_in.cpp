// The part of the conductor that says whose turn it is: who may interrupt Loqa, what becomes of new words while older
// ones are not answered yet, and when the microphone is to be open again.
#include <algorithm>
#include <utility>

#include "loqa/base/text.hpp"
#include "loqa/protocol/subjects.hpp"
#include "loqa/session/conductor.hpp"

namespace loqa::session {

namespace subject = protocol::subject;

namespace {

constexpr std::size_t max_queued = 64;
constexpr milliseconds listen_for{8'000};
// A speaker that says nothing of what it plays has not finished the moment its sound was sent.
constexpr std::string_view no_interrupting = "speaking";

bool means_stop(const intent::understood& what) {
    return what && std::ranges::all_of(what->commands, [](const intent::command& c) {
               return c.what.intent == "HassNevermind" || c.what.intent == "LoqaStop";
           });
}

}  // namespace

// Somebody began to speak. False: that is no turn, or not yet.
bool conductor::takes_turn(const std::string& session_id, const std::string& turn_id) {
    const auto it = turns_.find(session_id);
    const bool unanswered = it != turns_.end() && it->second.at != state::listening && it->second.at != state::playing;
    if (sounding_.is(session_id) && !unanswered) {
        if (config_.interrupts != barge_in::any) return false;
        quiet(session_id, turn_id);
        return true;
    }
    return !(unanswered && config_.queue_words);
}

// What sounds in the session is not to be heard any more. The answer to the words that interrupt it is: it may be asked
// for at once, and overtake this.
void conductor::quiet(const std::string& session_id, const std::string& by_turn_id) {
    if (!sounding_.is(session_id)) return;
    sounding_.stops(session_id);
    publish(subject::tts_cancel,
            protocol::encode(protocol::tts_cancel{.session_id = session_id, .except_turn_id = by_turn_id}));
}

// What was said is nothing to act on, or not now. It was spoken where a reason for its end is given.
bool conductor::set_aside(const bus::message& m, const protocol::transcript& said,
                          const protocol::turn_headers& headers) {
    if (said.reason.empty()) return false;
    const auto& session = said.session_id;
    const auto text = std::string(trim(said.text));
    const auto known = std::ranges::find(memories_, session, &memory::session_id);
    static const memory nothing;
    const auto& before = known == memories_.end() ? nothing : *known;
    const auto words = sounding_.words(session);
    if (!text.empty() && !words.empty()) {
        bool for_us = false;  // to stop, or the answer to a question of ours
        // What they mean matters only where the words may be our own, or not every word may interrupt.
        if (is_echo(text, words, false) || (config_.interrupts == barge_in::stop && sounding_.is(session))) {
            const auto [meant, says_yes, completes] = meaning_of(text, area_of_session(session, headers), before);
            // Who chooses says again what we named: once our question is over, that is no echo of it.
            for_us = means_stop(meant) || says_yes || (completes && !sounding_.is(session));
            if (!for_us && is_echo(text, words, meant.has_value())) {
                echoes_.add();
                turned_down(said, headers, "echo");
                return true;
            }
        }
        const auto it = turns_.find(session);
        const bool listening = it != turns_.end() && it->second.at == state::listening;
        if (sounding_.is(session) && !listening) {
            const bool may = config_.interrupts == barge_in::any || (config_.interrupts == barge_in::stop && for_us);
            if (!may) {
                turned_down(said, headers, no_interrupting);
                return true;
            }
            quiet(session, headers.turn_id);
            return false;
        }
    } else if (text.empty() && sounding_.is(session) && config_.interrupts != barge_in::any) {
        turned_down(said, headers, no_interrupting);  // no apology for a noise over what Loqa says
        return true;
    }
    const auto it = turns_.find(session);
    if (!config_.queue_words || it == turns_.end() || it->second.at == state::listening ||
        it->second.id == headers.turn_id)
        return false;
    if (queued_.size() >= max_queued) {
        turned_down(said, headers, "busy");
        return true;
    }
    queued_.push_back({session, m});
    return true;
}

// Ends what is no turn, or the turn that had begun for it.
void conductor::turned_down(const protocol::transcript& said, const protocol::turn_headers& headers,
                            std::string_view reason) {
    const auto it = turns_.find(said.session_id);
    if (it != turns_.end() && it->second.at == state::listening &&
        (headers.turn_id.empty() || headers.turn_id == it->second.id)) {
        it->second.heard = said.text;
        it->second.reason = reason;
        return end(it, "cancelled");
    }
    publish(subject::session_ended, protocol::encode(protocol::session_ended{.session_id = said.session_id,
                                                                             .turn_id = headers.turn_id,
                                                                             .outcome = "cancelled",
                                                                             .reason = std::string(reason),
                                                                             .heard = said.text}));
}

// What waited for the answer to older words to be heard.
void conductor::take_queued() {
    for (auto it = queued_.begin(); it != queued_.end();) {
        const auto& session = it->session_id;
        const bool behind =
            std::any_of(queued_.begin(), it, [&](const waiting& one) { return one.session_id == session; });
        if (behind || turns_.contains(session) || sounding_.is(session)) {
            ++it;
            continue;
        }
        const auto m = std::move(it->said);
        queued_.erase(it);
        on_final(m);
        it = queued_.begin();
    }
}

void conductor::on_playback_stopped(const bus::message& m) {
    const auto stopped = read<protocol::playback_stopped>(m);
    if (!stopped) return;
    sounding_.stops(stopped->session_id, stopped->generation);
    // Also where the word that all was sent was lost: a speaker that played the last sample had it.
    if (const auto it = turns_.find(stopped->session_id);
        it != turns_.end() && it->second.at == state::playing && stopped->completed && it->second.played) {
        it->second.synthesised = true;
        end_if_heard(it->second);
    }
    open_microphone(stopped->session_id);
}

// A question of ours was heard: its answer is listened for.
void conductor::open_microphone(const std::string& session_id) {
    const auto known = std::ranges::find(memories_, session_id, &memory::session_id);
    if (known == memories_.end() || known->listens_for.empty()) return;
    const auto turn_id = std::exchange(known->listens_for, {});
    if (known->asked_about.empty() && known->completes.empty()) return;
    publish(subject::session_listen,
            protocol::encode(protocol::session_listen{.session_id = session_id,
                                                      .turn_id = turn_id,
                                                      .expects = known->completes.empty() ? "yes_or_no" : "words",
                                                      .for_ms = listen_for.count()}));
}

// Speakers that do not say when they are done are believed to be when the sound is over.
void conductor::open_microphones() {
    std::vector<std::string> heard;
    for (const auto& one : memories_)
        if (!one.listens_for.empty() && !turns_.contains(one.session_id) && !sounding_.is(one.session_id))
            heard.push_back(one.session_id);
    for (const auto& session : heard) open_microphone(session);
}

}  // namespace loqa::session
