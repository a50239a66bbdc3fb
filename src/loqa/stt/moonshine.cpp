// The one file that knows sherpa-onnx.
#include <algorithm>
#include <array>
#include <cmath>
#include <exception>
#include <fstream>
#include <utility>
#include <vector>

#include <sherpa-onnx/c-api/c-api.h>

#include "loqa/audio/vad.hpp"
#include "loqa/base/text.hpp"
#include "loqa/onnx/installed.hpp"
#include "loqa/stt/recognizer.hpp"

namespace loqa::stt {
namespace {

constexpr std::array<std::string_view, 3> model_files = {"encoder_model.ort", "decoder_model_merged.ort", "tokens.txt"};

// An ORT file is a flatbuffer with this identifier at its fifth byte. Of a file whose size no list knows it is the only
// cheap sign that it is one.
result<void> check_ort_file(const fs::path& file) {
    std::array<char, 8> head{};
    std::ifstream in(file, std::ios::binary);
    in.read(head.data(), head.size());
    if (!in || std::string_view(head.data() + 4, 4) != "ORTM") {
        return fail(errc::model_truncated, "model file {} is no ONNX Runtime model", file.string())
            .hint("Fetch it again: loqa models pull {}", file.parent_path().filename().string());
    }
    return {};
}

// The engine looks tokens up without asking whether they are there.
result<void> check_tokens(const fs::path& file) {
    auto text = read_file(file, 16u << 20);
    if (!text) return fail(std::move(text));
    std::size_t expected = 0;
    for (const auto& line : split(trim(*text), '\n')) {
        const auto space = line.rfind(' ');
        if (space == std::string::npos || line.substr(space + 1) != std::to_string(expected)) {
            return fail(errc::model_truncated, "model file {} has no token {} in line {}", file.string(), expected,
                        expected + 1)
                .hint("Fetch it again: loqa models pull {}", file.parent_path().filename().string());
        }
        ++expected;
    }
    return {};
}

struct delete_recognizer {
    void operator()(const SherpaOnnxOfflineRecognizer* of) const { SherpaOnnxDestroyOfflineRecognizer(of); }
};
struct delete_stream {
    void operator()(const SherpaOnnxOfflineStream* of) const { SherpaOnnxDestroyOfflineStream(of); }
};
struct delete_result {
    void operator()(const SherpaOnnxOfflineRecognizerResult* of) const { SherpaOnnxDestroyOfflineRecognizerResult(of); }
};
using engine = std::unique_ptr<const SherpaOnnxOfflineRecognizer, delete_recognizer>;

// What the model is given, found by trying (40 commands of four voices): half a second of silence after the last word,
// or it takes the last word for another (whole commands right: 27 instead of 18), and speech at a fair volume, or a
// quiet microphone costs a third more wrong words.
constexpr std::size_t tail_samples = audio::speech_rate_hz / 2;
constexpr float wanted_peak = 0.9F;
constexpr float highest_gain = 20;

// The model is not a streaming one: each reading decodes all samples anew.
class moonshine_stream final : public stream {
public:
    moonshine_stream(const SherpaOnnxOfflineRecognizer* engine, std::size_t longest)
        : engine_(engine), longest_(longest) {}

    result<void> accept(audio::pcm_view samples) override {
        const auto room = longest_ - samples_.size();
        samples_.insert(samples_.end(), samples.begin(), samples.begin() + std::min(room, samples.size()));
        if (samples.size() > room) {
            return fail(errc::too_long, "the utterance is longer than {} s", longest_ / audio::speech_rate_hz);
        }
        return {};
    }

    result<hypothesis> read() override {
        // Nothing to read from: the engine would be asked for an empty tensor.
        if (samples_.size() < shortest_samples) return hypothesis{};

        const std::unique_ptr<const SherpaOnnxOfflineStream, delete_stream> input(
            SherpaOnnxCreateOfflineStream(engine_));
        if (!input) return fail(errc::engine_failed, "the speech engine gave no stream");
        const auto prepared = prepare();
        SherpaOnnxAcceptWaveformOffline(input.get(), audio::speech_rate_hz, prepared.data(),
                                        static_cast<std::int32_t>(prepared.size()));
        try {
            SherpaOnnxDecodeOfflineStream(engine_, input.get());
        } catch (const std::exception& thrown) {  // the engine is C++ behind its C interface
            return fail(errc::engine_failed, "the speech engine gave up: {}", thrown.what());
        }
        const std::unique_ptr<const SherpaOnnxOfflineRecognizerResult, delete_result> output(
            SherpaOnnxGetOfflineStreamResult(input.get()));
        if (!output || output->text == nullptr) return fail(errc::engine_failed, "the speech engine gave no text");
        return hypothesis{std::string(trim(output->text)), 1};
    }

    result<hypothesis> finish() override { return read(); }

private:
    static constexpr std::size_t shortest_samples = audio::speech_rate_hz / 10;

    std::vector<float> prepare() const {
        float peak = 0;
        for (const float sample : samples_) peak = std::max(peak, std::abs(sample));
        const float gain = peak > 0 ? std::min(wanted_peak / peak, highest_gain) : 1;
        std::vector<float> prepared;
        prepared.reserve(samples_.size() + tail_samples);
        for (const float sample : samples_) prepared.push_back(sample * gain);
        prepared.resize(prepared.size() + tail_samples);
        return prepared;
    }

    const SherpaOnnxOfflineRecognizer* engine_;
    const std::size_t longest_;
    std::vector<float> samples_;
};

class moonshine final : public recognizer {
public:
    moonshine(engine loaded, std::size_t longest) : engine_(std::move(loaded)), longest_(longest) {}
    std::unique_ptr<stream> start() override { return std::make_unique<moonshine_stream>(engine_.get(), longest_); }

private:
    engine engine_;
    std::size_t longest_;
};

}  // namespace

result<std::unique_ptr<recognizer>> load_moonshine(const moonshine_options& options) {
    auto folder = onnx::find_model(options.model, model_files);
    if (!folder) return fail(std::move(folder));
    const auto encoder = (*folder / model_files[0]).string();
    const auto decoder = (*folder / model_files[1]).string();
    const auto tokens = (*folder / model_files[2]).string();
    for (const auto& file : {encoder, decoder}) {
        if (auto whole = check_ort_file(file); !whole) return fail(std::move(whole));
    }
    if (auto whole = check_tokens(tokens); !whole) return fail(std::move(whole));

    SherpaOnnxOfflineRecognizerConfig config{};
    config.feat_config.sample_rate = audio::speech_rate_hz;
    config.feat_config.feature_dim = 80;
    config.model_config.num_threads = options.threads;
    config.model_config.provider = "cpu";
    config.model_config.tokens = tokens.c_str();
    config.model_config.moonshine.encoder = encoder.c_str();
    config.model_config.moonshine.merged_decoder = decoder.c_str();
    config.decoding_method = "greedy_search";
    engine loaded(SherpaOnnxCreateOfflineRecognizer(&config));
    if (!loaded) {
        return fail(errc::engine_failed, "the speech engine does not load {}", folder->string())
            .hint("Check the files: loqa models verify");
    }

    const auto longest = static_cast<std::size_t>(options.longest.count()) * audio::speech_rate_hz / 1000;
    auto made = std::make_unique<moonshine>(std::move(loaded), longest);
    // The first reading allocates and is several times slower: not a person's, but this one.
    const auto warm_up = made->start();
    if (auto heard = warm_up->accept(std::vector<float>(audio::speech_rate_hz)); !heard) return fail(std::move(heard));
    if (auto read = warm_up->finish(); !read) return fail(std::move(read));
    return made;
}

}  // namespace loqa::stt
