#include <algorithm>
#include <array>
#include <cmath>
#include <utility>
#include <vector>

#include "loqa/audio/vad.hpp"
#include "loqa/onnx/installed.hpp"
#include "loqa/onnx/model.hpp"

namespace loqa::audio {
namespace {

constexpr std::string_view file_name = "silero_vad_16k_op15.onnx";

// The network looks at a frame together with the last samples of the one before it, and carries a state along.
constexpr std::size_t context_samples = 64;
constexpr std::int64_t state_width = 128;

class silero_detector final : public voice_detector {
public:
    explicit silero_detector(onnx::model& model) : model_(model) { reset(); }

    result<std::optional<float>> score(vad_frame frame) override {
        auto& window = std::get<std::vector<float>>(inputs_[0].values);
        std::copy(window.end() - context_samples, window.end(), window.begin());
        std::copy(frame.begin(), frame.end(), window.begin() + context_samples);
        auto outputs = model_.run(inputs_);
        if (!outputs) return fail(std::move(outputs));
        const auto probability = (*outputs)[0].floats();
        if (probability.size() != 1 || !std::isfinite(probability[0]) || (*outputs)[1].shape != inputs_[1].shape) {
            reset();
            return fail(errc::engine_failed, "the voice detector gave no probability");
        }
        const float value = probability[0];
        inputs_[1] = std::move((*outputs)[1]);
        return value;
    }

    void reset() override {
        inputs_[0] = {{1, context_samples + vad_frame_samples},
                      std::vector<float>(context_samples + vad_frame_samples, 0.0F)};
        inputs_[1] = {{2, 1, state_width}, std::vector<float>(2 * state_width, 0.0F)};
        inputs_[2] = {{}, std::vector<std::int64_t>{speech_rate_hz}};
    }

private:
    onnx::model& model_;
    std::array<onnx::tensor, 3> inputs_;
};

class silero_model final : public voice_model {
public:
    explicit silero_model(std::unique_ptr<onnx::model> model) : model_(std::move(model)) {}
    std::unique_ptr<voice_detector> start() override { return std::make_unique<silero_detector>(*model_); }

private:
    std::unique_ptr<onnx::model> model_;
};

}  // namespace

result<std::unique_ptr<voice_model>> load_silero(std::string_view name) {
    auto folder = onnx::find_model(name, std::array{file_name});
    if (!folder) return fail(std::move(folder));
    auto model = onnx::model::load(*folder / file_name,
                                   {.threads = 1, .inputs = {"input", "state", "sr"}, .outputs = {"output", "stateN"}});
    if (!model) return fail(std::move(model));
    return std::make_unique<silero_model>(std::move(*model));
}

}  // namespace loqa::audio
