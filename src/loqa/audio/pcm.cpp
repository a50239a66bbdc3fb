#include "loqa/audio/pcm.hpp"

#include <algorithm>
#include <cmath>

namespace loqa::audio {
namespace {

std::int16_t sample_at(std::string_view bytes, std::size_t index) {
    const auto low = static_cast<std::uint8_t>(bytes[2 * index]);
    const auto high = static_cast<std::uint8_t>(bytes[2 * index + 1]);
    return static_cast<std::int16_t>(low | high << 8);
}

void append(std::string& bytes, std::int16_t sample) {
    bytes.push_back(static_cast<char>(sample & 0xff));
    bytes.push_back(static_cast<char>(sample >> 8 & 0xff));
}

}  // namespace

std::vector<float> mono_from_s16le(std::string_view bytes, int channels) {
    const auto width = static_cast<std::size_t>(std::max(channels, 1));
    std::vector<float> samples(bytes.size() / (2 * width));
    const float scale = 1.0F / (32768.0F * static_cast<float>(width));
    for (std::size_t i = 0; i < samples.size(); ++i) {
        int sum = 0;
        for (std::size_t c = 0; c < width; ++c) sum += sample_at(bytes, i * width + c);
        samples[i] = static_cast<float>(sum) * scale;
    }
    return samples;
}

std::string to_s16le(pcm_view samples) {
    std::string bytes;
    bytes.reserve(samples.size() * 2);
    for (const float sample : samples) {
        const float clipped = std::isnan(sample) ? 0.0F : std::clamp(sample, -1.0F, 1.0F);
        append(bytes, static_cast<std::int16_t>(std::lround(clipped * 32767.0F)));
    }
    return bytes;
}

std::string to_s16le(std::span<const std::int16_t> samples) {
    std::string bytes;
    bytes.reserve(samples.size() * 2);
    for (const auto sample : samples) append(bytes, sample);
    return bytes;
}

std::vector<std::int16_t> from_s16le(std::string_view bytes) {
    std::vector<std::int16_t> samples(bytes.size() / 2);
    for (std::size_t i = 0; i < samples.size(); ++i) samples[i] = sample_at(bytes, i);
    return samples;
}

float rms(pcm_view samples) {
    if (samples.empty()) return 0;
    double sum = 0;
    for (const float sample : samples) sum += static_cast<double>(sample) * sample;
    return static_cast<float>(std::sqrt(sum / static_cast<double>(samples.size())));
}

float level_db(pcm_view samples) { return 20 * std::log10(std::max(rms(samples), 1e-6F)); }

}  // namespace loqa::audio
