#include "loqa/onnx/model.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loqa/base/ids.hpp"
#include "loqa/onnx/testing/graph_writer.hpp"

namespace loqa::onnx {
namespace {

using onnx::testing::element;
using onnx::testing::graph_writer;

// y = a + b.
std::string adding_model() {
    return graph_writer()
        .node("Add", {"a", "b"}, "y")
        .input("a", element::float32, {"n"})
        .input("b", element::float32, {"n"})
        .output("y", element::float32, {"n"})
        .note("made_for", "tests")
        .model();
}

class Model : public ::testing::Test {
protected:
    void SetUp() override { fs::create_directories(folder_); }
    void TearDown() override { fs::remove_all(folder_); }

    fs::path written(std::string_view content) {
        const auto file = folder_ / "m.onnx";
        EXPECT_TRUE(write_file_atomically(file, content));
        return file;
    }
    static options adding() { return {.threads = 1, .inputs = {"a", "b"}, .outputs = {"y"}}; }

    const fs::path folder_ = fs::temp_directory_path() / ("loqa-onnx-" + random_hex(4));
};

TEST_F(Model, ComputesForEachLengthItIsGiven) {
    auto loaded = model::load(written(adding_model()), adding());
    ASSERT_TRUE(loaded) << loaded.error().text();
    for (std::int64_t n : {1, 3, 2}) {
        const auto count = static_cast<std::size_t>(n);
        const tensor inputs[] = {{{n}, std::vector<float>(count, 1.5F)}, {{n}, std::vector<float>(count, 2.F)}};
        auto outputs = (*loaded)->run(inputs);
        ASSERT_TRUE(outputs) << outputs.error().text();
        ASSERT_EQ(outputs->size(), 1U);
        EXPECT_EQ(outputs->front().shape, std::vector<std::int64_t>{n});
        EXPECT_EQ(std::get<0>(outputs->front().values), std::vector<float>(count, 3.5F));
    }
}

TEST_F(Model, TakesTheModelsOwnNamesWhenItIsGivenNone) {
    auto loaded = model::load(written(adding_model()), {.keep_memory = true});
    ASSERT_TRUE(loaded) << loaded.error().text();
    const tensor inputs[] = {{{1}, std::vector<float>{1}}, {{1}, std::vector<float>{2}}};
    auto outputs = (*loaded)->run(inputs);
    ASSERT_TRUE(outputs) << outputs.error().text();
    EXPECT_EQ(outputs->front().floats()[0], 3.F);
}

TEST_F(Model, TellsItsNamesAndItsNotes) {
    auto loaded = model::load(written(adding_model()), {});
    ASSERT_TRUE(loaded) << loaded.error().text();
    EXPECT_THAT((*loaded)->inputs(), ::testing::ElementsAre("a", "b"));
    EXPECT_THAT((*loaded)->outputs(), ::testing::ElementsAre("y"));
    EXPECT_EQ((*loaded)->note("made_for").value(), "tests");
    EXPECT_EQ((*loaded)->note("made_by").value(), std::nullopt);
}

TEST_F(Model, AWrongInputIsAnErrorThatNamesTheFile) {
    auto loaded = model::load(written(adding_model()), adding());
    ASSERT_TRUE(loaded) << loaded.error().text();
    const tensor integers[] = {{{1}, std::vector<std::int64_t>{1}}, {{1}, std::vector<std::int64_t>{1}}};
    auto ran = (*loaded)->run(integers);
    ASSERT_FALSE(ran);
    EXPECT_EQ(ran.error().code, errc::engine_failed);
    EXPECT_NE(ran.error().message.find("m.onnx"), std::string::npos) << ran.error().message;

    const tensor misshapen[] = {{{2}, std::vector<float>{1}}, {{1}, std::vector<float>{1}}};
    EXPECT_EQ((*loaded)->run(misshapen).error().code, errc::internal);
    EXPECT_EQ((*loaded)->run(std::span(integers).first(1)).error().code, errc::internal);
}

struct refusal {
    std::string_view name;
    std::string content;
    options asked;
    errc code;
};

class Refuses : public Model, public ::testing::WithParamInterface<refusal> {};

TEST_P(Refuses, AFileThatIsNotTheModel) {
    const auto& row = GetParam();
    auto loaded = model::load(written(row.content), row.asked);
    ASSERT_FALSE(loaded);
    EXPECT_EQ(loaded.error().code, row.code) << loaded.error().message;
    EXPECT_NE(loaded.error().message.find("m.onnx"), std::string::npos) << loaded.error().message;
    EXPECT_FALSE(loaded.error().hint.empty());
}

INSTANTIATE_TEST_SUITE_P(
    Files, Refuses,
    ::testing::Values(
        refusal{"empty", "", {}, errc::model_truncated},
        refusal{"cut", adding_model().substr(0, adding_model().size() / 2), {}, errc::model_truncated},
        refusal{"not_a_model", "<html>404</html>", {}, errc::model_truncated},
        refusal{"other_input", adding_model(), {.inputs = {"a", "c"}, .outputs = {"y"}}, errc::engine_failed},
        refusal{"one_input_too_few", adding_model(), {.inputs = {"a"}, .outputs = {"y"}}, errc::engine_failed},
        refusal{"other_output", adding_model(), {.inputs = {"a", "b"}, .outputs = {"z"}}, errc::engine_failed}),
    [](const auto& row) { return std::string(row.param.name); });

TEST_F(Model, AFileThatIsNotThereIsMissing) {
    auto loaded = model::load(folder_ / "none.onnx", adding());
    ASSERT_FALSE(loaded);
    EXPECT_EQ(loaded.error().code, errc::model_missing);
}

TEST(Runtime, SaysItsVersion) { EXPECT_TRUE(runtime_version().starts_with("1.")) << runtime_version(); }

}  // namespace
}  // namespace loqa::onnx
