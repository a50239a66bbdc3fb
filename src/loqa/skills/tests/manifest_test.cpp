#include "loqa/skills/manifest.hpp"

#include <gmock/gmock.h>

#include "loqa/base/ids.hpp"

namespace loqa::skills {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// The fields that loqa-core's own examples use.
constexpr std::string_view bridge = R"(metadata:
  name: home-bridge
  version: 0.1.0
  description: Passes what is said on to the house.
  author: Somebody
  tags: [home]
runtime:
  mode: wasm
  module: build/home.wasm
  entrypoint: run
  host_version: v1
capabilities:
  bus:
    subscribe:
      - skill.home.command
    publish:
      - skill.home.status
  storage:
    kv: true
  timers: true
permissions:
  - http:call
  - event_store:read
  - bus:publish
  - bus:subscribe
surfaces:
  voice: true
  automations: true
)";

std::string with(std::string_view text, std::string_view line, std::string_view instead) {
    std::string out(text);
    const auto at = out.find(line);
    EXPECT_NE(at, std::string::npos) << line;
    return out.replace(at, line.size(), instead);
}

TEST(Manifest, ReadsWhatOthersWrote) {
    const auto [m, faults, warnings] = parse_manifest(bridge);

    EXPECT_THAT(faults, IsEmpty());
    EXPECT_THAT(warnings, IsEmpty());
    EXPECT_EQ(m.name, "home-bridge");
    EXPECT_EQ(m.module, "build/home.wasm");
    EXPECT_THAT(m.publish, ElementsAre("skill.home.status"));
    EXPECT_THAT(m.subscribe, ElementsAre("skill.home.command"));
    EXPECT_TRUE(m.storage && m.timers && m.voice && m.automations && !m.display);
    EXPECT_TRUE(m.may_publish("skill.home.status"));
    EXPECT_FALSE(m.may_publish("skill.home.command"));
}

TEST(Manifest, WithoutHostVersionItIsTheFirst) {
    EXPECT_EQ(parse_manifest(with(bridge, "  host_version: v1\n", "")).value.host_version, "v1");
}

TEST(Manifest, LimitsAreRead) {
    const auto parsed = parse_manifest(std::string(bridge) + "limits: {wall_ms: 500, memory_mb: 4, publishes: 3}\n");

    EXPECT_THAT(parsed.faults, IsEmpty());
    EXPECT_EQ(parsed.value.limits.run.wall, milliseconds(500));
    EXPECT_EQ(parsed.value.limits.run.memory_bytes, 4 * mebibyte);
    EXPECT_EQ(parsed.value.limits.publishes, 3);
}

TEST(Manifest, WithoutThePermissionNothingIsPublished) {
    EXPECT_FALSE(parse_manifest(with(bridge, "  - bus:publish\n", "")).value.may_publish("skill.home.status"));
}

struct wrong {
    std::string_view name, line, instead, fault;
};
class Faults : public testing::TestWithParam<wrong> {};

TEST_P(Faults, AreSaidWithTheirPlace) {
    const auto& row = GetParam();
    const auto parsed = parse_manifest(with(bridge, row.line, row.instead));

    ASSERT_EQ(parsed.faults.size(), 1U);
    EXPECT_EQ(parsed.faults[0].at("skill.yaml"), std::string(row.fault));
}

INSTANTIATE_TEST_SUITE_P(
    Lines, Faults,
    testing::Values(
        wrong{"no name", "  name: home-bridge\n", "", "skill.yaml:2:3: metadata.name is required"},
        wrong{"empty version", "version: 0.1.0", "version: \"\"", "skill.yaml:3:12: metadata.version is required"},
        wrong{"name is a list", "name: home-bridge", "name: [a]", "skill.yaml:2:9: metadata.name is not text"},
        wrong{"another mode", "mode: wasm\n  module: build/home.wasm\n  entrypoint: run", "mode: native",
              "skill.yaml:8:9: runtime.mode \"native\" not supported: wasm is"},
        wrong{"no module", "  module: build/home.wasm\n", "", "skill.yaml:8:3: runtime.module is required for wasm"},
        wrong{"no entrypoint", "  entrypoint: run\n", "", "skill.yaml:8:3: runtime.entrypoint is required for wasm"},
        wrong{"module outside", "build/home.wasm", "../other/home.wasm",
              "skill.yaml:9:11: runtime.module ../other/home.wasm is outside the skill's folder"},
        wrong{"absolute module", "build/home.wasm", "/tmp/home.wasm",
              "skill.yaml:9:11: runtime.module /tmp/home.wasm is outside the skill's folder"},
        wrong{"later ABI", "host_version: v1", "host_version: v9",
              "skill.yaml:11:17: runtime.host_version \"v9\" not supported: v1 and v2 are"},
        wrong{"no subjects", "    subscribe:\n      - skill.home.command\n    publish:\n      - skill.home.status\n",
              "    publish: []\n", "skill.yaml:14:5: capabilities.bus must declare publish or subscribe subjects"},
        wrong{"no permissions", "  - http:call\n  - event_store:read\n  - bus:publish\n  - bus:subscribe\n", "  []\n",
              "skill.yaml:22:3: permissions must include at least one entry"},
        wrong{"bad subject", "- skill.home.status", "- skill..status",
              "skill.yaml:17:9: capabilities.bus.publish: \"skill..status\" is not a subject"},
        wrong{"subject of the bus", "- skill.home.command", "- $JS.>",
              "skill.yaml:15:9: capabilities.bus.subscribe: $JS.> is the bus's own, which no skill is given"},
        wrong{"a word for a truth value", "kv: true", "kv: perhaps",
              "skill.yaml:19:9: capabilities.storage.kv is not true or false"},
        wrong{"twice", "  author: Somebody\n", "  author: Somebody\n  author: Nobody\n",
              "skill.yaml:6:3: metadata.author is there twice"},
        wrong{"limit too high", "surfaces:\n", "limits:\n  memory_mb: 65\nsurfaces:\n",
              "skill.yaml:27:14: limits.memory_mb must be a whole number from 1 to 64"},
        wrong{"not YAML", "author: Somebody", "author: [Somebody",
              "skill.yaml:6:7: is not YAML that can be read: end of sequence flow not found"}),
    [](const auto& row) {
        std::string name(row.param.name);
        std::ranges::replace(name, ' ', '_');
        return name;
    });

TEST(Manifest, AllFaultsOfAFileAreFoundInOneRun) {
    const auto parsed = parse_manifest("metadata: {version: 1}\nruntime: {mode: wasm, module: ../x.wasm}\n");

    std::vector<std::string> said;
    for (const auto& fault : parsed.faults) said.push_back(fault.at("f"));
    EXPECT_THAT(said, testing::UnorderedElementsAre(
                          "f:1:1: capabilities.bus must declare publish or subscribe subjects",
                          "f:1:1: permissions must include at least one entry", "f:1:11: metadata.name is required",
                          "f:2:10: runtime.entrypoint is required for wasm",
                          "f:2:31: runtime.module ../x.wasm is outside the skill's folder"));
}

TEST(Manifest, WhatIsNotKnownIsAWarning) {
    const auto parsed = parse_manifest(with(std::string(bridge), "surfaces:", "surface:"));

    EXPECT_THAT(parsed.faults, IsEmpty());
    ASSERT_EQ(parsed.warnings.size(), 1U);
    EXPECT_THAT(parsed.warnings[0].what, HasSubstr("is surfaces meant?"));
}

TEST(Manifest, UnknownPermissionsGrantNothing) {
    const auto parsed = parse_manifest(with(bridge, "- http:call", "- bus:publsh"));

    EXPECT_THAT(parsed.faults, IsEmpty());
    ASSERT_EQ(parsed.warnings.size(), 1U);
    EXPECT_THAT(parsed.warnings[0].at("f"), HasSubstr("f:22:5: permission bus:publsh is not known here"));
}

TEST(Manifest, NoiseIsNoManifest) {
    for (const auto* text : {"", "[]", "~", "a", "{", "\t", "- - - -", "a: &a [*a]"})
        EXPECT_FALSE(parse_manifest(text).faults.empty()) << text;
    EXPECT_FALSE(parse_manifest(std::string(max_manifest_bytes + 1, 'a')).faults.empty());
}

TEST(Subjects, MatchAsOnTheBus) {
    struct row {
        std::string_view pattern, subject;
        bool matches;
    };
    for (const auto& [pattern, subject, matches] :
         {row{"a.b", "a.b", true}, row{"a.b", "a.c", false}, row{"a.b", "a.b.c", false}, row{"a.*", "a.b", true},
          row{"a.*", "a", false}, row{"a.*.c", "a.b.c", true}, row{"a.>", "a.b.c", true}, row{"a.>", "a", false},
          row{">", "a", true}, row{"*", "a.b", false}})
        EXPECT_EQ(subject_matches(pattern, subject), matches) << pattern << " " << subject;
}

TEST(Manifest, PublishPatternsGrantNoPatterns) {
    const auto m = parse_manifest(with(bridge, "- skill.home.status", "- skill.home.*")).value;

    EXPECT_TRUE(m.may_publish("skill.home.light"));
    EXPECT_FALSE(m.may_publish("skill.home.*"));
    EXPECT_FALSE(m.may_publish("skill.home.>"));
    EXPECT_FALSE(m.may_publish("skill.home."));
    EXPECT_FALSE(m.may_publish("skill.home.a b"));
}

TEST(ModulePath, LinksDoNotLeadOutOfTheFolder) {
    const auto root = fs::temp_directory_path() / ("loqa-manifest-" + random_hex(8));
    fs::create_directories(root / "skill" / "build");
    ASSERT_TRUE(write_file_atomically(root / "other.wasm", "x"));
    fs::create_symlink(root / "other.wasm", root / "skill" / "build" / "home.wasm");
    const auto m = parse_manifest(bridge).value;

    const auto outside = module_path(m, root / "skill");
    ASSERT_FALSE(outside);
    EXPECT_EQ(outside.error().code, errc::not_permitted);

    fs::remove(root / "skill" / "build" / "home.wasm");
    EXPECT_TRUE(module_path(m, root / "skill"));
    fs::remove_all(root);
}

TEST(Module, IsHeldAgainstItsManifest) {
    const auto m = parse_manifest(bridge).value;
    const module_facts good{.imports = {{"env", "host_log", "(i32, i32)"}, {"wasi_snapshot_preview1", "fd_write", ""}},
                            .exports = {{"run", "()"}}};

    EXPECT_THAT(mismatches(m, good), IsEmpty());
    EXPECT_THAT(mismatches(m, {.imports = {}, .exports = {{"_start", "()"}}}), IsEmpty());
    EXPECT_THAT(mismatches(m, {.imports = {{"env", "system", "(i32)"}, {"env", "host_log", "(i64)"}},
                               .exports = {{"run", "(i32)"}}}),
                ElementsAre(HasSubstr("imports env.system"), HasSubstr("host_log as (i64), but it is (i32, i32)"),
                            HasSubstr("run is (i32), expected a function without arguments")));
    EXPECT_THAT(mismatches(m, {.imports = {{"loqa", "request", "(i32, i32, i32, i32, i32) -> i32"}},
                               .exports = {{"run", "()"}}}),
                ElementsAre("the module imports loqa.request, for which the manifest must have bus:request"));
    EXPECT_THAT(mismatches(m, {}), ElementsAre(HasSubstr("exports neither the entrypoint run nor _start")));
}

}  // namespace
}  // namespace loqa::skills
