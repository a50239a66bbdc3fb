#include "loqa/onnx/installed.hpp"

#include <optional>

#include <gtest/gtest.h>

#include "loqa/base/ids.hpp"

namespace loqa::onnx {
namespace {

constexpr std::string_view list = R"({"assets": [{"name": "voice", "folder": "models", "files": [
    {"path": "a.onnx", "size": 4}, {"path": "LICENSE", "size": 9}]}]})";

struct found_case {
    std::string_view name, asked;
    std::optional<std::string_view> content;  // of a.onnx
    std::optional<errc> fault;
    std::string_view hint;
};

class FindModel : public testing::TestWithParam<found_case> {
protected:
    void SetUp() override {
        fs::create_directories(root_ / "models/voice");
        ASSERT_TRUE(write_file_atomically(root_ / "models.json", list));
    }
    void TearDown() override { fs::remove_all(root_); }

    const fs::path root_ = fs::temp_directory_path() / ("loqa-installed-" + random_hex(4));
};

TEST_P(FindModel, SaysWhatIsWrongAndHowToMendIt) {
    const auto& row = GetParam();
    if (row.content) {
        ASSERT_TRUE(write_file_atomically(root_ / "models/voice/a.onnx", *row.content));
    }
    const auto asked = row.asked == "path" ? (root_ / "models/voice").string() : std::string(row.asked);
    constexpr std::string_view files[] = {"a.onnx"};
    const auto found = find_model(asked, files, root_, root_);
    if (!row.fault) {
        ASSERT_TRUE(found) << found.error().text();
        EXPECT_EQ(*found, root_ / "models/voice");
    } else {
        ASSERT_FALSE(found);
        EXPECT_EQ(found.error().code, *row.fault) << found.error().text();
        EXPECT_NE(found.error().hint.find(row.hint), std::string::npos) << found.error().text();
    }
}

INSTANTIATE_TEST_SUITE_P(
    Folders, FindModel,
    testing::Values(found_case{"whole", "voice", "1234", {}, ""}, found_case{"whole_by_path", "path", "1", {}, ""},
                    found_case{"missing", "voice", {}, errc::model_missing, "loqa models pull voice"},
                    found_case{"cut", "voice", "123", errc::model_truncated, "loqa models pull voice"},
                    found_case{"another", "voice", "12345", errc::model_truncated, "loqa models pull voice"},
                    found_case{"empty_by_path", "path", "", errc::model_truncated, "path"},
                    found_case{"missing_by_path", "path", {}, errc::model_missing, "path"},
                    found_case{"unknown", "voise", "1234", errc::not_found, "loqa models list"}),
    [](const auto& row) { return std::string(row.param.name); });

}  // namespace
}  // namespace loqa::onnx
