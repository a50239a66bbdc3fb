#include "loqa/config/declarations.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <initializer_list>
#include <iterator>
#include <optional>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "loqa/base/text.hpp"

namespace loqa::config {
namespace {

#define LOQA_AT(member) [](settings& s) -> slot { return &s.member; }

const section section_table[] = {
    {"", "The instance as a whole."},
    {"http", "The API and the web page of `loqad`."},
    {"telemetry", "Logs, metrics and traces of every process."},
    {"bus", "The NATS server that everything talks over."},
    {"node", "This machine, as the others see it."},
    {"skills", "The WebAssembly skills that `loqad` runs."},
    {"event_store", "What is kept of past sessions, and for how long."},
    {"timers", "How timers and alarms ring."},
    {"stt", "From speech to text: `loqa-stt`."},
    {"llm", "Language models, for what no sentence template answers: `loqa-llm`."},
    {"tts", "From text to speech: `loqa-tts`."},
    {"router", "Where requests and answers go when they do not say so themselves."},
    {"session", "The turn: how long it may take, what it understands, where and when it happens."},
};

constexpr double any_port = 65535;
constexpr double minute = 60'000;

const property property_table[] = {
    {.key = "runtime_name",
     .at = LOQA_AT(runtime_name),
     .fallback = "loqa",
     .form = shape::not_empty,
     .doc = "The name of this instance in logs and traces."},
    {.key = "environment",
     .at = LOQA_AT(environment),
     .fallback = "production",
     .form = shape::not_empty,
     .doc = "What this instance is for, as traces name it, e.g. production or development."},
    {.key = "data_dir",
     .at = LOQA_AT(data_dir),
     .derived = "`$XDG_DATA_HOME/loqa` or `~/.local/share/loqa`",
     .doc = "The folder for what must outlive a restart: timers, events, the bus's streams."},
    {.key = "hang_timeout_ms",
     .at = LOQA_AT(hang_timeout),
     .fallback = "30000",
     .max = 10 * minute,
     .doc = "After how long without an answer from its work a process counts as hanging: `loqa up` then ends it and "
            "starts "
            "it anew. More than one piece of work takes on this machine when it is busy; 0 is never."},

    {.key = "http.bind",
     .at = LOQA_AT(http.bind),
     .fallback = "127.0.0.1",
     .form = shape::host,
     .doc = "The address to listen on; 127.0.0.1 is this machine alone, 0.0.0.0 is everybody who can reach it."},
    {.key = "http.port",
     .at = LOQA_AT(http.port),
     .fallback = "8080",
     .max = any_port,
     .doc = "The port to listen on; 0 is any free one."},

    {.key = "telemetry.log_level",
     .at = LOQA_AT(telemetry.log_level),
     .fallback = "info",
     .words = {"trace", "debug", "info", "warn", "error"},
     .doc = "The least important messages that are still logged."},
    {.key = "telemetry.log_format",
     .at = LOQA_AT(telemetry.log_format),
     .fallback = "auto",
     .words = {"auto", "text", "json"},
     .doc = "text is for people, json is one object a line for programs, auto is text."},
    {.key = "telemetry.otlp_endpoint",
     .at = LOQA_AT(telemetry.otlp_endpoint),
     .form = shape::otlp_url,
     .doc = "Where traces are sent with OTLP over HTTP, e.g. http://127.0.0.1:4318; empty sends none."},
    {.key = "telemetry.otlp_insecure",
     .at = LOQA_AT(telemetry.otlp_insecure),
     .fallback = "false",
     .doc = "Send traces over HTTPS without checking the receiver's certificate."},
    {.key = "telemetry.prometheus_bind",
     .at = LOQA_AT(telemetry.prometheus_bind),
     .fallback = "127.0.0.1:9091",
     .form = shape::address,
     .doc = "Where `loqad` serves /metrics; stt, tts and llm take the next three ports, :PORT is every interface, "
            "port 0 any free one, empty none."},

    {.key = "bus.embedded",
     .at = LOQA_AT(bus.embedded),
     .fallback = "true",
     .doc = "Start a private NATS server for this machine; false uses the one of bus.servers."},
    {.key = "bus.port",
     .at = LOQA_AT(bus.port),
     .fallback = "0",
     .max = any_port,
     .doc = "The port of the private server; 0 is any free one."},
    {.key = "bus.servers",
     .at = LOQA_AT(bus.servers),
     .derived = "`nats://127.0.0.1:4222` when embedded is false",
     .form = shape::bus_urls,
     .doc = "The URLs of an outer NATS server, or of a cluster's."},
    {.key = "bus.username",
     .at = LOQA_AT(bus.username),
     .doc = "The user to log on to an outer server with; goes with bus.password."},
    {.key = "bus.password", .at = LOQA_AT(bus.password), .secret = true, .doc = "The password of bus.username."},
    {.key = "bus.token",
     .at = LOQA_AT(bus.token),
     .secret = true,
     .doc = "The token to log on to an outer server with, instead of a user."},
    {.key = "bus.tls_insecure",
     .at = LOQA_AT(bus.tls_insecure),
     .fallback = "false",
     .doc = "Do not check the outer server's certificate."},
    {.key = "bus.tls_ca",
     .at = LOQA_AT(bus.tls_ca),
     .doc = "A file of the certificate authorities to trust, in PEM; empty trusts the machine's."},
    {.key = "bus.tls_cert",
     .at = LOQA_AT(bus.tls_cert),
     .doc = "This node's certificate, in PEM; goes with bus.tls_key."},
    {.key = "bus.tls_key", .at = LOQA_AT(bus.tls_key), .doc = "The private key of bus.tls_cert, in PEM."},
    {.key = "bus.connect_timeout_ms",
     .at = LOQA_AT(bus.connect_timeout),
     .fallback = "2000",
     .min = 100,
     .max = minute,
     .doc = "How long one attempt to connect may take; attempts go on for ever."},
    {.key = "bus.ping_interval_ms",
     .at = LOQA_AT(bus.ping_interval),
     .fallback = "5000",
     .min = 500,
     .max = 2 * minute,
     .doc = "How often the connection is tried; it counts as lost after two that were not answered."},
    {.key = "bus.pending_messages",
     .at = LOQA_AT(bus.pending_messages),
     .fallback = "4096",
     .min = 16,
     .max = 1'000'000,
     .doc = "How many messages may wait in one subscription; more are dropped and counted."},

    {.key = "node.id",
     .at = LOQA_AT(node.id),
     .derived = "the machine's host name",
     .form = shape::subject_token,
     .doc = "This node's name, unlike any other's in the cluster."},
    {.key = "node.role",
     .at = LOQA_AT(node.role),
     .fallback = "core",
     .form = shape::not_empty,
     .doc = "What this node is for, e.g. core or edge."},
    {.key = "node.heartbeat_interval_ms",
     .at = LOQA_AT(node.heartbeat_interval),
     .fallback = "2000",
     .min = 100,
     .max = minute,
     .doc = "How often this node says that it is there."},
    {.key = "node.heartbeat_timeout_ms",
     .at = LOQA_AT(node.heartbeat_timeout),
     .fallback = "6000",
     .min = 200,
     .max = 10 * minute,
     .doc = "After how long a silence another node counts as gone; more than heartbeat_interval_ms."},
    {.key = "node.capabilities",
     .at = LOQA_AT(node.capabilities),
     .doc = "What this node can do beyond what its processes announce themselves: a list of name, tier, attributes."},

    {.key = "skills.enabled", .at = LOQA_AT(skills.enabled), .fallback = "true", .doc = "Run skills."},
    {.key = "skills.directory",
     .at = LOQA_AT(skills.directory),
     .derived = "`skills/installed` in data_dir",
     .doc = "The folder that is searched, at all depths, for skill.yaml."},
    {.key = "skills.max_concurrency",
     .at = LOQA_AT(skills.max_concurrency),
     .fallback = "4",
     .min = 1,
     .max = 256,
     .doc = "How many invocations may run at once."},
    {.key = "skills.audit_privacy_scope",
     .at = LOQA_AT(skills.audit_privacy_scope),
     .fallback = "local",
     .form = shape::not_empty,
     .doc = "The privacy scope of the events that record what skills did; ephemeral records nothing."},
    {.key = "skills.signatures",
     .at = LOQA_AT(skills.signatures),
     .fallback = "warn",
     .words = {"require", "warn", "off"},
     .doc = "require runs only skills that a trusted key signed, warn says which are not and refuses those that were "
            "changed since, off does not look."},
    {.key = "skills.trusted_keys",
     .at = LOQA_AT(skills.trusted_keys),
     .doc = "The public keys that may sign skills, as minisign writes them (RW…); Author=RW… trusts a key for that "
            "author's skills alone."},
    {.key = "skills.http_certificates",
     .at = LOQA_AT(skills.http_certificates),
     .doc = "A file of certificates (PEM) that skills trust beside the system's, for servers at home."},

    {.key = "event_store.path",
     .at = LOQA_AT(event_store.path),
     .derived = "`events.db` in data_dir",
     .doc = "The SQLite database of events."},
    {.key = "event_store.retention_mode",
     .at = LOQA_AT(event_store.retention_mode),
     .fallback = "session",
     .words = {"ephemeral", "session", "persistent"},
     .doc = "ephemeral writes no event to the disk; session keeps them as long as the two limits below say; persistent "
            "keeps those of persistent turns for ever. It is also the scope of turns that name none."},
    {.key = "event_store.retention_days",
     .at = LOQA_AT(event_store.retention_days),
     .fallback = "30",
     .min = 1,
     .max = 36500,
     .doc = "Events older than this many days are deleted."},
    {.key = "event_store.max_sessions",
     .at = LOQA_AT(event_store.max_sessions),
     .fallback = "10000",
     .min = 1,
     .max = 10'000'000,
     .doc = "When there are more sessions than this, the ones that were silent longest are deleted."},
    {.key = "event_store.vacuum_on_start",
     .at = LOQA_AT(event_store.vacuum_on_start),
     .fallback = "false",
     .doc = "Give freed space back to the disk at start, which can take seconds."},

    {.key = "event_store.keep_audio",
     .at = LOQA_AT(event_store.keep_audio),
     .fallback = "false",
     .doc = "Keep the sound of what was said beside its events, for `loqa replay`; never that of ephemeral turns."},
    {.key = "event_store.keep_audio_mb",
     .at = LOQA_AT(event_store.keep_audio_mb),
     .fallback = "256",
     .min = 1,
     .max = 1'000'000,
     .doc = "How much sound is kept; what is more is deleted, the oldest first."},
    {.key = "event_store.keep_audio_days",
     .at = LOQA_AT(event_store.keep_audio_days),
     .fallback = "7",
     .min = 1,
     .max = 36500,
     .doc = "Sound older than this many days is deleted."},

    {.key = "timers.ring_pause_ms",
     .at = LOQA_AT(timers.ring_pause),
     .fallback = "10000",
     .min = 500,
     .max = 10 * minute,
     .doc = "How long after the end of one announcement of a timer the next one comes."},
    {.key = "timers.ring_times",
     .at = LOQA_AT(timers.ring_times),
     .fallback = "12",
     .min = 1,
     .max = 1000,
     .doc = "After so many announcements that nobody stopped a ring is over."},
    {.key = "timers.snooze_ms",
     .at = LOQA_AT(timers.snooze),
     .fallback = "540000",
     .min = 1000,
     .max = 24 * 60 * minute,
     .doc = "For how long \"snooze\" puts a ring off."},

    {.key = "stt.enabled", .at = LOQA_AT(stt.enabled), .fallback = "true", .doc = "Recognise speech on this node."},
    {.key = "stt.mode",
     .at = LOQA_AT(stt.mode),
     .fallback = "moonshine",
     .words = {"moonshine", "transducer", "whisper", "exec", "mock"},
     .doc =
         "The recogniser: moonshine and transducer (streaming, as exported for sherpa-onnx) are built in, whisper is "
         "installed by `scripts/setup.sh whisper`, exec runs stt.command, mock is for tests (docs/engines.md)."},
    {.key = "stt.command",
     .at = LOQA_AT(stt.command),
     .doc = "With exec: the command that is given audio and prints the text."},
    {.key = "stt.model_path",
     .at = LOQA_AT(stt.model_path),
     .fallback = "moonshine-tiny-en",
     .doc = "The recogniser's model: a folder, or the name of an installed model (`loqa models list`)."},
    {.key = "stt.language",
     .at = LOQA_AT(stt.language),
     .fallback = "en",
     .form = shape::not_empty,
     .doc = "The language that is spoken."},
    {.key = "stt.sample_rate",
     .at = LOQA_AT(stt.sample_rate_hz),
     .fallback = "16000",
     .min = 8000,
     .max = 48000,
     .doc = "The sample rate that a client is taken to send when it does not say, in Hz."},
    {.key = "stt.channels",
     .at = LOQA_AT(stt.channels),
     .fallback = "1",
     .min = 1,
     .max = 2,
     .doc = "The number of channels that a client is taken to send when it does not say."},
    {.key = "stt.frame_duration_ms",
     .at = LOQA_AT(stt.frame_duration),
     .fallback = "20",
     .min = 5,
     .max = 1000,
     .doc = "How much audio our own clients put into one message."},
    {.key = "stt.partial_every_ms",
     .at = LOQA_AT(stt.partial_every),
     .fallback = "200",
     .max = minute,
     .doc = "How often a growing utterance is read while somebody speaks, if there is time for it; 0 for never."},
    {.key = "stt.partial_share",
     .at = LOQA_AT(stt.partial_share),
     .fallback = "0.5",
     .min = 0.01,
     .max = 1,
     .doc = "Which part of the recogniser's time goes into reading while people speak, all sessions together; the more "
            "of them speak, the rarer each is read. Pauses and ends are read at any time."},
    {.key = "stt.publish_interim",
     .at = LOQA_AT(stt.publish_interim),
     .fallback = "true",
     .doc = "Publish stt.text.partial."},
    {.key = "stt.threads",
     .at = LOQA_AT(stt.threads),
     .fallback = "2",
     .min = 1,
     .max = 64,
     .doc =
         "How many processor threads one recognition uses; with moonshine so many utterances are also read at once."},
    {.key = "stt.whisper_context_frames",
     .at = LOQA_AT(stt.whisper_context_frames),
     .fallback = "768",
     .max = 1500,
     .doc = "With whisper: how much it reads at least, in frames of 20 ms; 0 or 1500 is 30 s, as it was trained. Less "
            "is faster, but below 512 it begins to repeat itself."},
    {.key = "stt.listen_again",
     .at = LOQA_AT(stt.listen_again),
     .fallback = "true",
     .doc = "With moonshine: listen again for a command of this home, where what was heard is none."},
    {.key = "stt.listen_again_margin",
     .at = LOQA_AT(stt.listen_again_margin),
     .fallback = "7",
     .min = 0,
     .max = 20,
     .doc =
         "How much less probable than what was heard such a command may be at most, as a natural logarithm; with more, "
         "more commands are understood, and more often one that nobody gave."},
    {.key = "stt.vad_model_path",
     .at = LOQA_AT(stt.vad_model_path),
     .fallback = "silero-vad",
     .form = shape::not_empty,
     .doc = "The model that tells speech from silence: a folder, or the name of an installed model."},
    {.key = "stt.vad_threshold",
     .at = LOQA_AT(stt.vad_threshold),
     .fallback = "0.5",
     .min = 0.05,
     .max = 0.95,
     .doc = "From which probability on a frame counts as speech; higher hears less noise and less quiet speech."},
    {.key = "stt.endpoint_silence_ms",
     .at = LOQA_AT(stt.endpoint_silence),
     .fallback = "500",
     .min = 50,
     .max = 5000,
     .doc = "How long a silence ends an utterance of which it is not known whether it is a command."},
    {.key = "stt.endpoint_complete_ms",
     .at = LOQA_AT(stt.endpoint_complete),
     .fallback = "32",
     .min = 32,
     .max = 5000,
     .doc = "How long a silence ends a command that nothing can follow."},
    {.key = "stt.endpoint_growable_ms",
     .at = LOQA_AT(stt.endpoint_growable),
     .fallback = "64",
     .min = 32,
     .max = 5000,
     .doc = "How long a silence ends a command that could go on, as \"turn on the lights\" with \"in the kitchen\"."},
    {.key = "stt.endpoint_open_ms",
     .at = LOQA_AT(stt.endpoint_open),
     .fallback = "1000",
     .min = 50,
     .max = 10'000,
     .doc = "How long a silence ends what is only the beginning of a command, as \"set a timer for\"."},
    {.key = "stt.answer_silence_ms",
     .at = LOQA_AT(stt.answer_silence),
     .fallback = "800",
     .min = 50,
     .max = 10'000,
     .doc = "After a question of Loqa's: how long a silence ends what is neither a command nor a yes or no."},
    {.key = "stt.speaking_threshold",
     .at = LOQA_AT(stt.speaking_threshold),
     .fallback = "0.7",
     .min = 0.05,
     .max = 0.99,
     .doc = "While Loqa speaks: from which probability on a frame counts as somebody else's speech."},
    {.key = "stt.speaking_onset_ms",
     .at = LOQA_AT(stt.speaking_onset),
     .fallback = "128",
     .min = 32,
     .max = 2000,
     .doc = "While Loqa speaks: how long somebody else has to speak to be heard."},
    {.key = "stt.max_utterance_ms",
     .at = LOQA_AT(stt.max_utterance),
     .fallback = "15000",
     .min = 1000,
     .max = minute,
     .doc = "An utterance that is still going on after this long is ended."},
    {.key = "stt.preroll_ms",
     .at = LOQA_AT(stt.preroll),
     .fallback = "300",
     .max = 2000,
     .doc = "How much audio from before the first speech belongs to the utterance."},
    {.key = "stt.client_timeout_ms",
     .at = LOQA_AT(stt.client_timeout),
     .fallback = "3000",
     .min = 200,
     .max = 10 * minute,
     .doc = "A session that has sent no audio for this long is ended and freed."},
    {.key = "stt.max_sessions",
     .at = LOQA_AT(stt.max_sessions),
     .fallback = "64",
     .min = 1,
     .max = 10'000,
     .doc = "How many sessions may stream audio at once; more are refused with stt.error."},

    {.key = "llm.enabled", .at = LOQA_AT(llm.enabled), .fallback = "false", .doc = "Ask a language model."},
    {.key = "llm.mode",
     .at = LOQA_AT(llm.mode),
     .fallback = "ollama",
     .words = {"ollama", "exec", "mock"},
     .doc = "What answers: an Ollama server, llm.command, or mock for tests."},
    {.key = "llm.endpoint",
     .at = LOQA_AT(llm.endpoint),
     .fallback = "http://localhost:11434",
     .form = shape::web_url,
     .doc = "Where the Ollama server is."},
    {.key = "llm.command",
     .at = LOQA_AT(llm.command),
     .doc = "With exec: the command that is given the prompt and prints the answer."},
    {.key = "llm.model_fast", .at = LOQA_AT(llm.model_fast), .doc = "The model for the tier fast."},
    {.key = "llm.model_balanced", .at = LOQA_AT(llm.model_balanced), .doc = "The model for the tier balanced."},
    {.key = "llm.default_tier",
     .at = LOQA_AT(llm.default_tier),
     .fallback = "balanced",
     .form = shape::not_empty,
     .doc = "The tier of a request that names none."},
    {.key = "llm.max_tokens",
     .at = LOQA_AT(llm.max_tokens),
     .fallback = "256",
     .min = 1,
     .max = 32768,
     .doc = "The longest answer."},
    {.key = "llm.temperature",
     .at = LOQA_AT(llm.temperature),
     .fallback = "0.7",
     .max = 2,
     .doc = "How freely the model picks its words; 0 gives the same answer every time."},

    {.key = "tts.enabled", .at = LOQA_AT(tts.enabled), .fallback = "true", .doc = "Speak on this node."},
    {.key = "tts.mode",
     .at = LOQA_AT(tts.mode),
     .fallback = "piper",
     .words = {"piper", "kokoro", "exec", "mock"},
     .doc = "The voice engine: piper and kokoro are built in, exec runs tts.command, mock is for tests."},
    {.key = "tts.command",
     .at = LOQA_AT(tts.command),
     .doc = "With exec: the command that is given the text and prints audio."},
    {.key = "tts.voice",
     .at = LOQA_AT(tts.voice),
     .fallback = "en_US-joe-medium",
     .doc = "The voice of a request that names none."},
    {.key = "tts.sample_rate",
     .at = LOQA_AT(tts.sample_rate_hz),
     .fallback = "22050",
     .min = 8000,
     .max = 48000,
     .doc = "The sample rate of tts.audio, in Hz."},
    {.key = "tts.channels",
     .at = LOQA_AT(tts.channels),
     .fallback = "1",
     .min = 1,
     .max = 2,
     .doc = "The number of channels of tts.audio."},
    {.key = "tts.chunk_duration_ms",
     .at = LOQA_AT(tts.chunk_duration),
     .fallback = "400",
     .min = 20,
     .max = 5000,
     .doc = "The longest piece of audio in one message."},
    {.key = "tts.model_path",
     .at = LOQA_AT(tts.model_path),
     .fallback = "piper-en_US-joe-medium",
     .doc = "The voice's model: a folder, or the name of an installed model (`loqa models list`)."},
    {.key = "tts.threads",
     .at = LOQA_AT(tts.threads),
     .fallback = "2",
     .min = 1,
     .max = 64,
     .doc = "How many processor threads one synthesis uses."},
    {.key = "tts.max_pending",
     .at = LOQA_AT(tts.max_pending),
     .fallback = "32",
     .min = 1,
     .max = 1000,
     .doc = "How many requests may wait; more are refused."},
    {.key = "tts.max_text_bytes",
     .at = LOQA_AT(tts.max_text_bytes),
     .fallback = "4096",
     .min = 64,
     .max = 65536,
     .doc = "The longest text of one request, in bytes; a longer one is refused."},
    {.key = "tts.cache_path",
     .at = LOQA_AT(tts.cache_path),
     .derived = "`speech` in the cache folder, `~/.cache/loqa`",
     .doc = "The folder that keeps what was said, so that it need not be made again; nothing ephemeral is in it."},
    {.key = "tts.cache_memory_mb",
     .at = LOQA_AT(tts.cache_memory_mb),
     .fallback = "16",
     .max = 4096,
     .doc = "How much of it is held in memory, in MiB: 16 are six minutes of speech."},
    {.key = "tts.cache_disk_mb",
     .at = LOQA_AT(tts.cache_disk_mb),
     .fallback = "64",
     .max = 65536,
     .doc = "How much of it the folder may take, in MiB; 0 keeps nothing on disk."},

    {.key = "router.enabled",
     .at = LOQA_AT(router.enabled),
     .fallback = "true",
     .doc = "Answer what is recognised; false leaves that to another program on the bus."},
    {.key = "router.default_tier",
     .at = LOQA_AT(router.default_tier),
     .fallback = "balanced",
     .form = shape::not_empty,
     .doc = "The language model tier of a turn."},
    {.key = "router.default_voice",
     .at = LOQA_AT(router.default_voice),
     .doc = "The voice of an answer; empty leaves it to tts.voice."},
    {.key = "router.target",
     .at = LOQA_AT(router.target),
     .doc = "The speaker of an answer whose session has none; empty is whoever listens to tts.audio."},

    {.key = "session.turn_timeout_ms",
     .at = LOQA_AT(session.turn_timeout),
     .fallback = "10000",
     .min = 500,
     .max = 5 * minute,
     .doc = "A turn that has no answer after this long ends with an apology."},
    {.key = "session.tts_timeout_ms",
     .at = LOQA_AT(session.tts_timeout),
     .fallback = "4000",
     .min = 200,
     .max = minute,
     .doc = "How long a turn waits for the first sound of its answer."},
    {.key = "session.intent_timeout_ms",
     .at = LOQA_AT(session.intent_timeout),
     .fallback = "3000",
     .min = 100,
     .max = minute,
     .doc = "How long a turn waits for a program that declared the intent."},
    {.key = "session.max_active_turns",
     .at = LOQA_AT(session.max_active_turns),
     .fallback = "64",
     .min = 1,
     .max = 10'000,
     .doc = "How many turns may be under way at once; more are refused with an apology."},
    {.key = "session.intents_path",
     .at = LOQA_AT(session.intents_path),
     .doc = "A folder of sentence templates of your own, beside those that ship."},
    {.key = "session.home",
     .at = LOQA_AT(session.home),
     .doc = "A file of floors, areas and things that is the simulated home; empty is the home that ships."},
    {.key = "session.confirm",
     .at = LOQA_AT(session.confirm),
     .fallback = "words",
     .words = {"words", "beep"},
     .doc = "How a command is confirmed that acted in the room it was spoken in: in words, or with a short sound."},
    {.key = "session.barge_in",
     .at = LOQA_AT(session.barge_in),
     .fallback = "any",
     .words = {"any", "stop", "off"},
     .doc =
         "What interrupts Loqa while it speaks: any speech, only words that mean stop, or nothing. With stop, a word "
         "in the first second of an answer may not be understood."},
    {.key = "session.new_words",
     .at = LOQA_AT(session.new_words),
     .fallback = "cancel",
     .words = {"cancel", "queue"},
     .doc =
         "What becomes of a turn whose answer has not begun when its session speaks anew: it is cancelled, or answered "
         "first."},
    {.key = "session.area",
     .at = LOQA_AT(session.area),
     .doc = "The room that is spoken from where nothing else says so, e.g. Kitchen; empty is no room."},
    {.key = "session.areas",
     .at = LOQA_AT(session.areas),
     .doc = "The rooms of several satellites, each as its target or session, an equals sign, and the room."},
    {.key = "session.locale",
     .at = LOQA_AT(session.locale),
     .fallback = "en",
     .form = shape::not_empty,
     .doc = "The language of sentence templates and answers."},
    {.key = "session.time_zone",
     .at = LOQA_AT(session.time_zone),
     .doc = "The time zone of spoken times, e.g. Europe/Berlin; empty is the machine's."},
};

#undef LOQA_AT

template <class T>
bool holds(const property& declared) {
    settings scratch;
    return std::holds_alternative<T*>(declared.at(scratch));
}

bool is_host(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](unsigned char c) {
        return std::isalnum(c) != 0 || c == '.' || c == '-' || c == '_' || c == ':' || c == '[' || c == ']';
    });
}

template <class T>
std::optional<T> number(std::string_view text) {
    T value{};
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (ec != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

bool is_port(std::string_view text) {
    const auto value = number<int>(text);
    return value && *value >= 0 && *value <= any_port;
}

bool is_address(std::string_view text) {
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos || !is_port(text.substr(colon + 1))) return false;
    return colon == 0 || is_host(text.substr(0, colon));
}

bool is_url(std::string_view text, std::initializer_list<std::string_view> schemes) {
    for (const auto scheme : schemes)
        if (text.starts_with(scheme) && text.substr(scheme.size()).starts_with("://") &&
            text.size() > scheme.size() + 3 && std::ranges::none_of(text, [](char c) { return c <= ' '; }))
            return true;
    return false;
}

bool is_utf8(std::string_view text) {
    for (std::size_t i = 0; i < text.size();) {
        const auto first = static_cast<unsigned char>(text[i]);
        const std::size_t more = first < 0x80 ? 0 : first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
        if ((first >= 0x80 && first < 0xc2) || first > 0xf4 || i + more >= text.size()) return false;
        for (std::size_t k = 1; k <= more; ++k)
            if ((static_cast<unsigned char>(text[i + k]) & 0xc0) != 0x80) return false;
        i += more + 1;
    }
    return true;
}

bool has_shape(shape form, std::string_view text) {
    // Texts end up in C strings, subjects, headers and JSON, none of which can hold these.
    if (std::ranges::any_of(text, [](unsigned char c) { return c < ' ' && c != '\t'; }) || !is_utf8(text)) return false;
    switch (form) {
        case shape::any:
            return true;
        case shape::not_empty:
            return !trim(text).empty();
        case shape::subject_token:
            return std::ranges::all_of(text,
                                       [](unsigned char c) { return std::isalnum(c) != 0 || c == '-' || c == '_'; });
        case shape::host:
            return is_host(text);
        case shape::address:
            return text.empty() || is_address(text);
        case shape::web_url:
            return is_url(text, {"http", "https"});
        case shape::otlp_url:
            return text.empty() || is_url(text, {"http", "https"});
        case shape::bus_urls:
            return is_url(text, {"nats", "tls"});
    }
    return false;
}

std::string_view shape_text(shape form) {
    switch (form) {
        case shape::any:
            return "text on one line";
        case shape::not_empty:
            return "text on one line, not empty";
        case shape::subject_token:
            return "letters, digits, - and _";
        case shape::host:
            return "a host name or an IP address";
        case shape::address:
            return "HOST:PORT, :PORT or empty";
        case shape::web_url:
            return "a URL that begins with http:// or https://";
        case shape::otlp_url:
            return "a URL that begins with http:// or https://, or empty";
        case shape::bus_urls:
            return "a list of URLs that begin with nats:// or tls://";
    }
    return {};
}

}  // namespace

std::string_view property::section() const {
    const auto dot = key.find('.');
    return dot == std::string_view::npos ? std::string_view() : key.substr(0, dot);
}

std::string_view property::name() const {
    const auto dot = key.find('.');
    return dot == std::string_view::npos ? key : key.substr(dot + 1);
}

std::string property::variable() const {
    // runtime_name is LOQA_RUNTIME_NAME, not LOQA_RUNTIME_RUNTIME_NAME.
    const auto rest = key == "runtime_name" ? std::string_view("name") : name();
    std::string out = variable_prefix(section());
    std::ranges::transform(rest, std::back_inserter(out),
                           [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    return out;
}

std::string property::type() const {
    if (!words.empty()) return fmt::format("one of {}", fmt::join(words, ", "));
    if (holds<bool>(*this)) return "true or false";
    if (holds<int>(*this) || holds<milliseconds>(*this)) return "whole number";
    if (holds<double>(*this)) return "number";
    if (holds<fs::path>(*this)) return "path";
    if (holds<std::vector<std::string>>(*this)) return "list";
    if (holds<std::vector<capability>>(*this)) return "list of name, tier, attributes";
    return form == shape::web_url || form == shape::otlp_url ? "URL" : "text";
}

std::string property::range() const { return max > min ? fmt::format("{} to {}", min, max) : std::string(); }

std::string property::unit() const {
    if (holds<milliseconds>(*this)) return "ms";
    return name() == "sample_rate" ? "Hz" : "";
}

std::string property::allowed() const {
    if (!words.empty() || holds<bool>(*this)) return type();
    if (max > min)
        return fmt::format("a {} from {} to {}{}", type(), min, max,
                           holds<milliseconds>(*this) ? " (milliseconds)" : "");
    if (holds<fs::path>(*this)) return form == shape::not_empty ? "a path, not empty" : "a path";
    if (holds<std::vector<capability>>(*this))
        return "a list of maps, each with a name, and a tier and a map of attributes if you like";
    return std::string(shape_text(form));
}

std::span<const section> sections() { return section_table; }
std::span<const property> declarations() { return property_table; }

std::string variable_prefix(std::string_view section) {
    std::string out = "LOQA_";
    std::ranges::transform(section.empty() ? std::string_view("runtime") : section, std::back_inserter(out),
                           [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    return out + "_";
}

bool assign(const property& declared, settings& out, std::string_view text) {
    const slot where = declared.at(out);
    if (std::holds_alternative<std::vector<std::string>*>(where)) {
        std::vector<std::string> parts;
        for (const auto& part : split(text, ','))
            if (const auto trimmed = trim(part); !trimmed.empty()) parts.emplace_back(trimmed);
        return assign(declared, out, parts);
    }
    if (!declared.words.empty() && std::ranges::find(declared.words, text) == declared.words.end()) return false;
    if (auto* const* value = std::get_if<std::string*>(&where)) {
        if (!has_shape(declared.form, text)) return false;
        **value = text;
        return true;
    }
    if (auto* const* value = std::get_if<fs::path*>(&where)) {
        if (!has_shape(declared.form, text)) return false;
        **value = fs::path(text);
        return true;
    }
    if (auto* const* value = std::get_if<bool*>(&where)) {
        const auto word = to_lower(text);
        const bool yes = word == "true" || word == "yes" || word == "on" || word == "1";
        if (!yes && word != "false" && word != "no" && word != "off" && word != "0") return false;
        **value = yes;
        return true;
    }
    if (auto* const* value = std::get_if<double*>(&where)) {
        const auto parsed = number<double>(text);
        if (!parsed || !(*parsed >= declared.min && *parsed <= declared.max)) return false;
        **value = *parsed;
        return true;
    }
    const auto parsed = number<int>(text);
    if (!parsed || *parsed < declared.min || *parsed > declared.max) return false;
    if (auto* const* value = std::get_if<int*>(&where)) {
        **value = *parsed;
        return true;
    }
    if (auto* const* value = std::get_if<milliseconds*>(&where)) {
        **value = milliseconds(*parsed);
        return true;
    }
    return false;
}

bool assign(const property& declared, settings& out, const std::vector<std::string>& list) {
    const slot where = declared.at(out);
    auto* const* value = std::get_if<std::vector<std::string>*>(&where);
    if (value == nullptr) return false;
    if (!std::ranges::all_of(list, [&](const auto& item) { return has_shape(declared.form, item); })) return false;
    **value = list;
    return true;
}

}  // namespace loqa::config
