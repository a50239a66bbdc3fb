#include "loqa/session/speculation.hpp"

#include <tuple>
#include <utility>

#include "loqa/protocol/messages.hpp"
#include "loqa/protocol/subjects.hpp"

namespace loqa::session {

speculation::speculation(bus::connection& bus, telemetry::metrics& metrics, std::string voice)
    : bus_(bus),
      metrics_(metrics),
      voice_(std::move(voice)),
      hits_(count("hit")),
      misses_(count("miss")),
      unprepared_(count("none")),
      thrown_away_(metrics.counter("loqa_session_guesses_thrown_away_total",
                                   "Replies that were made ready and not said, because something else was")) {}

telemetry::counter& speculation::count(const char* outcome) {
    return metrics_.counter("loqa_session_speculations_total",
                            "Spoken replies: the last one that was made ready ahead, another one, or without any",
                            {{"outcome", outcome}});
}

void speculation::guess(const std::string& turn_id, const std::string& reply) {
    if (reply.empty()) return;
    auto& guessed = guesses_[turn_id];
    if (guessed == reply) return;
    if (!guessed.empty()) thrown_away_.add();
    guessed = reply;
    // Only speed is lost when this does not arrive.
    std::ignore = bus_.publish(protocol::subject::tts_prepare,
                               protocol::encode(protocol::tts_prepare{.text = reply, .voice = voice_}));
}

void speculation::settle(const std::string& turn_id, const std::string& reply) {
    if (reply.empty()) return;
    const auto found = guesses_.find(turn_id);
    if (found == guesses_.end()) return unprepared_.add();
    if (found->second == reply) {
        hits_.add();
    } else {
        misses_.add();
        thrown_away_.add();
    }
    guesses_.erase(found);
}

void speculation::forget(const std::string& turn_id) {
    if (guesses_.erase(turn_id) > 0) thrown_away_.add();
}

}  // namespace loqa::session
