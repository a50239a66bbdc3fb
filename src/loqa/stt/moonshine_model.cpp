#include "loqa/stt/moonshine_model.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <utility>

namespace loqa::stt {
namespace {

constexpr std::int64_t heads = 8;  // of every Moonshine

std::optional<std::size_t> find(std::span<const std::string> names, std::string_view name) {
    const auto found = std::ranges::find(names, name);
    if (found == names.end()) return std::nullopt;
    return static_cast<std::size_t>(found - names.begin());
}

failure other_model(const fs::path& file, std::string_view part) {
    return fail(errc::engine_failed, "model file {} is no {} of Moonshine's", file.string(), part)
        .hint("Fetch it again: loqa models pull {}", file.parent_path().filename().string());
}

// Logits become logarithms of probabilities.
void normalise(std::span<float> row) {
    const float most = *std::ranges::max_element(row);
    double sum = 0;
    for (const float each : row) sum += std::exp(each - most);
    const float all = most + static_cast<float>(std::log(sum));
    for (float& each : row) each -= all;
}

}  // namespace

result<std::unique_ptr<moonshine_model>> moonshine_model::load(const fs::path& encoder, const fs::path& decoder,
                                                               int threads) {
    auto made = std::make_unique<moonshine_model>();
    auto hears = onnx::model::load(encoder, {.threads = threads, .keep_memory = true});
    if (!hears) return fail(std::move(hears));
    // Some exports want to be told which samples count: all of them do.
    const std::vector<std::string> sound{"input_values", "attention_mask"};
    const auto wanted = (*hears)->inputs();
    if (wanted.empty() || wanted.size() > sound.size() || !std::equal(wanted.begin(), wanted.end(), sound.begin()))
        return other_model(encoder, "encoder");
    // Its runs are so short, and of so many sizes, that an arena costs time and memory.
    auto writes = onnx::model::load(decoder, {.threads = threads});
    if (!writes) return fail(std::move(writes));

    const auto inputs = (*writes)->inputs(), outputs = (*writes)->outputs();
    auto& at = made->at_;
    for (const auto& [name, place] : {std::pair{"input_ids", &at.ids}, std::pair{"encoder_hidden_states", &at.heard},
                                      std::pair{"use_cache_branch", &at.cached}}) {
        const auto found = find(inputs, name);
        if (!found) return other_model(decoder, "decoder");
        *place = *found;
    }
    at.mask = find(inputs, "encoder_attention_mask");
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        constexpr std::string_view past = "past_key_values";
        if (!inputs[i].starts_with(past)) continue;
        const auto out = find(outputs, "present" + inputs[i].substr(past.size()));
        if (!out) return other_model(decoder, "decoder");
        (inputs[i].contains(".encoder.") ? at.spoken : at.written).push_back({i, *out});
    }
    const bool whole = !at.written.empty() && at.spoken.size() == at.written.size() &&
                       (at.mask ? 4 : 3) + 2 * at.written.size() == inputs.size() &&
                       find(outputs, "logits") == std::size_t{0};
    if (!whole) return other_model(decoder, "decoder");
    made->encoder_ = std::move(*hears);
    made->decoder_ = std::move(*writes);
    return made;
}

result<onnx::tensor> moonshine_model::hear(std::vector<float> samples) {
    const auto count = static_cast<std::int64_t>(samples.size());
    std::vector<onnx::tensor> inputs{onnx::tensor{{1, count}, std::move(samples)}};
    if (encoder_->inputs().size() > 1)
        inputs.push_back({{1, count}, std::vector<std::int64_t>(static_cast<std::size_t>(count), 1)});
    auto outputs = encoder_->run(inputs);
    if (!outputs) return fail(std::move(outputs));
    return std::move(outputs->front());
}

// The decoder remembers what it made of the sound and of the tokens before, so that each step costs one token. What it
// made of the sound is the same for all texts, and given to it once for all of them.
class moonshine_model::text final : public spelling {
public:
    text(moonshine_model& model, onnx::tensor heard) : model_(model), inputs_(model.decoder_->inputs().size()) {
        const auto width = heard.shape.at(2);
        const auto& at = model_.at_;
        // The graph takes every 384th of it, one for each sample of sound. All of the sound counts: a single one is
        // spread over it, whatever its length.
        if (at.mask) inputs_[*at.mask] = {{1, 1}, std::vector<std::int64_t>{1}};
        inputs_[at.heard] = std::move(heard);
        inputs_[at.cached] = {{1}, std::vector<std::uint8_t>{0}};
        for (const auto* all : {&at.spoken, &at.written})
            for (const auto& each : *all) inputs_[each.in] = {{1, heads, 0, width / heads}, std::vector<float>{}};
    }

    result<std::vector<float>> next(std::span<const branch> texts) override {
        const auto& at = model_.at_;
        const auto rows = static_cast<std::int64_t>(texts.size());
        std::vector<std::int64_t> ids;
        for (const branch& each : texts) ids.push_back(each.next);
        inputs_[at.ids] = {{rows, 1}, std::move(ids)};
        if (begun_)
            for (const auto& each : at.written) arrange(inputs_[each.in], texts);
        auto outputs = model_.decoder_->run(inputs_);
        if (!outputs) return fail(std::move(outputs));
        for (const auto& each : at.written) inputs_[each.in] = std::move((*outputs)[each.out]);
        if (!std::exchange(begun_, true)) {
            for (const auto& each : at.spoken) inputs_[each.in] = std::move((*outputs)[each.out]);
            inputs_[at.cached] = {{1}, std::vector<std::uint8_t>{1}};
        }
        auto* logits = std::get_if<std::vector<float>>(&outputs->front().values);
        if (logits == nullptr || logits->empty() || logits->size() % texts.size() != 0)
            return fail(errc::engine_failed, "the speech engine gave no text");
        vocabulary_ = logits->size() / texts.size();
        for (std::size_t row = 0; row < texts.size(); ++row)
            normalise(std::span(*logits).subspan(row * vocabulary_, vocabulary_));
        return std::move(*logits);
    }

    std::size_t vocabulary() const override { return vocabulary_; }

private:
    // The memory of each text is that of the one it goes on from.
    static void arrange(onnx::tensor& memory, std::span<const branch> texts) {
        auto& all = std::get<std::vector<float>>(memory.values);
        const auto before = static_cast<std::size_t>(memory.shape[0]);
        const auto size = all.size() / before;
        bool same = texts.size() == before;
        for (std::size_t i = 0; i < texts.size() && same; ++i) same = texts[i].of == i;
        if (same) return;
        std::vector<float> arranged;
        arranged.reserve(size * texts.size());
        for (const branch& each : texts) {
            const auto from = all.begin() + static_cast<std::ptrdiff_t>(each.of * size);
            arranged.insert(arranged.end(), from, from + static_cast<std::ptrdiff_t>(size));
        }
        all = std::move(arranged);
        memory.shape[0] = static_cast<std::int64_t>(texts.size());
    }

    moonshine_model& model_;
    std::vector<onnx::tensor> inputs_;
    bool begun_ = false;
    std::size_t vocabulary_ = 0;
};

std::unique_ptr<spelling> moonshine_model::spell(onnx::tensor heard) {
    return std::make_unique<text>(*this, std::move(heard));
}

}  // namespace loqa::stt
