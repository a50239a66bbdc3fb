// A recording as recognisers take it: mono, at speech_rate_hz. Stateless: safe from any thread.
#pragma once

#include <vector>

#include "loqa/audio/wav.hpp"

namespace loqa::audio {

result<std::vector<float>> speech_of(const clip& recorded);

// Of a WAV file; errors as read_wav().
result<std::vector<float>> read_speech(const fs::path& file);

}  // namespace loqa::audio
