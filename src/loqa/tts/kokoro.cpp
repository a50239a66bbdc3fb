#include "loqa/tts/kokoro.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "loqa/onnx/installed.hpp"
#include "loqa/onnx/model.hpp"
#include "loqa/tts/clauses.hpp"
#include "loqa/tts/spoken.hpp"

namespace loqa::tts {
namespace {

using ids = std::vector<std::int64_t>;
using vocabulary = std::map<char32_t, std::int64_t>;

constexpr int rate_hz = 24'000;
constexpr std::size_t style_width = 256;
constexpr std::size_t styles = 510;  // of a speaker: one for each number of letters, the model's most
constexpr float loudest_silence = 0.005F;
constexpr std::size_t lead_samples = rate_hz / 200, tail_samples = rate_hz * 15 / 100;

struct spelling {
    std::u32string_view ipa, letters;
};

// Longer ones first, where one begins with another.
constexpr std::array common{
    spelling{U"aɪ", U"I"}, spelling{U"aʊ", U"W"},    spelling{U"eɪ", U"A"},  spelling{U"ɔɪ", U"Y"},
    spelling{U"tʃ", U"ʧ"}, spelling{U"dʒ", U"ʤ"},    spelling{U"əl", U"ᵊl"}, spelling{U"ɐ", U"ə"},
    spelling{U"r", U"ɹ"},  spelling{U"x", U"k"},     spelling{U"ç", U"k"},   spelling{U"ɬ", U"l"},
    spelling{U"e", U"ɛ"},  spelling{U"\u0329", U""}, spelling{U"ʔ", U"t"},
};
constexpr std::array american{
    spelling{U"oʊ", U"O"}, spelling{U"ɜːɹ", U"ɜɹ"}, spelling{U"ɜː", U"ɜɹ"}, spelling{U"ɪə", U"iə"},
    spelling{U"ɚ", U"əɹ"}, spelling{U"ɾ", U"T"},    spelling{U"ː", U""},
};
constexpr std::array british{
    spelling{U"əʊ", U"Q"},
    spelling{U"eə", U"ɛː"},
    spelling{U"iə", U"ɪə"},
};

result<vocabulary> read_vocabulary(const fs::path& file) {
    const auto text = read_file(file);
    if (!text) return fail(text);
    try {
        vocabulary made;
        const auto content = nlohmann::json::parse(*text);
        for (const auto& [letter, number] : content.at("vocab").items()) {
            const auto points = code_points(letter);
            if (points.size() == 1) made[points[0]] = number.get<std::int64_t>();
        }
        return made;
    } catch (const nlohmann::json::exception& e) {
        return fail(errc::model_truncated, "voice file {} cannot be read: {}", file.string(), e.what())
            .hint("loqa models verify");
    }
}

result<std::vector<float>> read_speaker(const fs::path& folder, const std::string& name) {
    const auto file = folder / "voices" / (name + ".bin");
    std::error_code error;
    if (name.empty() || name.contains('/') || !fs::exists(file, error)) {
        std::vector<std::string> known;
        for (const auto& entry : fs::directory_iterator(folder / "voices", error))
            known.push_back(entry.path().stem().string());
        std::ranges::sort(known);
        return fail(errc::not_found, "the model {} has no speaker '{}'", folder.string(), name)
            .hint("Set tts.voice to one of {}.", fmt::join(known, ", "));
    }
    const auto bytes = read_file(file);
    if (!bytes) return fail(bytes);
    std::vector<float> values(styles * style_width);
    if (bytes->size() != values.size() * sizeof(float))
        return fail(errc::model_truncated, "voice file {} has {} bytes, expected {}", file.string(), bytes->size(),
                    values.size() * sizeof(float))
            .hint("loqa models verify");
    std::memcpy(values.data(), bytes->data(), bytes->size());
    return values;
}

class kokoro_voice final : public voice {
public:
    kokoro_voice(kokoro_config config, vocabulary letters, std::vector<float> speaker,
                 std::unique_ptr<onnx::model> model, espeak& phonemes)
        : config_(std::move(config)),
          letters_(std::move(letters)),
          speaker_(std::move(speaker)),
          model_(std::move(model)),
          phonemes_(phonemes) {}

    std::string name() const override { return "kokoro-" + config_.speaker; }
    int sample_rate_hz() const override { return rate_hz; }
    result<std::unique_ptr<speech>> speak(std::string_view text) override;

    result<std::vector<float>> say(const unit& what) {
        auto numbers = to_ids(what);
        if (numbers.empty()) return std::vector<float>{};
        // A style for each length; it is the length without the two ends.
        const auto row = std::min(numbers.size(), styles - 1) * style_width;
        const auto style = std::span(speaker_).subspan(row, style_width);
        numbers.insert(numbers.begin(), 0);
        numbers.push_back(0);
        const std::array inputs{
            onnx::tensor{{1, static_cast<std::int64_t>(numbers.size())}, std::move(numbers)},
            onnx::tensor{{1, style_width}, std::vector<float>(style.begin(), style.end())},
            onnx::tensor{{1}, std::vector<float>{config_.speed}},
        };
        auto outputs = model_->run(inputs);
        if (!outputs) return fail(std::move(outputs));
        auto* samples = std::get_if<std::vector<float>>(&outputs->front().values);
        if (samples == nullptr) return fail(errc::engine_failed, "the voice {} made no samples", name());
        trim(*samples);
        return std::move(*samples);
    }

private:
    ids to_ids(const unit& what) const {
        ids numbers;
        const auto add = [&](char32_t letter) {
            const auto found = letters_.find(letter);
            if (found != letters_.end() && numbers.size() < styles) numbers.push_back(found->second);
        };
        for (const auto& phrase : what.phrases) {
            const auto said = phonemes_.phonemes(phrase.text);
            if (said.empty()) continue;
            if (!numbers.empty()) add(U' ');
            for (const char32_t letter : kokoro_letters(said, config_.speaker.starts_with('b'))) add(letter);
            add(static_cast<char32_t>(phrase.mark));
        }
        return numbers;
    }

    // The model surrounds what it says with up to half a second of silence.
    static void trim(std::vector<float>& samples) {
        const auto sounds = [](float sample) { return std::abs(sample) >= loudest_silence; };
        const auto first = std::ranges::find_if(samples, sounds);
        const auto last = std::find_if(samples.rbegin(), samples.rend(), sounds).base();
        const auto end = std::min(samples.size(), static_cast<std::size_t>(last - samples.begin()) + tail_samples);
        const auto begin = std::max<std::ptrdiff_t>(0, first - samples.begin() - std::ptrdiff_t{lead_samples});
        samples.resize(end);
        samples.erase(samples.begin(), samples.begin() + std::min(begin, std::ssize(samples)));
    }

    const kokoro_config config_;
    const vocabulary letters_;
    const std::vector<float> speaker_;
    const std::unique_ptr<onnx::model> model_;
    espeak& phonemes_;
};

// A piece for each unit.
class kokoro_speech final : public speech {
public:
    kokoro_speech(kokoro_voice& voice, std::vector<unit> units) : voice_(voice), units_(std::move(units)) {}

    result<piece> next() override {
        if (next_ == units_.size()) return piece{.samples = {}, .last = true};
        auto samples = voice_.say(units_[next_++]);
        if (!samples) return fail(std::move(samples));
        return piece{.samples = std::move(*samples), .last = next_ == units_.size()};
    }

private:
    kokoro_voice& voice_;
    const std::vector<unit> units_;
    std::size_t next_ = 0;
};

result<std::unique_ptr<speech>> kokoro_voice::speak(std::string_view text) {
    return std::make_unique<kokoro_speech>(*this, split_into_units(spoken(text)));
}

}  // namespace

std::u32string kokoro_letters(std::u32string_view ipa, bool british_accent) {
    std::vector<spelling> spellings(common.begin(), common.end());
    if (british_accent)
        spellings.insert(spellings.begin(), british.begin(), british.end());
    else
        spellings.insert(spellings.begin(), american.begin(), american.end());
    std::u32string letters;
    while (!ipa.empty()) {
        const auto found =
            std::ranges::find_if(spellings, [&](const spelling& each) { return ipa.starts_with(each.ipa); });
        letters += found == spellings.end() ? ipa.substr(0, 1) : found->letters;
        ipa.remove_prefix(found == spellings.end() ? 1 : found->ipa.size());
    }
    return letters;
}

result<std::unique_ptr<voice>> load_kokoro(const kokoro_config& config, espeak& phonemes) {
    constexpr std::array<std::string_view, 2> files{"model.onnx", "vocabulary.json"};
    const auto folder = onnx::find_model(config.model, files);
    if (!folder) return fail(folder);
    auto letters = read_vocabulary(*folder / "vocabulary.json");
    if (!letters) return fail(std::move(letters));
    auto speaker = read_speaker(*folder, config.speaker);
    if (!speaker) return fail(std::move(speaker));
    if (auto ok = phonemes.set_voice(config.speaker.starts_with('b') ? "en-gb" : "en-us"); !ok)
        return fail(std::move(ok));
    auto model =
        onnx::model::load(*folder / "model.onnx",
                          {.threads = config.threads, .inputs = {"tokens", "style", "speed"}, .outputs = {"audio"}});
    if (!model) return fail(std::move(model));
    auto loaded =
        std::make_unique<kokoro_voice>(config, std::move(*letters), std::move(*speaker), std::move(*model), phonemes);
    if (auto said = say_all(*loaded, "Ready."); !said) return fail(std::move(said));
    return loaded;
}

}  // namespace loqa::tts
