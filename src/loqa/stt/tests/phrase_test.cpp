#include "loqa/stt/phrase.hpp"

#include <cstdlib>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "loqa/intent/collection.hpp"

namespace loqa::stt {
namespace {

constexpr std::string_view a_home = R"({
  "floors": [], "areas": [{"id": "kitchen", "name": "Kitchen"}, {"id": "living_room", "name": "Living Room"}],
  "entities": [{"id": "light.porch", "name": "Porch Light", "area": "kitchen", "state": "off"},
               {"id": "lock.front", "name": "Front Door", "area": "kitchen", "state": "locked"}]})";

// All that is shipped, about a small home.
const intent::interpreter& shipped() {
    static const auto made = [] {
        ::setenv("LOQA_SHARE_DIR", LOQA_SHARE, 1);
        ::setenv("LOQA_CACHE_DIR", LOQA_CACHE, 1);
        auto sentences = intent::load_shipped_collection("en");
        EXPECT_TRUE(sentences) << sentences.error().text();
        auto house = intent::parse_home(a_home, "a home");
        EXPECT_TRUE(house) << house.error().text();
        const auto home = std::make_shared<const intent::home>(std::move(*house));
        auto compiled = intent::matcher::compile(*sentences, *home);
        EXPECT_TRUE(compiled) << compiled.error().text();
        return std::make_unique<intent::interpreter>(std::move(*compiled), home);
    }();
    return *made;
}

struct judged {
    std::string text;
    phrase form;
};
void PrintTo(const judged& of, std::ostream* out) { *out << of.text; }

class Phrase : public ::testing::TestWithParam<judged> {};

TEST_P(Phrase, TellsWhetherMoreWillCome) {
    EXPECT_EQ(to_string(judge(shipped(), GetParam().text)), to_string(GetParam().form));
}

INSTANTIATE_TEST_SUITE_P(
    Sentences, Phrase,
    ::testing::Values(judged{"", phrase::unknown}, judged{"Set", phrase::open}, judged{"Set a timer", phrase::open},
                      judged{"Set a timer for", phrase::open}, judged{"Set a timer for ten", phrase::open},
                      judged{"Set a timer for ten minutes.", phrase::growable},
                      judged{"set a timer for ten minutes and", phrase::open},
                      judged{"Set a timer for ten minutes and thirty", phrase::open},
                      judged{"Set a timer for one hour and thirty minutes", phrase::growable},
                      judged{"Turn on", phrase::open}, judged{"Turn on me.", phrase::open},
                      judged{"Turn on the", phrase::open}, judged{"turn on the porch light", phrase::growable},
                      judged{"Turn on the porch light and lock the", phrase::open},
                      judged{"Turn on the porch light and lock", phrase::open},
                      judged{"Turn on the porch light and lock the front door.", phrase::growable},
                      judged{"Turn on the lights", phrase::growable},  // of this room
                      judged{"What time is it?", phrase::growable}, judged{"Stop.", phrase::growable},
                      judged{"Cancel.", phrase::unknown}, judged{"Block.", phrase::open},
                      judged{"Never mind.", phrase::growable}, judged{"What time", phrase::open},
                      judged{"Turn on the portch light.", phrase::unknown},  // to be mended
                      judged{"Set a time or four ten minutes.", phrase::unknown},
                      judged{"Set a timer called", phrase::open}, judged{"Set a time or four", phrase::open},
                      judged{"Set a time or four ten", phrase::open},
                      judged{"The quick brown fox jumps over", phrase::unknown},
                      judged{"The quick brown fox jumps over the", phrase::open}));

TEST(Phrases, WithoutMeaningAreUnknownAndLong) {
    std::string text = "a";
    for (int i = 0; i < 60; ++i) text += " four tent in it's";
    EXPECT_NE(judge(shipped(), text), phrase::complete);
}

}  // namespace
}  // namespace loqa::stt
