// loqa-skill: what the author of a skill needs.
#include <cstdio>
#include <string>

#include <CLI/CLI.hpp>

#include "commands.hpp"
#include "common/completion.hpp"

namespace {

using namespace loqa;

CLI::App& add(CLI::App& to, const char* name, const char* what, const std::string& examples) {
    auto& made = *to.add_subcommand(name, what);
    made.footer("Examples:\n" + examples);
    return made;
}

CLI::Option* add_folder(CLI::App& to, std::string& folder) {
    return to.add_option("folder", folder, "The skill's folder")->type_name("DIR")->capture_default_str();
}

void add_making(CLI::App& app, int& code) {
    struct options {
        std::string name, dir = ".", file = "skill.yaml";
    };
    const auto o = std::make_shared<options>();
    auto& made = add(app, "new", "Make a skill that builds and passes its tests at once",
                     "  loqa-skill new good-morning\n  loqa-skill new good-morning --dir ~/skills");
    made.add_option("name", o->name, "Its name: small letters, digits and -")->required();
    made.add_option("--dir,-d", o->dir, "Where its folder goes")->type_name("DIR")->capture_default_str();
    made.callback([o, &code] { code = skill_app::make_new(o->name, o->dir); });

    auto& validate = add(app, "validate", "Check a manifest, and the module it names where that is built",
                         "  loqa-skill validate --file skills/timer/skill.yaml");
    validate.add_option("--file,file", o->file, "The manifest")->type_name("FILE")->capture_default_str();
    validate.callback([o, &code] { code = skill_app::validate(o->file); });
}

void add_running(CLI::App& app, int& code) {
    const auto o = std::make_shared<skill_app::run_options>();
    auto& run =
        add(app, "run", "Run a skill once in the real host, on a bus of its own, and print what it did and used",
            "  loqa-skill run hello --intent Hello --slot who=Ann\n"
            "  loqa-skill run timer --event skill.timer.start '{\"duration_ms\": 60000}'\n"
            "  loqa-skill run weather --start --config url=http://127.0.0.1:8080 --secret token=abc\n"
            "  loqa-skill run lights --intent HassTurnOn --answer 'skill.home.act={\"done\": true}'");
    add_folder(run, o->folder);
    auto* intent = run.add_option("--intent", o->intent, "An intent that somebody said")->type_name("NAME");
    run.add_option("--slot", o->slots, "What was said with it, NAME=VALUE; may be repeated")->needs(intent);
    run.add_option("--area", o->area, "The room it was said in")->needs(intent);
    run.add_flag("--confirmed", o->confirmed, "The person said yes to what the skill asked")->needs(intent);
    std::vector<CLI::Option*> happens = {intent};
    const auto event = std::make_shared<std::vector<std::string>>();
    happens.push_back(run.add_option("--event", *event, "A message on the bus: its subject, and its payload")
                          ->type_name("SUBJECT [JSON]")
                          ->expected(1, 2));
    run.add_flag("--asks", o->asks, "Somebody waits for an answer to the message");
    const auto timer = std::make_shared<std::vector<std::string>>();
    happens.push_back(run.add_option("--timer", *timer, "A timer of the skill's is due: its name, and its payload")
                          ->type_name("NAME [TEXT]")
                          ->expected(1, 2));
    happens.push_back(run.add_flag("--start", o->start, "The skill was loaded"));
    for (auto* one : happens)
        for (auto* other : happens)
            if (one != other) one->excludes(other);
    run.add_option("--config", o->config, "A value of its configuration, NAME=VALUE; may be repeated");
    run.add_option("--secret", o->secrets, "One of its secrets, NAME=VALUE, for a try; may be repeated");
    run.add_option("--answer", o->answers, "What a program on the bus answers it, SUBJECT=JSON; may be repeated");
    run.callback([o, event, timer, happens, &code] {
        if (std::none_of(happens.begin(), happens.end(), [](const auto* one) { return one->count() > 0; }))
            throw CLI::RequiredError("one of --intent, --event, --timer and --start");
        if (!event->empty()) o->event = event->front();
        if (!timer->empty()) o->timer = timer->front();
        for (const auto* words : {event.get(), timer.get()})
            if (words->size() > 1) o->payload = words->back();
        code = skill_app::run(*o);
    });

    struct options {
        std::string folder = ".", only;
    };
    const auto t = std::make_shared<options>();
    auto& test = add(app, "test", "Run the cases of a skill's tests.yaml in the real host",
                     "  loqa-skill test hello\n  loqa-skill test hello --only greets");
    add_folder(test, t->folder);
    test.add_option("--only", t->only, "Only cases with this in their name")->type_name("TEXT");
    test.callback([t, &code] { code = skill_app::test(t->folder, t->only); });
}

void add_signing(CLI::App& app, int& code) {
    struct options {
        std::string folder = ".", secret_file = "loqa-skill.key", public_file = "loqa-skill.pub", comment, key;
        bool force = false;
    };
    const auto o = std::make_shared<options>();
    auto& keygen = add(app, "keygen", "Make a pair of keys to sign with, in minisign's format", "  loqa-skill keygen");
    keygen.add_option("--secret,-s", o->secret_file, "Where the secret key goes; keep it to yourself")
        ->type_name("FILE")
        ->capture_default_str();
    keygen.add_option("--public,-p", o->public_file, "Where the public key goes")
        ->type_name("FILE")
        ->capture_default_str();
    keygen.add_flag("--force", o->force, "Replace keys that are there");
    keygen.callback([o, &code] { code = skill_app::keygen(o->secret_file, o->public_file, o->force); });

    auto& sign = add(app, "sign", "Sign a skill: its manifest and its module", "  loqa-skill sign skills/timer");
    add_folder(sign, o->folder);
    sign.add_option("--secret,-s", o->secret_file, "The secret key")->type_name("FILE")->capture_default_str();
    sign.add_option("--comment,-t", o->comment, "A signed comment; the skill's name and version when not given");
    sign.callback([o, &code] { code = skill_app::sign(o->folder, o->secret_file, o->comment); });

    auto& verify = add(app, "verify", "Check that a skill is what was signed",
                       "  loqa-skill verify skills/timer -p loqa-skill.pub");
    add_folder(verify, o->folder);
    verify.add_option("--public,-p", o->key, "The public key: its file, or the key itself")
        ->type_name("FILE")
        ->required();
    verify.callback([o, &code] { code = skill_app::verify(o->folder, o->key); });
}

void add_completion(CLI::App& app) {
    const auto shell = std::make_shared<std::string>();
    auto& completion = add(app, "completion", "Print the script that completes `loqa-skill` in a shell",
                           "  source <(loqa-skill completion bash)\n"
                           "  loqa-skill completion zsh > ~/.zfunc/_loqa-skill\n"
                           "  loqa-skill completion fish > ~/.config/fish/completions/loqa-skill.fish");
    completion.add_option("shell", *shell, "bash, zsh or fish")
        ->required()
        ->type_name("{bash,zsh,fish}")
        ->check(CLI::IsMember({"bash", "zsh", "fish"}));
    completion.callback([&app, shell] { std::fputs(cli::completion_script(app, *shell).c_str(), stdout); });
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app("Makes, tries, checks and signs skills.", "loqa-skill");
    app.require_subcommand(1);
    app.set_version_flag("--version", std::string("loqa-skill ") + LOQA_VERSION);
    int code = 0;
    add_making(app, code);
    add_running(app, code);
    add_signing(app, code);
    add_completion(app);
    app.add_subcommand("version", "Print the version")->callback([] { std::puts(LOQA_VERSION); });
    app.footer(
        "Examples:\n  loqa-skill new hello\n  loqa-skill test hello\n  loqa-skill run hello --intent Hello --slot "
        "who=Ann\n"
        "  loqa-skill keygen\n  loqa-skill sign hello");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& e) {
        return app.exit(e) == 0 ? 0 : 2;
    }
    return code;
}
