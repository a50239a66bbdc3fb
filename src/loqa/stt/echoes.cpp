#include "loqa/stt/echoes.hpp"

#include <charconv>
#include <utility>
#include <vector>

#include "loqa/audio/pcm.hpp"
#include "loqa/protocol/messages.hpp"
#include "loqa/protocol/subjects.hpp"

namespace loqa::stt {

namespace header = protocol::header;

namespace {

template <class T>
T number(const protocol::headers& all, std::string_view name, T missing) {
    const auto text = protocol::find(all, name);
    std::from_chars(text.data(), text.data() + text.size(), missing);
    return missing;
}

}  // namespace

void echoes::sent(const bus::message& sound, steady_time now) {
    const std::string session(protocol::find(sound.headers, header::session));
    const auto generation = number<std::uint64_t>(sound.headers, header::generation, 0);
    const int rate = number(sound.headers, header::sample_rate, 22'050);
    const int channels = number(sound.headers, header::channels, 1);
    if (session.empty() || rate < 8'000 || rate > 48'000 || channels < 1 || channels > 2) return;
    if (sound.payload.size() % (2 * static_cast<std::size_t>(channels)) != 0) return;

    std::lock_guard lock(mutex_);
    std::erase_if(sessions_, [&](const auto& each) { return each.second.sound.over(now); });
    if (sessions_.size() >= most_sessions && !sessions_.contains(session)) return;
    auto& of = sessions_[session];
    if (!of.to_rate || of.generation != generation || of.to_rate->from_hz() != rate) {
        auto made = audio::resampler::create(rate, audio::speech_rate_hz);
        if (!made) return;
        of.to_rate = std::move(*made);
        of.generation = generation;
    }
    std::vector<float> samples;
    const bool last = protocol::find(sound.headers, header::last) == "1";
    if (!of.to_rate->process(audio::mono_from_s16le(sound.payload, channels), samples, last)) return;
    of.sound.will_play(generation, samples, now);
}

void echoes::started(const bus::message& m, steady_time now) {
    const auto said = protocol::decode<protocol::playback_started>(m.payload);
    if (!said) return;
    std::lock_guard lock(mutex_);
    if (const auto found = sessions_.find(said->session_id); found != sessions_.end())
        found->second.sound.plays(said->generation, now);
}

void echoes::stopped(const bus::message& m, steady_time now) {
    const auto said = protocol::decode<protocol::playback_stopped>(m.payload);
    if (!said) return;
    std::lock_guard lock(mutex_);
    if (const auto found = sessions_.find(said->session_id); found != sessions_.end())
        found->second.sound.stops(said->generation, now);
}

bool echoes::hears(const std::string& session_id, audio::vad_frame frame, steady_time now) {
    std::lock_guard lock(mutex_);
    const auto found = sessions_.find(session_id);
    if (found == sessions_.end()) return false;
    if (!found->second.sound.over(now)) return found->second.sound.hears(frame, now);
    sessions_.erase(found);
    return false;
}

}  // namespace loqa::stt
