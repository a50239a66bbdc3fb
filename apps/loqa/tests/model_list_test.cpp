#include "../model_list.hpp"

#include <gtest/gtest.h>

#include "loqa/base/ids.hpp"

namespace loqa::cli {
namespace {

constexpr std::string_view list = R"({"assets": [
  {"name": "tiny-ear", "folder": "models", "kind": "stt", "default": true, "license": "MIT", "about": "an ear",
   "files": [{"path": "a.bin", "size": 5, "sha256": "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"}]},
  {"name": "big-mouth", "folder": "models", "kind": "tts", "default": false, "license": "MIT", "about": "a mouth", "files": []}
]})";

class ModelList : public testing::Test {
protected:
    ModelList() {
        fs::create_directories(folder_ / "models" / "tiny-ear");
        write("models.json", list);
    }
    ~ModelList() override { fs::remove_all(folder_); }

    void write(const fs::path& path, std::string_view content) const {
        ASSERT_TRUE(write_file_atomically(folder_ / path, content));
    }
    result<model> ear() const {
        const auto known = known_models(folder_, folder_);
        return known ? find_model(*known, "tiny-ear") : fail(known);
    }

    const fs::path folder_ = fs::temp_directory_path() / ("loqa-models-" + random_hex(4));
};

struct content_case {
    std::string_view name;
    std::optional<std::string_view> content;
    std::optional<errc> by_size, by_content;
};

TEST_F(ModelList, FilesAreCheckedBySizeOrByContent) {
    constexpr content_case cases[] = {
        {"whole", "hello", std::nullopt, std::nullopt},
        {"cut off", "hell", errc::model_truncated, errc::model_truncated},
        {"changed", "hallo", std::nullopt, errc::model_truncated},
        {"missing", std::nullopt, errc::model_missing, errc::model_missing},
    };
    const auto model = ear();
    ASSERT_TRUE(model) << model.error().text();
    for (const auto& c : cases) {
        const auto file = model->folder / "a.bin";
        fs::remove(file);
        if (c.content) write("models/tiny-ear/a.bin", *c.content);
        for (const auto& [how, expected] :
             {std::pair(thoroughness::sizes, c.by_size), std::pair(thoroughness::contents, c.by_content)}) {
            const auto checked = check_model(*model, how);
            ASSERT_EQ(checked.has_value(), !expected.has_value()) << c.name;
            if (!expected) continue;
            EXPECT_EQ(checked.error().code, *expected) << c.name;
            EXPECT_NE(checked.error().message.find(file.string()), std::string::npos) << c.name;
            EXPECT_EQ(checked.error().hint, "run: loqa models pull tiny-ear") << c.name;
        }
    }
}

TEST_F(ModelList, ReadingIsReportedByTheByte) {
    write("models/tiny-ear/a.bin", "hello");
    std::uintmax_t read = 0;
    ASSERT_TRUE(check_model(*ear(), thoroughness::contents, [&](std::uintmax_t bytes) { read += bytes; }));
    EXPECT_EQ(read, ear()->size_bytes());
}

TEST_F(ModelList, AMisspeltNameFindsTheNearest) {
    const auto found = find_model(*known_models(folder_, folder_), "tiny-eer");
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().code, errc::not_found);
    EXPECT_EQ(found.error().hint, "did you mean tiny-ear?");
}

TEST_F(ModelList, WhatIsNoListIsAnError) {
    for (const auto* broken :
         {"", "[]", "{", R"({"assets": 3})", R"({"assets": [3]})", R"({"assets": [{"name": "x"}]})"}) {
        write("models.json", broken);
        const auto known = known_models(folder_, folder_);
        ASSERT_FALSE(known) << broken;
        EXPECT_NE(known.error().message.find("models.json"), std::string::npos) << broken;
    }
}

TEST(ShippedModelList, CanBeRead) {
    const auto known = known_models(LOQA_SHARE, "/nowhere");
    ASSERT_TRUE(known) << known.error().text();
    EXPECT_FALSE(known->empty());
    for (const auto& m : *known) {
        EXPECT_GT(m.size_bytes(), 0u) << m.name;
        for (const auto& file : m.files) EXPECT_EQ(file.sha256.size(), 64u) << m.name << " " << file.path;
    }
}

}  // namespace
}  // namespace loqa::cli
