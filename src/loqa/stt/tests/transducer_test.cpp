// The real engine on a transducer of three tokens: it writes "low" when it hears a low tone and "high" when it hears a
// high one, never the same twice in a row. Its encoder is linear in the filter bank's energies, its decoder knows the
// last token, and its joiner adds the two.
#include <cmath>
#include <functional>
#include <numbers>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loqa/audio/vad.hpp"
#include "loqa/base/files.hpp"
#include "loqa/base/ids.hpp"
#include "loqa/onnx/testing/graph_writer.hpp"
#include "loqa/stt/decoder.hpp"
#include "loqa/stt/recognizer.hpp"

namespace loqa::stt {
namespace {

using onnx::testing::element;
using onnx::testing::graph_writer;
using ::testing::HasSubstr;
using notes = std::vector<std::pair<std::string, std::string>>;

constexpr float low_hz = 467, high_hz = 3200;
constexpr std::size_t low_band = 15, high_band = 55;  // of 80, where these tones are

const notes encoder_notes = {{"model_type", "lstm"},    {"num_encoder_layers", "1"}, {"T", "8"},
                             {"decode_chunk_len", "8"}, {"rnn_hidden_size", "1"},    {"d_model", "1"}};
const notes decoder_notes = {{"vocab_size", "3"}, {"context_size", "1"}};
constexpr std::string_view token_list = "<blk> 0\n\u2581low 1\n\u2581high 2\n";

std::string noted(graph_writer graph, const notes& all) {
    for (const auto& [key, text] : all) graph.note(key, text);
    return graph.model();
}

std::string encoder(const notes& all = encoder_notes) {
    std::vector<float> bands(80 * 3);  // rows of blank, low, high
    for (const std::size_t near : {0, 1, 2}) {
        bands[(low_band - 1 + near) * 3 + 1] = 1;
        bands[(high_band - 1 + near) * 3 + 2] = 1;
    }
    return noted(graph_writer()
                     .weights("bands", {80, 3}, bands)
                     .node("MatMul", {"x", "bands"}, "encoder_out")
                     .node("Identity", {"h"}, "new_h")
                     .node("Identity", {"c"}, "new_c")
                     .input("x", element::float32, {"n", "8", "80"})
                     .input("h", element::float32, {"1", "n", "1"})
                     .input("c", element::float32, {"1", "n", "1"})
                     .output("encoder_out", element::float32, {"n", "8", "3"})
                     .output("new_h", element::float32, {"1", "n", "1"})
                     .output("new_c", element::float32, {"1", "n", "1"}),
                 all);
}

std::string decoder_part(const notes& all = decoder_notes) {
    return noted(graph_writer()
                     .weights("after", {3, 3}, {0, 0, 0, 0, -1000, 0, 0, 0, -1000})
                     .integers("axis", {1})
                     .node("Gather", {"after", "y"}, "rows")
                     .node("Squeeze", {"rows", "axis"}, "decoder_out")
                     .input("y", element::int64, {"n", "1"})
                     .output("decoder_out", element::float32, {"n", "3"}),
                 all);
}

std::string joiner() {
    return graph_writer()
        .node("Add", {"encoder_out", "decoder_out"}, "logit")
        .input("encoder_out", element::float32, {"n", "3"})
        .input("decoder_out", element::float32, {"n", "3"})
        .output("logit", element::float32, {"n", "3"})
        .model();
}

std::vector<float> tone(float hz, milliseconds length) {
    std::vector<float> samples(static_cast<std::size_t>(length.count()) * 16);
    for (std::size_t i = 0; i < samples.size(); ++i)
        samples[i] = 0.5F * std::sin(static_cast<float>(i) * hz * 2 * std::numbers::pi_v<float> / 16'000);
    return samples;
}
std::vector<float> silence(milliseconds length) { return tone(0, length); }

class Transducer : public ::testing::Test {
protected:
    void SetUp() override {
        ::setenv("LOQA_SHARE_DIR", LOQA_SHARE, 1);
        fs::create_directories(folder_);
        write("encoder.onnx", encoder());
        write("decoder.onnx", decoder_part());
        write("joiner.onnx", joiner());
        write("tokens.txt", token_list);
    }
    void TearDown() override { fs::remove_all(folder_); }

    void write(std::string_view name, std::string_view content) const {
        ASSERT_TRUE(write_file_atomically(folder_ / name, content));
    }
    result<std::unique_ptr<recognizer>> load(milliseconds longest = seconds{30}) const {
        return load_transducer({.model = folder_.string(), .threads = 1, .longest = longest});
    }

    const fs::path folder_ = fs::temp_directory_path() / ("loqa-transducer-" + random_hex(4));
};

TEST_F(Transducer, WritesWhileItHears) {
    const auto engine = load();
    ASSERT_TRUE(engine) << engine.error().text();
    const auto stream = (*engine)->start();
    struct step {
        std::vector<float> heard;
        std::string so_far;
    };
    for (const auto& [heard, so_far] :
         {step{silence(milliseconds{400}), ""}, step{tone(low_hz, milliseconds{400}), "low"},
          step{silence(milliseconds{400}), "low"}, step{tone(high_hz, milliseconds{400}), "low high"},
          step{silence(milliseconds{400}), "low high"}, step{tone(low_hz, milliseconds{400}), "low high low"}}) {
        for (std::size_t at = 0; at < heard.size(); at += 320)  // frames of 20 ms
            ASSERT_TRUE(stream->accept(std::span(heard).subspan(at, std::min<std::size_t>(320, heard.size() - at))));
        const auto read = stream->read();
        ASSERT_TRUE(read) << read.error().text();
        EXPECT_EQ(read->text, so_far);
    }
}

TEST_F(Transducer, TheLastWordIsWrittenEvenIfNothingFollowsIt) {
    const auto engine = load();
    ASSERT_TRUE(engine) << engine.error().text();
    const auto stream = (*engine)->start();
    ASSERT_TRUE(stream->accept(tone(high_hz, milliseconds{60})));  // less than the encoder takes at once
    EXPECT_EQ(stream->read()->text, "");
    EXPECT_EQ(stream->finish()->text, "high");
}

TEST_F(Transducer, StreamsDoNotHearEachOther) {
    const auto engine = load();
    ASSERT_TRUE(engine) << engine.error().text();
    const auto one = (*engine)->start(), other = (*engine)->start();
    for (int i = 0; i < 10; ++i) {
        ASSERT_TRUE(one->accept(tone(low_hz, milliseconds{100})));
        ASSERT_TRUE(other->accept(tone(high_hz, milliseconds{100})));
    }
    EXPECT_EQ(one->finish()->text, "low");
    EXPECT_EQ(other->finish()->text, "high");
}

TEST_F(Transducer, MoreThanTheLongestIsLeftOutAndWhatWasHeardIsKept) {
    const auto engine = load(seconds{1});
    ASSERT_TRUE(engine) << engine.error().text();
    const auto stream = (*engine)->start();
    ASSERT_TRUE(stream->accept(tone(low_hz, seconds{1})));
    const auto more = stream->accept(tone(high_hz, seconds{1}));
    ASSERT_FALSE(more);
    EXPECT_EQ(more.error().code, errc::too_long);
    EXPECT_EQ(stream->finish()->text, "low");
}

TEST_F(Transducer, NothingHeardIsNoWord) {
    const auto engine = load();
    ASSERT_TRUE(engine) << engine.error().text();
    EXPECT_EQ((*engine)->start()->finish()->text, "");
    const auto stream = (*engine)->start();
    ASSERT_TRUE(stream->accept(silence(seconds{5})));
    EXPECT_EQ(stream->finish()->text, "");
}

TEST_F(Transducer, TakesTheSmallEncoderAndTheFullDecoder) {
    write("encoder-epoch-99-avg-1.int8.onnx", encoder());
    write("decoder-epoch-99-avg-1.int8.onnx", "not opened");
    write("encoder.onnx", "not opened");
    const auto engine = load();
    ASSERT_TRUE(engine) << engine.error().text();
}

// All of the engine's own checks end the process: none of these may reach it.
struct damage {
    std::string name, file, content;
    errc code;
    std::string complaint;
};
void PrintTo(const damage& what, std::ostream* out) { *out << what.name; }

notes without(const notes& all, std::string_view key) {
    notes rest;
    for (const auto& each : all)
        if (each.first != key) rest.push_back(each);
    return rest;
}
notes with(notes all, std::string key, std::string text) {
    all = without(all, key);
    all.emplace_back(std::move(key), std::move(text));
    return all;
}

class DamagedTransducer : public Transducer, public ::testing::WithParamInterface<damage> {};

TEST_P(DamagedTransducer, IsNamedAndDoesNotEndTheProcess) {
    const auto& row = GetParam();
    fs::remove(folder_ / row.file);
    if (row.content != "missing") write(row.file, row.content);
    const auto engine = load();
    ASSERT_FALSE(engine);
    EXPECT_EQ(engine.error().code, row.code) << engine.error().text();
    EXPECT_THAT(engine.error().message, HasSubstr(row.complaint));
    EXPECT_THAT(engine.error().message, HasSubstr(folder_.string()));
    EXPECT_FALSE(engine.error().hint.empty());
}

INSTANTIATE_TEST_SUITE_P(
    Files, DamagedTransducer,
    ::testing::Values(
        damage{"no_encoder", "encoder.onnx", "missing", errc::model_missing, "encoder"},
        damage{"no_joiner", "joiner.onnx", "missing", errc::model_missing, "joiner"},
        damage{"no_tokens", "tokens.txt", "missing", errc::model_missing, "tokens.txt"},
        damage{"empty_encoder", "encoder.onnx", "", errc::model_truncated, "encoder.onnx"},
        damage{"cut_encoder", "encoder.onnx", encoder().substr(0, 500), errc::model_truncated, "encoder.onnx"},
        damage{"garbage_decoder", "decoder.onnx", std::string(5000, 'U'), errc::engine_failed, "decoder.onnx"},
        damage{"cut_joiner", "joiner.onnx", joiner().substr(0, 40), errc::model_truncated, "joiner.onnx"},
        damage{"decoder_for_encoder", "encoder.onnx", decoder_part(), errc::engine_failed, "encoder.onnx"},
        damage{"encoder_for_decoder", "decoder.onnx", encoder(), errc::engine_failed, "decoder.onnx"},
        damage{"decoder_for_joiner", "joiner.onnx", decoder_part(), errc::engine_failed, "joiner.onnx"},
        damage{"no_type", "encoder.onnx", encoder(without(encoder_notes, "model_type")), errc::engine_failed,
               "model_type"},
        damage{"unknown_type", "encoder.onnx", encoder(with(encoder_notes, "model_type", "parrot")),
               errc::engine_failed, "parrot"},
        damage{"no_chunk", "encoder.onnx", encoder(without(encoder_notes, "decode_chunk_len")), errc::engine_failed,
               "decode_chunk_len"},
        damage{"chunk_of_words", "encoder.onnx", encoder(with(encoder_notes, "decode_chunk_len", "many")),
               errc::engine_failed, "decode_chunk_len"},
        damage{"no_list", "encoder.onnx", encoder(with(encoder_notes, "model_type", "zipformer2")), errc::engine_failed,
               "encoder_dims"},
        damage{"other_state", "encoder.onnx", encoder(with(encoder_notes, "d_model", "7")), errc::engine_failed,
               "does not fit together"},
        damage{"no_vocabulary", "decoder.onnx", decoder_part(without(decoder_notes, "vocab_size")), errc::engine_failed,
               "vocab_size"},
        damage{"tokens_cut", "tokens.txt", std::string(token_list.substr(0, 17)), errc::model_truncated, "token 2"},
        damage{"tokens_garbage", "tokens.txt", "\x7f\x45\x4c\x46 what is this\n", errc::model_truncated, "line 1"}),
    [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace loqa::stt
