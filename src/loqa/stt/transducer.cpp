#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <span>
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

using names = std::span<const std::string_view>;

// The notes that the engine reads from the encoder of each type, and ends the process without. A list has a number for
// each stack of the encoder.
struct encoder_type {
    std::string_view name;
    std::vector<std::string_view> numbers, lists;
};

const std::array<encoder_type, 4>& encoder_types() {
    static const std::array<encoder_type, 4> types{{
        {"zipformer2",
         {"T", "decode_chunk_len"},
         {"encoder_dims", "query_head_dims", "value_head_dims", "num_heads", "num_encoder_layers", "cnn_module_kernels",
          "left_context_len"}},
        {"zipformer",
         {"T", "decode_chunk_len"},
         {"encoder_dims", "attention_dims", "num_encoder_layers", "cnn_module_kernels", "left_context_len"}},
        {"lstm", {"T", "decode_chunk_len", "num_encoder_layers", "rnn_hidden_size", "d_model"}, {}},
        {"conformer",
         {"T", "decode_chunk_len", "num_encoder_layers", "left_context", "encoder_dim", "pad_length",
          "cnn_module_kernel"},
         {}},
    }};
    return types;
}

failure wrong(const fs::path& file, std::string_view what) {
    return fail(errc::engine_failed, "model file {} {}: it is no part of a streaming transducer", file.string(), what)
        .hint("Check stt.model_path, and that the folder is as it was exported for sherpa-onnx.");
}

std::optional<int> positive_number(std::string_view text) {
    text = trim(text);
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || value <= 0) return std::nullopt;
    return value;
}

// The numbers, as many as the list has; nothing when one is none.
std::optional<std::vector<int>> positive_numbers(const std::string& text) {
    std::vector<int> all;
    for (const auto& each : split(text, ',')) {
        const auto value = positive_number(each);
        if (!value) return std::nullopt;
        all.push_back(*value);
    }
    return all;
}

result<int> number_note(const onnx::model& of, const fs::path& file, std::string_view name) {
    const auto note = of.note(std::string(name));
    if (!note) return fail(note);
    const auto value = *note ? positive_number(**note) : std::nullopt;
    if (!value) return wrong(file, fmt::format("says nothing of its {}", name));
    return *value;
}

// The part of this name in the folder. Exports come in full precision and as int8; where both are there, int8 is taken,
// a third of the time for the same words, but not for the decoder, which is small.
result<fs::path> find_part(const fs::path& folder, std::string_view part) {
    std::vector<fs::path> full, small;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error)) {
        const auto name = entry.path().filename().string();
        if (!name.starts_with(part) || !name.ends_with(".onnx")) continue;
        (name.ends_with(".int8.onnx") ? small : full).push_back(entry.path());
    }
    const auto& wanted = part == "decoder" ? (full.empty() ? small : full) : (small.empty() ? full : small);
    if (wanted.empty())
        return fail(errc::model_missing, "model folder {} has no {}*.onnx", folder.string(), part)
            .hint("Check stt.model_path: a streaming transducer has encoder, decoder, joiner and tokens.txt.");
    if (wanted.size() > 1)
        return fail(errc::invalid_config, "model folder {} has more than one {}: {} and {}", folder.string(), part,
                    wanted[0].filename().string(), wanted[1].filename().string())
            .hint("Leave one model in the folder.");
    return wanted.front();
}

// Opened once by ONNX Runtime itself, which says what is wrong with a file instead of ending the process.
result<std::unique_ptr<onnx::model>> open_part(const fs::path& file, std::size_t inputs) {
    auto opened = onnx::model::load(file, {});
    if (!opened) return opened;
    if (inputs != 0 && (*opened)->inputs().size() != inputs)
        return wrong(file, fmt::format("takes {} inputs, expected {}", (*opened)->inputs().size(), inputs));
    return opened;
}

result<void> check_encoder(const fs::path& file) {
    const auto encoder = open_part(file, 0);
    if (!encoder) return fail(encoder);
    if ((*encoder)->inputs().size() < 2)
        return wrong(file, "keeps no state between pieces of sound, as an offline model does");
    const auto type = (*encoder)->note("model_type");
    if (!type) return fail(type);
    if (!*type) return wrong(file, "does not say its model_type");
    const auto known = std::ranges::find(encoder_types(), **type, &encoder_type::name);
    if (known == encoder_types().end()) return wrong(file, fmt::format("is of the unknown type '{}'", **type));
    for (const auto name : known->numbers)
        if (const auto value = number_note(**encoder, file, name); !value) return fail(value);
    std::size_t stacks = 0;
    for (const auto name : known->lists) {
        const auto note = (*encoder)->note(std::string(name));
        if (!note) return fail(note);
        const auto values = *note ? positive_numbers(**note) : std::nullopt;
        if (!values || (stacks != 0 && values->size() != stacks))
            return wrong(file, fmt::format("says nothing of its {}", name));
        stacks = values->size();
    }
    return {};
}

// Each line is `token id`; the engine looks tokens up without asking whether they are there.
result<void> check_tokens(const fs::path& file, int vocabulary) {
    const auto text = read_file(file, 16u << 20);
    if (!text) return fail(text);
    std::vector<bool> seen(static_cast<std::size_t>(vocabulary));
    std::size_t line_number = 0;
    for (const auto& line : split(trim(*text), '\n')) {
        ++line_number;
        const auto space = line.find_last_of(" \t");
        int id = -1;
        if (space != std::string::npos) {
            const auto digits = trim(std::string_view(line).substr(space + 1));
            const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), id);
            if (error != std::errc{} || end != digits.data() + digits.size()) id = -1;
        }
        if (id < 0)
            return fail(errc::model_truncated, "model file {} has no `token id` in line {}", file.string(), line_number)
                .hint("Check stt.model_path, and that the file is whole.");
        if (id < vocabulary) seen[static_cast<std::size_t>(id)] = true;
    }
    if (const auto missing = std::ranges::find(seen, false); missing != seen.end())
        return fail(errc::model_truncated, "model file {} has no token {} of {}", file.string(), missing - seen.begin(),
                    vocabulary)
            .hint("Check stt.model_path: it was cut off, or belongs to another model.");
    return {};
}

// The encoder looks ahead, so that it needs to hear some silence before it gives the last word away.
constexpr std::size_t look_ahead_samples = audio::speech_rate_hz * 2 / 3;

class transducer_stream final : public stream {
public:
    transducer_stream(sherpa::live_engine& engine, std::size_t longest) : room_(longest), longest_(longest) {
        auto started = engine.start();
        if (started)
            input_ = std::move(*started);
        else
            broken_ = std::move(started).error();
    }

    result<void> accept(audio::pcm_view samples) override {
        if (!input_) return failure(broken_);
        const auto taken = samples.first(std::min(room_, samples.size()));
        room_ -= taken.size();
        if (auto heard = input_->accept(taken); !heard) return heard;
        if (taken.size() < samples.size())
            return fail(errc::too_long, "the utterance is longer than {} s", longest_ / audio::speech_rate_hz);
        return {};
    }

    result<hypothesis> read() override {
        if (!input_) return failure(broken_);
        auto text = input_->text();
        if (!text) return fail(std::move(text));
        return hypothesis{std::move(*text), 1};
    }

    result<hypothesis> finish() override {
        if (!input_) return failure(broken_);
        if (auto heard = input_->accept(std::vector<float>(look_ahead_samples)); !heard) return fail(std::move(heard));
        if (auto ended = input_->end(); !ended) return fail(std::move(ended));
        return read();
    }

private:
    std::unique_ptr<sherpa::live_stream> input_;
    error broken_;  // why there is no input
    std::size_t room_;
    const std::size_t longest_;
};

class transducer final : public recognizer {
public:
    transducer(std::unique_ptr<sherpa::live_engine> loaded, std::size_t longest)
        : engine_(std::move(loaded)), longest_(longest) {}
    std::unique_ptr<stream> start() override { return std::make_unique<transducer_stream>(*engine_, longest_); }

private:
    std::unique_ptr<sherpa::live_engine> engine_;
    std::size_t longest_;
};

}  // namespace

result<std::unique_ptr<recognizer>> load_transducer(const transducer_options& options) {
    constexpr std::array<std::string_view, 1> always{"tokens.txt"};
    const auto folder = onnx::find_model(options.model, always);
    if (!folder) return fail(folder);
    const auto encoder = find_part(*folder, "encoder");
    if (!encoder) return fail(encoder);
    const auto decoder = find_part(*folder, "decoder");
    if (!decoder) return fail(decoder);
    const auto joiner = find_part(*folder, "joiner");
    if (!joiner) return fail(joiner);

    if (auto good = check_encoder(*encoder); !good) return fail(std::move(good));
    const auto opened_decoder = open_part(*decoder, 1);
    if (!opened_decoder) return fail(opened_decoder);
    const auto vocabulary = number_note(**opened_decoder, *decoder, "vocab_size");
    if (!vocabulary) return fail(vocabulary);
    if (const auto context = number_note(**opened_decoder, *decoder, "context_size"); !context) return fail(context);
    if (const auto good = open_part(*joiner, 2); !good) return fail(good);
    const auto tokens = *folder / "tokens.txt";
    if (auto good = check_tokens(tokens, *vocabulary); !good) return fail(std::move(good));

    auto loaded = sherpa::open_transducer({.encoder = encoder->string(),
                                           .decoder = decoder->string(),
                                           .joiner = joiner->string(),
                                           .tokens = tokens.string()},
                                          options.threads);
    if (!loaded) return fail(std::move(loaded));
    const auto longest = static_cast<std::size_t>(options.longest.count()) * audio::speech_rate_hz / 1000;
    auto made = std::make_unique<transducer>(std::move(*loaded), longest);
    const auto warm_up = made->start();
    auto heard = warm_up->accept(std::vector<float>(audio::speech_rate_hz));
    if (heard) {
        if (const auto read = warm_up->finish(); !read) heard = fail(read);
    }
    if (!heard)
        return fail(errc::engine_failed, "the model in {} does not fit together: {}", folder->string(),
                    heard.error().message)
            .hint("Check stt.model_path, and that its files are of one export.");
    return made;
}

}  // namespace loqa::stt
