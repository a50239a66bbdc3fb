// The whole path with the real models: sound on the bus, text on the bus. Voices are synthesised by flite or come from
// the recordings of Debian's pocketsphinx-testdata.
#include <algorithm>
#include <cctype>
#include <random>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loqa/audio/wav.hpp"
#include "loqa/base/ids.hpp"
#include "loqa/base/process.hpp"
#include "loqa/base/text.hpp"
#include "loqa/bus/testing/fake_connection.hpp"
#include "loqa/protocol/messages.hpp"
#include "loqa/stt/service.hpp"

namespace loqa::stt {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;

const fs::path recordings = "/usr/share/pocketsphinx/test/data/cards";

// Lower case, letters, digits and single spaces only.
std::string plain(std::string_view text) {
    std::string words;
    for (const char c : to_lower(text)) {
        if (std::isalnum(static_cast<unsigned char>(c)) != 0) {
            words.push_back(c);
        } else if (c != '\'' && !words.empty() && words.back() != ' ') {
            words.push_back(' ');
        }
    }
    return std::string(trim(words));
}

// "" when flite is not installed.
std::string synthesise(const std::string& voice, const std::string& text) {
    const auto file = fs::temp_directory_path() / ("loqa_stt_test_" + random_hex(8) + ".wav");
    auto child = child_process::start({.command = {"flite", "-voice", voice, "-t", text, "-o", file.string()},
                                       .environment = {},
                                       .folder = {},
                                       .on_line = [](std::string_view, bool) {}});
    if (!child) return "";
    const auto ended = child->wait_until(std::chrono::steady_clock::now() + seconds{20});
    const auto bytes = read_file(file);
    fs::remove(file);
    return ended && ended->clean() && bytes ? *bytes : "";
}

class RealSpeech : public ::testing::Test {
protected:
    // Models are loaded once for all tests of this file.
    static void SetUpTestSuite() {
        ::setenv("LOQA_SHARE_DIR", LOQA_SHARE, 1);
        ::setenv("LOQA_CACHE_DIR", LOQA_CACHE, 1);
        auto engine = load_moonshine({.model = "moonshine-tiny-en"});
        ASSERT_TRUE(engine) << engine.error().text();
        engine_ = std::move(*engine);
        auto voices = audio::load_silero("silero-vad");
        ASSERT_TRUE(voices) << voices.error().text();
        voices_ = std::move(*voices);
    }
    static void TearDownTestSuite() {
        voices_.reset();
        engine_.reset();
    }

    void SetUp() override {
        options_.session.interim = false;
        auto made = service::start(*engine_, *voices_, options_,
                                   {bus_, clock_, metrics_, tracer_, telemetry::logger::silent()});
        ASSERT_TRUE(made) << made.error().text();
        service_ = std::move(*made);
    }

    // What comes of it, one entry a final. Silence after the speech unless the client ends it there.
    std::vector<std::string> hear(const audio::clip& what, milliseconds silence_after = seconds{1}) {
        audio::clip padded = what;
        const auto width = static_cast<std::size_t>(what.sample_rate_hz) * static_cast<std::size_t>(what.channels);
        padded.samples.resize(what.samples.size() + width * static_cast<std::size_t>(silence_after.count()) / 1000);
        const auto frame = width / 50;
        for (std::size_t at = 0; at < padded.samples.size(); at += frame) {
            const auto count = std::min(frame, padded.samples.size() - at);
            send(audio::to_s16le(std::span(padded.samples).subspan(at, count)), what,
                 at + count == padded.samples.size());
        }
        bus_.wait_for("stt.text.final");
        service_.reset();  // and whatever else comes
        std::vector<std::string> finals;
        for (const auto& each : bus_.published("stt.text.final")) {
            const auto said = protocol::decode<protocol::transcript>(each.payload);
            finals.push_back(plain(said->text) + " / " + said->reason);
        }
        return finals;
    }

    void send(std::string pcm, const audio::clip& form, bool last) {
        protocol::headers all = {{"Loqa-Session", "test"},
                                 {"Loqa-Rate", std::to_string(form.sample_rate_hz)},
                                 {"Loqa-Channels", std::to_string(form.channels)}};
        if (last) all.emplace_back("Loqa-Final", "1");
        ASSERT_TRUE(bus_.publish("audio.pcm.test", pcm, all));
    }

    // What the engine makes of all of it, with some silence around it, read once.
    static std::string read_alone(const audio::clip& what) {
        auto samples = audio::mono_from_s16le(audio::to_s16le(what.samples), what.channels);
        samples.insert(samples.begin(), audio::speech_rate_hz / 4, 0.0F);
        samples.resize(samples.size() + audio::speech_rate_hz / 4);
        const auto input = engine_->start();
        if (auto taken = input->accept(samples); !taken) return taken.error().text();
        const auto heard = input->finish();
        return heard ? plain(heard->text) : heard.error().text();
    }

    static inline std::unique_ptr<recognizer> engine_;
    static inline std::unique_ptr<audio::voice_model> voices_;

    bus::testing::fake_connection bus_;
    real_clock clock_;
    telemetry::metrics metrics_;
    telemetry::tracer tracer_{"stt", {}, metrics_, telemetry::logger::silent()};
    service_options options_;
    std::unique_ptr<service> service_;
};

struct spoken {
    std::string voice;
    std::string text;
};
void PrintTo(const spoken& what, std::ostream* out) { *out << what.voice << ": " << what.text; }

class RealVoices : public RealSpeech, public ::testing::WithParamInterface<spoken> {};

TEST_P(RealVoices, AreUnderstoodWordForWord) {
    const auto& [voice, text] = GetParam();
    const auto bytes = synthesise(voice, text);
    if (bytes.empty()) GTEST_SKIP() << "flite is not installed";
    const auto clip = audio::parse_wav(bytes);
    ASSERT_TRUE(clip) << clip.error().text();
    EXPECT_THAT(hear(*clip), ElementsAre(text + " / speech_end"));
}

// As above, but the stream ends with the last word: it must not be lost.
TEST_P(RealVoices, AreUnderstoodToTheLastWordWithoutSilenceAfterIt) {
    const auto& [voice, text] = GetParam();
    const auto bytes = synthesise(voice, text);
    if (bytes.empty()) GTEST_SKIP() << "flite is not installed";
    auto clip = audio::parse_wav(bytes);
    ASSERT_TRUE(clip) << clip.error().text();
    while (!clip->samples.empty() && std::abs(clip->samples.back()) < 300) clip->samples.pop_back();
    EXPECT_THAT(hear(*clip, milliseconds{0}), ElementsAre(text + " / client_final"));
}

INSTANTIATE_TEST_SUITE_P(Flite, RealVoices,
                         ::testing::Values(spoken{"slt", "turn on the kitchen lights"},
                                           spoken{"rms", "turn on the kitchen lights"},
                                           spoken{"slt", "what time is it"}, spoken{"rms", "what time is it"},
                                           spoken{"slt", "never mind"}, spoken{"rms", "never mind"},
                                           spoken{"rms", "stop"}, spoken{"slt", "good morning"}));

struct recorded {
    std::string file;
    std::string text;
};
class RealPeople : public RealSpeech, public ::testing::WithParamInterface<recorded> {};

TEST_P(RealPeople, AreUnderstoodWordForWord) {
    const auto& [file, text] = GetParam();
    if (!fs::exists(recordings / file)) GTEST_SKIP() << "pocketsphinx-testdata is not installed";
    const auto clip = audio::read_wav(recordings / file);
    ASSERT_TRUE(clip) << clip.error().text();
    ASSERT_EQ(clip->sample_rate_hz, audio::speech_rate_hz);
    EXPECT_EQ(read_alone(*clip), text);
}

// In a stream a word may be another: how much silence the last reading has, and what it is tried from, depends on how
// fast this machine reads. "Clubs" is near to "gloves".
TEST_P(RealPeople, AreUnderstoodInAStreamButForAWord) {
    const auto& [file, text] = GetParam();
    if (!fs::exists(recordings / file)) GTEST_SKIP() << "pocketsphinx-testdata is not installed";
    const auto clip = audio::read_wav(recordings / file);
    ASSERT_TRUE(clip) << clip.error().text();
    const auto heard = hear(*clip);
    ASSERT_THAT(heard, ElementsAre(EndsWith(" / speech_end")));
    const auto said = split(text + " / speech_end", ' '), got = split(heard[0], ' ');
    ASSERT_EQ(got.size(), said.size()) << heard[0];
    std::size_t others = 0;
    for (std::size_t i = 0; i < said.size(); ++i) others += got[i] == said[i] ? 0 : 1;
    EXPECT_LE(others, 1u) << heard[0];
}

INSTANTIATE_TEST_SUITE_P(Recordings, RealPeople,
                         ::testing::Values(recorded{"001.wav", "ten of clubs"},
                                           recorded{"002.wav", "four queen of clubs"},
                                           recorded{"003.wav", "seven of clubs"}, recorded{"004.wav", "five five"}));

struct noise {
    std::string name;
    float smooth;  // 0: white; nearer to 1: a fan
    float level;
    float hum;
};
class NoSpeech : public RealSpeech, public ::testing::WithParamInterface<noise> {};

TEST_P(NoSpeech, YieldsNoWords) {
    const auto& [name, smooth, level, hum] = GetParam();
    std::mt19937 random(7);
    std::normal_distribution<float> normal;
    audio::clip clip{16'000, 1, {}};
    float value = 0;
    for (int i = 0; i < 8 * 16'000; ++i) {
        value = smooth * value + std::sqrt(1 - smooth * smooth) * normal(random);
        const float tone = hum * std::sin(static_cast<float>(i) * 2 * 3.14159F * 100 / 16'000);
        clip.samples.push_back(static_cast<std::int16_t>(std::clamp(level * value + tone, -1.0F, 1.0F) * 32'000));
    }
    EXPECT_THAT(hear(clip), ElementsAre(" / no_speech"));
}

INSTANTIATE_TEST_SUITE_P(Noises, NoSpeech,
                         ::testing::Values(noise{"silence", 0, 0, 0}, noise{"hiss", 0, 0.001F, 0},
                                           noise{"loud_hiss", 0, 0.1F, 0}, noise{"fan", 0.98F, 0.1F, 0},
                                           noise{"mains_hum", 0, 0.001F, 0.2F}),
                         [](const auto& test) { return test.param.name; });

TEST_F(RealSpeech, StreamsThatAreReadAtOnceSayWhatTheySayAlone) {
    ASSERT_EQ(engine_->at_once(), 2u);
    std::vector<audio::clip> said;
    std::vector<std::string> alone;
    for (const char* text : {"turn on the kitchen lights", "what time is it"}) {
        const auto bytes = synthesise("slt", text);
        if (bytes.empty()) GTEST_SKIP() << "flite is not installed";
        const auto clip = audio::parse_wav(bytes);
        ASSERT_TRUE(clip) << clip.error().text();
        ASSERT_EQ(clip->sample_rate_hz, audio::speech_rate_hz);
        said.push_back(*clip);
        alone.push_back(read_alone(said.back()));
    }
    std::vector<std::vector<std::string>> heard(said.size());
    {
        std::vector<std::jthread> threads;
        for (std::size_t i = 0; i < said.size(); ++i)
            threads.emplace_back([&, i] {
                for (int k = 0; k < 4; ++k) heard[i].push_back(read_alone(said[i]));
            });
    }
    for (std::size_t i = 0; i < said.size(); ++i) EXPECT_THAT(heard[i], ::testing::Each(alone[i]));
}

TEST_F(RealSpeech, AModelThatIsCutOffIsNamedAndDoesNotEndTheProcess) {
    const auto folder = fs::temp_directory_path() / ("loqa_stt_test_" + random_hex(8));
    fs::create_directories(folder);
    const auto whole = fs::path(LOQA_CACHE) / "models" / "moonshine-tiny-en";
    for (const char* file : {"encoder_model.ort", "decoder_model_merged.ort", "tokens.txt"}) {
        fs::create_symlink(whole / file, folder / file);
    }
    struct damage {
        std::string file;
        std::uintmax_t bytes;
    };
    for (const auto& [file, bytes] : {damage{"encoder_model.ort", 0}, damage{"encoder_model.ort", 100'000},
                                      damage{"decoder_model_merged.ort", 1'000'000}, damage{"tokens.txt", 100'000}}) {
        fs::remove(folder / file);
        fs::copy_file(whole / file, folder / file);
        fs::resize_file(folder / file, bytes);
        const auto loaded = load_moonshine({.model = folder.string()});
        ASSERT_FALSE(loaded) << file << " of " << bytes << " bytes";
        EXPECT_THAT(loaded.error().message, ::testing::HasSubstr(folder.string()));
        EXPECT_FALSE(loaded.error().hint.empty());
        fs::remove(folder / file);
        fs::create_symlink(whole / file, folder / file);
    }
    // Each whole in itself, but in the other's place; and one whose middle is not what it was.
    for (const char* file : {"encoder_model.ort", "decoder_model_merged.ort"}) fs::remove(folder / file);
    fs::create_symlink(whole / "encoder_model.ort", folder / "decoder_model_merged.ort");
    fs::create_symlink(whole / "decoder_model_merged.ort", folder / "encoder_model.ort");
    const auto swapped = load_moonshine({.model = folder.string()});
    ASSERT_FALSE(swapped);
    EXPECT_THAT(swapped.error().message, ::testing::HasSubstr("encoder_model.ort"));

    for (const char* file : {"encoder_model.ort", "decoder_model_merged.ort"}) fs::remove(folder / file);
    fs::create_symlink(whole / "decoder_model_merged.ort", folder / "decoder_model_merged.ort");
    auto content = read_file(whole / "encoder_model.ort").value();
    std::fill(content.begin() + 100, content.begin() + 200'000, 'U');
    ASSERT_TRUE(write_file_atomically(folder / "encoder_model.ort", content));
    const auto garbled = load_moonshine({.model = folder.string()});
    ASSERT_FALSE(garbled);
    EXPECT_THAT(garbled.error().message, ::testing::HasSubstr("encoder_model.ort"));
    fs::remove_all(folder);
}

}  // namespace
}  // namespace loqa::stt
