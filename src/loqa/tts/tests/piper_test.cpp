#include "loqa/tts/piper.hpp"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "loqa/base/ids.hpp"
#include "loqa/onnx/model.hpp"
#include "loqa/tts/espeak.hpp"

namespace loqa::tts {
namespace {

constexpr std::string_view piper_model = "piper-en_US-joe-medium";

fs::path installed() { return fs::path(LOQA_CACHE) / "models" / piper_model; }

result<std::vector<piece>> say(voice& with, std::string_view text) {
    auto speech = with.speak(text);
    if (!speech) return fail(std::move(speech));
    std::vector<piece> pieces;
    do {
        auto next = (*speech)->next();
        if (!next) return fail(std::move(next));
        pieces.push_back(std::move(*next));
    } while (!pieces.back().last);
    return pieces;
}

double milliseconds_of(const std::vector<piece>& pieces, int rate_hz) {
    std::size_t samples = 0;
    for (const auto& each : pieces) samples += each.samples.size();
    return 1000.0 * static_cast<double>(samples) / rate_hz;
}

class Piper : public testing::Test {
protected:
    void SetUp() override {
        if (!fs::exists(installed())) GTEST_SKIP() << "the voice is not installed: scripts/setup.sh";
    }
    // Loaded once for all: it takes seconds.
    static void SetUpTestSuite() {
        if (!fs::exists(installed())) return;
        auto loaded = espeak::load();
        ASSERT_TRUE(loaded) << loaded.error().text();
        espeak_ = std::move(*loaded);
        auto voice = load_piper(config(), *espeak_);
        ASSERT_TRUE(voice) << voice.error().text();
        voice_ = std::move(*voice);
    }
    static void TearDownTestSuite() {
        voice_.reset();
        espeak_.reset();
    }
    static piper_config config() { return {.model = installed().string(), .threads = 1}; }
    static inline std::unique_ptr<espeak> espeak_;
    static inline std::unique_ptr<voice> voice_;
};

TEST_F(Piper, SaysATextInPiecesThatGrow) {
    EXPECT_EQ(voice_->sample_rate_hz(), 22'050);
    auto pieces = say(*voice_, "I set a timer for five minutes. It will ring at ten past seven.");
    ASSERT_TRUE(pieces) << pieces.error().text();
    ASSERT_GE(pieces->size(), 4U);
    EXPECT_LE(pieces->front().samples.size(), 12U * 256);
    EXPECT_LT(pieces->front().samples.size(), (*pieces)[1].samples.size());
    const auto took = milliseconds_of(*pieces, 22'050);
    EXPECT_GT(took, 2500);
    EXPECT_LT(took, 6500);

    // It begins with a sound: the silence before it is left out.
    const auto& opening = pieces->front().samples;
    ASSERT_GE(opening.size(), 200U);
    EXPECT_TRUE(std::any_of(opening.begin(), opening.begin() + 200, [](float s) { return std::abs(s) >= 0.005F; }));
    float loudest = 0;
    for (const auto& each : *pieces)
        for (const float sample : each.samples) loudest = std::max(loudest, std::abs(sample));
    EXPECT_GT(loudest, 0.2F);
    EXPECT_LE(loudest, 1.0F);
}

TEST_F(Piper, TextWithoutASoundIsOneEmptyPiece) {
    for (const auto* text : {"", " ", "...", "\n\n"}) {
        auto pieces = say(*voice_, text);
        ASSERT_TRUE(pieces) << pieces.error().text();
        ASSERT_EQ(pieces->size(), 1U) << '"' << text << '"';
        EXPECT_TRUE(pieces->front().samples.empty());
    }
}

// The decoder is given its frames in pieces with ten frames around each: the samples must be those of one run.
TEST_F(Piper, TenFramesOfContextMakeTheSamplesOfTheWhole) {
    auto encoder = onnx::model::load(installed() / "encoder.onnx", {});
    ASSERT_TRUE(encoder) << encoder.error().text();
    auto decoder = onnx::model::load(installed() / "decoder.onnx", {});
    ASSERT_TRUE(decoder) << decoder.error().text();
    std::vector<std::int64_t> ids{1, 0};
    for (std::int64_t id = 14; id < 39; ++id) ids.insert(ids.end(), {id, 0});
    ids.push_back(2);
    const auto count = static_cast<std::int64_t>(ids.size());
    const onnx::tensor inputs[] = {
        {{1, count}, ids}, {{1}, std::vector{count}}, {{3}, std::vector<float>{0.667F, 1, 0.8F}}};
    auto frames = (*encoder)->run(inputs);
    ASSERT_TRUE(frames) << frames.error().text();
    const auto& all = frames->front();
    const auto channels = all.shape[1], length = all.shape[2];
    auto whole = (*decoder)->run(std::span(&all, 1));
    ASSERT_TRUE(whole) << whole.error().text();

    for (const auto& [context, same] : {std::pair{10, true}, std::pair{8, false}}) {
        float difference = 0;
        for (std::int64_t begin = 0; begin < length; begin += 24) {
            const auto end = std::min(length, begin + 24);
            const auto from = std::max<std::int64_t>(0, begin - context), to = std::min(length, end + context);
            std::vector<float> window;
            for (std::int64_t channel = 0; channel < channels; ++channel) {
                const auto row = all.floats().subspan(static_cast<std::size_t>(channel * length + from),
                                                      static_cast<std::size_t>(to - from));
                window.insert(window.end(), row.begin(), row.end());
            }
            const onnx::tensor input{{1, channels, to - from}, std::move(window)};
            auto part = (*decoder)->run(std::span(&input, 1));
            ASSERT_TRUE(part) << part.error().text();
            for (std::int64_t i = begin * 256; i < end * 256; ++i)
                difference =
                    std::max(difference, std::abs(part->front().floats()[static_cast<std::size_t>(i - from * 256)] -
                                                  whole->front().floats()[static_cast<std::size_t>(i)]));
        }
        // A step of a 16-bit sample is 3e-5. With eight frames the difference can be heard: the test can fail.
        EXPECT_EQ(difference < 1e-5F, same) << "context " << context << ", difference " << difference;
    }
}

TEST_F(Piper, ABrokenModelIsAnErrorThatNamesTheFile) {
    const auto folder = fs::temp_directory_path() / ("loqa-piper-" + random_hex(4));
    fs::create_directories(folder);
    for (const auto* file : {"encoder.onnx", "decoder.onnx", "config.json"})
        fs::create_symlink(installed() / file, folder / file);
    const auto expect_fault = [&](std::string_view file, errc code) {
        auto loaded = load_piper({.model = folder.string(), .threads = 1}, *espeak_);
        ASSERT_FALSE(loaded) << file;
        EXPECT_EQ(loaded.error().code, code) << loaded.error().text();
        EXPECT_NE(loaded.error().message.find(file), std::string::npos) << loaded.error().text();
        EXPECT_FALSE(loaded.error().hint.empty());
    };
    for (const auto& [file, content, code] : {std::tuple{"decoder.onnx", "half a mod", errc::model_truncated},
                                              std::tuple{"config.json", R"({"audio": {)", errc::model_truncated},
                                              std::tuple{"encoder.onnx", "", errc::model_truncated}}) {
        fs::remove(folder / file);
        ASSERT_TRUE(write_file_atomically(folder / file, content));
        expect_fault(file, code);
        fs::remove(folder / file);
        expect_fault(file, errc::model_missing);
        fs::create_symlink(installed() / file, folder / file);
    }
    fs::remove_all(folder);
}

TEST(Espeak, KnowsItsVoicesAndSounds) {
    auto loaded = espeak::load();
    ASSERT_TRUE(loaded) << loaded.error().text();
    EXPECT_EQ((*loaded)->set_voice("no-such-voice").error().code, errc::not_found);
    ASSERT_TRUE((*loaded)->set_voice("en-us"));
    EXPECT_EQ((*loaded)->phonemes("hello world"), code_points("həlˈoʊ wˈɜːld"));
    EXPECT_EQ((*loaded)->phonemes("  ...  "), U"");
    EXPECT_FALSE((*loaded)->phonemes("the U.S. Army").starts_with(U' '));
}

TEST(Espeak, SpeaksForAVoiceThatCannot) {
    auto loaded = espeak::load();
    ASSERT_TRUE(loaded) << loaded.error().text();
    ASSERT_TRUE((*loaded)->set_voice("en-us"));
    const auto voice = make_espeak_voice(**loaded);
    for (int again = 0; again < 2; ++again) {
        const auto samples = say_all(*voice, "It is ten past seven.");
        ASSERT_TRUE(samples) << samples.error().text();
        const auto seconds = static_cast<double>(samples->size()) / voice->sample_rate_hz();
        EXPECT_GT(seconds, 0.8);
        EXPECT_LT(seconds, 3);
        EXPECT_GT(std::ranges::max(*samples), 0.1F);
        EXPECT_LE(std::ranges::max(*samples), 1.0F);
    }
    EXPECT_TRUE(say_all(*voice, "").value_or(std::vector<float>{1}).empty());
}

}  // namespace
}  // namespace loqa::tts
