#include "output.hpp"

#include <cstdio>
#include <utility>

#include <fmt/format.h>

namespace loqa::cli {
namespace {

// What the voices that ship speak in; a loudspeaker opened for it need not be opened again.
constexpr pcm_format usual_answer{22'050, 1};

}  // namespace

fs::path numbered(const fs::path& file, std::size_t number) {
    return file.parent_path() / fmt::format("{}-{}{}", file.stem().string(), number, file.extension().string());
}

result<output> output::open(const std::optional<fs::path>& file, std::size_t answers, const clock& clock) {
    output made(clock);
    made.answers_ = answers;
    if (file) {
        made.file_ = *file;
    } else if (const auto sound = made.devices(); !sound || (*sound)->speaker_name().empty()) {
        made.file_ = "answer.wav";
        made.is_makeshift_ = true;
    }
    if (!made.file_.empty())
        if (auto writable = wav_file(made.file_, clock); !writable) return fail(std::move(writable));
    return made;
}

result<std::unique_ptr<sink>> output::next() {
    ++given_;
    if (file_.empty()) return devices_->speaker(usual_answer);
    if (std::exchange(is_makeshift_, false))
        fmt::print(stderr, "no loudspeaker here: the answer goes to {}\n",
                   answers_ > 1 ? numbered(file_, 1).string() + " and so on" : file_.string());
    return wav_file(answers_ > 1 ? numbered(file_, given_) : file_, *clock_);
}

result<const sound_system*> output::devices() {
    if (!devices_) {
        auto opened = sound_system::open();
        if (!opened) return fail(std::move(opened));
        devices_.emplace(std::move(*opened));
    }
    return &*devices_;
}

}  // namespace loqa::cli
