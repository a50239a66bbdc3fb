#include "loqa/stt/sherpa.hpp"

#include <cstdint>
#include <exception>
#include <utility>

#include <sherpa-onnx/c-api/c-api.h>

#include "loqa/audio/vad.hpp"
#include "loqa/base/files.hpp"
#include "loqa/base/text.hpp"

namespace loqa::stt::sherpa {
namespace {

constexpr std::int32_t feature_bands = 80;  // of every model that the library has been given

template <auto destroy>
struct deleter {
    template <class T>
    void operator()(const T* object) const {
        destroy(object);
    }
};
template <class T, auto destroy>
using held = std::unique_ptr<const T, deleter<destroy>>;

// The library is C++ behind its C interface, and lets what ONNX Runtime throws through.
template <class F>
result<void> guarded(F&& call) {
    try {
        call();
        return {};
    } catch (const std::exception& thrown) {
        return fail(errc::engine_failed, "the speech engine gave up: {}", thrown.what());
    }
}

failure does_not_load(const std::string& file, std::string_view why) {
    return fail(errc::engine_failed, "the speech engine does not load {}{}{}", fs::path(file).parent_path().string(),
                why.empty() ? "" : ": ", why)
        .hint("Check the files: loqa models verify");
}

using online_engine = held<SherpaOnnxOnlineRecognizer, SherpaOnnxDestroyOnlineRecognizer>;
using online_stream = held<SherpaOnnxOnlineStream, SherpaOnnxDestroyOnlineStream>;

class transducer_stream final : public live_stream {
public:
    transducer_stream(const SherpaOnnxOnlineRecognizer* engine, online_stream input)
        : engine_(engine), input_(std::move(input)) {}

    result<void> accept(audio::pcm_view samples) override {
        return guarded([&] {
            SherpaOnnxOnlineStreamAcceptWaveform(input_.get(), audio::speech_rate_hz, samples.data(),
                                                 static_cast<std::int32_t>(samples.size()));
            decode();
        });
    }

    result<void> end() override {
        return guarded([&] {
            SherpaOnnxOnlineStreamInputFinished(input_.get());
            decode();
        });
    }

    result<std::string> text() override {
        const held<SherpaOnnxOnlineRecognizerResult, SherpaOnnxDestroyOnlineRecognizerResult> output(
            SherpaOnnxGetOnlineStreamResult(engine_, input_.get()));
        if (!output || output->text == nullptr) return fail(errc::engine_failed, "the speech engine gave no text");
        return std::string(trim(output->text));
    }

private:
    void decode() {
        while (SherpaOnnxIsOnlineStreamReady(engine_, input_.get()) != 0)
            SherpaOnnxDecodeOnlineStream(engine_, input_.get());
    }

    const SherpaOnnxOnlineRecognizer* engine_;
    online_stream input_;
};

class transducer final : public live_engine {
public:
    explicit transducer(online_engine loaded) : engine_(std::move(loaded)) {}

    result<std::unique_ptr<live_stream>> start() override {
        online_stream input(SherpaOnnxCreateOnlineStream(engine_.get()));
        if (!input) return fail(errc::engine_failed, "the speech engine gave no stream");
        return std::make_unique<transducer_stream>(engine_.get(), std::move(input));
    }

private:
    online_engine engine_;
};

}  // namespace

result<std::unique_ptr<live_engine>> open_transducer(const transducer_files& files, int threads) {
    SherpaOnnxOnlineRecognizerConfig config{};
    config.feat_config.sample_rate = audio::speech_rate_hz;
    config.feat_config.feature_dim = feature_bands;
    config.decoding_method = "greedy_search";
    config.model_config.num_threads = threads;
    config.model_config.provider = "cpu";
    config.model_config.tokens = files.tokens.c_str();
    config.model_config.transducer.encoder = files.encoder.c_str();
    config.model_config.transducer.decoder = files.decoder.c_str();
    config.model_config.transducer.joiner = files.joiner.c_str();
    online_engine loaded;
    auto opened = guarded([&] { loaded.reset(SherpaOnnxCreateOnlineRecognizer(&config)); });
    if (!opened || !loaded) return does_not_load(files.encoder, opened ? "" : opened.error().message);
    return std::make_unique<transducer>(std::move(loaded));
}

}  // namespace loqa::stt::sherpa
