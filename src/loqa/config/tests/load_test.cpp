#include <cstdlib>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "loqa/base/ids.hpp"
#include "loqa/config/config.hpp"

namespace loqa::config {
namespace {

using namespace std::chrono_literals;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

// A folder of its own with a loqa.yaml in it, and a current directory there, so that errors name just "loqa.yaml".
class ConfigFile : public testing::Test {
protected:
    void SetUp() override {
        before_ = fs::current_path();
        folder_ = fs::temp_directory_path() / ("loqa-config-" + random_hex(6));
        fs::create_directories(folder_);
        fs::current_path(folder_);
    }
    void TearDown() override {
        fs::current_path(before_);
        fs::remove_all(folder_);
    }

    result<settings> load_text(std::string_view yaml, environment_variables environment = {}) {
        std::ofstream("loqa.yaml", std::ios::binary) << yaml;
        ::chmod("loqa.yaml", 0600);
        return load({.file = "loqa.yaml", .environment = std::move(environment)});
    }

private:
    fs::path before_, folder_;
};

struct fault_case {
    std::string name;
    std::string yaml;
    environment_variables environment;
    std::string message;
};

std::ostream& operator<<(std::ostream& out, const fault_case& c) { return out << c.name; }

class ConfigFault : public ConfigFile, public testing::WithParamInterface<fault_case> {};

TEST_P(ConfigFault, IsNamedExactly) {
    const auto loaded = load_text(GetParam().yaml, GetParam().environment);
    ASSERT_FALSE(loaded);
    EXPECT_EQ(loaded.error().code, errc::invalid_config);
    EXPECT_EQ(loaded.error().message, GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(
    File, ConfigFault,
    testing::Values(
        fault_case{"unknown key with a near one",
                   "http:\n  prot: 80\n",
                   {},
                   "loqa.yaml:2:3: \"http.prot\" is not a key; did you mean http.port?"},
        fault_case{"unknown key with none near",
                   "http:\n  qqqqqqq: 80\n",
                   {},
                   "loqa.yaml:2:3: \"http.qqqqqqq\" is not a key; http has bind, port"},
        fault_case{"a key of another section",
                   "stt:\n  voice: joe\n",
                   {},
                   "loqa.yaml:2:3: \"stt.voice\" is not a key; did you mean tts.voice?"},
        fault_case{
            "unknown section", "htpt:\n  port: 80\n", {}, "loqa.yaml:1:1: \"htpt\" is not a key; did you mean http?"},
        fault_case{"a key that belongs into a section",
                   "heartbeat_interval_ms: 80\n",
                   {},
                   "loqa.yaml:1:1: \"heartbeat_interval_ms\" is not a key; did you mean node.heartbeat_interval_ms?"},
        fault_case{"a word for a number",
                   "stt:\n  threads: many\n",
                   {},
                   "loqa.yaml:2:12: stt.threads must be a whole number from 1 to 64, found \"many\""},
        fault_case{"out of range",
                   "http: {port: 65536}\n",
                   {},
                   "loqa.yaml:1:14: http.port must be a whole number from 0 to 65535, found \"65536\""},
        fault_case{"larger than any integer",
                   "http: {port: 99999999999999999999}\n",
                   {},
                   "loqa.yaml:1:14: http.port must be a whole number from 0 to 65535, found \"99999999999999999999\""},
        fault_case{"a fraction for a whole number",
                   "stt: {threads: 1.5}\n",
                   {},
                   "loqa.yaml:1:16: stt.threads must be a whole number from 1 to 64, found \"1.5\""},
        fault_case{"not a number at all",
                   "llm: {temperature: .nan}\n",
                   {},
                   "loqa.yaml:1:20: llm.temperature must be a number from 0 to 2, found \".nan\""},
        fault_case{"a duration with a unit",
                   "session: {turn_timeout_ms: 10s}\n",
                   {},
                   "loqa.yaml:1:28: session.turn_timeout_ms must be a whole number from 500 to 300000 (milliseconds), "
                   "found \"10s\""},
        fault_case{
            "not one of the words",
            "stt: {mode: parrot}\n",
            {},
            "loqa.yaml:1:13: stt.mode must be one of moonshine, transducer, whisper, exec, mock, found \"parrot\""},
        fault_case{"neither true nor false",
                   "stt: {enabled: maybe}\n",
                   {},
                   "loqa.yaml:1:16: stt.enabled must be true or false, found \"maybe\""},
        fault_case{"a list for a text",
                   "stt: {language: [en, de]}\n",
                   {},
                   "loqa.yaml:1:17: stt.language must be text on one line, not empty, found a list"},
        fault_case{"a map for a number",
                   "stt: {threads: {a: 1}}\n",
                   {},
                   "loqa.yaml:1:16: stt.threads must be a whole number from 1 to 64, found a map"},
        fault_case{"a text for a section", "http: here\n", {}, "loqa.yaml:1:7: http must be a map of keys"},
        fault_case{"a list at the top", "- http\n", {}, "loqa.yaml:1:1: must be a map of sections"},
        fault_case{"a key twice",
                   "http:\n  port: 1\n  port: 2\n",
                   {},
                   "loqa.yaml:3:3: \"http.port\" stands here a second time"},
        fault_case{"a section twice",
                   "http:\n  port: 1\nhttp:\n  bind: a\n",
                   {},
                   "loqa.yaml:3:1: \"http\" stands here a second time"},
        fault_case{"two documents", "http: {}\n---\nstt: {}\n", {}, "loqa.yaml: has several documents, must be one"},
        fault_case{"a text over several lines",
                   "node: {role: \"core\\nadmin\"}\n",
                   {},
                   "loqa.yaml:1:14: node.role must be text on one line, not empty, found \"core?admin\""},
        fault_case{"a node id that is two subject tokens",
                   "node: {id: kitchen.pi}\n",
                   {},
                   "loqa.yaml:1:12: node.id must be letters, digits, - and _, found \"kitchen.pi\""},
        fault_case{"an address without a port",
                   "telemetry: {prometheus_bind: localhost}\n",
                   {},
                   "loqa.yaml:1:30: telemetry.prometheus_bind must be HOST:PORT, :PORT or empty, found \"localhost\""},
        fault_case{"the URL of another protocol",
                   "bus:\n  servers:\n    - nats://a:4222\n    - http://b:4222\n",
                   {},
                   "loqa.yaml:4:7: bus.servers must be a list of URLs that begin with nats:// or tls://, found "
                   "\"http://b:4222\""},
        fault_case{"a long value is cut",
                   "stt: {mode: " + std::string(500, 'x') + "}\n",
                   {},
                   "loqa.yaml:1:13: stt.mode must be one of moonshine, transducer, whisper, exec, mock, found \"" +
                       std::string(60, 'x') + "…\""},
        fault_case{
            "a capability without a name",
            "node: {capabilities: [{tier: fast}]}\n",
            {},
            "loqa.yaml:1:22: node.capabilities must be a list of maps, each with a name, and a tier and a map of "
            "attributes if you like, found an item without a name"},
        fault_case{"a secret of the wrong form is not shown",
                   "bus: {username: me, password: [hunter2]}\n",
                   {},
                   "loqa.yaml:1:31: bus.password must be text on one line, found something else"},
        fault_case{"all faults at once, in their order",
                   "http:\n  port: x\nstt:\n  threads: 0\n",
                   {{"LOQA_HTTP_BIND", ""}},
                   "loqa.yaml:2:9: http.port must be a whole number from 0 to 65535, found \"x\"\n"
                   "loqa.yaml:4:12: stt.threads must be a whole number from 1 to 64, found \"0\"\n"
                   "LOQA_HTTP_BIND: http.bind must be a host name or an IP address, found \"\""},
        fault_case{
            "a timeout shorter than its interval",
            "node:\n  heartbeat_interval_ms: 7000\n",
            {},
            "default: node.heartbeat_timeout_ms must be more than node.heartbeat_interval_ms, found 6000 and 7000"},
        fault_case{"exec without a command",
                   "stt:\n  mode: exec\n",
                   {},
                   "loqa.yaml:2:9: stt.mode is exec, which needs stt.command"},
        fault_case{"a certificate without its key",
                   "bus: {tls_cert: a.pem}\n",
                   {},
                   "loqa.yaml:1:17: bus.tls_cert needs bus.tls_key beside it"},
        fault_case{"a password without a user",
                   "bus: {password: a}\n",
                   {},
                   "loqa.yaml:1:17: bus.password needs bus.username beside it"}));

INSTANTIATE_TEST_SUITE_P(
    Environment, ConfigFault,
    testing::Values(
        fault_case{"a wrong value",
                   "",
                   {{"LOQA_HTTP_PORT", "80x"}},
                   "LOQA_HTTP_PORT: http.port must be a whole number from 0 to 65535, found \"80x\""},
        fault_case{"a misspelt variable",
                   "",
                   {{"LOQA_HTTP_PROT", "80"}},
                   "LOQA_HTTP_PROT: is not a variable of Loqa; did you mean LOQA_HTTP_PORT?"},
        fault_case{"an unknown variable, none near",
                   "",
                   {{"LOQA_STT_QQQQQQQQQQQQ", "80"}},
                   "LOQA_STT_QQQQQQQQQQQQ: is not a variable of Loqa"},
        fault_case{
            "capabilities that are no YAML",
            "",
            {{"LOQA_NODE_CAPABILITIES", "[{"}},
            "LOQA_NODE_CAPABILITIES: node.capabilities must be a list of maps, each with a name, and a tier and a "
            "map of attributes if you like, found \"[{\""}));

TEST_F(ConfigFile, BadYamlIsReportedWithItsLine) {
    const auto loaded = load_text("http:\n  port: [1, 2\n");
    ASSERT_FALSE(loaded);
    EXPECT_THAT(loaded.error().message, StartsWith("loqa.yaml:3:1: "));
}

TEST_F(ConfigFile, AFileThatCannotBeReadIsNamed) {
    EXPECT_EQ(load({.file = "absent.yaml", .environment = {}}).error().message, "absent.yaml does not exist");
    EXPECT_EQ(load({.file = ".", .environment = {}}).error().message, ". is a folder, not a file");
    EXPECT_EQ(load_text(std::string((1u << 20) + 1, '#')).error().message, "loqa.yaml has more than 1048576 bytes");
}

TEST_F(ConfigFile, ManyFaultsAreCutOff) {
    std::string yaml;
    for (int i = 0; i < 60; ++i) yaml += "qqqqqqqqqqqqq" + std::to_string(i) + ": 1\n";
    const auto loaded = load_text(yaml);
    ASSERT_FALSE(loaded);
    EXPECT_THAT(loaded.error().message, testing::EndsWith("\nand 10 more"));
}

TEST_F(ConfigFile, NothingAtAllGivesTheDefaults) {
    for (const auto* yaml : {"", "# only a comment\n", "---\n", "http:\nstt:\n", "http: {port: }\n"}) {
        const auto loaded = load_text(yaml);
        ASSERT_TRUE(loaded) << yaml << loaded.error().message;
        EXPECT_EQ(loaded->http.port, 8080);
        EXPECT_EQ(loaded->http.bind, "127.0.0.1");
        EXPECT_TRUE(loaded->bus.embedded);
        EXPECT_EQ(loaded->stt.mode, "moonshine");
        EXPECT_EQ(loaded->node.heartbeat_timeout, 6s);
        EXPECT_EQ(loaded->event_store.path, loaded->data_dir / "events.db");
        EXPECT_FALSE(loaded->data_dir.empty());
        EXPECT_FALSE(loaded->node.id.empty());
        EXPECT_THAT(loaded->warnings, IsEmpty());
    }
}

TEST_F(ConfigFile, EveryKindIsReadFromTheFile) {
    const auto loaded = load_text(R"(
runtime_name: casa
data_dir: /var/lib/loqa
http: {bind: "::1", port: 0}
telemetry: {log_level: debug, prometheus_bind: "", otlp_endpoint: "https://collector:4318"}
bus:
  embedded: no
  servers: [nats://a:4222, tls://b:4222]
  token: 12345
node:
  id: kitchen-1
  capabilities:
    - {name: stt, tier: fast, attributes: {gpu: "none", cores: 4}}
    - name: tts
llm: {temperature: 0.25}
session: {turn_timeout_ms: 5000}
)");
    ASSERT_TRUE(loaded) << loaded.error().message;
    EXPECT_EQ(loaded->runtime_name, "casa");
    EXPECT_EQ(loaded->event_store.path, "/var/lib/loqa/events.db");
    EXPECT_EQ(loaded->http.bind, "::1");
    EXPECT_EQ(loaded->http.port, 0);
    EXPECT_EQ(loaded->telemetry.prometheus_bind, "");
    EXPECT_FALSE(loaded->bus.embedded);
    EXPECT_THAT(loaded->bus.servers, ElementsAre("nats://a:4222", "tls://b:4222"));
    EXPECT_EQ(loaded->bus.token, "12345");
    EXPECT_THAT(loaded->node.capabilities,
                ElementsAre(capability{"stt", "fast", {{"gpu", "none"}, {"cores", "4"}}}, capability{"tts", "", {}}));
    EXPECT_DOUBLE_EQ(loaded->llm.temperature, 0.25);
    EXPECT_EQ(loaded->session.turn_timeout, 5s);
}

// The whole of a file as loqa-core's documents show it, with its names and its units.
TEST_F(ConfigFile, AnOlderFileIsUnderstoodUnchanged) {
    const auto loaded = load_text(R"(
runtime_name: loqa-core
environment: development
http: {bind: 0.0.0.0, port: 8080}
telemetry: {log_level: info, otlp_endpoint: "", otlp_insecure: true, prometheus_bind: ":9091"}
bus: {embedded: true, port: 4222, servers: ["nats://localhost:4222"], username: "", password: "", token: "",
      tls_insecure: false, connect_timeout_ms: 2000}
node: {id: loqa-core-1, role: runtime, heartbeat_interval_ms: 2000, heartbeat_timeout_ms: 6000,
       capabilities: [{name: runtime.core, tier: balanced, attributes: {host: local}}]}
skills: {enabled: true, directory: ./skills, max_concurrency: 4, audit_privacy_scope: local}
event_store: {path: ./data/loqa-events.db, retention_mode: session, retention_days: 30, max_sessions: 10000,
              vacuum_on_start: false}
stt: {enabled: true, mode: exec, command: "python3 stt.py", model_path: "", language: en, sample_rate: 16000, channels: 1,
      frame_duration_ms: 20, partial_every_ms: 800, publish_interim: true}
llm: {enabled: true, mode: ollama, endpoint: "http://localhost:11434", command: "", model_fast: "a:b", model_balanced: c,
      default_tier: balanced, max_tokens: 256, temperature: 0.7}
tts: {enabled: true, mode: mock, command: "", voice: en-US, sample_rate: 22050, channels: 1, chunk_duration_ms: 400}
router: {enabled: true, default_tier: balanced, default_voice: en-US, target: default}
)");
    ASSERT_TRUE(loaded) << loaded.error().message;
    EXPECT_EQ(loaded->stt.command, "python3 stt.py");
    EXPECT_EQ(loaded->router.target, "default");
    EXPECT_THAT(loaded->warnings, Contains(StartsWith("http.bind is 0.0.0.0: ")));
    EXPECT_THAT(loaded->warnings, Contains(StartsWith("telemetry.prometheus_bind is :9091: ")));
    EXPECT_THAT(loaded->warnings, Contains(HasSubstr("tts.mode is mock")));
}

TEST_F(ConfigFile, TheEnvironmentWinsAndTheLastOfTwoVariables) {
    const auto loaded =
        load_text("http: {port: 1}\nbus: {servers: [nats://a]}\n", {{"LOQA_HTTP_PORT", "2"},
                                                                    {"LOQA_HTTP_PORT", "3"},
                                                                    {"LOQA_BUS_SERVERS", "nats://b:1, nats://c:2"},
                                                                    {"LOQA_RUNTIME_NAME", "casa"},
                                                                    {"LOQA_NODE_CAPABILITIES", "[{name: llm}]"},
                                                                    {"LOQA_EVENT_STORE_VACUUM_ON_START", "1"},
                                                                    {"LOQA_TELEMETRY_PROMETHEUS_BIND", ""}});
    ASSERT_TRUE(loaded) << loaded.error().message;
    EXPECT_EQ(loaded->http.port, 3);
    EXPECT_THAT(loaded->bus.servers, ElementsAre("nats://b:1", "nats://c:2"));
    EXPECT_EQ(loaded->runtime_name, "casa");
    EXPECT_THAT(loaded->node.capabilities, ElementsAre(capability{"llm", "", {}}));
    EXPECT_TRUE(loaded->event_store.vacuum_on_start);
    EXPECT_EQ(loaded->telemetry.prometheus_bind, "");
}

TEST_F(ConfigFile, VariablesOfOtherPurposesAreLeftAlone) {
    EXPECT_TRUE(load_text("", {{"LOQA_CACHE_DIR", "x"},
                               {"LOQA_SHARE_DIR", "x"},
                               {"LOQA_CONFIG", "x"},
                               {"LOQA_SKILL_NAME", "x"},
                               {"LOQA_EVENT_SUBJECT", "x"},
                               {"PATH", "x"}}));
}

TEST_F(ConfigFile, AnOuterBusHasAServerEvenIfNoneIsNamed) {
    EXPECT_THAT(load_text("bus: {embedded: false}").value().bus.servers, ElementsAre("nats://127.0.0.1:4222"));
    EXPECT_THAT(load_text("bus: {embedded: false, port: 5222}").value().bus.servers,
                ElementsAre("nats://127.0.0.1:5222"));
    EXPECT_THAT(load_text("").value().bus.servers, IsEmpty());
}

TEST_F(ConfigFile, HomeIsExpanded) {
    const auto loaded = load_text("data_dir: ~/loqa\n", {{"HOME", "/home/ann"}});
    EXPECT_EQ(loaded.value().data_dir, "/home/ann/loqa");
}

TEST_F(ConfigFile, ASecretThatOthersCanReadIsWarnedOf) {
    const std::string_view yaml = "bus:\n  token: s3cret\n";
    EXPECT_THAT(load_text(yaml).value().warnings, IsEmpty());
    ::chmod("loqa.yaml", 0644);
    const auto loaded = load({.file = "loqa.yaml", .environment = {}});
    EXPECT_THAT(
        loaded.value().warnings,
        ElementsAre("loqa.yaml:2:10: bus.token is a secret, but every user of this machine can read the file; run "
                    "chmod 600 loqa.yaml"));
    EXPECT_THAT(load({.file = "loqa.yaml", .environment = {{"LOQA_BUS_TOKEN", "other"}}}).value().warnings, IsEmpty())
        << "the secret in use is not the file's";
}

TEST_F(ConfigFile, IsFoundWhereItIsNamedOrInTheHome) {
    const auto here = fs::current_path().string();
    EXPECT_EQ(find_file({{"LOQA_CONFIG", "absent.yaml"}}), "absent.yaml");
    fs::create_directories("x/loqa");
    std::ofstream("x/loqa/loqa.yaml") << "";
    EXPECT_EQ(find_file({{"XDG_CONFIG_HOME", here + "/x"}, {"HOME", here}}), here + "/x/loqa/loqa.yaml");
    fs::create_directories(".config/loqa");
    std::ofstream(".config/loqa/loqa.yaml") << "";
    EXPECT_EQ(find_file({{"HOME", here}}), here + "/.config/loqa/loqa.yaml");
}

}  // namespace
}  // namespace loqa::config
