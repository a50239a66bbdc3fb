#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <fstream>
#include <utility>
#include <vector>

#include "loqa/audio/vad.hpp"
#include "loqa/base/text.hpp"
#include "loqa/onnx/installed.hpp"
#include "loqa/onnx/model.hpp"
#include "loqa/stt/moonshine_model.hpp"
#include "loqa/stt/recognizer.hpp"
#include "loqa/stt/second_reading.hpp"
#include "loqa/stt/token_table.hpp"
#include "loqa/stt/wording.hpp"

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

// What the model is given, found by trying (40 commands of four voices): half a second of silence after the last word,
// or it takes the last word for another (whole commands right: 27 instead of 18), and speech at a fair volume, or a
// quiet microphone costs a third more wrong words.
constexpr std::size_t tail_samples = audio::speech_rate_hz / 2;
constexpr float wanted_peak = 0.9F;
constexpr float highest_gain = 20;

// The model stops by itself; one that does not is stopped where nobody can have said more.
constexpr std::size_t tokens_a_second = 7, tokens_always = 8;

// What the streams of one recognizer share.
struct engine {
    std::unique_ptr<moonshine_model> model;
    std::shared_ptr<const token_table> tokens;
    second_reading again;
    std::size_t longest = 0;  // samples
};

// The model is not a streaming one: each reading decodes all samples anew.
class moonshine_stream final : public stream {
public:
    explicit moonshine_stream(engine& with) : with_(with) {}

    result<void> accept(audio::pcm_view samples) override {
        const auto room = with_.longest - samples_.size();
        samples_.insert(samples_.end(), samples.begin(), samples.begin() + std::min(room, samples.size()));
        if (samples.size() > room) {
            return fail(errc::too_long, "the utterance is longer than {} s", with_.longest / audio::speech_rate_hz);
        }
        return {};
    }

    result<hypothesis> read() override {
        // Nothing to read from: the engine would be asked for an empty tensor.
        if (samples_.size() < shortest_samples) return hypothesis{};
        // What was read while somebody spoke is listened to again when they are silent.
        if (read_ == samples_.size()) return hypothesis{text_};

        interrupted_ = false;
        auto heard = with_.model->hear(prepare());
        if (!heard) return fail(std::move(heard));
        spelling_ = with_.model->spell(std::move(*heard), interrupted_);
        return write(*spelling_);
    }

    result<hypothesis> listen_again(hypothesis last, const std::shared_ptr<expectation>& for_what) override {
        if (!spelling_ || last.text.empty()) return last;
        spelling_->keep(0);
        auto said = with_.again.listen({last.text, score_}, *spelling_, for_what);
        if (!said) return fail(std::move(said));
        if (!*said) return last;
        last.begins = (*said)->begins;
        if ((*said)->likely) {
            last.heard = std::exchange(last.text, std::move((*said)->text));
            last.doubtful = (*said)->doubtful;
        }
        return last;
    }

    result<hypothesis> finish() override { return read(); }

    void interrupt() override { interrupted_ = true; }

private:
    // Always the most probable token, until the model says that it is the end. The beginning is most often that of the
    // last reading: it is tried at once.
    result<hypothesis> write(moonshine_model::text& model) {
        const auto most = tokens_always + tokens_a_second * samples_.size() / audio::speech_rate_hz;
        std::vector<token> tried{moonshine_model::begin};
        tried.insert(tried.end(), tokens_.begin(), tokens_.begin() + std::min(tokens_.size(), most - 1));
        auto scores = model.follow(tried);
        if (!scores) return fail(std::move(scores));
        std::vector<token> written;
        double score = 0;
        std::size_t row = 0;  // of the scores
        for (bool trying = true;;) {
            const auto likely = std::span(*scores).subspan(row * model.vocabulary(), model.vocabulary());
            const auto best = std::ranges::max_element(likely);
            score += *best;
            const auto next = static_cast<token>(best - likely.begin());
            if (next == moonshine_model::end) break;
            written.push_back(next);
            if (written.size() == most) break;
            if (trying && row + 1 < tried.size() && tried[row + 1] == next) {
                ++row;
                continue;
            }
            if (std::exchange(trying, false)) model.keep(row + 1);
            row = 0;
            scores = model.next(std::array{branch{0, next}});
            if (!scores) return fail(std::move(scores));
        }
        tokens_ = std::move(written);
        score_ = score;
        text_ = usual_words(with_.tokens->text(tokens_));
        read_ = samples_.size();
        return hypothesis{text_};
    }

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

    engine& with_;
    std::vector<float> samples_;
    std::unique_ptr<moonshine_model::text> spelling_;  // of the last reading
    std::string text_;
    std::vector<token> tokens_;  // of the text
    double score_ = 0;           // the logarithm of its probability
    std::size_t read_ = 0;       // samples
    std::atomic<bool> interrupted_ = false;
};

class moonshine final : public recognizer {
public:
    moonshine(engine with, int threads) : with_(std::move(with)), at_once_(static_cast<std::size_t>(threads)) {}
    std::unique_ptr<stream> start() override { return std::make_unique<moonshine_stream>(with_); }
    // Two readings side by side on two processors are done sooner than one after the other on both: half of the work
    // is in steps too small to be shared.
    std::size_t at_once() const override { return at_once_; }

private:
    engine with_;
    const std::size_t at_once_;
};

}  // namespace

result<std::unique_ptr<recognizer>> load_moonshine(const moonshine_options& options) {
    auto folder = onnx::find_model(options.model, model_files);
    if (!folder) return fail(std::move(folder));
    const auto encoder = *folder / model_files[0];
    const auto decoder = *folder / model_files[1];
    const auto tokens = *folder / model_files[2];
    for (const auto& file : {encoder, decoder}) {
        if (auto whole = check_ort_file(file); !whole) return fail(std::move(whole));
    }
    auto table = token_table::load(tokens);
    if (!table) return fail(std::move(table));
    auto model = moonshine_model::load(encoder, decoder, options.threads);
    if (!model) return fail(std::move(model));
    const auto shared = std::make_shared<const token_table>(std::move(*table));
    auto made = std::make_unique<moonshine>(
        engine{std::move(*model), shared,
               second_reading(shared, moonshine_model::begin, moonshine_model::end, options.again),
               static_cast<std::size_t>(options.longest.count()) * audio::speech_rate_hz / 1000},
        options.threads);
    // The first reading allocates and is several times slower: not a person's, but this one.
    const auto warm_up = made->start();
    if (auto heard = warm_up->accept(std::vector<float>(audio::speech_rate_hz)); !heard) return fail(std::move(heard));
    if (auto read = warm_up->finish(); !read) return fail(std::move(read));
    return made;
}

}  // namespace loqa::stt
