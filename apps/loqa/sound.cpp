#include "sound.hpp"

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <limits>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include <unistd.h>

#include "loqa/audio/pcm.hpp"
#include "loqa/base/process.hpp"

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
    wav_sink(fs::path path, const clock& clock) : path_(std::move(path)), clock_(clock) {}

    result<void> play(std::string_view pcm, pcm_format format, const part_of& of) override {
        if (std::ranges::any_of(flushed_,
                                [&](const auto& r) { return of.generation >= r.first && of.generation <= r.second; }))
            return {};
        if (clip_.samples.empty()) {
            clip_.sample_rate_hz = format.sample_rate_hz;
            clip_.channels = format.channels;
        } else if (format != pcm_format{clip_.sample_rate_hz, clip_.channels}) {
            return fail(errc::invalid_message, "the answer changed from {} Hz to {} Hz", clip_.sample_rate_hz,
                        format.sample_rate_hz);
        }
        if (generations_.empty() || generations_.back().number != of.generation)
            generations_.push_back({of.generation, clip_.samples.size(), clock_.steady(), false});
        const auto samples = audio::from_s16le(pcm);
        clip_.samples.insert(clip_.samples.end(), samples.begin(), samples.end());
        if (of.last && !std::exchange(generations_.back().told, true)) tell(generations_.back(), true);
        return {};
    }

    void flush(std::uint64_t from, std::uint64_t to) override {
        flushed_.emplace_back(from, to);
        if (generations_.empty()) return;
        auto& last = generations_.back();
        if (last.number < from || last.number > to) return;
        const auto heard = static_cast<std::size_t>(to_ms(clock_.steady() - last.began) * clip_.sample_rate_hz / 1000) *
                           static_cast<std::size_t>(clip_.channels);
        if (last.first + heard >= clip_.samples.size() && last.told) return;  // it was over by then
        clip_.samples.resize(std::min(clip_.samples.size(), last.first + heard));
        if (!std::exchange(last.told, true)) tell(last, false);
    }

    void close() override {
        if (!generations_.empty() && !std::exchange(generations_.back().told, true)) tell(generations_.back(), false);
    }

    void on_heard(std::function<void(const audio::heard&)> tell) override { tell_ = std::move(tell); }
    milliseconds left() const override { return milliseconds(0); }

    result<void> finish() override {
        if (clip_.samples.empty()) return {};
        return audio::write_wav(path_, clip_);
    }
    std::string where() const override { return clip_.samples.empty() ? std::string() : path_.string(); }

private:
    struct generation {
        std::uint64_t number = 0;
        std::size_t first = 0;  // sample of the clip
        steady_time began;
        bool told = false;
    };

    void tell(const generation& of, bool completed) const {
        if (!tell_) return;
        audio::clip its{clip_.sample_rate_hz, clip_.channels, {}};
        its.samples.assign(clip_.samples.begin() + static_cast<std::ptrdiff_t>(of.first), clip_.samples.end());
        tell_({of.number, its.duration(), completed});
    }

    const fs::path path_;
    const clock& clock_;
    audio::clip clip_;
    std::vector<generation> generations_;
    std::vector<std::pair<std::uint64_t, std::uint64_t>> flushed_;
    std::function<void(const audio::heard&)> tell_;
};

class loudspeaker_sink final : public sink {
public:
    loudspeaker_sink(std::unique_ptr<device> opened, pcm_format format, open_device open) : open_(std::move(open)) {
        begin(std::move(opened), format);
    }
    ~loudspeaker_sink() override { end(); }

    result<void> play(std::string_view pcm, pcm_format format, const part_of& of) override {
        if (format != format_) {
            if (!pcm.empty()) {
                if (auto ok = change_to(format); !ok) return fail(std::move(ok));
            }
        }
        {
            std::lock_guard lock(mutex_);
            if (failed_) return std::unexpected(*failed_);
            const auto samples = audio::from_s16le(pcm);
            playout_->push(of.generation, of.urgency, samples, of.last);
            pushed_ = true;
        }
        changed_.notify_all();
        tell_ended();  // an answer may have ended with nothing left to play
        return {};
    }

    void flush(std::uint64_t from, std::uint64_t to) override {
        playout_->flush(from, to);
        tell_ended();
        changed_.notify_all();
    }
    void close() override {
        playout_->close();
        tell_ended();
        changed_.notify_all();
    }
    void on_heard(std::function<void(const audio::heard&)> tell) override {
        std::lock_guard lock(mutex_);
        tell_ = std::move(tell);
    }
    milliseconds left() const override { return playout_->left(); }

    result<void> finish() override {
        playout_->close();
        tell_ended();
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return failed_ || playout_->idle(); });
        if (failed_) return std::unexpected(*failed_);
        return {};
    }
    std::string where() const override { return {}; }

private:
    void begin(std::unique_ptr<device> opened, pcm_format format) {
        device_ = std::move(opened);
        format_ = format;
        playout_ = std::make_unique<audio::playout>(format, longest_answer);
        thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
    }
    void end() {
        thread_.request_stop();
        changed_.notify_all();
        if (thread_.joinable()) thread_.join();
    }
    result<void> change_to(pcm_format format) {
        if (auto ok = finish(); !ok) return ok;
        end();
        device_.reset();
        auto opened = open_(format);
        if (!opened) return fail(std::move(opened));
        begin(std::move(*opened), format);
        return {};
    }

    void run(const std::stop_token& stop) {
        name_this_thread("speaker");
        std::vector<std::int16_t> block(static_cast<std::size_t>(format_.sample_rate_hz * block_duration.count() /
                                                                 1000 * std::max(format_.channels, 1)));
        while (!stop.stop_requested()) {
            if (playout_->read(block) == 0) {
                std::unique_lock lock(mutex_);
                changed_.wait(lock, stop, [this] { return std::exchange(pushed_, false); });
                continue;
            }
            if (auto written = device_->write(block); !written) {
                std::lock_guard lock(mutex_);
                failed_ = written.error();
                playout_->flush(0, std::numeric_limits<std::uint64_t>::max());
            }
            tell_ended();
            changed_.notify_all();
        }
    }

    void tell_ended() {
        const auto ended = playout_->take_ended();
        if (ended.empty()) return;
        std::function<void(const audio::heard&)> tell;
        {
            std::lock_guard lock(mutex_);
            tell = tell_;
        }
        if (tell)
            for (const auto& each : ended) tell(each);
    }

    static constexpr seconds longest_answer{300};

    const open_device open_;
    pcm_format format_;
    std::unique_ptr<device> device_;
    std::unique_ptr<audio::playout> playout_;
    std::mutex mutex_;
    std::condition_variable_any changed_;
    bool pushed_ = false;
    std::optional<error> failed_;
    std::function<void(const audio::heard&)> tell_;
    std::jthread thread_;
};

}  // namespace

std::unique_ptr<source> spoken(audio::clip clip, const clock& clock) {
    return std::make_unique<spoken_clip>(std::move(clip), clock);
}

std::unique_ptr<sink> loudspeaker(std::unique_ptr<device> opened, pcm_format expected, open_device open) {
    return std::make_unique<loudspeaker_sink>(std::move(opened), expected, std::move(open));
}

result<std::unique_ptr<sink>> wav_file(fs::path path, const clock& clock) {
    std::error_code ec;
    if (fs::is_directory(path, ec)) return fail(errc::io_failed, "{} is a folder, not a file", path.string());
    const auto folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
    if (::access(folder.c_str(), W_OK) != 0)
        return fail(errc::io_failed, "{} cannot be written: folder {}: {}", path.string(), folder.string(),
                    errno_text(errno))
            .hint("choose another file with --out");
    return std::make_unique<wav_sink>(std::move(path), clock);
}

}  // namespace loqa::cli
