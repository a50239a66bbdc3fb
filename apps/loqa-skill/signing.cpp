#include <cstdio>

#include "commands.hpp"
#include "loqa/base/files.hpp"
#include "loqa/skills/manifest.hpp"
#include "loqa/skills/signature.hpp"

namespace loqa::skill_app {
namespace {

constexpr unsigned owner_only = 0600;

int refuse(const error& e) {
    std::fputs(fmt::format("loqa-skill: {}\n", e.text()).c_str(), stderr);
    return 1;
}

struct opened {
    std::string text;
    skills::manifest manifest;
    std::string module;
};

result<opened> open_skill(const fs::path& folder) {
    opened out;
    auto text = read_file(folder / "skill.yaml", skills::max_manifest_bytes);
    if (!text) return fail(std::move(text));
    auto manifest = skills::valid_manifest(*text, folder / "skill.yaml");
    if (!manifest) return fail(std::move(manifest));
    const auto path = skills::module_path(*manifest, folder);
    if (!path) return fail(path);
    auto module = read_file(*path, skills::max_module_bytes);
    if (!module) return fail(std::move(module));
    return opened{std::move(*text), std::move(*manifest), std::move(*module)};
}

}  // namespace

int keygen(const std::string& secret_file, const std::string& public_file, bool force) {
    for (const auto& file : {secret_file, public_file})
        if (std::error_code ec; !force && fs::exists(file, ec))
            return refuse(fail(errc::already_exists, "{} is there already", file)
                              .hint("give another name with --secret and --public, or --force")
                              .error());
    const auto key = skills::make_key();
    if (auto written = write_file_atomically(secret_file, skills::secret_key_file(key), owner_only); !written)
        return refuse(written.error());
    if (auto written = write_file_atomically(public_file, skills::public_key_file(key.open())); !written)
        return refuse(written.error());
    std::puts(fmt::format("{} is secret; {} is for those who verify:\n{}", secret_file, public_file, key.open().text())
                  .c_str());
    return 0;
}

int sign(const std::string& folder, const std::string& secret_file, const std::string& comment) {
    const auto skill = open_skill(folder);
    if (!skill) return refuse(skill.error());
    const auto text = read_file(secret_file, skills::max_manifest_bytes);
    if (!text) return refuse(text.error());
    const auto key = skills::parse_secret_key(*text);
    if (!key) return refuse(key.error());
    const auto& about = skill->manifest;
    const auto said = comment.empty() ? fmt::format("{} {}", about.name, about.version) : comment;
    if (said.find_first_of("\r\n") != std::string::npos)
        return refuse(fail(errc::invalid_argument, "the comment has more than one line").error());
    if (auto done = skills::sign_skill(*key, folder, about.module, said); !done) return refuse(done.error());
    std::puts(fmt::format("signed with key {}: {}", key->open().name(), said).c_str());
    return 0;
}

int verify(const std::string& folder, const std::string& public_key) {
    const auto skill = open_skill(folder);
    if (!skill) return refuse(skill.error());
    std::error_code ec;
    const auto text = fs::exists(public_key, ec) ? read_file(public_key, skills::max_manifest_bytes)
                                                 : result<std::string>(public_key);
    if (!text) return refuse(text.error());
    const auto key = skills::parse_public_key(*text);
    if (!key) return refuse(key.error());
    const auto held = skills::verify_skill({{.publisher = {}, .key = *key}}, folder, skill->manifest.module,
                                           skill->manifest.author, skill->text, skill->module);
    if (!held) return refuse(held.error());
    std::puts(
        fmt::format("{} {} is what key {} signed", skill->manifest.name, skill->manifest.version, held->key.name())
            .c_str());
    return 0;
}

}  // namespace loqa::skill_app
