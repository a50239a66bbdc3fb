// The subjects of the bus and the headers that travel with a turn's messages. docs/protocol.md is the norm; a test
// holds this against it. Stateless.
#pragma once

#include <string>
#include <string_view>

namespace loqa::protocol {

namespace subject {
// loqa-core's: JSON payloads.
inline constexpr std::string_view audio_frame = "audio.frame";  // and audio.frame.<anything>
inline constexpr std::string_view stt_partial = "stt.text.partial";
inline constexpr std::string_view stt_final = "stt.text.final";
inline constexpr std::string_view nlu_request = "nlu.request";
inline constexpr std::string_view tts_request = "tts.request";
inline constexpr std::string_view tts_audio = "tts.audio";
inline constexpr std::string_view tts_done = "tts.done";
inline constexpr std::string_view timer_start = "skill.timer.start";
inline constexpr std::string_view timer_cancel = "skill.timer.cancel";
inline constexpr std::string_view timer_status = "skill.timer.status";
inline constexpr std::string_view home_command = "skill.home.command";
inline constexpr std::string_view home_status = "skill.home.status";
inline constexpr std::string_view node_announce = "ctrl.node.announce";
inline constexpr std::string_view node_heartbeat = "ctrl.node.heartbeat";  // .<node_id>

// Ours.
inline constexpr std::string_view audio_pcm = "audio.pcm";       // .<session>: raw PCM in, the rest in headers
inline constexpr std::string_view stt_again = "stt.text.again";  // a final transcript that may have been lost
inline constexpr std::string_view tts_pcm = "tts.pcm";           // .<target>: raw PCM out
inline constexpr std::string_view tts_started = "tts.started";   // the first samples of a reply were published
inline constexpr std::string_view tts_cancel = "tts.cancel";
inline constexpr std::string_view tts_prepare = "tts.prepare";  // may be asked for soon
inline constexpr std::string_view stt_started = "stt.speech.started";
inline constexpr std::string_view stt_ahead = "stt.text.ahead";  // the final text, if the pause is the end
inline constexpr std::string_view stt_error = "stt.error";
inline constexpr std::string_view stt_audio = "stt.audio";  // .<session>: what was heard, for who keeps it
inline constexpr std::string_view tts_flush = "tts.flush";  // .<target>: what is not played yet is not to be
inline constexpr std::string_view playback_started = "playback.started";  // a speaker took the first sample
inline constexpr std::string_view playback_stopped = "playback.stopped";  // a speaker is done with a reply
inline constexpr std::string_view playback_volume = "playback.volume";    // how loud a target is, or is to be
inline constexpr std::string_view session_state = "session.state";
inline constexpr std::string_view session_reply = "session.reply";
inline constexpr std::string_view session_listen = "session.listen";  // the microphone should be open
inline constexpr std::string_view session_degraded = "session.degraded";
inline constexpr std::string_view session_ended = "session.ended";
inline constexpr std::string_view component_status = "ctrl.component.status";  // .<component>
inline constexpr std::string_view readiness = "ctrl.readiness";                // published on change
inline constexpr std::string_view readiness_get = "ctrl.readiness.get";        // request
inline constexpr std::string_view trace_spans = "trace.spans";                 // finished spans, a JSON list
inline constexpr std::string_view trace_get = "trace.get";                     // request
inline constexpr std::string_view timers_list = "timers.list";                 // request
inline constexpr std::string_view timers_start = "timers.start";               // request
inline constexpr std::string_view timers_cancel = "timers.cancel";             // request
inline constexpr std::string_view skill_failed = "skill.failed";               // one was suspended
inline constexpr std::string_view skill_control = "skill.control";             // request
inline constexpr std::string_view skill_dead = "skill.dead";                   // .<name>: work that was given up
inline constexpr std::string_view home_get = "home.get";                       // request
inline constexpr std::string_view home_act = "home.act";                       // request: change things
inline constexpr std::string_view home_state = "home.state";                   // one thing that changed
inline constexpr std::string_view home_learn = "home.learn";                   // request: what a source knows of it
inline constexpr std::string_view home_update = "home.update";                 // request: what changed of that
inline constexpr std::string_view home_changed = "home.changed";               // other names, or other sentences
inline constexpr std::string_view intent = "intent";                           // .<name>: request to who declared it
inline constexpr std::string_view intent_declare = "intent.declare";           // which intents a handler takes
inline constexpr std::string_view timers_change = "timers.change";             // request
inline constexpr std::string_view dry_run = "session.dry_run";                 // request
inline constexpr std::string_view sessions_list = "sessions.list";             // request
inline constexpr std::string_view sessions_show = "sessions.show";             // request
inline constexpr std::string_view sessions_audio = "sessions.audio";           // request
inline constexpr std::string_view sessions_delete = "sessions.delete";         // request
}  // namespace subject

namespace header {
inline constexpr std::string_view session = "Loqa-Session";
inline constexpr std::string_view turn = "Loqa-Turn";
inline constexpr std::string_view traceparent = "traceparent";
inline constexpr std::string_view budget_ms = "Loqa-Budget-Ms";  // what is left of the turn's time when it was sent
inline constexpr std::string_view age_ms = "Loqa-Age-Ms";    // since the last speech sample, by the sender's own clock
inline constexpr std::string_view privacy = "Loqa-Privacy";  // ephemeral | session | persistent
inline constexpr std::string_view area = "Loqa-Area";        // name of the room that is spoken from
inline constexpr std::string_view audio = "Loqa-Audio";      // json | pcm: the form in which the session is answered
inline constexpr std::string_view sequence = "Loqa-Sequence";  // of a PCM message
inline constexpr std::string_view sample_rate = "Loqa-Rate";   // Hz
inline constexpr std::string_view channels = "Loqa-Channels";
inline constexpr std::string_view last = "Loqa-Final";  // "1" on the last PCM message
inline constexpr std::string_view target = "Loqa-Target";
inline constexpr std::string_view priority = "Loqa-Priority";      // alarm | announcement | reply
inline constexpr std::string_view generation = "Loqa-Generation";  // of a PCM message: numbers what is said
inline constexpr std::string_view again = "Loqa-Again";            // sent again; what was last known of its turn
inline constexpr std::string_view owner = "Loqa-Owner";            // with it: the process that took up the turn
inline constexpr std::string_view duck = "Loqa-Duck";  // begin | end: what is less urgent is quieter in between
}  // namespace header

// A string as one token of a subject: [A-Za-z0-9_-] stay, all else becomes %XX. Empty becomes "%".
std::string token(std::string_view text);

// "prefix.token(name)".
std::string join(std::string_view prefix, std::string_view name);

// Names of queue groups: one consumer of the group gets each piece of work.
namespace group {
inline constexpr std::string_view stt = "stt";
inline constexpr std::string_view tts = "tts";
inline constexpr std::string_view session = "session";
inline constexpr std::string_view skill = "skill";  // .<name>
}  // namespace group

}  // namespace loqa::protocol
