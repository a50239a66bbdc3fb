// loqa-skill: what the author of a skill needs.
#include <cstdio>
#include <string>

#include <CLI/CLI.hpp>

#include "commands.hpp"

int main(int argc, char** argv) {
    using namespace loqa;
    CLI::App app("Checks and signs skills.", "loqa-skill");
    app.require_subcommand(1);
    app.set_version_flag("--version", std::string("loqa-skill ") + LOQA_VERSION);
    int code = 0;

    std::string file = "skill.yaml";
    auto* validate = app.add_subcommand("validate", "Check a manifest, and the module it names where that is built");
    validate->add_option("--file,file", file, "The manifest")->capture_default_str();
    validate->callback([&] { code = skill_app::validate(file); });

    std::string folder = ".", secret_file = "loqa-skill.key", public_file = "loqa-skill.pub", comment;
    bool force = false;
    auto* keygen = app.add_subcommand("keygen", "Make a pair of keys to sign with, in minisign's format");
    keygen->add_option("--secret,-s", secret_file, "Where the secret key goes; keep it to yourself")
        ->capture_default_str();
    keygen->add_option("--public,-p", public_file, "Where the public key goes")->capture_default_str();
    keygen->add_flag("--force", force, "Replace keys that are there");
    keygen->callback([&] { code = skill_app::keygen(secret_file, public_file, force); });

    auto* sign = app.add_subcommand("sign", "Sign a skill: its manifest and its module");
    sign->add_option("folder", folder, "The skill's folder")->capture_default_str();
    sign->add_option("--secret,-s", secret_file, "The secret key")->capture_default_str();
    sign->add_option("--comment,-t", comment, "A signed comment; the skill's name and version when not given");
    sign->callback([&] { code = skill_app::sign(folder, secret_file, comment); });

    std::string key;
    auto* verify = app.add_subcommand("verify", "Check that a skill is what was signed");
    verify->add_option("folder", folder, "The skill's folder")->capture_default_str();
    verify->add_option("--public,-p", key, "The public key: its file, or the key itself")->required();
    verify->callback([&] { code = skill_app::verify(folder, key); });

    app.add_subcommand("version", "Print the version")->callback([] { std::puts(LOQA_VERSION); });

    app.footer(
        "Examples:\n  loqa-skill validate --file skills/timer/skill.yaml\n  loqa-skill keygen\n"
        "  loqa-skill sign skills/timer\n  loqa-skill verify skills/timer -p loqa-skill.pub");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& e) {
        return app.exit(e) == 0 ? 0 : 2;
    }
    return code;
}
