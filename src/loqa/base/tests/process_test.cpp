#include "loqa/base/process.hpp"

#include <algorithm>
#include <csignal>
#include <mutex>

#include <gtest/gtest.h>

#include "loqa/base/bounded_queue.hpp"

namespace loqa {
namespace {

steady_time in(milliseconds wait) { return std::chrono::steady_clock::now() + wait; }

TEST(ChildProcess, ItsLinesAndItsExitCodeArrive) {
    std::vector<std::pair<std::string, bool>> lines;
    auto child = child_process::start({.command = {"sh", "-c", "echo one; printf two >&2; exit 3"},
                                       .environment = {},
                                       .folder = {},
                                       .on_line = [&](std::string_view l, bool out) { lines.emplace_back(l, out); }});
    ASSERT_TRUE(child) << child.error().text();
    const auto ended = child->wait_until(in(seconds(10)));
    ASSERT_TRUE(ended);
    EXPECT_EQ(ended->text(), "exit code 3");
    std::ranges::sort(lines);
    EXPECT_EQ(lines, (std::vector<std::pair<std::string, bool>>{{"one", true}, {"two", false}}));
}

TEST(ChildProcess, TheEnvironmentIsAddedTo) {
    std::string seen;
    auto child = child_process::start({.command = {"sh", "-c", "echo $LOQA_A-$HOME"},
                                       .environment = {{"LOQA_A", "x"}, {"HOME", "/h"}},
                                       .folder = {},
                                       .on_line = [&](std::string_view l, bool) { seen = l; }});
    ASSERT_TRUE(child && child->wait_until(in(seconds(10))));
    EXPECT_EQ(seen, "x-/h");
}

TEST(ChildProcess, ReadsItsInputAndThenItsEnd) {
    for (const std::size_t bytes : {0, 5, 300'000}) {
        std::string seen;
        auto child = child_process::start({.command = {"cat"},
                                           .environment = {},
                                           .folder = {},
                                           .input = std::string(bytes, 'x'),
                                           .on_line = [&](std::string_view l, bool) { seen = l; },
                                           .max_line_bytes = 1 << 20});
        ASSERT_TRUE(child) << child.error().text();
        const auto ended = child->wait_until(in(seconds(10)));
        ASSERT_TRUE(ended && ended->clean());
        EXPECT_EQ(seen.size(), bytes);
    }
}

TEST(ChildProcess, WhatItLeftBehindEndsWithIt) {
    std::string seen;
    auto child = child_process::start({.command = {"sh", "-c", "sleep 60 & echo done"},
                                       .environment = {},
                                       .folder = {},
                                       .on_line = [&](std::string_view l, bool) { seen = l; }});
    ASSERT_TRUE(child) << child.error().text();
    const auto begun = std::chrono::steady_clock::now();
    const auto ended = child->wait_until(in(seconds(30)));
    ASSERT_TRUE(ended && ended->clean());
    EXPECT_EQ(seen, "done");
    EXPECT_LT(std::chrono::steady_clock::now() - begun, seconds(20));
}

struct command_case {
    std::string_view line;
    std::vector<std::string> words;  // none: refused
};
class SplitCommand : public testing::TestWithParam<command_case> {};

TEST_P(SplitCommand, ReadsWordsAsAShellDoes) {
    const auto words = split_command(GetParam().line);
    EXPECT_EQ(words.value_or(std::vector<std::string>{}), GetParam().words);
}

INSTANTIATE_TEST_SUITE_P(Lines, SplitCommand,
                         testing::Values(command_case{"say", {"say"}}, command_case{"  a\tb\n c ", {"a", "b", "c"}},
                                         command_case{"a 'b c' \"d 'e'\"", {"a", "b c", "d 'e'"}},
                                         command_case{R"(a\ b "c\"d" 'e\f')", {"a b", "c\"d", "e\\f"}},
                                         command_case{"a '' b", {"a", "", "b"}}, command_case{"x\"y\"z", {"xyz"}},
                                         command_case{"$HOME *", {"$HOME", "*"}}, command_case{"", {}},
                                         command_case{"  ", {}}, command_case{"a 'b", {}}));

TEST(ChildProcess, ACommandThatIsNotThereIsAnErrorThatNamesIt) {
    const auto child =
        child_process::start({.command = {"/no/such/binary"}, .environment = {}, .folder = {}, .on_line = {}});
    ASSERT_FALSE(child);
    EXPECT_EQ(child.error().code, errc::not_found);
    EXPECT_NE(child.error().message.find("/no/such/binary"), std::string::npos);
}

TEST(ChildProcess, OneThatIgnoresSigtermIsKilledAfterTheGrace) {
    bounded_queue<int> ready(1, overflow::reject_newest);
    auto child = child_process::start({.command = {"sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.05; done"},
                                       .environment = {},
                                       .folder = {},
                                       .on_line = [&](std::string_view, bool) { ready.push(1); }});
    ASSERT_TRUE(child);
    ASSERT_TRUE(ready.pop_until(in(seconds(10))));
    EXPECT_EQ(child->stop(milliseconds(50)).signal, SIGKILL);
}

TEST(SupervisedProcess, AKilledChildIsStartedAgainUntilItIsStopped) {
    bounded_queue<int> started(8, overflow::reject_newest);
    bounded_queue<std::string> exits(8, overflow::reject_newest);
    supervised_process process(
        [] { return process_options{.command = {"sleep", "60"}, .environment = {}, .folder = {}, .on_line = {}}; },
        {.on_start = [&](int pid) { started.push(pid); },
         .on_exit = [&](const exit_status& e, milliseconds) { exits.push(e.text()); },
         .on_start_failed = {}});
    const auto first = started.pop_until(in(seconds(10)));
    ASSERT_TRUE(first);
    ::kill(*first, SIGKILL);
    const auto second = started.pop_until(in(seconds(10)));
    ASSERT_TRUE(second);
    EXPECT_NE(*first, *second);
    process.stop(seconds(5));
    EXPECT_EQ(process.pid(), 0);
    EXPECT_EQ(::kill(*second, 0), -1);
    EXPECT_EQ(exits.try_pop(), "killed by signal 9 (Killed)");
    EXPECT_EQ(exits.try_pop(), "killed by signal 15 (Terminated)");
    EXPECT_EQ(started.try_pop(), std::nullopt);
}

TEST(SupervisedProcess, AChildThatASignalHoldsIsStartedAnew) {
    bounded_queue<int> started(8, overflow::reject_newest);
    bounded_queue<int> held(8, overflow::reject_newest);
    supervised_process process(
        [] { return process_options{.command = {"sleep", "60"}, .environment = {}, .folder = {}, .on_line = {}}; },
        {.on_start = [&](int pid) { started.push(pid); },
         .on_exit = {},
         .on_start_failed = {},
         .on_held = [&] { held.push(1); }});
    const auto first = started.pop_until(in(seconds(10)));
    ASSERT_TRUE(first);
    ::kill(*first, SIGSTOP);
    const auto second = started.pop_until(in(seconds(10)));
    ASSERT_TRUE(second);
    EXPECT_NE(*first, *second);
    EXPECT_EQ(held.size(), 1u);
}

TEST(SupervisedProcess, AChildThatGoesOnInTimeIsLeftAlone) {
    bounded_queue<int> started(8, overflow::reject_newest);
    supervised_process process(
        [] { return process_options{.command = {"sleep", "60"}, .environment = {}, .folder = {}, .on_line = {}}; },
        {.on_start = [&](int pid) { started.push(pid); }, .on_exit = {}, .on_start_failed = {}});
    const auto first = started.pop_until(in(seconds(10)));
    ASSERT_TRUE(first);
    ::kill(*first, SIGSTOP);
    ::kill(*first, SIGCONT);
    EXPECT_EQ(started.pop_until(in(supervised_process::held_at_most * 2)), std::nullopt);
    EXPECT_EQ(process.pid(), *first);
}

TEST(ChildProcess, ConversesOverItsStandardInput) {
    bounded_queue<std::string> lines(8, overflow::reject_newest);
    auto child = child_process::start({.command = {"sh", "-c", "while read -r word; do echo \"heard $word\"; done"},
                                       .environment = {},
                                       .folder = {},
                                       .converse = true,
                                       .on_line = [&](std::string_view line, bool) { lines.push(std::string(line)); }});
    ASSERT_TRUE(child) << child.error().text();
    for (const auto* word : {"one", "two"}) {
        ASSERT_TRUE(child->say(std::string(word) + "\n", in(seconds(5))));
        EXPECT_EQ(lines.pop_until(in(seconds(5))), std::string("heard ") + word);
    }
    EXPECT_EQ(child->stop(seconds(5)).signal, SIGTERM);
    EXPECT_EQ(child->say("three\n", in(seconds(5))).error().code, errc::unavailable);
}

TEST(ChildProcess, OneThatDoesNotListenIsNotWaitedForForEver) {
    auto child = child_process::start(
        {.command = {"sleep", "60"}, .environment = {}, .folder = {}, .converse = true, .on_line = {}});
    ASSERT_TRUE(child) << child.error().text();
    EXPECT_EQ(child->say(std::string(4'000'000, 'x'), in(milliseconds(100))).error().code, errc::timed_out);
}

TEST(SupervisedProcess, OneThatCannotStartIsTriedAgainWithGrowingWaits) {
    bounded_queue<errc> failures(8, overflow::reject_newest);
    supervised_process process(
        [] { return process_options{.command = {"/no/such/binary"}, .environment = {}, .folder = {}, .on_line = {}}; },
        {.on_start = {}, .on_exit = {}, .on_start_failed = [&](const error& e) { failures.push(e.code); }});
    EXPECT_EQ(failures.pop_until(in(seconds(10))), errc::not_found);
    EXPECT_EQ(failures.pop_until(in(seconds(10))), errc::not_found);
}

TEST(ShutdownSignal, ARequestFromInsideEndsTheWait) {
    shutdown_signal shutdown;
    EXPECT_EQ(shutdown.wait_until(in(milliseconds(1))), std::nullopt);
    std::thread([&] { shutdown.request(); }).join();
    EXPECT_EQ(shutdown.wait(), 0);
    ::raise(SIGTERM);
    EXPECT_EQ(shutdown.wait(), SIGTERM);
}

}  // namespace
}  // namespace loqa
