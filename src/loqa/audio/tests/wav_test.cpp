#include "loqa/audio/wav.hpp"

#include <algorithm>
#include <bit>
#include <cctype>
#include <cmath>
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace loqa::audio {
namespace {

using testing::HasSubstr;

std::string number(std::uint32_t value, int width) {
    std::string bytes;
    for (int i = 0; i < width; ++i) bytes.push_back(static_cast<char>(value >> 8 * i & 0xff));
    return bytes;
}

std::string chunk(std::string_view name, std::string_view content) {
    std::string bytes =
        std::string(name) + number(static_cast<std::uint32_t>(content.size()), 4) + std::string(content);
    if (content.size() % 2 == 1) bytes.push_back('\0');
    return bytes;
}

std::string format_chunk(std::uint32_t tag, std::uint32_t channels, std::uint32_t rate, std::uint32_t bits) {
    return chunk("fmt ", number(tag, 2) + number(channels, 2) + number(rate, 4) +
                             number(rate * channels * bits / 8, 4) + number(channels * bits / 8, 2) + number(bits, 2));
}

std::string file(std::string_view chunks) {
    return "RIFF" + number(static_cast<std::uint32_t>(4 + chunks.size()), 4) + "WAVE" + std::string(chunks);
}

std::string of_float(float value) { return number(std::bit_cast<std::uint32_t>(value), 4); }

struct readable {
    std::string name;
    std::string bytes;
    std::vector<std::int16_t> samples;
};

// "a name" as gtest wants it: a_name.
const auto test_name = [](const auto& test) {
    std::string name = test.param.name;
    std::ranges::replace_if(name, [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
    return name;
};

class WavRead : public testing::TestWithParam<readable> {};

TEST_P(WavRead, GivesTheSamplesAsSixteenBits) {
    const auto read = parse_wav(GetParam().bytes);
    ASSERT_TRUE(read) << read.error().text();
    EXPECT_EQ(read->samples, GetParam().samples);
    EXPECT_EQ(read->sample_rate_hz, 8000);
}

const std::string two_samples = number(0x0100, 2) + number(0xff00, 2);

INSTANTIATE_TEST_SUITE_P(
    Forms, WavRead,
    testing::Values(
        readable{"16 bits", file(format_chunk(1, 1, 8000, 16) + chunk("data", two_samples)), {256, -256}},
        readable{"8 bits are unsigned", file(format_chunk(1, 1, 8000, 8) + chunk("data", "\x80\xff")), {0, 32512}},
        readable{"24 bits",
                 file(format_chunk(1, 1, 8000, 24) + chunk("data", std::string("\x11\x34\x12\x00\xfe\xff", 6))),
                 {0x1234, -2}},
        readable{"32 bits", file(format_chunk(1, 1, 8000, 32) + chunk("data", number(0x12345678, 4))), {0x1234}},
        readable{"floats, clipped, and what is no number",
                 file(format_chunk(3, 1, 8000, 32) +
                      chunk("data", of_float(0.5F) + of_float(-7.0F) + of_float(std::nanf("")))),
                 {16384, -32767, 0}},
        readable{"extensible",
                 file(chunk("fmt ", number(0xfffe, 2) + number(1, 2) + number(8000, 4) + number(16000, 4) +
                                        number(2, 2) + number(16, 2) + number(22, 2) + number(16, 2) + number(4, 4) +
                                        number(1, 2) + std::string(14, 'g')) +
                      chunk("data", two_samples)),
                 {256, -256}},
        readable{"other chunks, of odd length too",
                 file(chunk("LIST", "odd") + format_chunk(1, 1, 8000, 16) + chunk("note", "") +
                      chunk("data", two_samples) + chunk("LIST", "after")),
                 {256, -256}},
        readable{"a stream of unknown length",
                 file(format_chunk(1, 1, 8000, 16) + "data" + number(0x7ffff000, 4) + two_samples),
                 {256, -256}},
        readable{"half a sample at the end",
                 file(format_chunk(1, 1, 8000, 16) + chunk("data", two_samples + "x")),
                 {256, -256}},
        readable{"no samples", file(format_chunk(1, 1, 8000, 16) + chunk("data", "")), {}}),
    test_name);

struct unreadable {
    std::string name;
    std::string bytes;
    std::string complaint;
};

class WavRefuse : public testing::TestWithParam<unreadable> {};

TEST_P(WavRefuse, SaysWhatIsWrong) {
    const auto read = parse_wav(GetParam().bytes);
    ASSERT_FALSE(read);
    EXPECT_THAT(read.error().message, HasSubstr(GetParam().complaint));
}

INSTANTIATE_TEST_SUITE_P(
    Faults, WavRefuse,
    testing::Values(
        unreadable{"nothing", "", "no WAV file"}, unreadable{"an mp3", "ID3\x04 and some more bytes", "no WAV file"},
        unreadable{"cut off in the data", file(format_chunk(1, 1, 8000, 16) + "data" + number(100, 4) + two_samples),
                   "100 bytes of sound announced, 4 are there"},
        unreadable{"cut off in the header", file("fmt " + number(16, 4) + "abc"), "cut off inside its header"},
        unreadable{"short format", file(chunk("fmt ", "abcd")), "format chunk has 4 bytes"},
        unreadable{"no data", file(format_chunk(1, 1, 8000, 16)), "no data chunk"},
        unreadable{"data first", file(chunk("data", two_samples)), "data before its format"},
        unreadable{"compressed", file(format_chunk(85, 1, 8000, 16) + chunk("data", "")), "format 85"},
        unreadable{"no channels", file(format_chunk(1, 0, 8000, 16) + chunk("data", "")), "0 channels"},
        unreadable{"absurd rate", file(format_chunk(1, 1, 4'000'000, 16) + chunk("data", "")),
                   "4000000 samples a second"},
        unreadable{"huge", std::string(max_wav_bytes + 1, '\0'), "more than"}),
    test_name);

TEST(Wav, EveryPrefixOfAFileIsReadOrRefused) {
    const auto whole = file(chunk("LIST", "odd") + format_chunk(1, 2, 8000, 16) + chunk("data", two_samples));
    for (std::size_t length = 0; length < whole.size(); ++length) {
        EXPECT_FALSE(parse_wav(std::string_view(whole).substr(0, length))) << length;
    }
    EXPECT_TRUE(parse_wav(whole));
}

TEST(Wav, WhatIsWrittenIsReadBack) {
    const auto path = fs::temp_directory_path() / ("loqa_wav_test_" + std::to_string(::getpid()) + ".wav");
    const clip stereo{44'100, 2, {1, -1, 32'767, -32'768}};
    ASSERT_TRUE(write_wav(path, stereo));
    const auto back = read_wav(path);
    fs::remove(path);
    ASSERT_TRUE(back) << back.error().text();
    EXPECT_EQ(back->sample_rate_hz, 44'100);
    EXPECT_EQ(back->channels, 2);
    EXPECT_EQ(back->samples, stereo.samples);
    EXPECT_EQ((clip{1000, 2, std::vector<std::int16_t>(3000)}.duration()), milliseconds{1500});
}

TEST(Wav, AFaultNamesTheFile) {
    const auto read = read_wav("/nonexistent/hello.wav");
    ASSERT_FALSE(read);
    EXPECT_THAT(read.error().message, HasSubstr("/nonexistent/hello.wav"));
}

}  // namespace
}  // namespace loqa::audio
