#include "loqa/audio/wav.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <optional>
#include <utility>

#include "loqa/audio/pcm.hpp"

namespace loqa::audio {
namespace {

constexpr std::uint16_t tag_pcm = 1, tag_float = 3, tag_extensible = 0xfffe;

// Writers that cannot seek back put 0xffffffff, 0x7ffff000 or the like where the length belongs; no file that we read
// is nearly so long.
constexpr std::uint32_t unknown_length = 0x7f000000;

std::uint32_t little_endian(std::string_view bytes, std::size_t at, std::size_t width) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < width; ++i) value |= std::uint32_t{static_cast<std::uint8_t>(bytes[at + i])} << 8 * i;
    return value;
}

void append(std::string& bytes, std::uint32_t value, int width) {
    for (int i = 0; i < width; ++i) bytes.push_back(static_cast<char>(value >> 8 * i & 0xff));
}

struct format {
    std::uint16_t tag = 0;
    int channels = 0;
    int sample_rate_hz = 0;
    std::size_t bits = 0;
};

result<format> read_format(std::string_view chunk) {
    if (chunk.size() < 16) {
        return fail(errc::invalid_message, "the WAV format chunk has {} bytes, expected 16 or more", chunk.size());
    }
    format found;
    found.tag = static_cast<std::uint16_t>(little_endian(chunk, 0, 2));
    found.channels = static_cast<int>(little_endian(chunk, 2, 2));
    const auto rate = little_endian(chunk, 4, 4);
    found.bits = little_endian(chunk, 14, 2);
    // The extensible form keeps the real tag in the first bytes of a GUID.
    if (found.tag == tag_extensible && chunk.size() >= 26) {
        found.tag = static_cast<std::uint16_t>(little_endian(chunk, 24, 2));
    }
    const bool known =
        (found.tag == tag_pcm && (found.bits == 8 || found.bits == 16 || found.bits == 24 || found.bits == 32)) ||
        (found.tag == tag_float && found.bits == 32);
    if (!known) {
        return fail(errc::invalid_message, "the WAV is of format {} with {} bits, which is not read", found.tag,
                    found.bits)
            .hint("Convert it to 16-bit PCM, e.g.: sox in.wav -b 16 -e signed-integer out.wav");
    }
    if (rate < 4'000 || rate > 192'000) {
        return fail(errc::invalid_message, "the WAV has {} samples a second, expected 4000 to 192000", rate);
    }
    if (found.channels < 1 || found.channels > 8) {
        return fail(errc::invalid_message, "the WAV has {} channels, expected 1 to 8", found.channels);
    }
    found.sample_rate_hz = static_cast<int>(rate);
    return found;
}

std::int16_t to_sample(std::string_view data, std::size_t at, const format& as) {
    if (as.tag == tag_float) {
        const auto value = std::bit_cast<float>(little_endian(data, at, 4));
        return std::isnan(value) ? std::int16_t{0}
                                 : static_cast<std::int16_t>(std::lround(std::clamp(value, -1.0F, 1.0F) * 32767.0F));
    }
    if (as.bits == 8) return static_cast<std::int16_t>((static_cast<int>(little_endian(data, at, 1)) - 128) * 256);
    // The two highest bytes are the sample.
    return static_cast<std::int16_t>(little_endian(data, at + as.bits / 8 - 2, 2));
}

}  // namespace

milliseconds clip::duration() const {
    const auto per_second = static_cast<std::size_t>(sample_rate_hz) * static_cast<std::size_t>(channels);
    return per_second == 0 ? milliseconds{0} : milliseconds{samples.size() * 1000 / per_second};
}

result<clip> parse_wav(std::string_view bytes) {
    if (bytes.size() > max_wav_bytes) {
        return fail(errc::too_long, "the WAV has {} bytes, more than the {} allowed", bytes.size(), max_wav_bytes);
    }
    if (bytes.size() < 12 || !bytes.starts_with("RIFF") || bytes.substr(8, 4) != "WAVE") {
        return fail(errc::invalid_message, "this is no WAV file: it does not begin with RIFF … WAVE");
    }
    std::optional<format> as;
    std::size_t at = 12;
    while (bytes.size() - at >= 8) {
        const auto name = bytes.substr(at, 4);
        const auto length = little_endian(bytes, at + 4, 4);
        at += 8;
        const auto left = bytes.size() - at;
        if (name == "data") {
            if (!as) return fail(errc::invalid_message, "the WAV has its data before its format");
            if (length > left && length < unknown_length) {
                return fail(errc::invalid_message, "the WAV was cut off: {} bytes of sound announced, {} are there",
                            length, left);
            }
            const auto data = bytes.substr(at, std::min<std::size_t>(length, left));
            const auto width = as->bits / 8;
            // A last moment that lacks a channel is left out.
            const auto moments = data.size() / (width * static_cast<std::size_t>(as->channels));
            clip found{as->sample_rate_hz, as->channels, {}};
            found.samples.resize(moments * static_cast<std::size_t>(as->channels));
            for (std::size_t i = 0; i < found.samples.size(); ++i) found.samples[i] = to_sample(data, i * width, *as);
            return found;
        }
        if (length > left) {
            return fail(errc::invalid_message, "the WAV was cut off inside its header");
        }
        if (name == "fmt ") {
            auto read = read_format(bytes.substr(at, length));
            if (!read) return fail(std::move(read));
            as = *read;
        }
        at = std::min(at + length + length % 2, bytes.size());  // chunks begin at even places
    }
    return fail(errc::invalid_message, "the WAV has no sound in it: there is no data chunk");
}

result<clip> read_wav(const fs::path& path) {
    auto bytes = read_file(path, max_wav_bytes);
    if (!bytes) return fail(std::move(bytes));
    auto parsed = parse_wav(*bytes);
    if (!parsed) {
        auto& failed = parsed.error();
        failed.message = fmt::format("{}: {}", path.string(), failed.message);
    }
    return parsed;
}

std::string wav_bytes(const clip& of) {
    const auto rate = static_cast<std::uint32_t>(of.sample_rate_hz);
    const auto channels = static_cast<std::uint32_t>(of.channels);
    const auto length = static_cast<std::uint32_t>(of.samples.size() * 2);
    std::string bytes = "RIFF";
    append(bytes, 36 + length, 4);
    bytes += "WAVEfmt ";
    append(bytes, 16, 4);
    append(bytes, tag_pcm, 2);
    append(bytes, channels, 2);
    append(bytes, rate, 4);
    append(bytes, rate * channels * 2, 4);
    append(bytes, channels * 2, 2);
    append(bytes, 16, 2);
    bytes += "data";
    append(bytes, length, 4);
    return bytes + to_s16le(of.samples);
}

result<void> write_wav(const fs::path& path, const clip& what) {
    if (what.samples.size() * 2 > max_wav_bytes) {
        return fail(errc::too_long, "{} s of sound are more than a WAV file of ours may hold",
                    what.duration().count() / 1000);
    }
    return write_file_atomically(path, wav_bytes(what));
}

}  // namespace loqa::audio
