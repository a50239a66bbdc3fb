#include <cstdio>

#include "commands.hpp"
#include "loqa/base/files.hpp"
#include "loqa/skills/abi.hpp"
#include "loqa/skills/engine.hpp"
#include "loqa/skills/manifest.hpp"

namespace loqa::skill_app {
namespace {

void complain(const std::string& line) { std::fputs((line + "\n").c_str(), stderr); }

// What is wrong with the module that the manifest names; nothing too where it is not built yet.
std::vector<std::string> module_faults(const skills::manifest& manifest, const fs::path& folder) {
    const auto path = skills::module_path(manifest, folder);
    if (!path) return {path.error().message};
    if (std::error_code ec; !fs::exists(*path, ec)) {
        complain(fmt::format("warning: {} is not built yet: only the manifest was checked", manifest.module));
        return {};
    }
    const auto wasm = read_file(*path, skills::max_module_bytes);
    if (!wasm) return {wasm.error().message};
    auto engine =
        skills::engine::start({.cache = {}, .max_guests = 1}, skills::host_functions(), telemetry::logger::silent());
    if (!engine) return {engine.error().message};
    const auto facts = (*engine)->inspect(*wasm);
    if (!facts) return {fmt::format("{}: {}", manifest.module, facts.error().message)};
    auto faults = skills::mismatches(manifest, *facts);
    if (!faults.empty()) return faults;
    if (const auto loaded = (*engine)->load(*wasm); !loaded) faults.push_back(loaded.error().message);
    return faults;
}

}  // namespace

int validate(const std::string& file) {
    const auto text = read_file(file, skills::max_manifest_bytes);
    if (!text) {
        complain(text.error().text());
        return 1;
    }
    const auto parsed = skills::parse_manifest(*text);
    for (const auto& warning : parsed.warnings) complain("warning: " + warning.at(file));
    for (const auto& fault : parsed.faults) complain(fault.at(file));
    bool valid = parsed.faults.empty();
    if (valid)
        for (const auto& fault : module_faults(parsed.value, fs::absolute(file).parent_path())) {
            complain(fmt::format("{}: {}", file, fault));
            valid = false;
        }
    if (valid) std::puts("manifest valid");
    return valid ? 0 : 1;
}

}  // namespace loqa::skill_app
