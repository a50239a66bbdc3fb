#include <cstdlib>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include <gtest/gtest.h>

#include "loqa/base/ids.hpp"
#include "loqa/config/config.hpp"

namespace loqa::config {
namespace {

// The page is generated; to write it anew: UPDATE_DOCS=1 build/tests/config_test --gtest_filter='Docs.*'
TEST(Docs, ThePageSaysWhatTheDeclarationsSay) {
    const fs::path page = fs::path(LOQA_SHARE).parent_path() / "docs" / "config.md";
    if (std::getenv("UPDATE_DOCS") != nullptr) {
        ASSERT_TRUE(write_file_atomically(page, markdown()));
    }
    EXPECT_EQ(read_file(page).value_or(""), markdown())
        << "docs/config.md is out of date. Run: UPDATE_DOCS=1 build/tests/config_test --gtest_filter='Docs.*'";
}

TEST(Docs, EveryPropertyIsSaidWhole) {
    std::set<std::string> keys, variables;
    for (const auto& property : properties()) {
        EXPECT_TRUE(keys.insert(property.key).second) << property.key << " is declared twice";
        EXPECT_TRUE(variables.insert(property.environment).second) << property.environment << " is declared twice";
        EXPECT_TRUE(property.doc.ends_with(".")) << property.key;
        EXPECT_TRUE(property.type.find("number") == std::string::npos || !property.range.empty())
            << property.key << " has no range";
        EXPECT_TRUE(property.key.ends_with("_ms") == (property.unit == "ms")) << property.key;
    }
    EXPECT_EQ(variables.count("LOQA_RUNTIME_NAME"), 1u);
    EXPECT_EQ(variables.count("LOQA_RUNTIME_DATA_DIR"), 1u);
    EXPECT_EQ(variables.count("LOQA_EVENT_STORE_RETENTION_MODE"), 1u);
}

// A default that breaks its own rule would be left unset without a word.
TEST(Docs, EveryDefaultKeepsItsOwnRule) {
    for (const auto& property : properties()) {
        if (property.key == "node.capabilities") continue;
        const auto loaded = load({.file = {}, .environment = {{property.environment, property.default_text}}});
        EXPECT_TRUE(loaded) << loaded.error().message;
    }
}

TEST(Docs, TheExampleIsAFileOfDefaults) {
    // As it is printed, and with every key's # taken off.
    const auto printed = example_yaml();
    const auto taken_off = std::regex_replace(printed, std::regex("\n( *)# ([a-z_]+: )"), "\n$1$2");
    for (const auto& property : properties())
        EXPECT_NE(taken_off.find(fmt::format("\n{}: ", property.key.find('.') == std::string::npos
                                                           ? property.key
                                                           : "  " + property.key.substr(property.key.find('.') + 1))),
                  std::string::npos)
            << property.key;
    const auto file = fs::temp_directory_path() / ("loqa-example-" + random_hex(6) + ".yaml");
    for (const auto& text : {printed, taken_off}) {
        ASSERT_TRUE(write_file_atomically(file, text));
        const auto loaded = load({.file = file, .environment = {}});
        ASSERT_TRUE(loaded) << loaded.error().message;
        EXPECT_EQ(loaded->stt.model_path, defaults().stt.model_path);
        EXPECT_EQ(loaded->node.heartbeat_interval, defaults().node.heartbeat_interval);
        EXPECT_EQ(loaded->telemetry.prometheus_bind, defaults().telemetry.prometheus_bind);
    }
    fs::remove(file);
}

TEST(Docs, HelpNamesEveryKeyAndVariable) {
    const auto text = help();
    for (const auto& property : properties()) {
        EXPECT_NE(text.find(property.key), std::string::npos) << property.key;
        EXPECT_NE(text.find(property.environment), std::string::npos) << property.environment;
    }
}

}  // namespace
}  // namespace loqa::config
