// Skills on a bus in memory: the first ABI, what is recorded, and that no skill harms another.
#include "loqa/skills/service.hpp"

#include <algorithm>
#include <atomic>

#include "loqa/skills/tests/skills_fixture.hpp"

namespace loqa::skills {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Publishes its whole environment on test.out.
constexpr std::string_view mirror = R"((module
  (import "wasi_snapshot_preview1" "environ_get" (func $get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_sizes_get" (func $sizes (param i32 i32) (result i32)))
  (import "env" "host_log" (func $log (param i32 i32)))
  (import "env" "host_publish" (func $publish (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 2)
  (data (i32.const 0) "test.outhello")
  (func (export "run")
    (drop (call $sizes (i32.const 32) (i32.const 36)))
    (drop (call $get (i32.const 64) (i32.const 1024)))
    (call $log (i32.const 8) (i32.const 5))
    (if (call $publish (i32.const 0) (i32.const 8) (i32.const 1024) (i32.load (i32.const 36))) (then unreachable)))))";

// Calls host_publish with these arguments and publishes the answer, as a digit, on test.out.
std::string publishes(std::string_view arguments) {
    return fmt::format(R"((module
  (import "env" "host_publish" (func $publish (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "test.outskill.secret")
  (func (export "run")
    (i32.store8 (i32.const 100) (i32.add (i32.const 48) (call $publish {})))
    (drop (call $publish (i32.const 0) (i32.const 8) (i32.const 100) (i32.const 1))))))",
                       arguments);
}

constexpr std::string_view sleeper = R"((module
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "\01\00\00\00\00\00\00\00\00\f0\ff\ff\ff\ff\ff\7f")
  (func (export "run") (drop (call $poll (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128))))))";

constexpr std::string_view failing = R"((module (func (export "run") unreachable)))";

TEST_F(Skills, GetTheirMessageAsTheFirstAbiSays) {
    add("one", mirror, {}, "deep/below/here");
    start();
    ASSERT_TRUE(bus_.publish("test.one", R"({"a":"ü b"})"));

    const auto got = answers(1);
    ASSERT_EQ(got.size(), 1U);
    for (const auto* line : {"LOQA_SKILL_NAME=one", "LOQA_EVENT_SUBJECT=test.one", "LOQA_EVENT_PAYLOAD={\"a\":\"ü b\"}",
                             "LOQA_INVOCATION_ID=", "deep/below/here"})
        EXPECT_THAT(got[0], HasSubstr(line));
    EXPECT_THAT(got[0], testing::Not(HasSubstr("LOQA_EVENT_REPLY")));
    EXPECT_THAT(got[0], testing::Not(HasSubstr("PATH=")));
}

TEST_F(Skills, AreToldWhereAnAnswerIsExpected) {
    add("one", mirror);
    start();
    const auto nobody_answers = bus_.request("test.one", "x", milliseconds(1));

    EXPECT_FALSE(nobody_answers);
    EXPECT_THAT(answers(1), ElementsAre(HasSubstr("LOQA_EVENT_REPLY=_INBOX.")));
}

TEST_F(Skills, WhatTheyDoIsRecorded) {
    add("one", mirror);
    start();
    ASSERT_TRUE(bus_.publish("test.one", "x"));
    await("one", 1);

    const auto events = record("one");
    EXPECT_THAT(recorded_types("one"),
                ElementsAre("skill.load", "skill.invoke.start", "skill.log", "skill.publish", "skill.invoke.complete"));
    const auto id = events[1].second["invocation_id"];
    EXPECT_EQ(id.get<std::string>().size(), 36U);
    for (std::size_t i = 1; i < events.size(); ++i) {
        EXPECT_EQ(events[i].second["invocation_id"], id);
        EXPECT_EQ(events[i].second["skill"], "one");
    }
    EXPECT_EQ(events[1].second["subject"], "test.one");
    EXPECT_EQ(events[2].second["message"], "hello");
    EXPECT_EQ(events[3].second["subject"], "test.out");
    EXPECT_GT(events[3].second["payload_bytes"], 100);
    EXPECT_TRUE(events[4].second["duration_ms"].is_number_integer());
}

struct publish_case {
    std::string_view name, arguments, code, reason;
};
class Publish : public Skills, public testing::WithParamInterface<publish_case> {};

TEST_P(Publish, AnswersWithACode) {
    add("one", publishes(GetParam().arguments), "limits: {publishes: 2, publish_kb: 1}");
    start();
    ASSERT_TRUE(bus_.publish("test.one", "x"));

    const auto got = answers(1);
    ASSERT_FALSE(got.empty());
    EXPECT_EQ(got.back(), std::string(GetParam().code));
    await("one", 1);
    if (!GetParam().reason.empty()) {
        EXPECT_THAT(last("one", "skill.denied")["reason"].get<std::string>(),
                    HasSubstr(std::string(GetParam().reason)));
    }
    EXPECT_THAT(bus_.published("skill.secret"), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(
    Calls, Publish,
    testing::Values(
        publish_case{"not in the manifest", "(i32.const 8) (i32.const 12) (i32.const 0) (i32.const 4)", "1",
                     "skill.secret is not in capabilities.bus.publish"},
        publish_case{"no subject", "(i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)", "1", ""},
        publish_case{"subject outside the memory", "(i32.const 65530) (i32.const 8) (i32.const 0) (i32.const 0)", "2",
                     "outside"},
        publish_case{"negative length", "(i32.const 0) (i32.const -8) (i32.const 0) (i32.const 0)", "2", "outside"},
        publish_case{"negative pointer", "(i32.const -8) (i32.const 8) (i32.const 0) (i32.const 0)", "2", "outside"},
        publish_case{"payload outside the memory", "(i32.const 0) (i32.const 8) (i32.const 65530) (i32.const 100)", "2",
                     "outside"},
        publish_case{"huge payload", "(i32.const 0) (i32.const 8) (i32.const 0) (i32.const 60000)", "2",
                     "more messages or bytes"}),
    [](const auto& row) {
        std::string name(row.param.name);
        std::ranges::replace(name, ' ', '_');
        return name;
    });

TEST_F(Skills, WithoutPermissionNothingIsPublished) {
    add("one", publishes("(i32.const 0) (i32.const 8) (i32.const 0) (i32.const 4)"));
    const auto file = options_.directory / "one" / "skill.yaml";
    auto text = read_file(file).value();
    ASSERT_TRUE(write_file_atomically(file, text.replace(text.find("bus:publish"), 11, "http:call")));
    start();
    ASSERT_TRUE(bus_.publish("test.one", "x"));
    await("one", 1);

    EXPECT_THAT(bus_.published("test.out"), IsEmpty());
    EXPECT_THAT(last("one", "skill.denied")["reason"].get<std::string>(), HasSubstr("no permission bus:publish"));
}

TEST_F(Skills, FloodsAreCutAtTheLimits) {
    add("logger", R"((module (import "env" "host_log" (func $log (param i32 i32)))
      (memory (export "memory") 2) (func (export "run") (local $i i32)
        (loop $l (call $log (i32.const 0) (i32.const 50000)) (call $log (i32.const 0) (i32.const -1))
          (local.set $i (i32.add (local.get $i) (i32.const 1))) (br_if $l (i32.lt_u (local.get $i) (i32.const 5000)))))))",
        "limits: {log_lines: 3, log_kb: 40}");
    add("publisher", R"((module (import "env" "host_publish" (func $publish (param i32 i32 i32 i32) (result i32)))
      (memory (export "memory") 1) (data (i32.const 0) "test.out") (func (export "run") (local $i i32)
        (loop $l (drop (call $publish (i32.const 0) (i32.const 8) (i32.const 0) (i32.const 1)))
          (local.set $i (i32.add (local.get $i) (i32.const 1))) (br_if $l (i32.lt_u (local.get $i) (i32.const 5000)))))))",
        "limits: {publishes: 7}");
    start();
    ASSERT_TRUE(bus_.publish("test.logger", "x"));
    ASSERT_TRUE(bus_.publish("test.publisher", "x"));
    await("logger", 1);
    await("publisher", 1);

    std::size_t logged = 0;
    for (const auto& [type, payload] : record("logger"))
        if (type == "skill.log") logged += payload["message"].get<std::string>().size();
    EXPECT_EQ(logged, 40U * 1024);
    EXPECT_EQ(bus_.published("test.out").size(), 7U);
    EXPECT_LT(record("logger").size() + record("publisher").size(), 70U);
    EXPECT_EQ(last("logger", "skill.denied")["reason"], "more log than its limit");
    EXPECT_THAT(last("publisher", "skill.denied")["reason"].get<std::string>(), HasSubstr("than its limits"));
}

// Each is ended, named in the record, and leaves a good skill unharmed.
struct abuse {
    std::string_view name, module, recorded;
};
class Abuse : public Skills, public testing::WithParamInterface<abuse> {};

TEST_P(Abuse, IsContainedAndNamed) {
    add("bad", GetParam().module, "limits: {wall_ms: 200, cpu_ms: 100, memory_mb: 2}");
    add("good", mirror);
    start();
    ASSERT_TRUE(bus_.publish("test.bad", "x"));
    await("bad", 1);
    ASSERT_TRUE(bus_.publish("test.good", "x"));
    await("good", 1);

    EXPECT_THAT(last("bad", "skill.invoke.error").dump(), HasSubstr(std::string(GetParam().recorded)));
    EXPECT_THAT(recorded_types("good"), testing::Contains("skill.invoke.complete"));
    EXPECT_EQ(status("good").failures, 0U);
}

INSTANTIATE_TEST_SUITE_P(
    Guests, Abuse,
    testing::Values(
        abuse{"endless_loop", R"((module (func (export "run") (loop $l (br $l)))))", "timed_out"},
        abuse{"endless_sleep", sleeper, "longer than its 200 ms"},
        abuse{"host_call_storm",
              R"((module (import "env" "host_publish" (func $publish (param i32 i32 i32 i32) (result i32)))
                 (memory (export "memory") 1) (func (export "run")
                 (loop $l (drop (call $publish (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 0))) (br $l)))))",
              "timed_out"},
        abuse{"recursion", R"((module (func $f (export "run") (call $f) (call $f))))", "stack overflow"},
        abuse{"memory_bomb",
              R"((module (memory (export "memory") 1) (func (export "run")
                 (loop $l (br_if $l (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) unreachable)))",
              R"("memory_bytes":2097152)"},
        abuse{"table_bomb",
              R"((module (table $t 1 funcref) (func (export "run")
                 (loop $l (br_if $l (i32.ne (table.grow $t (ref.null func) (i32.const 1000)) (i32.const -1))))
                 unreachable)))",
              "unreachable"},
        abuse{"trap", R"((module (func (export "run") (drop (i32.div_u (i32.const 1) (i32.const 0))))))",
              "division by zero"},
        abuse{"access_outside_its_memory",
              R"((module (memory (export "memory") 1) (func (export "run") (drop (i32.load (i32.const 70000))))))",
              "outside its memory"},
        abuse{"exit_code",
              R"((module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
                 (memory (export "memory") 1) (func (export "_start") (call $exit (i32.const 7)))))",
              "exit code 7"},
        abuse{"says_why",
              R"((module (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
                 (memory (export "memory") 1) (data (i32.const 0) "\10\00\00\00\06\00\00\00")
                 (data (i32.const 16) "panic!")
                 (func (export "run") (drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 32)))
                   unreachable)))",
              R"("output":"panic!")"}),
    [](const auto& row) { return std::string(row.param.name); });

struct refusal {
    std::string_view name, module, more, why;
};
class RefusedSkill : public Skills, public testing::WithParamInterface<refusal> {};

TEST_P(RefusedSkill, IsNamedAndTheOthersRun) {
    add("bad", GetParam().module, GetParam().more);
    add("good", mirror);
    start();

    EXPECT_EQ(status("bad").state, "refused");
    EXPECT_THAT(status("bad").error, HasSubstr(std::string(GetParam().why)));
    EXPECT_THAT(last("bad", "skill.refused")["error"].get<std::string>(), HasSubstr(std::string(GetParam().why)));
    ASSERT_TRUE(bus_.publish("test.good", "x"));
    EXPECT_EQ(answers(1).size(), 1U);
}

INSTANTIATE_TEST_SUITE_P(
    Skills, RefusedSkill,
    testing::Values(
        refusal{"truncated_module", std::string_view("\0asm\1", 5), "", "not a WebAssembly module"},
        refusal{"random_bytes", "3b1f9c8a", "", "not a WebAssembly module"},
        refusal{"no_entrypoint", R"((module (func (export "walk"))))", "", "neither the entrypoint run nor _start"},
        refusal{"unknown_import", R"((module (import "env" "system" (func)) (func (export "run"))))", "", "env.system"},
        refusal{"bad_manifest", failing, "limits: {memory_mb: 100000}", "skill.yaml:5:21: limits.memory_mb"}),
    [](const auto& row) { return std::string(row.param.name); });

TEST_F(Skills, AModuleOutsideTheFolderIsRefused) {
    ASSERT_TRUE(write_file_atomically(root_ / "other.wasm", assemble(mirror).value()));
    add("link", mirror);
    fs::remove(options_.directory / "link" / "skill.wasm");
    fs::create_symlink(root_ / "other.wasm", options_.directory / "link" / "skill.wasm");
    for (const auto& [name, module] : {std::pair{"above", "../../other.wasm"}, std::pair{"rooted", "/etc/passwd"}}) {
        add(name, mirror);
        const auto file = options_.directory / name / "skill.yaml";
        auto text = read_file(file).value();
        ASSERT_TRUE(write_file_atomically(file, text.replace(text.find("skill.wasm"), 10, module)));
    }
    start();
    for (const auto* name : {"link", "above", "rooted"}) {
        EXPECT_EQ(status(name).state, "refused") << name;
        EXPECT_THAT(last(name, "skill.refused")["error"].get<std::string>(), HasSubstr("outside the skill's folder"));
    }
}

TEST_F(Skills, OfTwoWithOneNameTheSecondIsRefused) {
    add("one", mirror, {}, "a");
    add("one", mirror, {}, "b");
    start();

    EXPECT_EQ(status("one").folder.filename(), "a");
    EXPECT_THAT(status("b").error, HasSubstr("there is a skill one in"));
    EXPECT_THAT(last("b", "skill.refused")["error"].get<std::string>(), HasSubstr("there is a skill one in"));
    ASSERT_TRUE(bus_.publish("test.one", "x"));
    await("one", 1);
    EXPECT_EQ(answers(1).size(), 1U);
}

TEST_F(Skills, ASleepingOneLeavesTheOthersAThread) {
    options_.max_concurrency = 2;
    add("slow", sleeper);
    add("good", mirror);
    start();
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(bus_.publish("test.slow", "x"));
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(bus_.publish("test.good", "x"));

    EXPECT_EQ(answers(10).size(), 10U);
    EXPECT_EQ(status("slow").invocations, 0U);
    const auto began = std::chrono::steady_clock::now();
    service_.reset();
    EXPECT_LT(std::chrono::steady_clock::now() - began, seconds(10));
    EXPECT_EQ(last("slow", "skill.invoke.error")["code"], "cancelled");
}

TEST_F(Skills, WaitingMessagesAreBounded) {
    options_.max_concurrency = 1;
    options_.queued_per_skill = 5;
    add("slow", sleeper);
    start();
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(bus_.publish("test.slow", "x"));

    EXPECT_GE(status("slow").dropped, 14U);
    EXPECT_LE(status("slow").dropped, 15U);
}

TEST_F(Skills, OneThatAlwaysFailsIsSuspendedAndTriedAgain) {
    options_.failures_to_suspend = 3;
    options_.first_suspension = seconds(10);
    add("bad", failing);
    start();
    for (std::uint64_t i = 1; i <= 3; ++i) {
        ASSERT_TRUE(bus_.publish("test.bad", "x"));
        await("bad", i);
    }
    const auto said = bus_.wait_for("skill.failed");
    ASSERT_EQ(said.size(), 1U);
    const auto failed = json::parse(said[0].payload);
    EXPECT_EQ(failed["skill"], "bad");
    EXPECT_EQ(failed["failures"], 3);
    EXPECT_EQ(failed["suspended_ms"], 10'000);
    EXPECT_THAT(failed["error"].get<std::string>(), HasSubstr("unreachable"));
    EXPECT_EQ(status("bad").state, "suspended");

    ASSERT_TRUE(bus_.publish("test.bad", "x"));
    EXPECT_EQ(status("bad").dropped, 1U);

    clock_.advance(seconds(11));
    EXPECT_EQ(status("bad").state, "ready");
    ASSERT_TRUE(bus_.publish("test.bad", "x"));
    await("bad", 4);
    EXPECT_EQ(json::parse(bus_.wait_for("skill.failed", 2).at(1).payload)["suspended_ms"], 20'000);
}

// ── On the thread that brings the message
// ─────────────────────────────────────────────────────────────────────────────

// Publishes; with a message of more than 1000 bytes it does `instead`.
std::string prompt_but(std::string_view instead, std::string_view imports = {}) {
    return fmt::format(R"((module
  (import "wasi_snapshot_preview1" "environ_sizes_get" (func $sizes (param i32 i32) (result i32)))
  (import "env" "host_publish" (func $publish (param i32 i32 i32 i32) (result i32)))
  {}
  (memory (export "memory") 1)
  (data (i32.const 0) "test.out")
  (func (export "run")
    (drop (call $sizes (i32.const 32) (i32.const 36)))
    (if (i32.gt_u (i32.load (i32.const 36)) (i32.const 1000)) (then {}))
    (drop (call $publish (i32.const 0) (i32.const 8) (i32.const 0) (i32.const 1))))))",
                       imports, instead);
}
constexpr std::string_view endless = "(loop $l (br $l))";
const std::string long_message(1000, 'x');

class PromptSkills : public Skills {
protected:
    void SetUp() override {
        Skills::SetUp();
        options_.prompt = milliseconds(50);
        heard_ =
            bus_.subscribe("test.out", [this](const bus::message&) { ran_on_ = std::this_thread::get_id(); }).value();
    }

    // Whether one more invocation runs on this thread, which brings its message.
    bool runs_here(const std::string& subject = "test.one") {
        const auto before = status("one").invocations;
        EXPECT_TRUE(bus_.publish(subject, subject.starts_with("intent.") ? "{}" : "x"));
        await("one", before + 1);
        return ran_on_ == std::this_thread::get_id();
    }
    bool becomes_prompt(const std::string& subject = "test.one") {
        for (int i = 0; i < 100; ++i)
            if (runs_here(subject)) return true;
        return false;
    }

    std::atomic<std::thread::id> ran_on_;
    std::unique_ptr<bus::subscription> heard_;
};

TEST_F(PromptSkills, AreInvokedWhereTheirMessageComes) {
    add("one", prompt_but("nop"));
    start();
    for (int i = 0; i < 8; ++i) EXPECT_FALSE(runs_here()) << i;
    EXPECT_TRUE(becomes_prompt());
    EXPECT_THAT(recorded_types("one").back(), "skill.invoke.complete");
}

TEST_F(PromptSkills, AlsoForIntents) {
    write("one", prompt_but("nop"), R"(metadata: {name: one, version: 1.0.0}
runtime: {mode: wasm, module: skill.wasm, entrypoint: run}
capabilities: {bus: {publish: [test.out]}}
intents: [{name: CoffeeBrew, sentences: [brew]}]
permissions: [bus:publish]
)");
    start();
    EXPECT_TRUE(becomes_prompt("intent.CoffeeBrew"));
}

TEST_F(PromptSkills, AreHandedOverWhereTheyMightWait) {
    options_.prompt = seconds(100);
    add("one",
        prompt_but("nop",
                   R"((import "wasi_snapshot_preview1" "poll_oneoff" (func (param i32 i32 i32 i32) (result i32))))"));
    start();
    for (int i = 0; i < 20; ++i) EXPECT_FALSE(runs_here());
}

TEST_F(PromptSkills, ANewVersionHasToShowItFirst) {
    options_.prompt = seconds(100);
    add("one", prompt_but("nop"));
    start();
    ASSERT_TRUE(becomes_prompt());
    ASSERT_TRUE(service_->reload("one"));
    EXPECT_FALSE(runs_here());
}

TEST_F(PromptSkills, OneThatIsSlowOnceHoldsNothingBackAgain) {
    add("one", prompt_but(endless), "limits: {cpu_ms: 200}");
    start();
    ASSERT_TRUE(becomes_prompt());
    const auto before = status("one").invocations;
    ASSERT_TRUE(bus_.publish("test.one", long_message));
    ASSERT_EQ(status("one").invocations, before + 1) << "it was not invoked here";
    ASSERT_TRUE(bus_.publish("test.one", long_message));
    EXPECT_EQ(status("one").invocations, before + 1);
    EXPECT_FALSE(runs_here());
    await("one", before + 3);
    EXPECT_EQ(status("one").failures, 2U);
}

TEST_F(PromptSkills, EndWithTheService) {
    add("one", prompt_but(endless));
    start();
    ASSERT_TRUE(becomes_prompt());
    std::jthread bringing([&] { EXPECT_TRUE(bus_.publish("test.one", long_message)); });
    const auto give_up = std::chrono::steady_clock::now() + seconds(10);
    while (status("one").running == 0 && std::chrono::steady_clock::now() < give_up) std::this_thread::yield();
    ASSERT_EQ(status("one").running, 1);
    const auto began = std::chrono::steady_clock::now();
    service_.reset();
    EXPECT_LT(std::chrono::steady_clock::now() - began, seconds(10));
    EXPECT_EQ(last("one", "skill.invoke.error")["code"], "cancelled");
}

TEST_F(PromptSkills, CountAmongThoseThatRunAtOnce) {
    options_.max_concurrency = 1;
    add("one", prompt_but(endless), "limits: {cpu_ms: 2000}");
    add("two", mirror);
    start();
    ASSERT_TRUE(becomes_prompt());
    std::jthread bringing([&] { EXPECT_TRUE(bus_.publish("test.one", long_message)); });
    const auto give_up = std::chrono::steady_clock::now() + seconds(10);
    while (status("one").running == 0 && std::chrono::steady_clock::now() < give_up) std::this_thread::yield();
    ASSERT_TRUE(bus_.publish("test.two", "x"));
    ASSERT_TRUE(bus_.publish("test.two", "x"));
    std::this_thread::sleep_for(milliseconds(50));
    EXPECT_EQ(status("two").waiting, 2U);
    await("two", 2);
    EXPECT_EQ(status("one").failures, 1U);
}

TEST_F(PromptSkills, AreSuspendedLikeOthers) {
    options_.failures_to_suspend = 3;
    options_.prompt = seconds(100);
    add("one", prompt_but("unreachable"));
    start();
    ASSERT_TRUE(becomes_prompt());
    for (std::uint64_t i = 1; i <= 3; ++i) {
        ASSERT_TRUE(bus_.publish("test.one", long_message));
        ASSERT_EQ(status("one").failures, i) << "it was not invoked here";
    }
    EXPECT_EQ(bus_.published("skill.failed").size(), 1U);
    EXPECT_EQ(status("one").state, "suspended");
    ASSERT_TRUE(bus_.publish("test.one", "x"));
    EXPECT_EQ(status("one").dropped, 1U);

    clock_.advance(seconds(11));
    EXPECT_FALSE(runs_here()) << "whoever was suspended is tried beside the bus first";
    EXPECT_TRUE(becomes_prompt());
}

TEST_F(Skills, OverlappingPatternsBringAMessageOnce) {
    add("one", mirror);
    const auto file = options_.directory / "one" / "skill.yaml";
    auto text = read_file(file).value();
    text.replace(text.find("[test.one]"), 10, "[test.one, test.*, test.one, 'test.>']");
    ASSERT_TRUE(write_file_atomically(file, text.replace(text.find("[test.out]"), 10, "[out]")));
    start();
    ASSERT_TRUE(bus_.publish("test.one", "x"));
    await("one", 1);
    EXPECT_EQ(status("one").invocations, 1U);
}

TEST_F(Skills, AFolderWithoutSkillsOrNoFolderIsFine) {
    start();
    EXPECT_THAT(service_->list(), IsEmpty());
    options_.directory = root_ / "nowhere";
    start();
    EXPECT_THAT(service_->list(), IsEmpty());
}

// Of the second ABI: says what a call answered, the answer itself, or a code like "-4", on test.out.
std::string calls(std::string_view type, std::string_view call) {
    return fmt::format(R"((module
  (import "loqa" "{0}" (func $call {1}))
  (import "loqa" "answer" (func $answer (param i32 i32) (result i32)))
  (import "env" "host_publish" (func $publish (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "test.outkeyvalueask.me")
  (func (export "run") (local $got i32)
    (local.set $got {2})
    (if (i32.lt_s (local.get $got) (i32.const 0))
      (then (i32.store8 (i32.const 100) (i32.const 45))
            (i32.store8 (i32.const 101) (i32.sub (i32.const 48) (local.get $got)))
            (drop (call $publish (i32.const 0) (i32.const 8) (i32.const 100) (i32.const 2))))
      (else (drop (call $publish (i32.const 0) (i32.const 8) (i32.const 200)
                    (call $answer (i32.const 200) (i32.const 1000))))))))
)",
                       type.substr(0, type.find(' ')), type.substr(type.find(' ') + 1), call);
}

constexpr std::string_view get_key = "kv_get (param i32 i32) (result i32)";

TEST_F(Skills, KeepWhatTheyWroteWhenTheySucceed) {
    const auto set = [](std::string_view then) {
        return fmt::format(R"((module (import "loqa" "kv_set" (func $set (param i32 i32 i32 i32) (result i32)))
          (memory (export "memory") 1) (data (i32.const 8) "keyvalue")
          (func (export "run") (if (call $set (i32.const 8) (i32.const 3) (i32.const 11) (i32.const 5)) (then unreachable))
            {})))",
                           then);
    };
    add("one", set("unreachable"), {}, "one", true);
    start();
    ASSERT_TRUE(bus_.publish("test.one", "x"));
    await("one", 1);
    const auto get = calls(get_key, "(call $call (i32.const 8) (i32.const 3))");
    add("one", get, {}, "one", true);
    start();
    ASSERT_TRUE(bus_.publish("test.one", "x"));
    EXPECT_THAT(answers(1), ElementsAre("-4"));

    add("one", set(""), {}, "one", true);
    start();
    ASSERT_TRUE(bus_.publish("test.one", "x"));
    await("one", 1);
    EXPECT_EQ(status("one").failures, 0U);
    add("one", get, {}, "one", true);
    start();
    ASSERT_TRUE(bus_.publish("test.one", "x"));
    EXPECT_THAT(answers(2), ElementsAre("-4", "value"));
}

TEST_F(Skills, WithoutStorageInTheManifestItsFunctionsAreRefused) {
    add("one", calls(get_key, "(call $call (i32.const 8) (i32.const 3))"));
    start();
    EXPECT_EQ(status("one").state, "refused");
    EXPECT_THAT(status("one").error, HasSubstr("imports loqa.kv_get, for which the manifest must have "
                                               "capabilities.storage.kv"));
}

TEST_F(Skills, AskAndAreAnswered) {
    const auto ask = calls("request (param i32 i32 i32 i32 i32) (result i32)",
                           "(call $call (i32.const 16) (i32.const 6) (i32.const 8) (i32.const 8) (i32.const 3000))");
    add("one", ask);
    const auto file = options_.directory / "one" / "skill.yaml";
    auto text = read_file(file).value();
    text.replace(text.find("subscribe:"), 0, "request: [ask.me], ");
    ASSERT_TRUE(write_file_atomically(file, text.replace(text.find("bus:subscribe"), 13, "bus:request")));
    start();
    ASSERT_TRUE(bus_.publish("test.one", "x"));
    EXPECT_THAT(answers(1), ElementsAre("-4"));  // nobody listens

    auto there =
        bus_.subscribe("ask.me", [&](const bus::message& m) { EXPECT_TRUE(bus_.respond(m, "you said " + m.payload)); });
    ASSERT_TRUE(bus_.publish("test.one", "x"));
    EXPECT_THAT(answers(2), ElementsAre("-4", "you said keyvalue"));
    EXPECT_EQ(last("one", "skill.request")["answer_bytes"], 17);
}

TEST_F(Skills, AnswerWhoAsks) {
    add("one", R"((module (import "loqa" "respond" (func $respond (param i32 i32) (result i32)))
      (memory (export "memory") 1) (data (i32.const 0) "here I am")
      (func (export "run") (if (call $respond (i32.const 0) (i32.const 9)) (then unreachable)))))");
    start();
    const auto answer = bus_.request("test.one", "x", seconds(10));
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->payload, "here I am");
}

struct policy_case {
    std::string_view name;
    signature_policy policy;
    bool is_signed, is_trusted, is_changed, runs;
};
class Policy : public Skills, public testing::WithParamInterface<policy_case> {};

TEST_P(Policy, DecidesWhatRuns) {
    const auto& row = GetParam();
    add("one", mirror);
    const auto key = make_key();
    const auto folder = options_.directory / "one";
    if (row.is_signed) {
        ASSERT_TRUE(sign_skill(key, folder, "skill.wasm", "one 1.0"));
    }
    if (row.is_changed) {
        ASSERT_TRUE(write_file_atomically(folder / "skill.wasm", assemble(failing).value()));
    }
    options_.signatures = row.policy;
    if (row.is_trusted) options_.trusted = {{.publisher = {}, .key = key.open()}};
    start();

    EXPECT_EQ(service_->list().at(0).state, row.runs ? "ready" : "refused");
    EXPECT_EQ(last("one", "skill.refused").is_null(), row.runs);
    EXPECT_EQ(service_->list().at(0).signed_by.empty(), !(row.runs && row.is_signed && row.is_trusted));
}

INSTANTIATE_TEST_SUITE_P(
    Signatures, Policy,
    testing::Values(policy_case{"unsigned_required", signature_policy::require, false, true, false, false},
                    policy_case{"signed_required", signature_policy::require, true, true, false, true},
                    policy_case{"changed_required", signature_policy::require, true, true, true, false},
                    policy_case{"by_a_stranger_required", signature_policy::require, true, false, false, false},
                    policy_case{"unsigned_warned", signature_policy::warn, false, true, false, true},
                    policy_case{"by_a_stranger_warned", signature_policy::warn, true, false, false, true},
                    policy_case{"signed_warned", signature_policy::warn, true, true, false, true},
                    policy_case{"changed_warned", signature_policy::warn, true, true, true, false}),
    [](const auto& row) { return std::string(row.param.name); });

TEST_F(Skills, BytesThatAreNoTextAreRecordedAsAFault) {
    add("one", mirror);
    start();
    ASSERT_TRUE(bus_.publish("test.one", std::string_view("a\0b", 3)));
    await("one", 1);
    EXPECT_THAT(last("one", "skill.invoke.error")["error"].get<std::string>(), HasSubstr("byte 0"));
}

}  // namespace
}  // namespace loqa::skills
