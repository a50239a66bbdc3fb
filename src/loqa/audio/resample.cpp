#include "loqa/audio/resample.hpp"

#include <cstddef>
#include <utility>

#include <samplerate.h>

namespace loqa::audio {

struct resampler::state {
    explicit state(SRC_STATE* made) : handle(made) {}
    ~state() { src_delete(handle); }
    state(const state&) = delete;
    state& operator=(const state&) = delete;

    SRC_STATE* handle;
};

resampler::resampler(int from_hz, int to_hz, std::unique_ptr<state> state)
    : from_hz_(from_hz), to_hz_(to_hz), state_(std::move(state)) {}
resampler::resampler(resampler&&) noexcept = default;
resampler& resampler::operator=(resampler&&) noexcept = default;
resampler::~resampler() = default;

result<resampler> resampler::create(int from_hz, int to_hz) {
    if (from_hz == to_hz) return resampler(from_hz, to_hz, nullptr);
    const bool possible = from_hz > 0 && to_hz > 0 && src_is_valid_ratio(static_cast<double>(to_hz) / from_hz) != 0;
    if (!possible) return fail(errc::invalid_argument, "cannot resample from {} Hz to {} Hz", from_hz, to_hz);
    int code = 0;
    SRC_STATE* made = src_new(SRC_SINC_FASTEST, 1, &code);
    if (made == nullptr) return fail(errc::internal, "libsamplerate: {}", src_strerror(code));
    return resampler(from_hz, to_hz, std::make_unique<state>(made));
}

result<void> resampler::process(pcm_view in, std::vector<float>& out, bool last) {
    if (!state_) {
        out.insert(out.end(), in.begin(), in.end());
        return {};
    }
    const double ratio = static_cast<double>(to_hz_) / from_hz_;
    // Room for this input and what the filter had kept back; asked again while it fills all of it.
    const auto room = static_cast<std::size_t>(static_cast<double>(in.size()) * ratio) + 512;
    for (;;) {
        const auto before = out.size();
        out.resize(before + room);
        SRC_DATA data{};
        data.data_in = in.data();
        data.input_frames = static_cast<long>(in.size());
        data.data_out = out.data() + before;
        data.output_frames = static_cast<long>(room);
        data.src_ratio = ratio;
        data.end_of_input = last ? 1 : 0;
        const int code = src_process(state_->handle, &data);
        out.resize(before + (code == 0 ? static_cast<std::size_t>(data.output_frames_gen) : 0));
        if (code != 0) return fail(errc::internal, "libsamplerate: {}", src_strerror(code));
        in = in.subspan(static_cast<std::size_t>(data.input_frames_used));
        if (in.empty() && static_cast<std::size_t>(data.output_frames_gen) < room) break;
    }
    if (last) src_reset(state_->handle);
    return {};
}

}  // namespace loqa::audio
