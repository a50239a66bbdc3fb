#include "loqa/tts/piper.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "loqa/base/ids.hpp"
#include "loqa/onnx/installed.hpp"
#include "loqa/onnx/model.hpp"
#include "loqa/tts/clauses.hpp"
#include "loqa/tts/spoken.hpp"

namespace loqa::tts {

namespace {

using json = nlohmann::json;
using ids = std::vector<std::int64_t>;

constexpr std::int64_t context_frames = 10;  // to each side of a frame: beyond them nothing changes its samples
constexpr float silence = 0.005F;            // amplitude below which nobody hears a voice begin
constexpr int lead_ms = 5;                   // that stays before the first sound
constexpr int sentence_pause_ms = 120;       // beside the silence that the voice itself makes
constexpr char32_t begin_mark = U'^', end_mark = U'$', pad_mark = U'_';

struct voice_file {
    int sample_rate_hz = 0;
    std::string espeak_voice;
    float noise_scale = 0, length_scale = 0, noise_width = 0;
    std::map<char32_t, ids> phoneme_ids;
};

result<voice_file> read_voice_file(const fs::path& file) {
    auto text = read_file(file);
    if (!text) return fail(std::move(text));
    try {
        const auto content = json::parse(*text);
        voice_file voice;
        voice.sample_rate_hz = content.at("audio").at("sample_rate").get<int>();
        voice.espeak_voice = content.at("espeak").at("voice").get<std::string>();
        const auto& inference = content.at("inference");
        voice.noise_scale = inference.at("noise_scale").get<float>();
        voice.length_scale = inference.at("length_scale").get<float>();
        voice.noise_width = inference.at("noise_w").get<float>();
        for (const auto& [symbol, numbers] : content.at("phoneme_id_map").items()) {
            const auto points = code_points(symbol);
            if (points.size() == 1) voice.phoneme_ids[points[0]] = numbers.get<ids>();
        }
        for (const char32_t needed : {begin_mark, end_mark, pad_mark})
            if (!voice.phoneme_ids.contains(needed))
                return fail(errc::engine_failed, "voice file {} has no id for '{}'", file.string(),
                            static_cast<char>(needed));
        if (voice.sample_rate_hz < 8000 || voice.sample_rate_hz > 48'000)
            return fail(errc::engine_failed, "voice file {} has a sample rate of {}, expected 8000 to 48000",
                        file.string(), voice.sample_rate_hz);
        return voice;
    } catch (const json::exception& e) {
        return fail(errc::model_truncated, "voice file {} cannot be read: {}", file.string(), e.what())
            .hint("loqa models verify");
    }
}

// A change of how text becomes sound here takes a new number: what was kept of the old way is not said any more.
constexpr int way_of_speaking = 1;
constexpr std::uintmax_t largest_model = 1u << 30;

result<std::string> identity_of(const fs::path& folder, std::span<const std::string_view> files,
                                const piper_config& config) {
    auto identity = fmt::format("piper {} {}", way_of_speaking, config.trim_lead);
    for (const auto file : files) {
        const auto content = read_file(folder / file, largest_model);
        if (!content) return fail(content);
        identity += " " + sha256_hex(std::as_bytes(std::span(*content)));
    }
    return identity;
}

// What the encoder made of a unit: `count` frames of `channels` values, channel by channel.
struct frames {
    std::int64_t channels = 0, count = 0;
    std::vector<float> values;
};

class piper_voice final : public voice {
public:
    piper_voice(std::string name, std::string identity, piper_config config, voice_file file,
                std::unique_ptr<onnx::model> encoder, std::unique_ptr<onnx::model> decoder, espeak& phonemes)
        : name_(std::move(name)),
          identity_(std::move(identity)),
          config_(std::move(config)),
          file_(std::move(file)),
          encoder_(std::move(encoder)),
          decoder_(std::move(decoder)),
          phonemes_(phonemes) {}

    std::string name() const override { return name_; }
    std::string identity() const override { return identity_; }
    int sample_rate_hz() const override { return file_.sample_rate_hz; }
    const piper_config& config() const { return config_; }
    result<std::unique_ptr<speech>> speak(std::string_view text) override;

    result<frames> encode(const unit& what) {
        const auto numbers = to_ids(what);
        if (numbers.empty()) return frames{};
        const auto count = static_cast<std::int64_t>(numbers.size());
        const std::array inputs{
            onnx::tensor{{1, count}, numbers},
            onnx::tensor{{1}, ids{count}},
            onnx::tensor{{3}, std::vector<float>{file_.noise_scale, file_.length_scale, file_.noise_width}},
        };
        auto outputs = encoder_->run(inputs);
        if (!outputs) return fail(std::move(outputs));
        auto& made = outputs->front();
        if (made.shape.size() != 3 || made.floats().empty())
            return fail(errc::engine_failed, "the voice {} made no frames", name_);
        return frames{made.shape[1], made.shape[2], std::get<std::vector<float>>(std::move(made.values))};
    }

    // The samples of the frames [begin, end).
    result<std::vector<float>> decode(const frames& all, std::int64_t begin, std::int64_t end) {
        const auto from = std::max<std::int64_t>(0, begin - context_frames);
        const auto to = std::min(all.count, end + context_frames);
        std::vector<float> window;
        window.reserve(static_cast<std::size_t>(all.channels * (to - from)));
        for (std::int64_t channel = 0; channel < all.channels; ++channel) {
            const auto row = all.values.begin() + channel * all.count;
            window.insert(window.end(), row + from, row + to);
        }
        const onnx::tensor input{{1, all.channels, to - from}, std::move(window)};
        auto outputs = decoder_->run(std::span(&input, 1));
        if (!outputs) return fail(std::move(outputs));
        const auto samples = outputs->front().floats();
        const auto samples_a_frame = static_cast<std::int64_t>(samples.size()) / (to - from);
        const auto wanted = samples.subspan(static_cast<std::size_t>((begin - from) * samples_a_frame),
                                            static_cast<std::size_t>((end - begin) * samples_a_frame));
        return std::vector<float>(wanted.begin(), wanted.end());
    }

private:
    // Empty when there is nothing to say. Phonemes that the voice does not know are left out.
    ids to_ids(const unit& what) const {
        std::u32string sounds;
        for (const auto& phrase : what.phrases) {
            const auto said = phonemes_.phonemes(phrase.text);
            if (said.empty()) continue;
            if (!sounds.empty()) sounds += U' ';
            sounds += said;
            sounds += static_cast<char32_t>(phrase.mark);
        }
        if (sounds.empty()) return {};
        const auto& pad = file_.phoneme_ids.at(pad_mark);
        ids numbers;
        const auto add = [&](const ids& more) { numbers.insert(numbers.end(), more.begin(), more.end()); };
        add(file_.phoneme_ids.at(begin_mark));
        add(pad);
        for (const char32_t sound : sounds) {
            const auto found = file_.phoneme_ids.find(sound);
            if (found == file_.phoneme_ids.end()) continue;
            add(found->second);
            add(pad);
        }
        add(file_.phoneme_ids.at(end_mark));
        return numbers;
    }

    const std::string name_, identity_;
    const piper_config config_;
    const voice_file file_;
    const std::unique_ptr<onnx::model> encoder_, decoder_;
    espeak& phonemes_;
};

class piper_speech final : public speech {
public:
    piper_speech(piper_voice& voice, std::vector<unit> units)
        : voice_(voice), units_(std::move(units)), piece_frames_(voice.config().first_piece_frames) {}

    result<piece> next() override {
        // A piece may turn out to be nothing but the silence before the first sound: then the next one is due at once.
        for (;;) {
            auto made = make();
            if (!made || made->last || !made->samples.empty()) return made;
        }
    }

private:
    result<piece> make() {
        if (at_ == current_.count) {
            if (next_unit_ == units_.size()) return piece{.samples = {}, .last = true};
            auto encoded = voice_.encode(units_[next_unit_]);
            if (!encoded) return fail(std::move(encoded));
            current_ = std::move(*encoded);
            at_ = 0;
            ++next_unit_;
            if (current_.count == 0) return piece{.samples = {}, .last = next_unit_ == units_.size()};
        }
        // What would be left for a piece of less than a quarter goes with this one.
        auto end = std::min(current_.count, at_ + piece_frames_);
        if (current_.count - end < piece_frames_ / 4) end = current_.count;
        auto samples = voice_.decode(current_, at_, end);
        if (!samples) return fail(std::move(samples));
        at_ = end;

        piece made{.samples = std::move(*samples), .last = at_ == current_.count && next_unit_ == units_.size()};
        if (!sounded_ && voice_.config().trim_lead) trim_lead(made.samples);
        if (!made.samples.empty()) {
            sounded_ = true;
            piece_frames_ = std::min<std::int64_t>(2 * piece_frames_, voice_.config().longest_piece_frames);
        }
        if (at_ == current_.count && !made.last && units_[next_unit_ - 1].ends_sentence)
            made.samples.resize(made.samples.size() + samples_in(sentence_pause_ms));
        return made;
    }

    void trim_lead(std::vector<float>& samples) const {
        const auto sound = std::ranges::find_if(samples, [](float sample) { return std::abs(sample) >= silence; });
        if (sound == samples.end()) {
            samples.clear();
            return;
        }
        const auto keep =
            std::min<std::ptrdiff_t>(sound - samples.begin(), static_cast<std::ptrdiff_t>(samples_in(lead_ms)));
        samples.erase(samples.begin(), sound - keep);
    }

    std::size_t samples_in(int ms) const { return static_cast<std::size_t>(voice_.sample_rate_hz() * ms / 1000); }

    piper_voice& voice_;
    const std::vector<unit> units_;
    std::size_t next_unit_ = 0;
    frames current_;       // of the unit before next_unit_
    std::int64_t at_ = 0;  // the first of its frames that is not decoded yet
    std::int64_t piece_frames_;
    bool sounded_ = false;
};

result<std::unique_ptr<speech>> piper_voice::speak(std::string_view text) {
    const bool english = file_.espeak_voice.starts_with("en");
    auto units = split_into_units(english ? spoken(text) : std::string(text));
    return std::make_unique<piper_speech>(*this, std::move(units));
}

}  // namespace

result<std::unique_ptr<voice>> load_piper(const piper_config& config, espeak& phonemes) {
    constexpr std::array<std::string_view, 3> files{"encoder.onnx", "decoder.onnx", "config.json"};
    auto folder = onnx::find_model(config.model, files);
    if (!folder) return fail(std::move(folder));
    auto file = read_voice_file(*folder / "config.json");
    if (!file) return fail(std::move(file));
    if (auto ok = phonemes.set_voice(file->espeak_voice); !ok) return fail(std::move(ok));
    auto decoder = onnx::model::load(*folder / "decoder.onnx", {.threads = config.threads, .keep_memory = true});
    if (!decoder) return fail(std::move(decoder));
    auto encoder = onnx::model::load(*folder / "encoder.onnx",
                                     {.threads = config.threads, .inputs = {"input", "input_lengths", "scales"}});
    if (!encoder) return fail(std::move(encoder));

    auto identity = identity_of(*folder, files, config);
    if (!identity) return fail(std::move(identity));
    auto name = folder->filename().string();
    auto loaded = std::make_unique<piper_voice>(std::move(name), std::move(*identity), config, std::move(*file),
                                                std::move(*encoder), std::move(*decoder), phonemes);
    auto said = say_all(*loaded, "This voice is ready, and will answer as soon as it is asked to.");
    if (!said) return fail(std::move(said));
    return loaded;
}

}  // namespace loqa::tts
