// The configuration of every process of Loqa: one YAML file, each key of which a LOQA_<SECTION>_<KEY> variable can
// override.
//
// declarations.cpp declares each property once: name, kind, default, range, one sentence. Parsing, checks, --help, the
// example file and docs/config.md come from there. load() reports every fault it finds, not just the first, since a
// person who mends a file wants to do it once. Values are plain and never change after load(): copy them, share them,
// any thread.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "loqa/base/clock.hpp"
#include "loqa/base/files.hpp"
#include "loqa/base/result.hpp"

namespace loqa::config {

struct http_settings {
    std::string bind;
    int port = 0;  // 0 = any free one
};

struct telemetry_settings {
    std::string log_level;   // trace, debug, info, warn, error
    std::string log_format;  // auto, text, json
    std::string otlp_endpoint;
    bool otlp_insecure = false;
    std::string prometheus_bind;  // "host:port", ":port" or "" for none
};

struct bus_settings {
    bool embedded = false;
    int port = 0;                      // of the embedded server; 0 = any free one
    std::vector<std::string> servers;  // of an outer one; never empty when embedded is false
    std::string username, password, token;
    bool tls_insecure = false;
    fs::path tls_ca, tls_cert, tls_key;
    milliseconds connect_timeout{}, ping_interval{};
    int pending_messages = 0;
};

// Something that a node can do, as it announces it to the others.
struct capability {
    std::string name, tier;
    std::map<std::string, std::string> attributes;
    bool operator==(const capability&) const = default;
};

struct node_settings {
    std::string id;  // one token of a subject: letters, digits, "-" and "_"
    std::string role;
    milliseconds heartbeat_interval{}, heartbeat_timeout{};
    std::vector<capability> capabilities;
};

struct skills_settings {
    bool enabled = false;
    fs::path directory;
    int max_concurrency = 0;
    std::string audit_privacy_scope;  // ephemeral, session, local, persistent
    std::string signatures;           // require, warn, off
    std::vector<std::string> trusted_keys;
    fs::path http_certificates;  // empty: the system's alone
};

struct event_store_settings {
    fs::path path;
    std::string retention_mode;  // ephemeral, session, persistent
    int retention_days = 0;
    int max_sessions = 0;
    bool vacuum_on_start = false;
    bool keep_audio = false;
    int keep_audio_mb = 0, keep_audio_days = 0;
};

struct timers_settings {
    milliseconds ring_pause{};
    int ring_times = 0;
    milliseconds snooze{};
};

struct stt_settings {
    bool enabled = false;
    std::string mode;  // moonshine, transducer, whisper, exec, mock
    std::string command;
    std::string model_path;  // a folder, or the name of an installed model
    std::string language;
    int sample_rate_hz = 0;
    int channels = 0;
    milliseconds frame_duration{}, partial_every{};
    bool publish_interim = false;
    int threads = 0;
    int whisper_context_frames = 0;
    bool listen_again = false;
    double listen_again_margin = 0;
    std::string vad_model_path;  // a folder, or the name of an installed model
    double vad_threshold = 0;
    milliseconds endpoint_complete{}, endpoint_growable{}, endpoint_silence{}, endpoint_open{}, answer_silence{};
    double speaking_threshold = 0, partial_share = 0;
    milliseconds speaking_onset{}, max_utterance{}, preroll{}, client_timeout{};
    int max_sessions = 0;
};

struct llm_settings {
    bool enabled = false;
    std::string mode;  // ollama, exec, mock
    std::string endpoint, command, model_fast, model_balanced, default_tier;
    int max_tokens = 0;
    double temperature = 0;
};

struct tts_settings {
    bool enabled = false;
    std::string mode;  // piper, kokoro, exec, mock
    std::string command, voice;
    int sample_rate_hz = 0;
    int channels = 0;
    milliseconds chunk_duration{};
    std::string model_path;  // a folder, or the name of an installed model
    int threads = 0;
    int max_pending = 0;
    int max_text_bytes = 0;
    fs::path cache_path;
    int cache_memory_mb = 0, cache_disk_mb = 0;
};

struct router_settings {
    bool enabled = false;
    std::string default_tier, default_voice, target;
};

struct session_settings {
    milliseconds turn_timeout{}, tts_timeout{}, intent_timeout{};
    int max_active_turns = 0;
    fs::path intents_path;  // empty: only the templates that ship
    fs::path home;          // a home's file; empty: the one that ships
    std::string confirm;    // words, beep
    std::string barge_in;   // any, stop, off
    std::string new_words;  // cancel, queue
    std::string area;
    std::vector<std::string> areas;  // "target=area"
    std::string locale;
    std::string time_zone;  // empty: the machine's
};

// Members have no defaults of their own: defaults() and load() fill every one from the declarations.
struct settings {
    std::string runtime_name, environment;
    fs::path data_dir;
    milliseconds hang_timeout{};  // 0: never
    http_settings http;
    telemetry_settings telemetry;
    bus_settings bus;
    node_settings node;
    skills_settings skills;
    event_store_settings event_store;
    timers_settings timers;
    stt_settings stt;
    llm_settings llm;
    tts_settings tts;
    router_settings router;
    session_settings session;

    std::vector<std::string> warnings;  // sentences to log at start; nothing that stops it
};

using environment_variables = std::vector<std::pair<std::string, std::string>>;

// All variables of this process.
environment_variables process_environment();

// The file that $LOQA_CONFIG names, whether it exists or not; else the first that exists of ~/.config/loqa/loqa.yaml
// (or $XDG_CONFIG_HOME) and /etc/loqa/loqa.yaml.
std::optional<fs::path> find_file(const environment_variables& environment);

struct source {
    std::optional<fs::path> file;
    environment_variables environment;  // later ones win over earlier ones: append to override
};

// The file's values over the defaults, the environment's over both. On failure the error's message has one line for
// each fault, the file's first: "loqa.yaml:12:9: stt.threads: …" or "LOQA_STT_THREADS: …".
result<settings> load(const source& from);

settings defaults();

struct property_info {
    std::string key;          // "stt.threads"
    std::string environment;  // "LOQA_STT_THREADS"
    std::string type;         // "whole number", "one of moonshine, exec, mock", …
    std::string doc;          // one sentence
    std::string default_text;
    std::string range;  // "1 to 64", or empty
    std::string unit;   // "ms", or empty
    bool secret = false;
};

std::vector<property_info> properties();  // in file order

std::string markdown();      // docs/config.md, whole
std::string help();          // for --help: every key with its variable, default and sentence
std::string example_yaml();  // a commented file with every key at its default: what --print-config prints

}  // namespace loqa::config
