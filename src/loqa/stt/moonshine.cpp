#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <utility>
#include <vector>

#include "loqa/audio/vad.hpp"
#include "loqa/base/text.hpp"
#include "loqa/onnx/installed.hpp"
#include "loqa/onnx/model.hpp"
#include "loqa/stt/recognizer.hpp"
#include "loqa/stt/sherpa.hpp"

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

// ONNX Runtime says what is wrong with a file that the engine would end the process on. The decoder takes the state of
// each of its layers, the encoder nothing but sound.
result<void> check_graph(const fs::path& file, bool is_decoder) {
    const auto opened = onnx::model::load(file, {});
    if (!opened) return fail(opened);
    const bool has_state = (*opened)->inputs().size() > 4;
    if (has_state == is_decoder) return {};
    return fail(errc::engine_failed, "model file {} is no {} of Moonshine's", file.string(),
                is_decoder ? "decoder" : "encoder")
        .hint("Fetch it again: loqa models pull {}", file.parent_path().filename().string());
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

// What the model is given, found by trying (40 commands of four voices): half a second of silence after the last word,
// or it takes the last word for another (whole commands right: 27 instead of 18), and speech at a fair volume, or a
// quiet microphone costs a third more wrong words.
constexpr std::size_t tail_samples = audio::speech_rate_hz / 2;
constexpr float wanted_peak = 0.9F;
constexpr float highest_gain = 20;

// The model is not a streaming one: each reading decodes all samples anew.
class moonshine_stream final : public stream {
public:
    moonshine_stream(sherpa::whole_engine& engine, std::size_t longest) : engine_(engine), longest_(longest) {}

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

        auto text = engine_.read(prepare());
        if (!text) return fail(std::move(text));
        return hypothesis{std::move(*text), 1};
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

    sherpa::whole_engine& engine_;
    const std::size_t longest_;
    std::vector<float> samples_;
};

class moonshine final : public recognizer {
public:
    moonshine(std::unique_ptr<sherpa::whole_engine> loaded, std::size_t longest)
        : engine_(std::move(loaded)), longest_(longest) {}
    std::unique_ptr<stream> start() override { return std::make_unique<moonshine_stream>(*engine_, longest_); }

private:
    std::unique_ptr<sherpa::whole_engine> engine_;
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
    if (auto whole = check_graph(encoder, false); !whole) return fail(std::move(whole));
    if (auto whole = check_graph(decoder, true); !whole) return fail(std::move(whole));
    if (auto whole = check_tokens(tokens); !whole) return fail(std::move(whole));

    auto loaded = sherpa::open_moonshine({.encoder = encoder, .decoder = decoder, .tokens = tokens}, options.threads);
    if (!loaded) return fail(std::move(loaded));
    const auto longest = static_cast<std::size_t>(options.longest.count()) * audio::speech_rate_hz / 1000;
    auto made = std::make_unique<moonshine>(std::move(*loaded), longest);
    // The first reading allocates and is several times slower: not a person's, but this one.
    const auto warm_up = made->start();
    if (auto heard = warm_up->accept(std::vector<float>(audio::speech_rate_hz)); !heard) return fail(std::move(heard));
    if (auto read = warm_up->finish(); !read) return fail(std::move(read));
    return made;
}

}  // namespace loqa::stt
