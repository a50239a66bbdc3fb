#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loqa/base/files.hpp"
#include "loqa/base/ids.hpp"
#include "loqa/stt/recognizer.hpp"

namespace loqa::stt {
namespace {

using ::testing::HasSubstr;

// A worker in a shell: `head -c` takes the samples as they are.
result<std::unique_ptr<recognizer>> load(const std::string& answer, milliseconds timeout = seconds{10},
                                         milliseconds longest = seconds{30}) {
    const std::string script = R"(
        echo '{"ready": true}'
        n=0
        while read -r header; do
            samples=$(echo "$header" | sed 's/.*"samples":\([0-9]*\).*/\1/')
            bytes=$(head -c $((samples * 4)) | wc -c)
            n=$((n + 1))
            )" + answer + R"(
        done)";
    return load_worker({.command = {"sh", "-c", script},
                        .mend = "install it",
                        .longest = longest,
                        .timeout = timeout,
                        .start_timeout = seconds{10}});
}

result<hypothesis> say(recognizer& engine, std::size_t samples, bool partial = false) {
    const auto stream = engine.start();
    if (auto heard = stream->accept(std::vector<float>(samples)); !heard) return fail(std::move(heard));
    return partial ? stream->read() : stream->finish();
}

TEST(Worker, IsAskedOverAndOverWithoutBeingStartedAgain) {
    const auto engine = load(R"(echo "{\"text\": \" $bytes $n \", \"confidence\": 0.5}")");
    ASSERT_TRUE(engine) << engine.error().text();
    for (const auto* text : {"64000 2", "64000 3"}) {  // the first was to warm it up
        const auto heard = say(**engine, 16'000);
        ASSERT_TRUE(heard) << heard.error().text();
        EXPECT_EQ(heard->text, text);
        EXPECT_EQ(heard->confidence, 0.5F);
    }
    EXPECT_EQ(say(**engine, 0)->text, "0 4");
}

TEST(Worker, TellsWhetherMoreMayFollow) {
    const auto engine =
        load(R"(case $header in *'"partial":true'*) t=more ;; *) t=all ;; esac; echo "{\"text\": \"$t\"}")");
    ASSERT_TRUE(engine) << engine.error().text();
    EXPECT_EQ(say(**engine, 100, true)->text, "more");
    EXPECT_EQ(say(**engine, 100, false)->text, "all");
}

TEST(Worker, OneThatEndsFailsWhatWasAskedAndIsStartedAgainForTheNext) {
    const auto engine = load(R"([ $n = 2 ] && echo "out of memory" >&2 && exit 3; echo "{\"text\": \"$n\"}")");
    ASSERT_TRUE(engine) << engine.error().text();
    const auto failed = say(**engine, 100);
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().code, errc::engine_failed);
    EXPECT_THAT(failed.error().message, HasSubstr("exit code 3: out of memory"));
    EXPECT_EQ(say(**engine, 100)->text, "1");
}

// An answer that comes too late must not be taken for that to the next question.
TEST(Worker, OneThatIsTooSlowIsNotWaitedForAndItsAnswerIsNobodys) {
    const auto engine = load(R"([ $n = 2 ] && sleep 1; echo "{\"text\": \"$n of $bytes\"}")", milliseconds{300});
    ASSERT_TRUE(engine) << engine.error().text();
    EXPECT_EQ(say(**engine, 100).error().code, errc::timed_out);
    EXPECT_EQ(say(**engine, 200)->text, "1 of 800");
}

TEST(Worker, AFaultOfOneRequestIsToldAndDoesNotEndIt) {
    const auto engine =
        load(R"([ $n = 2 ] && echo '{"error": "too loud", "hint": "whisper"}' || echo "{\"text\": \"$n\"}")");
    ASSERT_TRUE(engine) << engine.error().text();
    const auto failed = say(**engine, 100);
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().message, "too loud");
    EXPECT_EQ(failed.error().hint, "whisper");
    EXPECT_EQ(say(**engine, 100)->text, "3");
}

TEST(Worker, MoreThanTheLongestIsLeftOut) {
    const auto engine = load(R"(echo "{\"text\": \"$bytes\"}")", seconds{10}, seconds{1});
    ASSERT_TRUE(engine) << engine.error().text();
    const auto stream = (*engine)->start();
    EXPECT_EQ(stream->accept(std::vector<float>(40'000)).error().code, errc::too_long);
    EXPECT_EQ(stream->finish()->text, "64000");
}

struct start_failure {
    std::vector<std::string> command;
    errc code;
    std::string complaint, hint;
};

class WorkerDoesNotStart : public ::testing::TestWithParam<start_failure> {};

TEST_P(WorkerDoesNotStart, AndSaysWhy) {
    const auto& row = GetParam();
    const auto engine = load_worker({.command = row.command, .mend = "install it", .start_timeout = milliseconds{500}});
    ASSERT_FALSE(engine);
    EXPECT_EQ(engine.error().code, row.code) << engine.error().text();
    EXPECT_THAT(engine.error().message, HasSubstr(row.complaint));
    EXPECT_EQ(engine.error().hint, row.hint);
}

INSTANTIATE_TEST_SUITE_P(
    Ways, WorkerDoesNotStart,
    ::testing::Values(start_failure{{"/no/such/program"}, errc::not_found, "/no/such/program", "install it"},
                      start_failure{
                          {"sh", "-c", "echo no model >&2; exit 1"}, errc::engine_failed, "no model", "install it"},
                      start_failure{{"sh", "-c", "echo '{\"error\": \"no model\", \"hint\": \"pull it\"}'; exit 1"},
                                    errc::invalid_argument,
                                    "no model",
                                    "pull it"},
                      start_failure{{"echo", "hello"}, errc::engine_failed, "hello", "install it"},
                      start_failure{{"sleep", "60"}, errc::timed_out, "sleep", "install it"}));

}  // namespace
}  // namespace loqa::stt
