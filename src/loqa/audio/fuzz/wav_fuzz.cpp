// Files that are hardly WAV: refused, or read into a clip that can be written and read again.
//
// scripts/fuzz.sh builds and runs this with libFuzzer.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "loqa/audio/wav.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace loqa::audio;
    const auto read = parse_wav({reinterpret_cast<const char*>(data), size});
    if (!read) return 0;
    if (read->channels < 1 || read->samples.size() % static_cast<std::size_t>(read->channels) != 0) std::abort();
    (void)read->duration();
    const auto again = parse_wav(wav_bytes(*read));
    if (!again || again->samples != read->samples) std::abort();
    return 0;
}
