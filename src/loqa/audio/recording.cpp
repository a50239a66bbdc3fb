#include "loqa/audio/recording.hpp"

#include <utility>

#include "loqa/audio/pcm.hpp"
#include "loqa/audio/resample.hpp"
#include "loqa/audio/vad.hpp"

namespace loqa::audio {

result<std::vector<float>> speech_of(const clip& recorded) {
    auto convert = resampler::create(recorded.sample_rate_hz, speech_rate_hz);
    if (!convert) return fail(std::move(convert));
    std::vector<float> samples;
    const auto mono = mono_from_s16le(to_s16le(recorded.samples), recorded.channels);
    if (auto done = convert->process(mono, samples, true); !done) return fail(std::move(done));
    return samples;
}

result<std::vector<float>> read_speech(const fs::path& file) {
    const auto recorded = read_wav(file);
    if (!recorded) return fail(recorded);
    return speech_of(*recorded);
}

}  // namespace loqa::audio
