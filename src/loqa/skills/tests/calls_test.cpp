// What a guest of the second ABI can reach, call by call, and what it cannot.
#include <algorithm>

#include "loqa/skills/abi.hpp"
#include "loqa/skills/durable_timers.hpp"
#include "loqa/skills/settings.hpp"
#include "loqa/skills/tests/skills_fixture.hpp"

namespace loqa::skills {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Calls one import with these arguments and publishes on test.out what it found, or the digit of its code. Texts stand
// at 1024 and 4096.
std::string probe(std::string_view import, std::string_view type, std::string_view arguments,
                  std::string_view first = {}, std::string_view second = {}) {
    const auto quoted = [](std::string_view text) {
        std::string out;
        for (const char c : text) out += c == '"' ? std::string("\\\"") : std::string(1, c);
        return out;
    };
    return fmt::format(R"((module
  (import "loqa" "{}" (func $call {}))
  (import "loqa" "answer" (func $answer (param i32 i32) (result i32)))
  (import "env" "host_publish" (func $publish (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 4)
  (data (i32.const 0) "test.out") (data (i32.const 1024) "{}") (data (i32.const 4096) "{}")
  (func (export "run") (local $code i32)
    (local.set $code (call $call {}))
    (if (i32.lt_s (local.get $code) (i32.const 0))
      (then (i32.store8 (i32.const 100) (i32.sub (i32.const 48) (local.get $code)))
        (drop (call $publish (i32.const 0) (i32.const 8) (i32.const 100) (i32.const 1))))
      (else (drop (call $publish (i32.const 0) (i32.const 8) (i32.const 131072)
        (call $answer (i32.const 131072) (i32.const 65536)))))))))",
                       import, type, quoted(first), quoted(second), arguments);
}

std::string text_at(std::string_view text, int at = 1024) {
    return fmt::format("(i32.const {}) (i32.const {})", at, text.size());
}

constexpr std::string_view one_text = "(param i32 i32) (result i32)";
constexpr std::string_view two_texts = "(param i32 i32 i32 i32) (result i32)";
constexpr std::string_view no_arguments = "(result i32)";

// May do everything.
constexpr std::string_view manifest_of_all = R"(metadata: {name: one, version: 1.0.0}
runtime: {mode: wasm, module: skill.wasm, entrypoint: run, host_version: v2}
capabilities:
  bus: {subscribe: [test.one], publish: [test.out], request: [test.asked]}
  storage: {kv: true}
  timers: true
permissions: [bus:publish, bus:request, http:call, home:read, home:write, event_store:read]
config:
  every_s: {type: integer, default: 30, min: 5, max: 60}
  rooms: {type: list, default: [kitchen, bath]}
  place: {type: text}
secrets: [token]
http: {allow: ["https://example.org/v1"]}
limits: {timers: 2}
)";

class Calls : public Skills {
protected:
    // What the skill published when it was invoked once.
    std::string call(std::string_view module) {
        write("one", module, std::string(manifest_of_all));
        start();
        EXPECT_EQ(status("one").state, "ready") << status("one").error;
        return invoke();
    }
    std::string invoke() {
        const auto before = bus_.published("test.out").size();
        EXPECT_TRUE(bus_.publish("test.one", "x"));
        const auto said = bus_.wait_for("test.out", before + 1);
        return said.size() > before ? said.back().payload : "nothing";
    }
};

struct call_case {
    std::string name, import, type, arguments, first, second, answer;
};
class Answers : public Calls, public testing::WithParamInterface<call_case> {};

TEST_P(Answers, AsDocumented) {
    const auto& c = GetParam();
    EXPECT_EQ(call(probe(c.import, c.type, c.arguments, c.first, c.second)), c.answer);
}

call_case with_text(std::string name, std::string import, const std::string& text, std::string answer) {
    return {std::move(name), std::move(import), std::string(one_text), text_at(text), text, "", std::move(answer)};
}
call_case http_case(std::string name, const std::string& request, std::string answer) {
    return {std::move(name), "http", std::string(two_texts), text_at(request) + " (i32.const 0) (i32.const 0)",
            request,         "",     std::move(answer)};
}

INSTANTIATE_TEST_SUITE_P(
    Outside, Answers,
    testing::Values(
        with_text("default", "config_get", "every_s", "30"),
        with_text("default_list", "config_get", "rooms", R"(["kitchen","bath"])"),
        with_text("without_value", "config_get", "place", "4"),
        with_text("not_in_the_schema", "config_get", "colour", "1"),
        with_text("secret_that_is_not_set", "secret_has", "token", "4"),
        with_text("secret_of_another", "secret_has", "password", "1"),
        with_text("no_timer", "timer_cancel", "tea", "4"),
        call_case{"no_timers", "timer_list", std::string(no_arguments), "", "", "", "[]"},
        call_case{"nobody_has_a_home", "home_get", std::string(no_arguments), "", "", "", "4"},
        with_text("home_that_is_no_json", "home_learn", "kitchen", "3"),
        http_case("another_host", R"({"url":"https://example.com/v1"})", "1"),
        http_case("another_path", R"({"url":"https://example.org/v10"})", "1"),
        http_case("path_above", R"({"url":"https://example.org/v1/../private"})", "1"),
        http_case("hidden_path_above", R"({"url":"https://example.org/v1/%2e%2e/private"})", "1"),
        http_case("another_scheme", R"({"url":"http://example.org/v1"})", "1"),
        http_case("another_port", R"({"url":"https://example.org:8443/v1"})", "1"),
        http_case("user_in_front", R"({"url":"https://example.org@127.0.0.1/v1"})", "3"),
        http_case("file", R"({"url":"file:///etc/passwd"})", "3"), http_case("no_url", R"({})", "3"),
        http_case("no_json", "GET /", "3"),
        http_case("no_method", R"({"url":"https://example.org/v1","method":"TRACE"})", "3"),
        http_case("secret_not_set", R"({"url":"https://example.org/v1","headers":{"x":"{{secret:token}}"}})", "4"),
        http_case("secret_of_another", R"({"url":"https://example.org/v1","headers":{"x":"{{secret:other}}"}})", "1")),
    [](const auto& row) { return fmt::format("{}_{}", row.param.import, row.param.name); });

// Texts outside the memory, whichever argument they are, are refused by every import that takes one.
class OutOfBounds : public Calls, public testing::WithParamInterface<call_case> {};

TEST_P(OutOfBounds, IsRefusedAndNamed) {
    const auto& c = GetParam();
    EXPECT_EQ(call(probe(c.import, c.type, c.arguments)), c.answer);
    await("one", 1);
    EXPECT_EQ(last("one", "skill.denied")["call"], c.import);
    EXPECT_EQ(status("one").failures, 0U);
}

std::vector<call_case> all_out_of_bounds() {
    struct shape {
        const char *import, *type;
        std::vector<const char*> arguments;  // "T" is a text, else as it stands
    };
    const std::vector<shape> shapes = {
        {"publish", "(param i32 i32 i32 i32) (result i32)", {"T", "T"}},
        {"respond", "(param i32 i32) (result i32)", {"T"}},
        {"request", "(param i32 i32 i32 i32 i32) (result i32)", {"T", "T", "(i32.const 5)"}},
        {"kv_get", "(param i32 i32) (result i32)", {"T"}},
        {"kv_keys", "(param i32 i32) (result i32)", {"T"}},
        {"kv_set", "(param i32 i32 i32 i32) (result i32)", {"T", "T"}},
        {"kv_delete", "(param i32 i32) (result i32)", {"T"}},
        {"timer_set", "(param i32 i32 i64 i32 i32) (result i32)", {"T", "(i64.const 5000)", "T"}},
        {"timer_cancel", "(param i32 i32) (result i32)", {"T"}},
        {"http", "(param i32 i32 i32 i32) (result i32)", {"T", "T"}},
        {"config_get", "(param i32 i32) (result i32)", {"T"}},
        {"secret_has", "(param i32 i32) (result i32)", {"T"}},
        {"home_learn", "(param i32 i32) (result i32)", {"T"}},
        {"home_update", "(param i32 i32) (result i32)", {"T"}},
    };
    const std::pair<const char*, const char*> places[] = {{"behind_the_end", "(i32.const 262140) (i32.const 8)"},
                                                          {"negative_length", "(i32.const 0) (i32.const -1)"},
                                                          {"negative_pointer", "(i32.const -4) (i32.const 8)"}};
    std::vector<call_case> out;
    for (const auto& one : shapes)
        for (std::size_t bad = 0; bad < one.arguments.size(); ++bad) {
            if (std::string_view(one.arguments[bad]) != "T") continue;
            for (const auto& [name, place] : places) {
                std::string arguments;
                for (std::size_t i = 0; i < one.arguments.size(); ++i)
                    arguments += std::string(" ") + (std::string_view(one.arguments[i]) != "T" ? one.arguments[i]
                                                     : i == bad                                ? place
                                                                : "(i32.const 0) (i32.const 4)");
                out.push_back(
                    {fmt::format("{}_{}_{}", one.import, bad, name), one.import, one.type, arguments, "", "", "3"});
            }
        }
    return out;
}

INSTANTIATE_TEST_SUITE_P(Imports, OutOfBounds, testing::ValuesIn(all_out_of_bounds()),
                         [](const auto& row) { return row.param.name; });

// Those without a code, or for which there is no text to take.
TEST_F(Calls, AnAnswerIsNotWrittenOutsideTheMemory) {
    std::uint64_t invocations = 0;
    start();
    for (const auto* place :
         {"(i32.const 262140) (i32.const 8)", "(i32.const 0) (i32.const -1)", "(i32.const -4) (i32.const 8)"}) {
        write("one", probe("answer", one_text, place), std::string(manifest_of_all));
        service_->rescan();
        EXPECT_EQ(invoke(), "3") << place;
        await("one", ++invocations);
        EXPECT_EQ(status("one").denied, invocations) << place;
        EXPECT_EQ(last("one", "skill.denied")["call"], "answer");
    }
    EXPECT_EQ(status("one").failures, 0U);
}

TEST_F(Calls, ALineOutsideTheMemoryIsNotLogged) {
    std::uint64_t invocations = 0;
    start();
    for (const auto* import : {R"((import "loqa" "log" (func $log (param i32 i32 i32))))",
                               R"((import "env" "host_log" (func $log (param i32 i32))))"})
        for (const auto* place :
             {"(i32.const 65530) (i32.const 8)", "(i32.const 0) (i32.const -1)", "(i32.const -4) (i32.const 8)"}) {
            const bool first = std::string_view(import).contains("env");
            write("one",
                  fmt::format(R"((module {} (memory (export "memory") 1) (func (export "run") (call $log {} {}))))",
                              import, first ? "" : "(i32.const 1)", place),
                  std::string(manifest_of_all));
            service_->rescan();
            ASSERT_EQ(status("one").error, "");
            ASSERT_TRUE(bus_.publish("test.one", "x"));
            await("one", ++invocations);
            EXPECT_EQ(last("one", "skill.denied")["call"], first ? "host_log" : "log");
            EXPECT_EQ(status("one").denied, invocations);
        }
    EXPECT_THAT(recorded_types("one"), testing::Not(testing::Contains("skill.log")));
    EXPECT_EQ(status("one").failures, 0U);
}

// Nothing that takes a text may be forgotten above.
TEST_F(Calls, EveryImportThatTakesATextIsTriedOutOfBounds) {
    std::vector<std::string> tried = {"host_log", "host_publish", "log", "answer"};
    for (const auto& one : all_out_of_bounds()) tried.push_back(one.import);
    for (const auto& function : host_functions())
        if (function.signature.contains("i32, i32")) {
            EXPECT_THAT(tried, testing::Contains(function.name));
        }
}

TEST_F(Calls, WhatHttpMayNotReachIsNamed) {
    const std::string_view request = R"({"url":"https://example.com/v1"})";
    EXPECT_EQ(call(probe("http", two_texts, text_at(request) + " (i32.const 0) (i32.const 0)", request)), "1");
    await("one", 1);
    EXPECT_EQ(last("one", "skill.denied")["call"], "http");
    EXPECT_THAT(last("one", "skill.denied")["reason"].get<std::string>(), HasSubstr("example.com"));
}

TEST_F(Calls, ASecretThatWasSetIsThereAndStaysHidden) {
    ASSERT_TRUE(write_secret(root_, "one", "token", "s3cr3t-token"));
    EXPECT_EQ(call(probe("secret_has", one_text, text_at("token"), "token")), "");
    await("one", 1);
    for (const auto& [type, payload] : record("one")) EXPECT_THAT(payload.dump(), testing::Not(HasSubstr("s3cr3t")));
}

TEST_F(Calls, ASecretThatOthersCanReadIsNotUsed) {
    ASSERT_TRUE(write_secret(root_, "one", "token", "s3cr3t-token"));
    fs::permissions(secret_file(root_, "one", "token"), fs::perms::others_read, fs::perm_options::add);
    EXPECT_EQ(call(probe("secret_has", one_text, text_at("token"), "token")), "1");
}

TEST_F(Calls, ValuesComeFromTheSkillsFileAndAreChecked) {
    fs::create_directories(config_file(root_, "one").parent_path());
    ASSERT_TRUE(write_file_atomically(config_file(root_, "one"), "every_s: 45\nrooms: [attic]\n"));
    EXPECT_EQ(call(probe("config_get", one_text, text_at("rooms"), "rooms")), R"(["attic"])");

    ASSERT_TRUE(write_file_atomically(config_file(root_, "one"), "every_s: 4\ncolour: red\n"));
    EXPECT_FALSE(service_->reload("one"));
    EXPECT_THAT(status("one").error, HasSubstr("every_s is less than 5"));
    EXPECT_THAT(status("one").error, HasSubstr("has no value colour"));
    EXPECT_EQ(invoke(), R"(["attic"])");  // the version before is still there
}

TEST_F(Calls, TheHomeIsAskedForAndToldInTheSkillsName) {
    std::string told;
    const auto home =
        bus_.subscribe("home.get", [&](const bus::message& m) { std::ignore = bus_.respond(m, R"({"areas":[]})"); })
            .value();
    const auto learns = bus_.subscribe("home.learn",
                                       [&](const bus::message& m) {
                                           told = m.payload;
                                           std::ignore = bus_.respond(m, R"({"entities":0})");
                                       })
                            .value();
    EXPECT_EQ(call(probe("home_get", no_arguments, "")), R"({"areas":[]})");
    const std::string_view learned = R"({"source":"another","areas":[]})";
    write("one", probe("home_learn", one_text, text_at(learned), learned), std::string(manifest_of_all));
    ASSERT_TRUE(service_->reload("one"));
    EXPECT_EQ(invoke(), "");
    EXPECT_EQ(json::parse(told)["source"], "one");
}

TEST_F(Calls, PastEventsAreTheSkillsOwn) {
    ASSERT_TRUE(store_->append({.session_id = "kitchen",
                                .trace_id = {},
                                .actor_id = {},
                                .type = "stt.text.final",
                                .payload = R"({"text":"private"})"}));
    const auto found = json::parse(call(probe("events", "(param i32) (result i32)", "(i32.const 50)")));
    ASSERT_TRUE(found.is_array());
    EXPECT_EQ(found[0]["type"], "skill.load");
    EXPECT_THAT(found.dump(), testing::Not(HasSubstr("private")));
}

// "(i32, i32) -> i32" in words of WebAssembly.
std::string as_text(std::string_view signature) {
    std::string out = "(param ";
    for (const char c : signature.substr(1)) {
        if (c == ')') out += ") (result ";
        if (c == ' ' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z')) out += c;
    }
    return out + ")";
}

TEST_F(Calls, WhatIsNotGrantedIsNotLoaded) {
    start();
    for (const auto& function : host_functions()) {
        if (function.needs.empty()) continue;
        write("one",
              fmt::format(R"((module (import "{}" "{}" (func {})) (func (export "run"))))", function.module,
                          function.name, as_text(function.signature)),
              R"(metadata: {name: one, version: 1.0.0}
runtime: {mode: wasm, module: skill.wasm, entrypoint: run}
capabilities: {bus: {subscribe: [test.one]}}
permissions: [bus:subscribe]
)");
        service_->rescan();
        EXPECT_EQ(status("one").state, "refused") << function.name;
        const auto why = fmt::format("imports {}.{}, for which the manifest must have {}", function.module,
                                     function.name, function.needs);
        EXPECT_THAT(status("one").error, HasSubstr(why));
        EXPECT_THAT(last("one", "skill.refused")["error"].get<std::string>(), HasSubstr(why));
    }
}

// ── Timers
// ────────────────────────────────────────────────────────────────────────────────────────────────────────────

// Sets a timer for a message, and publishes the payload of one that rings.
std::string timekeeper(std::string_view name, int delay_ms) {
    return fmt::format(R"((module
  (import "loqa" "timer_set" (func $set (param i32 i32 i64 i32 i32) (result i32)))
  (import "env" "host_publish" (func $publish (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_get" (func $get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_sizes_get" (func $sizes (param i32 i32) (result i32)))
  (memory (export "memory") 2)
  (data (i32.const 0) "test.out{0}")
  (func (export "run") (local $at i32)
    (drop (call $sizes (i32.const 32) (i32.const 36)))
    (drop (call $get (i32.const 64) (i32.const 1024)))
    ;; The second variable is LOQA_EVENT_KIND=…: a t after the sign is a timer.
    (local.set $at (i32.load (i32.const 68)))
    (if (i32.eq (i32.load8_u (i32.add (local.get $at) (i32.const 16))) (i32.const 116))
      (then (drop (call $publish (i32.const 0) (i32.const 8) (i32.const 1024) (i32.load (i32.const 36)))))
      (else (drop (call $set (i32.const 8) (i32.const {1}) (i64.const {2}) (i32.const 8) (i32.const {1})))))))
)",
                       name, name.size(), delay_ms);
}

TEST_F(Calls, ATimerRingsAlsoAfterARestart) {
    write("one", timekeeper("tea", 60'000), std::string(manifest_of_all));
    start();
    ASSERT_TRUE(bus_.publish("test.one", "x"));
    await("one", 1);
    ASSERT_FALSE(last("one", "skill.timer.set").is_null()) << status("one").error;
    service_.reset();
    clock_.advance(seconds(61));
    start();

    const auto rung = bus_.wait_for("test.out");
    ASSERT_EQ(rung.size(), 1U);
    for (const auto* line : {"LOQA_EVENT_KIND=timer", "LOQA_EVENT_SUBJECT=timer.tea", "LOQA_EVENT_PAYLOAD=tea"})
        EXPECT_THAT(rung[0].payload, HasSubstr(line));
    await("one", 1);
    service_.reset();
    clock_.advance(seconds(600));
    start();
    ASSERT_TRUE(bus_.publish("test.one", "x"));
    await("one", 1);
    EXPECT_EQ(bus_.published("test.out").size(), 1U);  // not again
}

TEST_F(Calls, ATimerOfTheSameNameReplacesAndOthersAreCounted) {
    EXPECT_EQ(call(probe("timer_set", "(param i32 i32 i64 i32 i32) (result i32)",
                         text_at("tea") + " (i64.const 60000) " + text_at("tea"), "tea")),
              "");
    EXPECT_EQ(invoke(), "");
    EXPECT_EQ(invoke(), "");
    for (const auto* name : {"egg", "rice"}) {
        write("one",
              probe("timer_set", "(param i32 i32 i64 i32 i32) (result i32)",
                    text_at(name) + " (i64.const 60000) (i32.const 0) (i32.const 0)", name),
              std::string(manifest_of_all));
        ASSERT_TRUE(service_->reload("one"));
        EXPECT_EQ(invoke(), std::string_view(name) == "egg" ? "" : "5");
    }
}

TEST_F(Calls, TimersOfAllSkillsTogetherAreBounded) {
    auto timers = durable_timers::open(root_ / "few.db", clock_, telemetry::logger::silent(), 3).value();
    const auto one = timers->of("one", 2, true), other = timers->of("other", 2, true);
    for (const auto* name : {"a", "b"}) EXPECT_TRUE(one->set(name, seconds(60), ""));
    const auto own = one->set("c", seconds(60), "");
    EXPECT_EQ(own.error().code, errc::busy);
    EXPECT_THAT(own.error().message, HasSubstr("2 timers, which is its limits.timers"));
    EXPECT_TRUE(other->set("a", seconds(60), ""));
    const auto all = other->set("b", seconds(60), "");
    EXPECT_EQ(all.error().code, errc::busy);
    EXPECT_THAT(all.error().message, HasSubstr("the skills together"));
    EXPECT_THAT(other->list().value(), testing::Not(HasSubstr("\"b\"")));
}

// ── Intents
// ───────────────────────────────────────────────────────────────────────────────────────────────────────────

// Answers whatever comes with this.
std::string answering(std::string_view with) {
    std::string quoted;
    for (const char c : with) quoted += c == '"' ? std::string("\\\"") : std::string(1, c);
    return fmt::format(R"((module (import "loqa" "respond" (func $respond (param i32 i32) (result i32)))
  (memory (export "memory") 1) (data (i32.const 16) "{}")
  (func (export "run") (drop (call $respond (i32.const 16) (i32.const {}))))))",
                       quoted, with.size());
}

constexpr std::string_view coffee = R"(metadata: {name: coffee, version: 1.0.0}
runtime: {mode: wasm, module: skill.wasm, entrypoint: run}
intents:
  - name: CoffeeBrew
    sentences: ["(brew|make) {cups} coffee[s]"]
  - name: CoffeeClean
    confirm: Clean the machine for {minutes} minutes?
lists: {cups: {range: {from: 1, to: 9}}}
permissions: [bus:subscribe]
)";

class Intents : public Skills {
protected:
    json ask(const std::string& intent, const std::string& payload) {
        const auto answer = bus_.request("intent." + intent, payload, seconds(10));
        return answer ? json::parse(answer->payload, nullptr, false) : json(answer.error().message);
    }
};

TEST_F(Intents, AreDeclaredAnsweredAndAskedAbout) {
    write("coffee", answering(R"({"handled":true,"speech":"Here it is."})"), std::string(coffee));
    start();
    const auto declared = bus_.wait_for("intent.declare");
    ASSERT_FALSE(declared.empty()) << status("coffee").error;
    EXPECT_EQ(json::parse(declared[0].payload), json::parse(R"({"handler":"skill:coffee",
        "intents":["CoffeeBrew","CoffeeClean"]})"));
    EXPECT_EQ(ask("CoffeeBrew", R"({"intent":"CoffeeBrew"})")["speech"], "Here it is.");
    await("coffee", 1);  // it is counted when it has ended, which is after its answer

    const auto asked = ask("CoffeeClean", R"({"intent":"CoffeeClean","slots":{"minutes":5}})");
    EXPECT_EQ(asked["ask"], true);
    EXPECT_EQ(asked["speech"], "Clean the machine for 5 minutes?");
    EXPECT_EQ(status("coffee").invocations, 1U);
    EXPECT_EQ(ask("CoffeeClean", R"({"intent":"CoffeeClean","confirmed":true})")["speech"], "Here it is.");
    await("coffee", 2);
    EXPECT_EQ(status("coffee").invocations, 2U);
}

TEST_F(Intents, TheirSentencesAreThereForTheMatcherUntilTheSkillGoes) {
    write("coffee", answering("{}"), std::string(coffee));
    start();
    const auto file = sentences_folder(root_) / "coffee.yaml";
    EXPECT_THAT(read_file(file).value_or(""), HasSubstr("(brew|make) {cups} coffee[s]"));

    fs::remove_all(options_.directory / "coffee");
    service_->rescan();
    EXPECT_FALSE(fs::exists(file));
    EXPECT_EQ(json::parse(bus_.published("intent.declare").back().payload)["intents"], json::array());
}

TEST_F(Intents, OneThatFailsOrSaysNothingIsApologisedFor) {
    write("coffee", R"((module (func (export "run") unreachable)))", std::string(coffee));
    start();
    const auto failed = ask("CoffeeBrew", "{}");
    EXPECT_EQ(failed["failed"], true);
    EXPECT_EQ(failed["reason"], "skill_failed");
    write("coffee", R"((module (func (export "run"))))", std::string(coffee));
    ASSERT_TRUE(service_->reload("coffee"));
    EXPECT_EQ(ask("CoffeeBrew", "{}")["reason"], "no_answer");
}

TEST_F(Intents, OfTwoSkillsForOneIntentTheSecondIsRefused) {
    write("a", answering("{}"), std::string(coffee));
    auto other = std::string(coffee);
    write("b", answering("{}"), other.replace(other.find("name: coffee"), 12, "name: cafe"));
    start();
    EXPECT_THAT(status("cafe").error, HasSubstr("the skill coffee answers for the intent CoffeeBrew already"));
}

TEST_F(Intents, WhatIsSaidInAnEphemeralTurnLeavesNoTrace) {
    write("coffee", answering(R"({"handled":true})"), std::string(coffee));
    start();
    ASSERT_TRUE(bus_.request("intent.CoffeeBrew", "{}", seconds(10), {{"Loqa-Privacy", "ephemeral"}}));
    await("coffee", 1);
    EXPECT_THAT(recorded_types("coffee"), ElementsAre("skill.load"));
}

TEST_F(Intents, SeeThePastOfWhoeverSpoke) {
    for (const auto* session : {"kitchen", "attic"})
        ASSERT_TRUE(store_->append({.session_id = session,
                                    .trace_id = {},
                                    .actor_id = {},
                                    .type = "stt.text.final",
                                    .payload = fmt::format(R"({{"text":"said in the {}"}})", session)}));
    auto manifest = std::string(coffee);
    manifest.replace(manifest.find("bus:subscribe"), 13, "bus:subscribe, event_store:read");
    write("coffee", R"((module (import "loqa" "events" (func $events (param i32) (result i32)))
      (import "loqa" "answer" (func $answer (param i32 i32) (result i32)))
      (import "loqa" "respond" (func $respond (param i32 i32) (result i32)))
      (memory (export "memory") 1)
      (func (export "run") (drop (call $events (i32.const 50)))
        (drop (call $respond (i32.const 0) (call $answer (i32.const 0) (i32.const 60000)))))))",
          manifest);
    start();
    const auto found = ask("CoffeeBrew", R"({"session_id":"kitchen"})");
    ASSERT_EQ(found.size(), 1U) << found.dump();
    EXPECT_EQ(found[0]["payload"]["text"], "said in the kitchen");
    for (const auto* of_nobody : {"{}", R"({"session_id":""})", R"({"session_id":7})"})
        EXPECT_EQ(ask("CoffeeBrew", of_nobody), json::array()) << of_nobody;
}

// ── Life cycle
// ────────────────────────────────────────────────────────────────────────────────────────────────────────

std::string with_version(std::string_view version) {
    return fmt::format(R"(metadata: {{name: one, version: {}}}
runtime: {{mode: wasm, module: skill.wasm, entrypoint: run}}
capabilities: {{bus: {{subscribe: [test.one], publish: [test.out]}}}}
permissions: [bus:publish]
)",
                       version);
}
std::string says(std::string_view what, std::string_view self_test = "") {
    return fmt::format(R"((module (import "env" "host_publish" (func $publish (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1) (data (i32.const 0) "test.out{}") {}
  (func (export "run") (drop (call $publish (i32.const 0) (i32.const 8) (i32.const 8) (i32.const 1))))))",
                       what, self_test);
}

class LifeCycle : public Calls {};

TEST_F(LifeCycle, AnEditedSkillTakesOverAndABrokenOneDoesNot) {
    write("one", says("1"), with_version("1"));
    start();
    EXPECT_EQ(invoke(), "1");
    const auto until = [&](auto true_now) {
        const auto give_up = std::chrono::steady_clock::now() + seconds(20);
        while (!true_now() && std::chrono::steady_clock::now() < give_up) std::this_thread::sleep_for(milliseconds(5));
        return true_now();
    };
    write("one", says("2"), with_version("2"));  // seen by the watch
    ASSERT_TRUE(until([&] { return status("one").version == "2"; }));
    EXPECT_EQ(invoke(), "2");
    write("one", says("3", R"((func (export "loqa_selftest") (result i32) (i32.const 7)))"), with_version("3"));
    ASSERT_TRUE(until([&] { return !status("one").error.empty(); }));
    EXPECT_THAT(status("one").error, HasSubstr("its self-test failed: loqa_selftest answered 7"));
    EXPECT_EQ(status("one").version, "2");
    EXPECT_EQ(invoke(), "2");
    write("two", says("9"), R"(metadata: {name: two, version: 1}
runtime: {mode: wasm, module: skill.wasm, entrypoint: run}
capabilities: {bus: {subscribe: [test.two], publish: [test.out]}}
permissions: [bus:publish]
)");
    EXPECT_TRUE(until([&] { return status("two").state == "ready"; }));
}

TEST_F(LifeCycle, ASelfTestReachesNothing) {
    write("one", says("1", R"((func (export "loqa_selftest") (result i32)
            (i32.sub (call $publish (i32.const 0) (i32.const 8) (i32.const 8) (i32.const 1)) (i32.const 1))))"),
          with_version("1"));
    start();
    EXPECT_EQ(status("one").state, "ready") << status("one").error;
    EXPECT_THAT(bus_.published("test.out"), IsEmpty());
}

TEST_F(LifeCycle, InstallDisableEnableRemove) {
    start();
    const auto from = root_ / "made";
    options_.directory.swap(const_cast<fs::path&>(from));
    write("one", says("1"), with_version("1"));
    options_.directory.swap(const_cast<fs::path&>(from));
    ASSERT_TRUE(service_->install(from / "one").has_value());
    EXPECT_EQ(invoke(), "1");
    EXPECT_EQ(status("one").folder, options_.directory / "one");

    ASSERT_TRUE(service_->enable("one", false));
    EXPECT_EQ(status("one").state, "disabled");
    service_.reset();
    start();
    EXPECT_EQ(status("one").state, "disabled");
    ASSERT_TRUE(service_->enable("one", true));
    EXPECT_EQ(invoke(), "1");

    ASSERT_TRUE(service_->remove("one"));
    EXPECT_THAT(service_->list(), IsEmpty());
    EXPECT_FALSE(fs::exists(options_.directory / "one"));
    EXPECT_EQ(service_->remove("one").error().code, errc::not_found);
}

TEST_F(LifeCycle, ABrokenFolderIsNotInstalled) {
    write("one", says("1"), with_version("1"));
    start();
    const auto broken = root_ / "broken";
    fs::create_directories(broken);
    ASSERT_TRUE(write_file_atomically(broken / "skill.yaml", with_version("2")));
    ASSERT_TRUE(write_file_atomically(broken / "skill.wasm", "no module"));
    EXPECT_FALSE(service_->install(broken));
    EXPECT_EQ(status("one").version, "1");
    EXPECT_EQ(invoke(), "1");
}

TEST_F(LifeCycle, OneThatWaitsForItsConfigurationIsInstalled) {
    start();
    const auto made = root_ / "made";
    fs::create_directories(made);
    ASSERT_TRUE(write_file_atomically(made / "skill.yaml", with_version("1") + "config: {url: {type: text, required: "
                                                                               "true}}\n"));
    ASSERT_TRUE(write_file_atomically(made / "skill.wasm", assemble(says("1")).value()));
    EXPECT_EQ(service_->install(made).value(), "one");
    EXPECT_EQ(status("one").state, "waiting");
    EXPECT_THAT(status("one").error, HasSubstr("url must be set"));
    EXPECT_EQ(status("one").hint, "loqa skill config one url VALUE");

    ASSERT_TRUE(write_file_atomically(config_file(root_, "one"), "url: [a, b]\n"));
    EXPECT_FALSE(service_->reload("one"));
    EXPECT_EQ(status("one").state, "refused") << "what is wrong is not only missing";

    ASSERT_TRUE(write_file_atomically(config_file(root_, "one"), "url: here\n"));
    ASSERT_TRUE(service_->reload("one"));
    EXPECT_EQ(invoke(), "1");

    // An update that cannot be used leaves what works in place.
    ASSERT_TRUE(write_file_atomically(made / "skill.yaml", with_version("2") + "config: {key: {type: text, required: "
                                                                               "true}}\n"));
    EXPECT_FALSE(service_->install(made));
    EXPECT_EQ(status("one").version, "1");
    EXPECT_EQ(invoke(), "1");
}

TEST_F(LifeCycle, StartIsAnInvocation) {
    write("one", says("s"), R"(metadata: {name: one, version: 1}
runtime: {mode: wasm, module: skill.wasm, entrypoint: run, start: true}
capabilities: {bus: {publish: [test.out]}}
permissions: [bus:publish]
)");
    start();
    EXPECT_EQ(bus_.wait_for("test.out").size(), 1U);
}

// ── Work that is kept
// ─────────────────────────────────────────────────────────────────────────────────────────────────

TEST_F(LifeCycle, KeptWorkIsTriedAgainAndInTheEndBuried) {
    options_.failures_to_suspend = 100;
    auto manifest = with_version("1");
    write("one", R"((module (func (export "run") unreachable)))",
          manifest.replace(manifest.find("subscribe:"), 0, "durable: true, "));
    start();
    ASSERT_TRUE(bus_.publish("test.one", "precious"));
    const auto dead = bus_.wait_for("skill.dead.one");
    ASSERT_EQ(dead.size(), 1U);
    const auto told = json::parse(dead[0].payload);
    EXPECT_EQ(told["payload"], "precious");
    EXPECT_EQ(told["attempts"], 5);
    EXPECT_EQ(status("one").failures, 5U);
    std::string id;
    for (const auto& [type, payload] : record("one"))
        if (type == "skill.invoke.start") {
            if (id.empty()) id = payload["invocation_id"].get<std::string>();
            EXPECT_EQ(payload["invocation_id"], id);
        }
}

}  // namespace
}  // namespace loqa::skills
