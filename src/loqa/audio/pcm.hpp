// Samples: the two forms in which Loqa holds sound, and the way between them.
//
// On the wire and in files a sample is a 16-bit little-endian integer, channels interleaved; inside the engines it is a
// float in [-1, 1], one channel. Stateless: safe from any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace loqa::audio {

using pcm_view = std::span<const float>;

// Bytes of S16LE samples as one channel: the mean of `channels`. A last sample that is not whole is left out.
std::vector<float> mono_from_s16le(std::string_view bytes, int channels);

// As S16LE bytes; what is outside [-1, 1] is clipped, and what is no number is silence.
std::string to_s16le(pcm_view samples);

// The same for samples that are integers already.
std::string to_s16le(std::span<const std::int16_t> samples);
std::vector<std::int16_t> from_s16le(std::string_view bytes);

// Root mean square; 0 for none.
float rms(pcm_view samples);

// RMS in dB of full scale; -120 is the least.
float level_db(pcm_view samples);

}  // namespace loqa::audio
