#include "loqa/tts/volumes.hpp"

#include <cmath>
#include <fstream>

#include <gtest/gtest.h>

#include "loqa/base/ids.hpp"

namespace loqa::tts {
namespace {

class Volumes : public testing::Test {
protected:
    ~Volumes() override { fs::remove(file_); }
    const fs::path file_ = fs::temp_directory_path() / ("loqa-volumes-" + random_hex(4) + ".json");
};

TEST_F(Volumes, AreKeptOverARestart) {
    {
        volumes all(file_, telemetry::logger::silent());
        EXPECT_EQ(all.of("kitchen"), 100);
        EXPECT_EQ(all.change("kitchen", {}, -20), 80);
        EXPECT_EQ(all.change("kitchen", {}, -20), 60);
        EXPECT_EQ(all.change("", 150, 0), 150);
    }
    volumes again(file_, telemetry::logger::silent());
    EXPECT_EQ(again.of("kitchen"), 60);
    EXPECT_EQ(again.of(""), 150);
    EXPECT_EQ(again.of("den"), 100);
}

TEST_F(Volumes, StayWhereSomethingIsHeardAndNothingBreaks) {
    volumes all(file_, telemetry::logger::silent());
    EXPECT_EQ(all.change("a", {}, -1000), volumes::least);
    EXPECT_EQ(all.change("a", 1000, 0), volumes::most);
}

TEST_F(Volumes, AFileOfGarbageIsReplaced) {
    for (const auto* content : {"", "{", "[1]", R"({"a": "loud", "b": 1e9, "c": 50})"}) {
        std::ofstream(file_, std::ios::trunc) << content;
        volumes all(file_, telemetry::logger::silent());
        EXPECT_EQ(all.of("a"), 100);
        EXPECT_LE(all.of("b"), volumes::most);
        EXPECT_EQ(all.change("a", 70, 0), 70);
        EXPECT_EQ(volumes(file_, telemetry::logger::silent()).of("a"), 70);
    }
}

TEST_F(Volumes, ChangeSamplesWithoutClipping) {
    volumes all({}, telemetry::logger::silent());
    std::vector<float> samples{0.0F, 0.1F, -0.5F, 0.9F, -1.0F};
    const auto before = samples;
    all.apply("a", samples);
    EXPECT_EQ(samples, before) << "at its usual volume nothing is touched";
    all.change("a", 50, 0);
    all.apply("a", samples);
    for (std::size_t i = 0; i < samples.size(); ++i) EXPECT_FLOAT_EQ(samples[i], before[i] / 2);
    all.change("a", 200, 0);
    samples = before;
    all.apply("a", samples);
    EXPECT_FLOAT_EQ(samples[1], 0.2F);
    for (std::size_t i = 1; i < samples.size(); ++i) {
        EXPECT_GT(std::abs(samples[i]), std::abs(before[i]) - 0.02F);
        EXPECT_LE(std::abs(samples[i]), 1.0F);
    }
}

}  // namespace
}  // namespace loqa::tts
