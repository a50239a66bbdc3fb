#include "events.hpp"

#include <charconv>
#include <optional>

#include "json_fields.hpp"
#include "loqa/protocol/messages.hpp"
#include "loqa/protocol/subjects.hpp"
#include "terminal.hpp"

namespace loqa::cli {
namespace {

namespace header = protocol::header;
namespace subject = protocol::subject;

bool is_raw_sound(std::string_view name) { return name.starts_with("audio.pcm.") || name.starts_with("tts.pcm."); }
bool is_sound(std::string_view name) {
    return is_raw_sound(name) || name == subject::audio_frame || name.starts_with("audio.frame.") ||
           name == subject::tts_audio;
}

struct sound {
    std::string session;
    std::size_t bytes = 0;
    int sample_rate_hz = 0;
    int channels = 1;
    bool last = false;
};

int number_in(const protocol::headers& all, std::string_view name, int otherwise) {
    const auto text = protocol::find(all, name);
    int value = otherwise;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

std::optional<sound> read_sound(const bus::message& m) {
    if (is_raw_sound(m.subject))
        return sound{session_of(m), m.payload.size(), number_in(m.headers, header::sample_rate, 0),
                     number_in(m.headers, header::channels, 1), protocol::find(m.headers, header::last) == "1"};
    if (m.subject == subject::tts_audio) {
        const auto a = protocol::decode<protocol::tts_audio>(m.payload);
        if (!a) return std::nullopt;
        return sound{a->session_id, a->pcm.size(), a->sample_rate, a->channels, a->final};
    }
    const auto f = protocol::decode<protocol::audio_frame>(m.payload);
    if (!f) return std::nullopt;
    return sound{f->session_id, f->pcm.size(), f->sample_rate, f->channels, f->final};
}

std::string in_quotes(std::string_view text) { return fmt::format("\"{}\"", printable(text)); }
std::string in_brackets(std::string_view text) {
    return text.empty() ? std::string() : fmt::format(" ({})", printable(text));
}

std::string say(const protocol::transcript& t) {
    if (t.text.empty()) return "heard nothing" + in_brackets(t.reason);
    const auto first = t.heard.empty() ? std::string() : ", at first " + in_quotes(t.heard);
    return fmt::format("{} {}{}{}", t.partial ? "hears" : "heard", in_quotes(t.text), first, in_brackets(t.reason));
}
std::string say(const protocol::nlu_request& r) { return "asks the language model " + in_quotes(r.prompt); }
std::string say(const protocol::tts_request& r) { return "to be spoken: " + in_quotes(r.text); }
std::string say(const protocol::tts_started& s) {
    return fmt::format("first samples after {:.0f} ms{}", s.first_chunk_ms, s.cached ? ", from the cache" : "");
}
std::string say(const protocol::tts_done& d) {
    return d.completed ? "all samples of the answer are there" : "the answer was not spoken" + in_brackets(d.error);
}
std::string say(const protocol::tts_cancel&) { return "the answer is called off"; }
std::string say(const protocol::playback_started& p) { return "a speaker plays the answer" + in_brackets(p.target); }
std::string say(const protocol::playback_stopped& p) {
    return fmt::format("the speaker played {} ms{}", p.played_ms, p.completed ? "" : ", and not to the end");
}
std::string say(const protocol::playback_volume& v) {
    if (v.is) return fmt::format("volume is {} %{}", v.percent.value_or(0), in_brackets(v.target));
    return v.percent ? fmt::format("volume to {} %{}", *v.percent, in_brackets(v.target))
                     : fmt::format("volume {:+} %{}", v.change, in_brackets(v.target));
}
std::string say(const protocol::tts_prepare& p) { return fmt::format("may say \"{}\"", printable(p.text)); }
std::string say(const protocol::tts_flush& f) { return fmt::format("is silent, up to {}", f.generation); }
std::string say(const protocol::speech_started&) { return "somebody speaks"; }
std::string say(const protocol::stt_error& e) {
    return fmt::format("hearing failed: {} ({})", printable(e.message), e.code);
}
std::string say(const protocol::session_reply& r) {
    return fmt::format("answers {}{}", in_quotes(r.text), in_brackets(r.intent));
}
std::string say(const protocol::session_state& s) { return "is now " + printable(s.state); }
std::string say(const protocol::session_degraded& d) {
    return fmt::format("{} failed: {} ({})", printable(d.stage), printable(d.message), printable(d.reason));
}
std::string say(const protocol::session_ended& e) {
    const auto total = e.stages_ms.find("total");
    return fmt::format("ended, {}{}{}", printable(e.outcome), in_brackets(e.reason),
                       total == e.stages_ms.end() ? "" : fmt::format(" after {:.0f} ms", total->second));
}
std::string say(const protocol::timer_start& t) {
    return fmt::format("timer of {} s is set{}", t.duration_ms / 1000, in_brackets(t.label));
}
std::string say(const protocol::timer_cancel& t) { return "timer is cancelled" + in_brackets(t.label); }
std::string say(const protocol::timer_status& t) {
    return fmt::format("timer{}: {}{}", in_brackets(t.label), printable(t.state),
                       t.seconds_remaining ? fmt::format(", {} s left", *t.seconds_remaining) : "");
}
std::string say(const protocol::node_announce& n) {
    return fmt::format("node {} is there{}, {} capabilities", printable(n.node_id), in_brackets(n.role),
                       n.capabilities.size());
}
std::string say(const protocol::node_heartbeat& n) { return "heartbeat of node " + printable(n.node_id); }
std::string say(const protocol::component_status& c) {
    return fmt::format("{} is {}{}", printable(c.name), printable(c.state), in_brackets(c.detail));
}
std::string say(const protocol::readiness& r) {
    std::string text = r.ready ? "ready:" : "not ready:";
    for (const auto& c : r.components) text += fmt::format(" {} {}", printable(c.name), printable(c.state));
    return text;
}

template <class T>
std::string decoded(const bus::message& m) {
    const auto value = protocol::decode<T>(m.payload);
    return value ? say(*value)
                 : fmt::format("{} bytes that cannot be read: {}", m.payload.size(), printable(value.error().message));
}

// A subject, or the beginning of several where it ends in a dot, and how its messages are told.
struct telling {
    std::string_view subject;
    std::string (*tell)(const bus::message&);
};
constexpr telling tellings[] = {
    {subject::stt_partial, decoded<protocol::transcript>},
    {subject::stt_final, decoded<protocol::transcript>},
    {subject::stt_started, decoded<protocol::speech_started>},
    {subject::stt_error, decoded<protocol::stt_error>},
    {subject::nlu_request, decoded<protocol::nlu_request>},
    {subject::tts_request, decoded<protocol::tts_request>},
    {subject::tts_started, decoded<protocol::tts_started>},
    {subject::tts_done, decoded<protocol::tts_done>},
    {subject::tts_cancel, decoded<protocol::tts_cancel>},
    {subject::tts_prepare, decoded<protocol::tts_prepare>},
    {"tts.flush.", decoded<protocol::tts_flush>},
    {subject::playback_started, decoded<protocol::playback_started>},
    {subject::playback_stopped, decoded<protocol::playback_stopped>},
    {subject::playback_volume, decoded<protocol::playback_volume>},
    {subject::session_reply, decoded<protocol::session_reply>},
    {subject::session_state, decoded<protocol::session_state>},
    {subject::session_degraded, decoded<protocol::session_degraded>},
    {subject::session_ended, decoded<protocol::session_ended>},
    {subject::timer_start, decoded<protocol::timer_start>},
    {subject::timer_cancel, decoded<protocol::timer_cancel>},
    {subject::timer_status, decoded<protocol::timer_status>},
    {subject::node_announce, decoded<protocol::node_announce>},
    {"ctrl.node.heartbeat.", decoded<protocol::node_heartbeat>},
    {"ctrl.component.status.", decoded<protocol::component_status>},
    {subject::readiness, decoded<protocol::readiness>},
};

constexpr std::size_t max_shown_payload = 200;  // columns

}  // namespace

std::string session_of(const bus::message& m) {
    if (const auto named = protocol::find(m.headers, header::session); !named.empty()) return std::string(named);
    if (is_raw_sound(m.subject)) return m.subject.substr(m.subject.find('.', m.subject.find('.') + 1) + 1);
    const auto payload = nlohmann::json::parse(m.payload, nullptr, false);
    return payload.is_object() ? text_field(payload, "session_id") : std::string();
}

std::string describe(const bus::message& m) {
    if (is_sound(m.subject)) {
        const auto s = read_sound(m);
        if (!s) return fmt::format("{}: {} bytes that cannot be read", printable(m.subject), m.payload.size());
        return fmt::format("{}: {} bytes of sound{}", printable(m.subject), s->bytes, s->last ? ", the last" : "");
    }
    for (const auto& [name, tell] : tellings)
        if (m.subject == name || (name.ends_with('.') && m.subject.starts_with(name))) return tell(m);
    const auto shown = printable(m.payload);
    return fmt::format("{}: {}", printable(m.subject),
                       columns(shown) > max_shown_payload ? fit(shown, max_shown_payload) : shown);
}

std::string to_json(const bus::message& m, const std::string& time) {
    nlohmann::ordered_json object{{"time", time}, {"subject", m.subject}, {"session_id", session_of(m)}};
    auto headers = nlohmann::ordered_json::object();
    for (const auto& [name, value] : m.headers) headers[name] = value;
    object["headers"] = std::move(headers);
    auto payload = is_raw_sound(m.subject) ? nlohmann::ordered_json(nlohmann::ordered_json::value_t::discarded)
                                           : nlohmann::ordered_json::parse(m.payload, nullptr, false);
    if (payload.is_object() && payload.contains("pcm")) {
        const auto s = read_sound(m);
        payload.erase("pcm");
        payload["pcm_bytes"] = s ? s->bytes : 0;
    }
    if (payload.is_discarded())
        object["bytes"] = m.payload.size();
    else
        object["payload"] = std::move(payload);
    return one_line(object);
}

bool audio_tally::add(const bus::message& m) {
    if (!is_sound(m.subject)) return false;
    const auto s = read_sound(m);
    if (!s) return false;
    auto& stream = streams_[s->session + " " + m.subject];
    stream.session = s->session;
    stream.subject = m.subject;
    ++stream.messages;
    stream.bytes += s->bytes;
    if (s->sample_rate_hz > 0 && s->channels > 0)
        stream.seconds += static_cast<double>(s->bytes) / (2.0 * s->channels * s->sample_rate_hz);
    return true;
}

std::vector<audio_tally::stream> audio_tally::take(const std::string& session) {
    std::vector<stream> taken;
    std::erase_if(streams_, [&](const auto& entry) {
        if (!session.empty() && entry.second.session != session) return false;
        taken.push_back(entry.second);
        return true;
    });
    return taken;
}

std::string describe(const audio_tally::stream& s) {
    return fmt::format("{} {:.2f} s of sound ({} messages, {} bytes)",
                       s.subject.starts_with("tts.") ? "was sent" : "sent", s.seconds, s.messages, s.bytes);
}

}  // namespace loqa::cli
