// The part of the conductor that listens ahead: what would be said if what was heard so far were all. It changes
// nothing but what is made ready.
#include <algorithm>

#include "loqa/base/text.hpp"
#include "loqa/session/conductor.hpp"

namespace loqa::session {

void conductor::on_ahead(const bus::message& m) {
    const auto heard = read<protocol::transcript>(m);
    if (!heard) return;
    const auto it = turns_.find(heard->session_id);
    if (it == turns_.end() || it->second.at != state::listening) return;
    const turn& t = it->second;
    if (const auto id = protocol::read_turn(m.headers).turn_id; !id.empty() && id != t.id) return;
    speculation_.guess(t.id, words_ahead(t, *heard));
}

// As decide() would say it. Empty when that depends on what only doing it can tell.
std::string conductor::words_ahead(const turn& t, const protocol::transcript& said) {
    const std::string heard(trim(said.text));
    if (heard.empty()) return "";
    const auto known = std::ranges::find(memories_, t.session_id, &memory::session_id);
    static const memory nothing;
    const memory& before = known == memories_.end() ? nothing : *known;

    const auto [understood, confirmed, completes] = meaning_of(heard, t.area, before, how_heard(said));
    if (!understood) return not_understood(heard, t.area, understood.error()).text;
    asker who{.session_id = t.session_id,
              .target = t.target,
              .pcm = t.headers.audio == protocol::audio_form::pcm,
              .last_reply = before.last_reply,
              .area = t.area};
    // As a session that is new to memory_of() has it.
    if (known == memories_.end() && !memories_.empty()) who.last_reply = memories_.back().last_reply;
    if (understood->ask_first && !confirmed) {
        const auto why = actor_.objection(understood->commands.front(), who);
        return why ? why->text : understood->question;
    }
    return actor_.preview(understood->commands, who).value_or("");
}

}  // namespace loqa::session
