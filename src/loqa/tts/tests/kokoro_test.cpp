#include "loqa/tts/kokoro.hpp"

#include <algorithm>
#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loqa/base/files.hpp"
#include "loqa/base/ids.hpp"

namespace loqa::tts {
namespace {

struct spelled {
    std::string_view word;
    std::u32string_view ipa, letters;
    bool british;
};

TEST(KokoroLetters, AreThoseItWasTrainedWith) {
    for (const auto& [word, ipa, letters, british] : {
             spelled{"right away", U"ɹˈaɪt ɐwˈeɪ", U"ɹˈIt əwˈA", false},
             spelled{"choice", U"tʃˈɔɪs", U"ʧˈYs", false},
             spelled{"no", U"nˈoʊ", U"nˈO", false},
             spelled{"no, British", U"nˈəʊ", U"nˈQ", true},
             spelled{"bird", U"bˈɜːd", U"bˈɜɹd", false},
             spelled{"bird, British", U"bˈɜːd", U"bˈɜːd", true},
             spelled{"water", U"wˈɔːɾɚ", U"wˈɔTəɹ", false},
         })
        EXPECT_EQ(kokoro_letters(ipa, british), letters) << word;
}

constexpr std::string_view model = "kokoro-v1.0";

class Kokoro : public ::testing::Test {
protected:
    static fs::path installed() { return fs::path(LOQA_CACHE) / "models" / model; }
    void SetUp() override {
        ::setenv("LOQA_SHARE_DIR", LOQA_SHARE, 1);
        ::setenv("LOQA_CACHE_DIR", LOQA_CACHE, 1);
        if (!fs::exists(installed())) GTEST_SKIP() << "the model is not installed: loqa models pull " << model;
        auto loaded = espeak::load();
        ASSERT_TRUE(loaded) << loaded.error().text();
        espeak_ = std::move(*loaded);
    }
    std::unique_ptr<espeak> espeak_;
};

// Whether what it says can be understood is tested with a recogniser: tests/system/kokoro_test.py.
TEST_F(Kokoro, SaysATextUnitByUnit) {
    auto voice = load_kokoro({.model = std::string(model), .speaker = "af_heart"}, *espeak_);
    ASSERT_TRUE(voice) << voice.error().text();
    EXPECT_EQ((*voice)->sample_rate_hz(), 24'000);
    auto speech = (*voice)->speak("It is noon. The lights are on.");
    ASSERT_TRUE(speech) << speech.error().text();
    for (const bool last : {false, true}) {
        auto piece = (*speech)->next();
        ASSERT_TRUE(piece) << piece.error().text();
        EXPECT_EQ(piece->last, last);
        EXPECT_GT(piece->samples.size(), 24'000U / 3);
        EXPECT_LT(piece->samples.size(), 24'000U * 4);
        EXPECT_GT(*std::ranges::max_element(piece->samples), 0.05F);
    }
    auto nothing = say_all(**voice, "...");
    ASSERT_TRUE(nothing) << nothing.error().text();
    EXPECT_TRUE(nothing->empty());
}

TEST_F(Kokoro, AnUnknownSpeakerIsAnErrorThatNamesTheKnown) {
    for (const auto* name : {"joe", "", "../voices/af_heart"}) {
        auto voice = load_kokoro({.model = std::string(model), .speaker = name}, *espeak_);
        ASSERT_FALSE(voice);
        EXPECT_EQ(voice.error().code, errc::not_found);
        EXPECT_THAT(voice.error().hint, ::testing::HasSubstr("af_heart"));
    }
}

TEST_F(Kokoro, ADamagedFileIsNamed) {
    const auto folder = fs::temp_directory_path() / ("loqa-kokoro-" + random_hex(4));
    fs::create_directories(folder / "voices");
    struct damage {
        std::string file;
        std::string content;
    };
    const auto whole = [&] {
        for (const auto* file : {"model.onnx", "vocabulary.json", "voices/af_heart.bin"}) {
            fs::remove(folder / file);
            fs::create_symlink(installed() / file, folder / file);
        }
    };
    for (const auto& [file, content] :
         {damage{"model.onnx", std::string(100'000, 'U')}, damage{"vocabulary.json", "{\"vocab\": {\"a\""},
          damage{"voices/af_heart.bin", "short"}, damage{"model.onnx", ""}}) {
        whole();
        fs::remove(folder / file);
        ASSERT_TRUE(write_file_atomically(folder / file, content));
        auto voice = load_kokoro({.model = folder.string(), .speaker = "af_heart"}, *espeak_);
        ASSERT_FALSE(voice) << file;
        EXPECT_THAT(voice.error().message, ::testing::HasSubstr((folder / file).string()));
    }
    fs::remove_all(folder);
}

}  // namespace
}  // namespace loqa::tts
