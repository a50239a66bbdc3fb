// What hearing costs: resampling and voice detection for each frame, and readings of utterances as they grow.
#include <cstdlib>
#include <memory>

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "loqa/audio/recording.hpp"
#include "loqa/audio/resample.hpp"
#include "loqa/audio/vad.hpp"
#include "loqa/audio/wav.hpp"
#include "loqa/stt/recognizer.hpp"

namespace {

using namespace loqa;

// The question that ships, at 16 kHz; what `loqa-stt` would decode.
const std::vector<float>& question() {
    static const auto samples = [] {
        auto made = audio::read_speech(share_folder() / "audio" / "question.wav");
        if (!made) {
            fmt::print(stderr, "{}\n", made.error().text());
            std::exit(1);
        }
        return std::move(*made);
    }();
    return samples;
}

void resample_20_ms(benchmark::State& state) {
    auto convert = audio::resampler::create(static_cast<int>(state.range(0)), audio::speech_rate_hz);
    const std::vector<float> frame(static_cast<std::size_t>(state.range(0) / 50), 0.1F);
    std::vector<float> out;
    for (auto _ : state) {
        out.clear();
        if (!convert->process(frame, out)) state.SkipWithError("cannot resample");
    }
}
BENCHMARK(resample_20_ms)->Arg(8'000)->Arg(44'100)->Arg(48'000)->Unit(benchmark::kMicrosecond);

void voice_detection_of_a_32_ms_frame(benchmark::State& state) {
    const auto voices = audio::load_silero("silero-vad");
    if (!voices) return state.SkipWithError(voices.error().text().c_str());
    const auto detector = (*voices)->start();
    const auto& samples = question();
    std::size_t at = 0;
    for (auto _ : state) {
        benchmark::DoNotOptimize(detector->score(audio::vad_frame(samples.data() + at, audio::vad_frame_samples)));
        at = at + 2 * audio::vad_frame_samples <= samples.size() ? at + audio::vad_frame_samples : 0;
    }
}
BENCHMARK(voice_detection_of_a_32_ms_frame)->Unit(benchmark::kMicrosecond)->UseRealTime();

// range(0): ms of speech; range(1): threads.
void moonshine_tiny_reading(benchmark::State& state) {
    const auto engine =
        stt::load_moonshine({.model = "moonshine-tiny-en", .threads = static_cast<int>(state.range(1))});
    if (!engine) return state.SkipWithError(engine.error().text().c_str());
    auto samples = question();
    while (samples.size() < static_cast<std::size_t>(state.range(0)) * 16) {
        samples.insert(samples.end(), question().begin(), question().end());
    }
    samples.resize(static_cast<std::size_t>(state.range(0)) * 16);
    for (auto _ : state) {
        const auto stream = (*engine)->start();
        if (!stream->accept(samples) || !stream->finish()) state.SkipWithError("cannot decode");
    }
}
BENCHMARK(moonshine_tiny_reading)
    ->ArgsProduct({{500, 1000, 1500, 3000, 6000, 15'000}, {1, 2}})
    ->ArgNames({"speech_ms", "threads"})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

}  // namespace

BENCHMARK_MAIN();
