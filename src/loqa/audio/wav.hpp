// WAV files: read with limits, written plain.
//
// Reads PCM of 8, 16, 24 and 32 bits and 32-bit floats, also in the extensible form, and streams whose header says
// "length unknown" as ffmpeg, sox and espeak-ng write them into a pipe. Everything becomes 16 bits. Stateless: safe
// from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "loqa/base/clock.hpp"
#include "loqa/base/files.hpp"
#include "loqa/base/result.hpp"

namespace loqa::audio {

inline constexpr std::size_t max_wav_bytes = 64u << 20;

struct clip {
    int sample_rate_hz = 0;
    int channels = 1;
    std::vector<std::int16_t> samples;  // interleaved

    milliseconds duration() const;
};

// Sample rates from 4 to 192 kHz, 1 to 8 channels. invalid_message says what was found; too_long above max_wav_bytes.
result<clip> parse_wav(std::string_view bytes);
result<clip> read_wav(const fs::path& path);

std::string wav_bytes(const clip& of);
result<void> write_wav(const fs::path& path, const clip& what);

}  // namespace loqa::audio
