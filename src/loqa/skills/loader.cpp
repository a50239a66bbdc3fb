#include "loqa/skills/loader.hpp"

#include <algorithm>

#include <fmt/ranges.h>
#include <sys/stat.h>

#include "loqa/base/ids.hpp"
#include "loqa/base/text.hpp"
#include "loqa/skills/abi.hpp"

namespace loqa::skills {
namespace {

constexpr std::size_t max_files_searched = 100'000;
constexpr std::size_t max_skills = 256;
constexpr std::string_view self_test_export = "loqa_selftest";

bool keeps_values(const module_facts& of) {
    return std::ranges::any_of(of.imports,
                               [](const import& one) { return one.module == "loqa" && one.name.starts_with("kv_"); });
}

bool waits_for_others(const module_facts& of) {
    return std::ranges::any_of(of.imports, [](const import& one) {
        if (one.name == "poll_oneoff") return true;
        const auto* function = find_host_function(one.module, one.name);
        return function != nullptr && function->waits;
    });
}

}  // namespace

std::vector<fs::path> loader::find() const {
    std::vector<fs::path> found;
    std::size_t seen = 0;
    std::error_code ec;
    for (auto at =
             fs::recursive_directory_iterator(options_.directory, fs::directory_options::skip_permission_denied, ec);
         !ec && at != fs::recursive_directory_iterator(); at.increment(ec)) {
        if (++seen > max_files_searched || found.size() >= max_skills) {
            log_.warn("skills: {} holds more than {} files or {} skills; the rest is left out",
                      options_.directory.string(), max_files_searched, max_skills);
            break;
        }
        const auto name = at->path().filename().string();
        // What begins with a dot is on its way in or out.
        if (name.starts_with('.') && at->is_directory(ec)) at.disable_recursion_pending();
        if (to_lower(name) == "skill.yaml") found.push_back(at->path());
    }
    std::ranges::sort(found);
    return found;
}

std::string loader::fingerprint(const fs::path& file) const {
    std::string out;
    const auto add = [&](const fs::path& path) {
        struct stat is{};
        if (::stat(path.c_str(), &is) == 0)
            out += fmt::format("{} {} {} {}.{:09}\n", path.string(), is.st_ino, is.st_size, is.st_mtim.tv_sec,
                               is.st_mtim.tv_nsec);
    };
    const auto folder = file.parent_path();
    add(file);
    add(folder / sums_file);
    add(folder / fmt::format("{}{}", sums_file, signature_suffix));
    const auto text = read_file(file, max_manifest_bytes);
    if (!text) return out;
    const auto parsed = parse_manifest(*text);
    add(folder / parsed.value.module);
    add(config_file(options_.data, parsed.value.name));
    for (const auto& secret : parsed.value.secrets) add(secret_file(options_.data, parsed.value.name, secret));
    return out;
}

result<std::shared_ptr<const version>> loader::load(const fs::path& file) const {
    const auto text = read_file(file, max_manifest_bytes);
    if (!text) return fail(text);
    auto about = valid_manifest(*text, file);
    if (!about) return fail(std::move(about));
    const auto folder = fs::absolute(file).parent_path();
    const auto path = module_path(*about, folder);
    if (!path) return fail(path);
    std::error_code ec;
    if (!fs::exists(*path, ec))
        return fail(errc::not_found, "{}: its module {} is not there", file.string(), about->module)
            .hint("build the skill");
    const auto wasm = read_file(*path, max_module_bytes);
    if (!wasm) return fail(wasm);
    auto signer = check_signature(*about, folder, *text, *wasm);
    if (!signer) return fail(std::move(signer));
    const auto facts = engine_.inspect(*wasm);
    if (!facts) return fail(facts.error().code, "{}: {}", path->string(), facts.error().message);
    if (const auto wrong = mismatches(*about, *facts); !wrong.empty())
        return fail(errc::not_permitted, "{}: {}", path->string(), fmt::join(wrong, "; "));
    auto code = engine_.load(*wasm);
    if (!code) return fail(code.error().code, "{}: {}", path->string(), code.error().message);
    auto config = read_config(*about, options_.data);
    if (!config) return fail(std::move(config));
    auto grants = http_grants(*about, *config);
    if (!grants) return fail(std::move(grants));

    auto made = std::make_shared<version>(version{.about = std::move(*about),
                                                  .file = file,
                                                  .folder = folder,
                                                  .code = std::move(*code),
                                                  .signed_by = std::move(*signer),
                                                  .sha256 = sha256_hex(std::as_bytes(std::span(*wasm))),
                                                  .keeps = keeps_values(*facts),
                                                  .waits = waits_for_others(*facts),
                                                  .config = std::move(*config),
                                                  .grants = std::move(*grants)});
    if (auto tested = self_test(*made); !tested)
        return fail(tested.error().code, "{}: its self-test failed: {}", path->string(), tested.error().message);
    return made;
}

// By whom it is signed; empty where it need not be.
result<std::string> loader::check_signature(const manifest& about, const fs::path& folder, std::string_view text,
                                            std::string_view wasm) const {
    if (options_.signatures == signature_policy::off) return std::string();
    const auto signer = verify_skill(options_.trusted, folder, about.module, about.author, text, wasm);
    if (signer)
        return signer->publisher.empty() ? signer->key.name()
                                         : fmt::format("{} ({})", signer->key.name(), signer->publisher);
    if (options_.signatures == signature_policy::require)
        return failure(signer.error())
            .hint(
                "sign it with loqa-skill sign, and list the key in skills.trusted_keys; or set skills.signatures "
                "to warn");
    // A signature by somebody unknown says no more than none; one that does not hold says that something is wrong.
    const auto known = [&](const std::array<unsigned char, 8>& id) {
        return std::ranges::any_of(options_.trusted, [&](const trusted_key& one) { return one.key.id == id; });
    };
    const auto signature = read_file(folder / fmt::format("{}{}", sums_file, signature_suffix), max_manifest_bytes);
    if (const auto id = signer_of(signature.value_or("")); id && known(*id)) return fail(signer);
    log_.warn(signer.error(), {{"skill", about.name}});
    return std::string();
}

result<void> loader::self_test(const version& of) const {
    if (of.code->facts().type_of_export(self_test_export) != "() -> i32") return {};
    storage_view kept(storage_, of.about.name, static_cast<std::size_t>(of.about.limits.storage_bytes));
    invocation reach{.skill = of.about,
                     .publish = [](std::string_view, std::string_view) { return result<void>(); },
                     .audit = [](std::string_view, std::string_view) {}};
    reach.trial = true;
    reach.kept = &kept;
    reach.config = &of.config;
    usage used;
    return of.code->run({.entrypoint = self_test_export,
                         .environment = environment_of(of, {.kind = "selftest", .id = "selftest"}),
                         .limits = of.about.limits.run,
                         .context = &reach,
                         .stop = {},
                         .self_test = true},
                        used);
}

std::vector<std::pair<std::string_view, std::string>> environment_of(const version& on, const event_words& about) {
    std::vector<std::pair<std::string_view, std::string>> out = {{"LOQA_SKILL_NAME", on.about.name},
                                                                 {"LOQA_EVENT_KIND", std::string(about.kind)},
                                                                 {"LOQA_EVENT_SUBJECT", std::string(about.subject)},
                                                                 {"LOQA_EVENT_PAYLOAD", std::string(about.payload)},
                                                                 {"LOQA_INVOCATION_ID", std::string(about.id)},
                                                                 {"LOQA_SKILL_DIRECTORY", on.folder.string()}};
    if (!about.reply.empty()) out.emplace_back("LOQA_EVENT_REPLY", about.reply);
    return out;
}

}  // namespace loqa::skills
