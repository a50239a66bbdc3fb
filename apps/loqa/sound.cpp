#include "sound.hpp"

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <mutex>

#include <unistd.h>

#include "loqa/audio/pcm.hpp"

namespace loqa::cli {
namespace {

class spoken_clip final : public source {
public:
    spoken_clip(audio::clip clip, const clock& clock)
        : format_{clip.sample_rate_hz, clip.channels},
          pcm_(audio::to_s16le(clip.samples)),
          frame_bytes_(2 * static_cast<std::size_t>(clip.channels)),
          block_bytes_(frame_bytes_ * static_cast<std::size_t>(clip.sample_rate_hz * block_duration.count() / 1000)),
          clock_(clock) {}

    pcm_format format() const override { return format_; }

    // A block is there when its last sample has been said: 20 ms after its first.
    result<std::optional<std::string>> read(std::stop_token stop) override {
        if (at_ == 0) began_ = clock_.steady();
        std::string block(block_bytes_, '\0');
        if (at_ < pcm_.size()) pcm_.copy(block.data(), block_bytes_, at_);
        at_ += block_bytes_;
        if (!wait_until(said_at(at_), stop)) return std::nullopt;
        if (at_ >= pcm_.size()) ended_ = said_at(pcm_.size());
        return block;
    }

    bool endless() const override { return false; }
    std::optional<steady_time> ended() const override { return ended_; }

private:
    steady_time said_at(std::size_t bytes) const {
        const auto frames = bytes / frame_bytes_;
        const std::chrono::duration<double> into(static_cast<double>(frames) / format_.sample_rate_hz);
        return began_ + std::chrono::duration_cast<steady_time::duration>(into);
    }

    // Absolute times, so that a late block makes no later one late. False when stopped.
    static bool wait_until(steady_time time, const std::stop_token& stop) {
        std::mutex mutex;
        std::condition_variable_any never;
        std::unique_lock lock(mutex);
        never.wait_until(lock, stop, time, [] { return false; });
        return !stop.stop_requested();
    }

    const pcm_format format_;
    const std::string pcm_;
    const std::size_t frame_bytes_, block_bytes_;
    const clock& clock_;
    steady_time began_;
    std::size_t at_ = 0;  // bytes read, with the silence after the clip
    std::optional<steady_time> ended_;
};

class wav_sink final : public sink {
public:
    explicit wav_sink(fs::path path) : path_(std::move(path)) {}

    result<void> play(std::string_view pcm, pcm_format format) override {
        if (clip_.samples.empty()) {
            clip_.sample_rate_hz = format.sample_rate_hz;
            clip_.channels = format.channels;
        } else if (format != pcm_format{clip_.sample_rate_hz, clip_.channels}) {
            return fail(errc::invalid_message, "the answer changed from {} Hz to {} Hz", clip_.sample_rate_hz,
                        format.sample_rate_hz);
        }
        const auto samples = audio::from_s16le(pcm);
        clip_.samples.insert(clip_.samples.end(), samples.begin(), samples.end());
        return {};
    }

    result<void> finish() override {
        if (clip_.samples.empty()) return {};
        return audio::write_wav(path_, clip_);
    }
    std::string where() const override { return clip_.samples.empty() ? std::string() : path_.string(); }

private:
    const fs::path path_;
    audio::clip clip_;
};

}  // namespace

std::unique_ptr<source> spoken(audio::clip clip, const clock& clock) {
    return std::make_unique<spoken_clip>(std::move(clip), clock);
}

result<std::unique_ptr<sink>> wav_file(fs::path path) {
    std::error_code ec;
    if (fs::is_directory(path, ec)) return fail(errc::io_failed, "{} is a folder, not a file", path.string());
    const auto folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
    if (::access(folder.c_str(), W_OK) != 0)
        return fail(errc::io_failed, "{} cannot be written: folder {}: {}", path.string(), folder.string(),
                    errno_text(errno))
            .hint("choose another file with --out");
    return std::make_unique<wav_sink>(std::move(path));
}

}  // namespace loqa::cli
