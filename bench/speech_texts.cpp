// What the recogniser makes of spoken sentences: for the speech-error set of the intent tests (bench/speech_errors.py).
//
// Reads lines "NAME<tab>WAV file" or "NAME<tab>=sentence", the latter spoken by Loqa's own voice, and prints for each
// "NAME<tab>what was heard". Everything is decoded whole, with a little silence behind it, as after an endpoint.
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>

#include <fmt/format.h>

#include "loqa/audio/recording.hpp"
#include "loqa/audio/vad.hpp"
#include "loqa/audio/wav.hpp"
#include "loqa/stt/recognizer.hpp"
#include "loqa/tts/piper.hpp"

namespace {

using namespace loqa;

template <class T>
T or_exit(result<T> got) {
    if (!got) {
        fmt::print(stderr, "speech_texts: {}\n", got.error().text());
        std::exit(1);
    }
    if constexpr (!std::is_void_v<T>) return std::move(*got);
}

class speaker {
public:
    audio::clip say(std::string_view sentence) {
        if (!voice_) {
            phonemes_ = or_exit(tts::espeak::load());
            voice_ = or_exit(tts::load_piper({.model = "piper-en_US-joe-medium"}, *phonemes_));
        }
        const auto samples = or_exit(tts::say_all(*voice_, sentence));
        audio::clip made{.sample_rate_hz = voice_->sample_rate_hz(), .channels = 1, .samples = {}};
        for (const float one : samples) made.samples.push_back(static_cast<std::int16_t>(one * 32'000));
        return made;
    }

private:
    std::unique_ptr<tts::espeak> phonemes_;
    std::unique_ptr<tts::voice> voice_;
};

std::vector<float> at_speech_rate(const audio::clip& clip) {
    auto out = or_exit(audio::speech_of(clip));
    out.resize(out.size() + static_cast<std::size_t>(audio::speech_rate_hz) * 3 / 10, 0.0F);
    return out;
}

}  // namespace

int main() {
    const auto engine = or_exit(stt::load_moonshine({.model = "moonshine-tiny-en", .threads = 2}));
    speaker own;
    std::string line;
    while (std::getline(std::cin, line)) {
        const auto tab = line.find('\t');
        if (tab == std::string::npos) continue;
        const std::string name = line.substr(0, tab), what = line.substr(tab + 1);
        const auto clip =
            what.starts_with('=') ? own.say(std::string_view(what).substr(1)) : or_exit(audio::read_wav(what));
        const auto stream = engine->start();
        or_exit(stream->accept(at_speech_rate(clip)));
        fmt::print("{}\t{}\n", name, or_exit(stream->finish()).text);
    }
}
