#include "loqa/protocol/messages.hpp"

#include <span>

#include "loqa/base/ids.hpp"
#include "loqa/protocol/json.hpp"

namespace loqa::protocol {
namespace {

constexpr std::size_t max_id_bytes = 256;
constexpr std::int64_t max_sequence = std::int64_t{1} << 53;  // what a JSON number holds exactly

// An optional string of the wire: left out when empty.
void put(json& object, const char* name, const std::string& value) {
    if (!value.empty()) object[name] = value;
}

std::string encode_pcm(const std::string& pcm) { return base64_encode(std::as_bytes(std::span(pcm))); }

void read_pcm(field_reader& read, int channels, std::string& pcm) {
    std::string text;
    read.text("pcm", text, max_pcm_bytes / 3 * 4 + 4);
    if (read.failed()) return;
    auto bytes = base64_decode(text);
    if (!bytes) return read.refuse({errc::invalid_message, "field pcm is " + bytes.error().message, {}});
    if (bytes->size() % (2 * static_cast<std::size_t>(channels)) != 0)
        return read.refuse(
            {errc::invalid_message,
             fmt::format("field pcm has {} bytes, not whole samples of {} channels", bytes->size(), channels),
             {}});
    pcm = std::move(*bytes);
}

// One overload a message: reads its fields out of a JSON object.
void read_into(field_reader& read, audio_frame& m) {
    read.text("session_id", m.session_id, max_id_bytes, true)
        .integer("sequence", m.sequence, 0, max_sequence)
        .integer("sample_rate", m.sample_rate, 8'000, 48'000)
        .integer("channels", m.channels, 1, 2)
        .boolean("final", m.final);
    read_pcm(read, m.channels, m.pcm);
}

void read_into(field_reader& read, transcript& m) {
    read.text("session_id", m.session_id, max_id_bytes, true)
        .text("text", m.text, max_text_bytes, true)
        .boolean("partial", m.partial)
        .text("timestamp", m.timestamp, max_id_bytes)
        .number("confidence", m.confidence)
        .text("reason", m.reason, max_id_bytes)
        .integer("settled", m.settled, 0, std::int64_t{max_text_bytes})
        .text("heard", m.heard, max_text_bytes)
        .boolean("doubtful", m.doubtful);
    m.settled = std::min(m.settled, m.text.size());
}

void read_into(field_reader& read, nlu_request& m) {
    int max_tokens = 0;
    double temperature = -1;
    read.text("session_id", m.session_id, max_id_bytes, true)
        .text("prompt", m.prompt, max_text_bytes, true)
        .text("system", m.system, max_text_bytes)
        .text("tier", m.tier, max_id_bytes)
        .text("trace_id", m.trace_id, max_id_bytes)
        .text("timestamp", m.timestamp, max_id_bytes)
        .integer("max_tokens", max_tokens, 0, 1'000'000)
        .number("temperature", temperature);
    if (max_tokens > 0) m.max_tokens = max_tokens;
    if (temperature >= 0) m.temperature = temperature;
}

void read_into(field_reader& read, tts_request& m) {
    read.text("session_id", m.session_id, max_id_bytes)
        .text("text", m.text, max_text_bytes, true)
        .text("voice", m.voice, max_id_bytes)
        .text("target", m.target, max_id_bytes)
        .text("trace_id", m.trace_id, max_id_bytes);
}

void read_into(field_reader& read, tts_prepare& m) {
    read.text("text", m.text, max_text_bytes, true).text("voice", m.voice, max_id_bytes);
}

void read_into(field_reader& read, tts_audio& m) {
    read.text("session_id", m.session_id, max_id_bytes)
        .text("target", m.target, max_id_bytes)
        .integer("sequence", m.sequence, 0, max_sequence)
        .integer("sample_rate", m.sample_rate, 1, 192'000, true)
        .integer("channels", m.channels, 1, 2)
        .boolean("final", m.final);
    read_pcm(read, m.channels, m.pcm);
}

void read_into(field_reader& read, tts_done& m) {
    read.text("session_id", m.session_id, max_id_bytes)
        .text("target", m.target, max_id_bytes)
        .boolean("completed", m.completed)
        .text("timestamp", m.timestamp, max_id_bytes)
        .text("error", m.error, max_text_bytes)
        .integer("audio_ms", m.audio_ms, 0, max_sequence);
}

void read_into(field_reader& read, tts_started& m) {
    read.text("session_id", m.session_id, max_id_bytes)
        .text("target", m.target, max_id_bytes)
        .number("first_chunk_ms", m.first_chunk_ms)
        .boolean("cached", m.cached);
}

void read_into(field_reader& read, tts_cancel& m) {
    read.text("session_id", m.session_id, max_id_bytes)
        .text("target", m.target, max_id_bytes)
        .text("turn_id", m.turn_id, max_id_bytes)
        .text("except_turn_id", m.except_turn_id, max_id_bytes);
    if (!read.failed() && m.session_id.empty() && m.target.empty())
        read.refuse({errc::invalid_message, "field session_id is missing", {}});
}

void read_into(field_reader& read, tts_flush& m) {
    read.text("session_id", m.session_id, max_id_bytes)
        .integer("from", m.from, 0, max_sequence)
        .integer("generation", m.generation, 0, max_sequence, true);
}

void read_into(field_reader& read, playback_started& m) {
    read.text("session_id", m.session_id, max_id_bytes, true)
        .text("target", m.target, max_id_bytes)
        .integer("generation", m.generation, 0, max_sequence);
}

void read_into(field_reader& read, playback_stopped& m) {
    read.text("session_id", m.session_id, max_id_bytes, true)
        .text("target", m.target, max_id_bytes)
        .integer("generation", m.generation, 0, max_sequence)
        .integer("played_ms", m.played_ms, 0, max_sequence)
        .boolean("completed", m.completed);
}

void read_into(field_reader& read, playback_volume& m) {
    int percent = -1;
    read.text("target", m.target, max_id_bytes)
        .integer("percent", percent, 0, 1000)
        .integer("change", m.change, -1000, 1000)
        .boolean("is", m.is);
    if (percent >= 0) m.percent = percent;
}

void read_into(field_reader& read, speech_started& m) { read.text("session_id", m.session_id, max_id_bytes, true); }

void read_into(field_reader& read, stt_error& m) {
    read.text("session_id", m.session_id, max_id_bytes, true)
        .text("code", m.code, max_id_bytes)
        .text("message", m.message, max_text_bytes);
}

void read_into(field_reader& read, session_state& m) {
    read.text("session_id", m.session_id, max_id_bytes, true)
        .text("turn_id", m.turn_id, max_id_bytes)
        .text("state", m.state, max_id_bytes, true)
        .text("expects", m.expects, max_id_bytes)
        .text("owner", m.owner, max_id_bytes);
}

void read_into(field_reader& read, session_listen& m) {
    read.text("session_id", m.session_id, max_id_bytes, true)
        .text("turn_id", m.turn_id, max_id_bytes)
        .text("expects", m.expects, max_id_bytes)
        .integer("for_ms", m.for_ms, 0, max_sequence);
}

void read_into(field_reader& read, session_degraded& m) {
    read.text("session_id", m.session_id, max_id_bytes, true)
        .text("turn_id", m.turn_id, max_id_bytes)
        .text("stage", m.stage, max_id_bytes)
        .text("reason", m.reason, max_id_bytes)
        .text("message", m.message, max_text_bytes);
}

void read_into(field_reader& read, timer_start& m) {
    read.integer("duration_ms", m.duration_ms, 1, std::int64_t{1000} * 60 * 60 * 24 * 365, true)
        .text("label", m.label, max_id_bytes);
}

void read_into(field_reader& read, timer_cancel& m) { read.text("label", m.label, max_id_bytes); }

void read_into(field_reader& read, timer_status& m) {
    std::int64_t left = -1;
    read.text("label", m.label, max_id_bytes)
        .text("state", m.state, max_id_bytes, true)
        .integer("seconds_remaining", left, 0, max_sequence);
    if (left >= 0) m.seconds_remaining = left;
}

void read_into(field_reader& read, node_heartbeat& m) {
    read.text("node_id", m.node_id, max_id_bytes, true).text("timestamp", m.timestamp, max_id_bytes);
}

void read_into(field_reader& read, component_status& m) {
    read.text("name", m.name, max_id_bytes, true)
        .text("node_id", m.node_id, max_id_bytes)
        .text("state", m.state, max_id_bytes, true)
        .text("detail", m.detail, max_text_bytes)
        .integer("pid", m.pid, 0, std::numeric_limits<int>::max());
}

// The messages with lists or maps in them read their object themselves.
template <class Each>
void read_list(field_reader& read, const json& object, const char* name, Each each) {
    const auto it = object.find(name);
    if (it == object.end() || it->is_null()) return;
    if (!it->is_array()) return read.refuse({errc::invalid_message, fmt::format("field {} is not a list", name), {}});
    for (const auto& item : *it) {
        if (!item.is_object())
            return read.refuse({errc::invalid_message, fmt::format("field {} holds {}", name, item.type_name()), {}});
        each(item);
    }
}

void read_text_map(field_reader& read, const json& object, const char* name, std::map<std::string, std::string>& out) {
    const auto it = object.find(name);
    if (it == object.end() || it->is_null()) return;
    if (!it->is_object())
        return read.refuse({errc::invalid_message, fmt::format("field {} is not an object", name), {}});
    for (const auto& [key, value] : it->items()) out[key] = value.is_string() ? value.get<std::string>() : dump(value);
}

template <class T>
result<T> finish(const field_reader& read, T&& message) {
    if (read.failed()) return failure(read.why());
    return std::forward<T>(message);
}

json to_json(const component_status& m) {
    json j{{"name", m.name}, {"node_id", m.node_id}, {"state", m.state}, {"pid", m.pid}};
    put(j, "detail", m.detail);
    return j;
}

}  // namespace

template <class T>
result<T> decode(std::string_view payload) {
    auto object = parse_object(payload);
    if (!object) return fail(std::move(object));
    field_reader read(*object);
    T message;
    read_into(read, message);
    return finish(read, std::move(message));
}

template <>
result<home_command> decode<home_command>(std::string_view payload) {
    auto object = parse_object(payload);
    if (!object) return fail(std::move(object));
    field_reader read(*object);
    home_command m;
    read.text("room", m.room, max_id_bytes)
        .text("device", m.device, max_id_bytes, true)
        .text("action", m.action, max_id_bytes, true);
    // What the device takes is its own affair.
    if (const auto it = object->find("payload"); it != object->end() && !it->is_null()) m.payload = dump(*it);
    if (m.payload.size() > max_text_bytes)
        read.refuse({errc::too_long,
                     fmt::format("field payload has {} bytes, the limit is {}", m.payload.size(), max_text_bytes),
                     {}});
    return finish(read, std::move(m));
}

template <>
result<node_announce> decode<node_announce>(std::string_view payload) {
    auto object = parse_object(payload);
    if (!object) return fail(std::move(object));
    field_reader read(*object);
    node_announce m;
    read.text("node_id", m.node_id, max_id_bytes, true)
        .text("role", m.role, max_id_bytes)
        .text("timestamp", m.timestamp, max_id_bytes);
    read_list(read, *object, "capabilities", [&](const json& item) {
        field_reader inner(item);
        capability c;
        inner.text("name", c.name, max_id_bytes, true).text("tier", c.tier, max_id_bytes);
        read_text_map(inner, item, "attributes", c.attributes);
        if (inner.failed()) return read.refuse(inner.why());
        m.capabilities.push_back(std::move(c));
    });
    return finish(read, std::move(m));
}

template <>
result<readiness> decode<readiness>(std::string_view payload) {
    auto object = parse_object(payload);
    if (!object) return fail(std::move(object));
    field_reader read(*object);
    readiness m;
    read.boolean("ready", m.ready);
    read_list(read, *object, "components", [&](const json& item) {
        field_reader inner(item);
        component_status c;
        read_into(inner, c);
        if (inner.failed()) return read.refuse(inner.why());
        m.components.push_back(std::move(c));
    });
    return finish(read, std::move(m));
}

template <>
result<session_reply> decode<session_reply>(std::string_view payload) {
    auto object = parse_object(payload);
    if (!object) return fail(std::move(object));
    field_reader read(*object);
    session_reply m;
    read.text("session_id", m.session_id, max_id_bytes, true)
        .text("turn_id", m.turn_id, max_id_bytes)
        .text("heard", m.heard, max_text_bytes)
        .text("intent", m.intent, max_id_bytes)
        .text("text", m.text, max_text_bytes);
    std::map<std::string, std::string> slots;
    read_text_map(read, *object, "slots", slots);
    m.slots.assign(slots.begin(), slots.end());
    return finish(read, std::move(m));
}

template <>
result<session_ended> decode<session_ended>(std::string_view payload) {
    auto object = parse_object(payload);
    if (!object) return fail(std::move(object));
    field_reader read(*object);
    session_ended m;
    read.text("session_id", m.session_id, max_id_bytes, true)
        .text("turn_id", m.turn_id, max_id_bytes)
        .text("outcome", m.outcome, max_id_bytes, true)
        .text("reason", m.reason, max_text_bytes)
        .text("heard", m.heard, max_text_bytes)
        .text("reply", m.reply, max_text_bytes)
        .text("intent", m.intent, max_id_bytes);
    if (const auto it = object->find("stages_ms"); it != object->end() && it->is_object())
        for (const auto& [stage, value] : it->items())
            if (value.is_number()) m.stages_ms[stage] = value.get<double>();
    return finish(read, std::move(m));
}

template result<audio_frame> decode(std::string_view);
template result<transcript> decode(std::string_view);
template result<nlu_request> decode(std::string_view);
template result<tts_request> decode(std::string_view);
template result<tts_prepare> decode(std::string_view);
template result<tts_audio> decode(std::string_view);
template result<tts_done> decode(std::string_view);
template result<tts_started> decode(std::string_view);
template result<tts_cancel> decode(std::string_view);
template result<tts_flush> decode(std::string_view);
template result<playback_started> decode(std::string_view);
template result<playback_stopped> decode(std::string_view);
template result<playback_volume> decode(std::string_view);
template result<speech_started> decode(std::string_view);
template result<stt_error> decode(std::string_view);
template result<session_state> decode(std::string_view);
template result<session_listen> decode(std::string_view);
template result<session_degraded> decode(std::string_view);
template result<timer_start> decode(std::string_view);
template result<timer_cancel> decode(std::string_view);
template result<timer_status> decode(std::string_view);
template result<node_heartbeat> decode(std::string_view);
template result<component_status> decode(std::string_view);

std::string encode(const audio_frame& m) {
    return dump({{"session_id", m.session_id},
                 {"sequence", m.sequence},
                 {"sample_rate", m.sample_rate},
                 {"channels", m.channels},
                 {"pcm", encode_pcm(m.pcm)},
                 {"final", m.final}});
}

std::string encode(const transcript& m) {
    json j{{"session_id", m.session_id},
           {"text", m.text},
           {"partial", m.partial},
           {"timestamp", m.timestamp},
           {"confidence", m.confidence}};
    put(j, "reason", m.reason);
    if (m.settled > 0) j["settled"] = m.settled;
    put(j, "heard", m.heard);
    if (m.doubtful) j["doubtful"] = true;
    return dump(j);
}

std::string encode(const nlu_request& m) {
    json j{{"session_id", m.session_id}, {"prompt", m.prompt}, {"timestamp", m.timestamp}};
    put(j, "system", m.system);
    put(j, "tier", m.tier);
    put(j, "trace_id", m.trace_id);
    if (m.max_tokens) j["max_tokens"] = *m.max_tokens;
    if (m.temperature) j["temperature"] = *m.temperature;
    return dump(j);
}

std::string encode(const tts_request& m) {
    json j{{"text", m.text}};
    put(j, "session_id", m.session_id);
    put(j, "voice", m.voice);
    put(j, "target", m.target);
    put(j, "trace_id", m.trace_id);
    return dump(j);
}

std::string encode(const tts_prepare& m) {
    json j{{"text", m.text}};
    put(j, "voice", m.voice);
    return dump(j);
}

std::string encode(const tts_audio& m) {
    json j{{"session_id", m.session_id}, {"sequence", m.sequence},   {"sample_rate", m.sample_rate},
           {"channels", m.channels},     {"pcm", encode_pcm(m.pcm)}, {"final", m.final}};
    put(j, "target", m.target);
    return dump(j);
}

std::string encode(const tts_done& m) {
    json j{{"session_id", m.session_id}, {"completed", m.completed}, {"timestamp", m.timestamp}};
    put(j, "target", m.target);
    put(j, "error", m.error);
    if (m.audio_ms != 0) j["audio_ms"] = m.audio_ms;
    return dump(j);
}

std::string encode(const tts_started& m) {
    json j{{"session_id", m.session_id}, {"first_chunk_ms", m.first_chunk_ms}, {"cached", m.cached}};
    put(j, "target", m.target);
    return dump(j);
}

std::string encode(const tts_cancel& m) {
    json j = json::object();
    put(j, "session_id", m.session_id);
    put(j, "target", m.target);
    put(j, "turn_id", m.turn_id);
    put(j, "except_turn_id", m.except_turn_id);
    return dump(j);
}

std::string encode(const tts_flush& m) {
    json j{{"from", m.from}, {"generation", m.generation}};
    put(j, "session_id", m.session_id);
    return dump(j);
}

std::string encode(const playback_started& m) {
    json j{{"session_id", m.session_id}};
    put(j, "target", m.target);
    if (m.generation != 0) j["generation"] = m.generation;
    return dump(j);
}

std::string encode(const playback_stopped& m) {
    json j{{"session_id", m.session_id},
           {"generation", m.generation},
           {"played_ms", m.played_ms},
           {"completed", m.completed}};
    put(j, "target", m.target);
    return dump(j);
}

std::string encode(const playback_volume& m) {
    json j{{"target", m.target}};
    if (m.percent) j["percent"] = *m.percent;
    if (m.change != 0) j["change"] = m.change;
    if (m.is) j["is"] = true;
    return dump(j);
}

std::string encode(const speech_started& m) { return dump({{"session_id", m.session_id}}); }

std::string encode(const stt_error& m) {
    return dump({{"session_id", m.session_id}, {"code", m.code}, {"message", m.message}});
}

std::string encode(const session_reply& m) {
    json j{{"session_id", m.session_id},
           {"turn_id", m.turn_id},
           {"heard", m.heard},
           {"intent", m.intent},
           {"text", m.text}};
    j["slots"] = json::object();
    for (const auto& [name, value] : m.slots) j["slots"][name] = value;
    return dump(j);
}

std::string encode(const session_state& m) {
    json j{{"session_id", m.session_id}, {"turn_id", m.turn_id}, {"state", m.state}};
    put(j, "expects", m.expects);
    put(j, "owner", m.owner);
    return dump(j);
}

std::string encode(const session_listen& m) {
    json j{{"session_id", m.session_id}, {"turn_id", m.turn_id}, {"for_ms", m.for_ms}};
    put(j, "expects", m.expects);
    return dump(j);
}

std::string encode(const session_degraded& m) {
    return dump({{"session_id", m.session_id},
                 {"turn_id", m.turn_id},
                 {"stage", m.stage},
                 {"reason", m.reason},
                 {"message", m.message}});
}

std::string encode(const session_ended& m) {
    json j{{"session_id", m.session_id}, {"turn_id", m.turn_id}, {"outcome", m.outcome}, {"stages_ms", m.stages_ms}};
    put(j, "reason", m.reason);
    put(j, "heard", m.heard);
    put(j, "reply", m.reply);
    put(j, "intent", m.intent);
    return dump(j);
}

std::string encode(const timer_start& m) {
    json j{{"duration_ms", m.duration_ms}};
    put(j, "label", m.label);
    return dump(j);
}

std::string encode(const timer_cancel& m) {
    json j = json::object();
    put(j, "label", m.label);
    return dump(j);
}

std::string encode(const timer_status& m) {
    json j{{"label", m.label}, {"state", m.state}};
    if (m.seconds_remaining) j["seconds_remaining"] = *m.seconds_remaining;
    return dump(j);
}

std::string encode(const home_command& m) {
    json j{{"device", m.device}, {"action", m.action}};
    put(j, "room", m.room);
    if (!m.payload.empty())
        if (auto payload = json::parse(m.payload, nullptr, false); !payload.is_discarded())
            j["payload"] = std::move(payload);
    return dump(j);
}

std::string encode(const home_status& m) {
    json j{{"device", m.device}, {"action", m.action}, {"state", m.state}};
    put(j, "room", m.room);
    if (!m.reason.empty()) j["payload"] = {{"reason", m.reason}};
    return dump(j);
}

std::string encode(const node_announce& m) {
    json list = json::array();
    for (const auto& c : m.capabilities)
        list.push_back({{"name", c.name}, {"tier", c.tier}, {"attributes", c.attributes}});
    return dump({{"node_id", m.node_id}, {"role", m.role}, {"capabilities", list}, {"timestamp", m.timestamp}});
}

std::string encode(const node_heartbeat& m) { return dump({{"node_id", m.node_id}, {"timestamp", m.timestamp}}); }

std::string encode(const component_status& m) { return dump(to_json(m)); }

std::string encode(const readiness& m) {
    json list = json::array();
    for (const auto& c : m.components) list.push_back(to_json(c));
    return dump({{"ready", m.ready}, {"components", list}});
}

}  // namespace loqa::protocol
