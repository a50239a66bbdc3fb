#include <cstdio>

#include <fmt/format.h>

#include "cases.hpp"
#include "commands.hpp"
#include "loqa/base/files.hpp"

namespace loqa::skill_app {
namespace {

constexpr std::size_t mebibyte = 1024 * 1024;

int complain(const error& e) {
    std::fputs(fmt::format("loqa-skill: {}\n", e.text()).c_str(), stderr);
    return e.code == errc::invalid_argument || e.code == errc::invalid_config ? 2 : 1;
}

void print(const std::string& text) { std::fputs(text.c_str(), stdout); }

// "name=value" into `to`.
result<void> pair_into(const std::string& text, json& to) {
    const auto sign = text.find('=');
    if (sign == std::string::npos || sign == 0) return fail(errc::invalid_argument, "\"{}\" is not NAME=VALUE", text);
    to[text.substr(0, sign)] = value_of(text.substr(sign + 1));
    return {};
}

void print_outcome(const outcome& seen, const rig::limits& allowed) {
    for (const auto& line : seen.log) print(fmt::format("log        {}\n", line));
    for (const auto& line : seen.denied) print(fmt::format("denied     {}\n", line));
    for (const auto& one : seen.asked)
        print(fmt::format("asked      {}{}{}\n", one.subject, one.payload.empty() ? "" : ": ", one.payload));
    for (const auto& one : seen.http) print(fmt::format("http       {} {}\n", one.request, one.body));
    for (const auto& [name, ms] : seen.timers) print(fmt::format("timer      {} in {} ms\n", name, ms));
    if (!seen.learned.is_null()) print(fmt::format("learned    {}\n", seen.learned.dump()));
    if (!seen.updated.is_null()) print(fmt::format("updated    {}\n", seen.updated.dump()));
    for (const auto& one : seen.published) print(fmt::format("published  {} {}\n", one.subject, one.payload));
    if (seen.answer) print(fmt::format("answer     {}\n", *seen.answer));
    if (!seen.error.empty()) print(fmt::format("failed     {}\n", seen.error));
    if (!seen.output.empty()) print(fmt::format("output     {}\n", seen.output));
    print(fmt::format("used       {:.2f} of {} ms CPU, {} of {} ms, {:.1f} of {} MB\n",
                      static_cast<double>(seen.cpu.count()) / 1000, allowed.cpu.count(), seen.wall.count(),
                      allowed.wall.count(), static_cast<double>(seen.memory_bytes) / mebibyte,
                      allowed.memory_bytes / mebibyte));
}

result<happening> happening_of(const run_options& with) {
    json slots = json::object(), more = json::object();
    for (const auto& text : with.slots)
        if (auto taken = pair_into(text, slots); !taken) return fail(std::move(taken));
    if (!with.area.empty()) more["area"] = with.area;
    if (with.confirmed) more["confirmed"] = true;
    if (!with.intent.empty())
        return happening{.what = happening::kind::intent,
                         .subject = with.intent,
                         .payload = intent_payload(with.intent, slots, more)};
    if (!with.event.empty()) return happening{.subject = with.event, .payload = with.payload, .asks = with.asks};
    if (!with.timer.empty()) return happening{.what = happening::kind::timer, .subject = with.timer};
    return happening{.what = happening::kind::start};
}

int run_case(const fs::path& folder, const test_case& one) {
    auto skill = rig::open(folder, one.around);
    if (!skill) return complain(skill.error());
    std::vector<std::string> wrong;
    microseconds cpu{};
    for (std::size_t i = 0; i < one.steps.size(); ++i) {
        const auto seen = (*skill)->happen(one.steps[i].given);
        if (!seen) {
            wrong.push_back(seen.error().message);
            break;
        }
        cpu += seen->cpu;
        const auto kept = one.steps[i].expect.kept ? (*skill)->kept() : std::map<std::string, std::string>();
        for (auto& line : differences(one.steps[i].expect, *seen, kept))
            wrong.push_back(one.steps.size() > 1 ? fmt::format("step {}: {}", i + 1, line) : std::move(line));
    }
    print(fmt::format("{}  {} ({:.2f} ms CPU)\n", wrong.empty() ? "ok  " : "FAIL", one.name,
                      static_cast<double>(cpu.count()) / 1000));
    for (const auto& line : wrong) print(fmt::format("  {}\n", line));
    return wrong.empty() ? 0 : 1;
}

}  // namespace

int run(const run_options& with) {
    surroundings around;
    json config = json::object(), secrets = json::object(), answers = json::object();
    for (const auto& [list, to] :
         {std::pair{&with.config, &config}, std::pair{&with.secrets, &secrets}, std::pair{&with.answers, &answers}})
        for (const auto& text : *list)
            if (const auto taken = pair_into(text, *to); !taken) return complain(taken.error());
    for (const auto& [name, value] : config.items()) around.config[name] = value.dump();
    for (const auto& [name, value] : secrets.items())
        around.secrets[name] = value.is_string() ? value.get<std::string>() : value.dump();
    for (const auto& [subject, answer] : answers.items()) around.answers.emplace_back(subject, answer);
    const auto what = happening_of(with);
    if (!what) return complain(what.error());
    if (!with.timer.empty()) around.timers[with.timer] = with.payload;
    auto skill = rig::open(with.folder, around);
    if (!skill) return complain(skill.error());
    const auto seen = (*skill)->happen(*what);
    if (!seen) return complain(seen.error());
    print_outcome(*seen, (*skill)->allowed());
    return seen->error.empty() ? 0 : 1;
}

int test(const std::string& folder, const std::string& only) {
    const auto file = fs::path(folder) / "tests.yaml";
    const auto text = read_file(file);
    if (!text) return complain(text.error());
    const auto cases = read_cases(*text, file.string());
    if (!cases) return complain(cases.error());
    int passed = 0, failed = 0;
    for (const auto& one : *cases) {
        if (one.name.find(only) == std::string::npos) continue;
        const int code = run_case(folder, one);
        if (code == 2) return code;
        ++(code == 0 ? passed : failed);
    }
    print(fmt::format("{} passed, {} failed\n", passed, failed));
    return failed == 0 && passed > 0 ? 0 : 1;
}

}  // namespace loqa::skill_app
