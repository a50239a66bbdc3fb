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
moonshine_model::text::text(moonshine_model& model, onnx::tensor heard, const std::atomic<bool>& interrupted)
    : model_(model), interrupted_(interrupted), inputs_(model.decoder_->inputs().size()) {
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

namespace {

// The memory of each text is that of the one it goes on from.
void arrange(onnx::tensor& memory, std::span<const branch> texts) {
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

}  // namespace

result<std::vector<float>> moonshine_model::text::next(std::span<const branch> texts) {
    std::vector<std::int64_t> ids;
    for (const branch& each : texts) ids.push_back(each.next);
    if (begun_)
        for (const auto& each : model_.at_.written) arrange(inputs_[each.in], texts);
    return run({{static_cast<std::int64_t>(ids.size()), 1}, ids});
}

result<std::vector<float>> moonshine_model::text::follow(std::span<const token> tokens) {
    const std::vector<std::int64_t> ids(tokens.begin(), tokens.end());
    return run({{1, static_cast<std::int64_t>(ids.size())}, ids});
}

void moonshine_model::text::keep(std::size_t count) {
    for (const auto& each : model_.at_.written) {
        // [text, head, token, number]
        auto& memory = inputs_[each.in];
        auto& all = std::get<std::vector<float>>(memory.values);
        const auto rows = static_cast<std::size_t>(memory.shape[0] * memory.shape[1]);
        const auto width = static_cast<std::size_t>(memory.shape[3]);
        const auto size = static_cast<std::size_t>(memory.shape[2]) * width, kept = count * width;
        for (std::size_t row = 1; row < rows; ++row)
            std::copy_n(all.begin() + static_cast<std::ptrdiff_t>(row * size), kept,
                        all.begin() + static_cast<std::ptrdiff_t>(row * kept));
        all.resize(rows * kept);
        memory.shape[2] = static_cast<std::int64_t>(count);
    }
}

// One row of numbers for each of the ids.
result<std::vector<float>> moonshine_model::text::run(onnx::tensor ids) {
    if (interrupted_) return fail(errc::cancelled, "the reading was interrupted");
    const auto& at = model_.at_;
    const auto rows = static_cast<std::size_t>(ids.shape[0] * ids.shape[1]);
    inputs_[at.ids] = std::move(ids);
    auto outputs = model_.decoder_->run(inputs_);
    if (!outputs) return fail(std::move(outputs));
    for (const auto& each : at.written) inputs_[each.in] = std::move((*outputs)[each.out]);
    if (!std::exchange(begun_, true)) {
        for (const auto& each : at.spoken) inputs_[each.in] = std::move((*outputs)[each.out]);
        inputs_[at.cached] = {{1}, std::vector<std::uint8_t>{1}};
    }
    auto* logits = std::get_if<std::vector<float>>(&outputs->front().values);
    if (logits == nullptr || logits->empty() || logits->size() % rows != 0)
        return fail(errc::engine_failed, "the speech engine gave no text");
    vocabulary_ = logits->size() / rows;
    for (std::size_t row = 0; row < rows; ++row) normalise(std::span(*logits).subspan(row * vocabulary_, vocabulary_));
    return std::move(*logits);
}

std::unique_ptr<moonshine_model::text> moonshine_model::spell(onnx::tensor heard,
                                                              const std::atomic<bool>& interrupted) {
    return std::make_unique<text>(*this, std::move(heard), interrupted);
}

}  // namespace loqa::stt
