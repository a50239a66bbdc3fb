// What no person writes: load() has to answer all the same, with settings or with an error that can be shown.
#include <fstream>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loqa/base/ids.hpp"
#include "loqa/base/text.hpp"
#include "loqa/config/config.hpp"

namespace loqa::config {
namespace {

class Hostile : public testing::Test {
protected:
    void TearDown() override { fs::remove(file_); }

    // Loads the text and holds what comes of it against the promises.
    bool load_text(std::string_view yaml) {
        std::ofstream(file_, std::ios::binary) << yaml;
        const auto loaded = load({.file = file_, .environment = {}});
        if (loaded) {
            EXPECT_TRUE(loaded->http.port >= 0 && loaded->http.port <= 65535);
            EXPECT_TRUE(loaded->stt.threads >= 1 && loaded->stt.threads <= 64);
            EXPECT_FALSE(loaded->data_dir.empty());
            return true;
        }
        EXPECT_EQ(loaded.error().code, errc::invalid_config);
        EXPECT_LT(loaded.error().message.size(), 64u << 10);
        for (const auto& line : split(loaded.error().message, '\n'))
            EXPECT_TRUE(line.starts_with(file_.string()) || line.starts_with("and ") || line.starts_with("default: "))
                << line;
        for (const unsigned char c : loaded.error().message) EXPECT_TRUE(c >= ' ' || c == '\n') << static_cast<int>(c);
        return false;
    }

    const fs::path file_ = fs::temp_directory_path() / ("loqa-hostile-" + random_hex(6) + ".yaml");
};

struct hostile_case {
    std::string name;
    std::string yaml;
    bool fine = false;
};

std::string repeated(std::string_view what, std::size_t times) {
    std::string out;
    for (std::size_t i = 0; i < times; ++i) out += what;
    return out;
}

// Each level names the one before nine times: 9^12 nodes if anybody walked them all.
std::string alias_bomb() {
    std::string out = "a0: &a0 [x]\n";
    for (int i = 1; i <= 12; ++i)
        out += fmt::format("a{}: &a{} [{}]\n", i, i, repeated(fmt::format("*a{}, ", i - 1), 9));
    return out + "bus: {servers: *a12}\n";
}

TEST_F(Hostile, TextsAreAnswered) {
    const hostile_case cases[] = {
        {"deep lists", "bus: {servers: " + repeated("[", 100'000)},
        {"deep lists, closed", "bus: {servers: " + repeated("[", 5'000) + repeated("]", 5'000) + "}"},
        {"deep maps", repeated("{a: ", 50'000)},
        {"deep by indentation",
         [] {
             std::string out;
             for (std::size_t i = 0; i < 700; ++i) out += std::string(i, ' ') + "a:\n";
             return out;
         }()},
        {"deep by dashes", repeated("- ", 100'000)},
        {"an alias bomb", alias_bomb()},
        {"an alias of itself", "bus: {servers: &a [*a]}\n"},
        {"a map in itself", "node: &a {capabilities: [*a]}\n"},
        {"an alias of nothing", "http: *nowhere\n"},
        {"an alias that is fine", "http: {bind: &h 127.0.0.1}\ntelemetry: {otlp_endpoint: \"\"}\n", true},
        {"merge keys", "x: &x {port: 1}\nhttp: {<<: *x}\n"},
        {"a text of a megabyte", "runtime_name: " + std::string(1'000'000, 'x') + "\n", true},
        {"a key of a megabyte", std::string(1'000'000, 'k') + ": 1\n"},
        {"a quote without an end", "runtime_name: \"" + std::string(10'000, 'x')},
        {"zeros", std::string(4096, '\0')},
        {"zeros inside", std::string("http:\n  port: 8\0\0\n", 18)},
        {"no UTF-8", "runtime_name: \xff\xfe\xc3\x28\n"},
        {"UTF-16", std::string("\xff\xfeh\0t\0t\0p\0:\0 \0{\0}\0", 18), true},
        {"a mark of byte order", "\xef\xbb\xbfhttp: {port: 1}\n", true},
        {"line ends of another system", "http:\r\n  port: 1\r\n", true},
        {"tabs", "http:\n\tport: 1\n"},
        {"tags", "http: {port: !!python/object/apply:os.system [\"true\"]}\n"},
        {"a binary tag", "runtime_name: !!binary aGVsbG8=\n", true},
        {"a directive", "%YAML 1.2\n---\nhttp: {}\n...\n# the end\n", true},
        {"a directive of another time", "%YAML 9.9\n---\nhttp: {}\n"},
        {"a key that is a list", "? [a, b]\n: c\n"},
        {"a key that is nothing", "~: 1\n"},
        {"an empty key", "\"\": 1\n"},
        {"an empty key in a section", "http: {\"\": 1}\n"},
        {"control characters", "http: {port: \"\\e[31m\\x07\"}\n"},
        {"a key of control characters", "\"\\e[31m\\n\": 1\n"},
        {"many anchors", repeated("&a ", 10'000) + "1\n"},
        {"a document that ends inside a list", "[\n...\n"},
        {"a document after the end", "http: {}\n...\nstt: {}\n"},
        {"many documents", repeated("---\n", 10'000)},
    };
    for (const auto& one : cases) {
        SCOPED_TRACE(one.name);
        EXPECT_EQ(load_text(one.yaml), one.fine);
    }
}

// Not a fuzzer that looks for new paths, but the same thousand broken files each time, made of what YAML is made
// of.
TEST_F(Hostile, BrokenFilesAreAnswered) {
    const auto example = example_yaml();
    const std::string_view pieces[] = {
        "[",    "]",   "{",     "}",       ": ",  ", ",   "- ",  "\n",    "  ",    "\"",   "'",  "|\n",
        ">\n",  "&a ", "*a",    "!!x ",    "#",   "?",    "%",   "---\n", "...\n", "~",    "\t", "\0",
        "\xff", "\\x", "http:", "port: 1", "stt", "0x10", "1e9", "-1",    "true",  "null", "@",  "`"};
    std::mt19937 random(20'240'601);  // NOLINT: the same files each time
    const auto below = [&](std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random); };
    for (int round = 0; round < 1000; ++round) {
        std::string text = example;
        if (round % 3 == 0) {
            text.clear();
            for (std::size_t i = below(40); i > 0; --i) text += pieces[below(std::size(pieces))];
        } else {
            // Some keys get live, then the text loses, repeats and gains a few pieces.
            for (std::size_t at = text.find("# "); at != std::string::npos; at = text.find("# ", at + 1))
                if (below(4) == 0) text.erase(at, 2);
            for (std::size_t i = below(6); i > 0; --i) {
                const auto at = below(text.size());
                const auto length = below(20);
                if (below(2) == 0)
                    text.erase(at, length);
                else
                    text.insert(at, pieces[below(std::size(pieces))]);
            }
        }
        load_text(text);
        if (HasFailure()) {
            ADD_FAILURE() << "round " << round << ":\n" << text;
            return;
        }
    }
}

TEST_F(Hostile, VariablesAreAnswered) {
    const std::string_view values[] = {
        "",     " ",  "\n",       "\x1b[31m", "\xff\xff", "-1",  "1e999", "999999999999999999999",
        "[[[[", "{",  "&a *a",    ",,,,",     "nan",      "inf", "0x7f",  "TRUE",
        "~",    "\"", "../../..", "http://"};
    for (const auto& property : properties()) {
        for (const auto value : values) {
            SCOPED_TRACE(fmt::format("{}={}", property.environment, value));
            const auto loaded = load({.file = {}, .environment = {{property.environment, std::string(value)}}});
            if (loaded) continue;
            EXPECT_THAT(loaded.error().message, testing::HasSubstr(property.key));
        }
    }
}

}  // namespace
}  // namespace loqa::config
