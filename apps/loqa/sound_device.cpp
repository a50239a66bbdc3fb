#include "sound_device.hpp"

#include <cstdlib>
#include <utility>

#include <dlfcn.h>
#include <portaudio.h>

namespace loqa::cli {
namespace {

constexpr int microphone_rate_hz = 16'000;

void say_nothing(const char*) {}
void say_nothing_alsa(const char*, int, const char*, int, const char*, ...) {}

// ALSA and JACK, which PortAudio looks for devices with, complain on standard error of each that is not there. Both
// have a function for that, which is in this process when PortAudio was built with them.
void silence_drivers() {
    ::setenv("JACK_NO_START_SERVER", "1", 0);
    using alsa_handler = void (*)(const char*, int, const char*, int, const char*, ...);
    if (void* set = ::dlsym(RTLD_DEFAULT, "snd_lib_error_set_handler"))
        reinterpret_cast<int (*)(alsa_handler)>(set)(say_nothing_alsa);
    for (const char* name : {"jack_set_error_function", "jack_set_info_function"})
        if (void* set = ::dlsym(RTLD_DEFAULT, name))
            reinterpret_cast<void (*)(void (*)(const char*))>(set)(say_nothing);
}

std::string name_of(PaDeviceIndex device) {
    const PaDeviceInfo* info = device == paNoDevice ? nullptr : Pa_GetDeviceInfo(device);
    return info != nullptr ? info->name : "";
}

struct stream_deleter {
    void operator()(PaStream* stream) const { Pa_CloseStream(stream); }
};
using stream_ptr = std::unique_ptr<PaStream, stream_deleter>;

enum class direction { in, out };

result<stream_ptr> open_stream(direction where, pcm_format format) {
    const bool in = where == direction::in;
    const auto device = in ? Pa_GetDefaultInputDevice() : Pa_GetDefaultOutputDevice();
    const PaDeviceInfo* info = device == paNoDevice ? nullptr : Pa_GetDeviceInfo(device);
    const std::string hint =
        in ? "say a recording instead: loqa say FILE.wav" : "write the answer to a file: --out FILE.wav";
    if (info == nullptr)
        return fail(errc::unavailable, "this machine has no {}", in ? "microphone" : "loudspeaker").hint("{}", hint);
    const PaStreamParameters parameters{
        .device = device,
        .channelCount = format.channels,
        .sampleFormat = paInt16,
        .suggestedLatency = in ? info->defaultLowInputLatency : info->defaultLowOutputLatency,
        .hostApiSpecificStreamInfo = nullptr};
    PaStream* stream = nullptr;
    auto status = Pa_OpenStream(&stream, in ? &parameters : nullptr, in ? nullptr : &parameters, format.sample_rate_hz,
                                paFramesPerBufferUnspecified, paClipOff, nullptr, nullptr);
    stream_ptr opened(stream);
    if (status == paNoError) status = Pa_StartStream(stream);
    if (status != paNoError)
        return fail(errc::unavailable, "sound device \"{}\" cannot be opened at {} Hz: {}", info->name,
                    format.sample_rate_hz, Pa_GetErrorText(status))
            .hint("{}", hint);
    return opened;
}

unsigned long frames_in(std::size_t bytes, pcm_format format) {
    return bytes / (2 * static_cast<std::size_t>(format.channels));
}

class speaker_device final : public device {
public:
    speaker_device(stream_ptr stream, pcm_format format) : stream_(std::move(stream)), format_(format) {}
    ~speaker_device() override { Pa_StopStream(stream_.get()); }  // waits until all has been played

    result<void> write(std::span<const std::int16_t> block) override {
        const auto status = Pa_WriteStream(stream_.get(), block.data(), frames_in(block.size_bytes(), format_));
        // Underflow is a gap before these samples, while the next piece was made; they are played all the same.
        if (status != paNoError && status != paOutputUnderflowed)
            return fail(errc::io_failed, "the sound device failed: {}", Pa_GetErrorText(status));
        return {};
    }

private:
    const stream_ptr stream_;
    const pcm_format format_;
};

result<std::unique_ptr<device>> open_speaker(pcm_format format) {
    auto opened = open_stream(direction::out, format);
    if (!opened) return fail(std::move(opened));
    return std::make_unique<speaker_device>(std::move(*opened), format);
}

class microphone_source final : public source {
public:
    explicit microphone_source(stream_ptr stream) : stream_(std::move(stream)) {}

    pcm_format format() const override { return {microphone_rate_hz, 1}; }
    bool endless() const override { return true; }
    std::optional<steady_time> ended() const override { return std::nullopt; }

    result<std::optional<std::string>> read(std::stop_token stop) override {
        if (stop.stop_requested()) return std::nullopt;
        std::string block(2 * static_cast<std::size_t>(microphone_rate_hz * block_duration.count() / 1000), '\0');
        const auto status = Pa_ReadStream(stream_.get(), block.data(), frames_in(block.size(), format()));
        // Overflow is a gap before these samples; they are good.
        if (status != paNoError && status != paInputOverflowed)
            return fail(errc::io_failed, "the microphone failed: {}", Pa_GetErrorText(status));
        return block;
    }

private:
    stream_ptr stream_;
};

}  // namespace

result<sound_system> sound_system::open() {
    silence_drivers();
    if (const auto status = Pa_Initialize(); status != paNoError)
        return fail(errc::unavailable, "the sound system cannot be used: {}", Pa_GetErrorText(status));
    return sound_system();
}

sound_system::sound_system(sound_system&& other) noexcept : owns_(std::exchange(other.owns_, false)) {}

sound_system::~sound_system() {
    if (owns_) Pa_Terminate();
}

std::string sound_system::speaker_name() const { return name_of(Pa_GetDefaultOutputDevice()); }
std::string sound_system::microphone_name() const { return name_of(Pa_GetDefaultInputDevice()); }

result<std::unique_ptr<sink>> sound_system::speaker(pcm_format expected) const {
    auto opened = open_speaker(expected);
    if (!opened) return fail(std::move(opened));
    return loudspeaker(std::move(*opened), expected, open_speaker);
}

result<std::unique_ptr<source>> sound_system::microphone() const {
    auto opened = open_stream(direction::in, {microphone_rate_hz, 1});
    if (!opened) return fail(std::move(opened));
    return std::make_unique<microphone_source>(std::move(*opened));
}

}  // namespace loqa::cli
