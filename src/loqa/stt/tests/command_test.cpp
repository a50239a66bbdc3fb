#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loqa/base/files.hpp"
#include "loqa/stt/recognizer.hpp"

namespace loqa::stt {
namespace {

using ::testing::HasSubstr;

result<hypothesis> run(const std::string& script, bool partial = false, milliseconds timeout = seconds{10}) {
    auto engine =
        load_command({.command = "sh -c '" + script + "' name", .model = "m", .language = "en", .timeout = timeout});
    if (!engine) return fail(std::move(engine));
    const auto stream = (*engine)->start();
    if (auto heard = stream->accept(std::vector<float>(16'000)); !heard) return fail(std::move(heard));
    return partial ? stream->read() : stream->finish();
}

// The arguments are "$@"; the file is "$2".
TEST(Command, GetsTheSoundAndTheArgumentsAndPrintsTheText) {
    const auto heard =
        run(R"(printf "{\"text\": \" %s \", \"confidence\": 0.25}" "$(wc -c < "$2") $1 $3 $4 $5 $6 $7")", true);
    ASSERT_TRUE(heard) << heard.error().text();
    EXPECT_EQ(heard->text, "32044 --audio --model m --language en --partial");
    EXPECT_EQ(heard->confidence, 0.25F);
}

TEST(Command, TheSoundIsPrivateAndGoneAfterwards) {
    const auto heard = run(R"(printf "{\"text\": \"%s\"}" "$(stat -c %a "$2") $2")");
    ASSERT_TRUE(heard) << heard.error().text();
    EXPECT_THAT(heard->text, HasSubstr("600 /"));
    EXPECT_FALSE(fs::exists(heard->text.substr(4)));
}

struct broken {
    std::string script;
    errc code;
    std::string complaint;
};

class CommandFails : public ::testing::TestWithParam<broken> {};

TEST_P(CommandFails, WithAReason) {
    const auto heard = run(GetParam().script, false, milliseconds{300});
    ASSERT_FALSE(heard);
    EXPECT_EQ(heard.error().code, GetParam().code);
    EXPECT_THAT(heard.error().message, HasSubstr(GetParam().complaint));
}

INSTANTIATE_TEST_SUITE_P(Ways, CommandFails,
                         ::testing::Values(broken{"echo no model >&2; exit 3", errc::engine_failed, "no model"},
                                           broken{"echo hello", errc::engine_failed, "hello"},
                                           broken{"echo []", errc::engine_failed, "printed no"},
                                           broken{"exec sleep 60", errc::timed_out, "within 300 ms"}));

TEST(Command, ACommandThatCannotBeIsRefusedAtTheStart) {
    EXPECT_FALSE(load_command({.command = "  ", .model = "", .language = ""}));
    EXPECT_FALSE(load_command({.command = "sh 'oops", .model = "", .language = ""}));
}

}  // namespace
}  // namespace loqa::stt
