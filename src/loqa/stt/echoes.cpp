#include "loqa/stt/echoes.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "loqa/audio/pcm.hpp"
#include "loqa/protocol/messages.hpp"
#include "loqa/protocol/subjects.hpp"
#include "loqa/protocol/turn_headers.hpp"

namespace loqa::stt {

namespace header = protocol::header;

void echoes::sent(const bus::message& sound, steady_time now) {
    const std::string session(protocol::find(sound.headers, header::session));
    const auto number = [&](std::string_view name, std::int64_t missing) {
        return protocol::whole_number(sound.headers, name, missing).value_or(missing);
    };
    const auto generation = static_cast<std::uint64_t>(std::max<std::int64_t>(0, number(header::generation, 0)));
    const auto rate = number(header::sample_rate, 22'050), channels = number(header::channels, 1);
    if (session.empty() || rate < 8'000 || rate > 48'000 || channels < 1 || channels > 2) return;
    if (sound.payload.size() % (2 * static_cast<std::size_t>(channels)) != 0) return;

    std::lock_guard lock(mutex_);
    std::erase_if(sessions_, [&](const auto& each) { return each.second.sound.over(now); });
    if (sessions_.size() >= most_sessions && !sessions_.contains(session)) return;
    auto& of = sessions_[session];
    if (!of.to_rate || of.generation != generation || of.to_rate->from_hz() != rate) {
        auto made = audio::resampler::create(static_cast<int>(rate), audio::speech_rate_hz);
        if (!made) return;
        of.to_rate = std::move(*made);
        of.generation = generation;
    }
    std::vector<float> samples;
    const bool last = protocol::find(sound.headers, header::last) == "1";
    if (!of.to_rate->process(audio::mono_from_s16le(sound.payload, static_cast<int>(channels)), samples, last)) return;
    of.sound.will_play(generation, samples, now);
}

template <class Said>
void echoes::played(const bus::message& m, auto&& then) {
    const auto said = protocol::decode<Said>(m.payload);
    if (!said) return;
    std::lock_guard lock(mutex_);
    if (const auto found = sessions_.find(said->session_id); found != sessions_.end())
        then(found->second.sound, said->generation);
}

void echoes::started(const bus::message& m, steady_time now) {
    played<protocol::playback_started>(
        m, [&](audio::echo_canceller& sound, auto generation) { sound.plays(generation, now); });
}

void echoes::stopped(const bus::message& m, steady_time now) {
    played<protocol::playback_stopped>(
        m, [&](audio::echo_canceller& sound, auto generation) { sound.stops(generation, now); });
}

bool echoes::take_out(const std::string& session_id, std::span<float, audio::vad_frame_samples> frame,
                      steady_time now) {
    std::lock_guard lock(mutex_);
    const auto found = sessions_.find(session_id);
    if (found == sessions_.end()) return false;
    if (!found->second.sound.over(now)) return found->second.sound.take_out(frame, now);
    sessions_.erase(found);
    return false;
}

bool echoes::may_be_heard(const std::string& session_id, steady_time now) const {
    std::lock_guard lock(mutex_);
    const auto found = sessions_.find(session_id);
    return found != sessions_.end() && found->second.sound.may_be_heard(now);
}

}  // namespace loqa::stt
