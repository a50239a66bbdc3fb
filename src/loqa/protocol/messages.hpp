// The messages of the bus.
//
// One struct a payload, with encode() to JSON and a decode<T>() that checks types and ranges and ignores fields it does
// not know. `pcm` is held as raw bytes of 16-bit little-endian samples, interleaved; base64 exists on the wire only.
// Optional strings are empty when absent. Value types.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "loqa/base/result.hpp"

namespace loqa::protocol {

// The wire's limits: a message beyond them is refused by decode() with too_long.
inline constexpr std::size_t max_text_bytes = 16 * 1024;
inline constexpr std::size_t max_pcm_bytes = 1024 * 1024;

struct audio_frame {
    std::string session_id;
    std::int64_t sequence = 0;
    int sample_rate = 16'000;  // Hz, 8 000 to 48 000
    int channels = 1;          // 1 or 2
    std::string pcm;
    bool final = false;  // the client says that the utterance ends here
};

struct transcript {
    std::string session_id;
    std::string text;
    bool partial = false;
    std::string timestamp;
    double confidence = 0;    // 0..1
    std::string reason;       // ours: speech_end, client_final, timeout, no_speech, cancelled
    std::size_t settled = 0;  // ours: leading bytes of text that no later partial changes
    std::string heard =
        {};                 // ours: what was heard first, where the recogniser listened again and took it for a command
    bool doubtful = false;  // ours: heard again, and not clearly: nothing is done without asking
};

struct nlu_request {
    std::string session_id, prompt, system, tier, trace_id, timestamp;
    std::optional<int> max_tokens;
    std::optional<double> temperature;
};

// A text that is a sound: done, and you can see or hear it yourself.
inline constexpr std::string_view earcon_done = "\a";

struct tts_request {
    std::string session_id, text, voice, target, trace_id;
};

// What may be asked for soon: it is synthesised, and nothing is played.
struct tts_prepare {
    std::string text, voice;
};

struct tts_audio {
    std::string session_id, target;
    std::int64_t sequence = 0;
    int sample_rate = 0;
    int channels = 1;
    std::string pcm;
    bool final = false;
};

struct tts_done {
    std::string session_id, target;
    bool completed = false;
    std::string timestamp;
    std::string error;          // ours: why it is not completed
    std::int64_t audio_ms = 0;  // ours: how long it sounds
};

// Published with the first samples of a reply: `first_chunk_ms` since the request arrived, by the synthesiser's clock.
struct tts_started {
    std::string session_id, target;
    double first_chunk_ms = 0;
    bool cached = false;
};

// What is being said or waits is called off: by session, by target, or both; only one turn's, or all but one turn's.
struct tts_cancel {
    std::string session_id, target, turn_id, except_turn_id;
};

// To a speaker: of the generations from `from` to `generation`, nothing more is to be heard.
struct tts_flush {
    std::string session_id;
    std::uint64_t from = 0, generation = 0;
};

// A speaker says that it has handed the first sample of a reply to the device (or the file).
struct playback_started {
    std::string session_id, target;
    std::uint64_t generation = 0;  // 0: the speaker knows of none
};

// A speaker says that no more of a reply will be heard, and how much was.
struct playback_stopped {
    std::string session_id, target;
    std::uint64_t generation = 0;
    std::int64_t played_ms = 0;
    bool completed = false;
};

// How loud a target is, in percent of what a voice makes. A request has `change` or `percent`; what loqa-tts says of it
// has `percent`, and `is` set.
struct playback_volume {
    std::string target;
    std::optional<int> percent;
    int change = 0;
    bool is = false;
};

struct speech_started {
    std::string session_id;
};

struct stt_error {
    std::string session_id, code, message;
};

// What loqad decided to say, before it is synthesised.
struct session_reply {
    std::string session_id, turn_id, heard, intent, text;
    std::vector<std::pair<std::string, std::string>> slots;
};

struct session_state {
    std::string session_id, turn_id;
    std::string state;    // listening, deciding, speaking
    std::string expects;  // with speaking, what is asked: "yes_or_no", "words"; empty: nothing
    std::string owner;    // with deciding and speaking: the process of loqad that took up the turn
};

// To a satellite: the question was heard, its microphone should be open for so long.
struct session_listen {
    std::string session_id, turn_id, expects;
    std::int64_t for_ms = 0;
};

struct session_degraded {
    std::string session_id, turn_id;
    std::string stage;   // stt, intent, skill, llm, tts
    std::string reason;  // an errc name, e.g. timed_out
    std::string message;
};

struct session_ended {
    std::string session_id, turn_id;
    std::string outcome;  // answered, apologised, cancelled, nothing_heard
    std::string reason;
    std::string heard, reply, intent;
    std::map<std::string, double> stages_ms;  // endpoint, stt, intent, tts, playback, total…
};

struct timer_start {
    std::int64_t duration_ms = 0;
    std::string label;
};
struct timer_cancel {
    std::string label;
};
struct timer_status {
    std::string label;
    std::string state;  // started, completed, cancelled
    std::optional<std::int64_t> seconds_remaining;
};

struct home_command {
    std::string room, device, action;
    std::string payload;  // JSON, whatever the device takes; empty: none
};
struct home_status {
    std::string device, action, room, state;
    std::string reason;  // ours: why the state is "failed"
};

struct capability {
    std::string name, tier;
    std::map<std::string, std::string> attributes;
};
struct node_announce {
    std::string node_id, role;
    std::vector<capability> capabilities;
    std::string timestamp;
};
struct node_heartbeat {
    std::string node_id, timestamp;
};

// How one process is: sent every second and on each change; also what /readyz shows.
struct component_status {
    std::string name;  // loqad, stt, tts
    std::string node_id;
    std::string state;  // starting, ready, failed
    std::string detail;
    int pid = 0;
};
struct readiness {
    bool ready = false;
    std::vector<component_status> components;
};

// Reads a payload: invalid_message names the field that is missing or wrong, too_long the limit.
template <class T>
result<T> decode(std::string_view payload);

std::string encode(const audio_frame&);
std::string encode(const transcript&);
std::string encode(const nlu_request&);
std::string encode(const tts_request&);
std::string encode(const tts_prepare&);
std::string encode(const tts_audio&);
std::string encode(const tts_done&);
std::string encode(const tts_started&);
std::string encode(const tts_cancel&);
std::string encode(const tts_flush&);
std::string encode(const playback_started&);
std::string encode(const playback_stopped&);
std::string encode(const playback_volume&);
std::string encode(const speech_started&);
std::string encode(const stt_error&);
std::string encode(const session_reply&);
std::string encode(const session_state&);
std::string encode(const session_listen&);
std::string encode(const session_degraded&);
std::string encode(const session_ended&);
std::string encode(const timer_start&);
std::string encode(const timer_cancel&);
std::string encode(const timer_status&);
std::string encode(const home_command&);
std::string encode(const home_status&);
std::string encode(const node_announce&);
std::string encode(const node_heartbeat&);
std::string encode(const component_status&);
std::string encode(const readiness&);

}  // namespace loqa::protocol
