#include "arguments.hpp"

#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/ranges.h>

#include "commands.hpp"
#include "common/completion.hpp"
#include "loqa/base/text.hpp"
#include "terminal.hpp"

namespace loqa::cli {
namespace {

using job = std::function<result<int>()>;

constexpr int longest_timeout_s = 3600;

struct all_options {
    up_options up;
    env_options env;
    say_options say;
    ask_options ask;
    listen_options listen;
    trace_options trace;
    timers_options timers;
    home_options home;
    sessions_options sessions;
    skill_options skill;
    replay_options replay;
    models_options models;
    bench_options bench;
    intents_options intents;
    doctor_options doctor;
    std::string shell;
};

class tree {
public:
    tree() {
        app_.set_version_flag("--version", std::string("loqa ") + LOQA_VERSION, "Show the version");
        app_.set_help_flag("-h,--help", "Show this help");
        app_.require_subcommand(1);
        app_.get_formatter()->column_width(34);
        app_.failure_message([](const CLI::App* at, const CLI::Error& e) {
            while (!at->get_subcommands().empty()) at = at->get_subcommands().front();
            return fmt::format("loqa: {}\n  {} --help explains it\n", e.what(), path_of(at));
        });
        app_.footer(
            "Examples:\n"
            "  loqa up                          start everything on this machine\n"
            "  loqa say question.wav            ask by voice; the answer is played, or goes to answer.wav\n"
            "  loqa ask \"what time is it\"       ask in writing\n"
            "  loqa trace                       see where the time of the latest turn went\n"
            "  loqa doctor                      see what is missing, and how to mend it\n"
            "\nEach command has its own: loqa say --help");
        add_up();
        add_env();
        add_say();
        add_ask();
        add_listen();
        add_trace();
        add_timers();
        add_home();
        add_sessions();
        add_skill();
        add_replay();
        add_models();
        add_bench();
        add_intents();
        add_doctor();
        add_completion();
    }

    parsed_line parse(int argc, const char* const* argv) {
        try {
            app_.parse(argc, argv);
        } catch (const CLI::ParseError& e) {
            if (const auto unknown = unknown_command(argc, argv); !unknown.empty()) {
                print_error({errc::invalid_argument, unknown, "loqa --help lists them"});
                return 2;
            }
            return app_.exit(e) == 0 ? 0 : 2;
        }
        return job_;
    }

    const CLI::App& app() const { return app_; }

private:
    static std::string path_of(const CLI::App* at) {
        std::string path = at->get_name();
        for (const auto* parent = at->get_parent(); parent != nullptr; parent = parent->get_parent())
            path = parent->get_name() + " " + path;
        return path;
    }

    std::string unknown_command(int argc, const char* const* argv) const {
        if (argc < 2 || *argv[1] == '-' || *argv[1] == '\0') return {};
        std::vector<std::string> names;
        for (const auto* command : app_.get_subcommands({})) names.push_back(command->get_name());
        if (std::ranges::find(names, argv[1]) != names.end()) return {};
        const auto near = nearest(argv[1], names);
        return fmt::format("there is no command \"{}\"{}", printable(argv[1]),
                           near.empty() ? "" : fmt::format(", did you mean {}?", near));
    }

    CLI::App& add(CLI::App& to, const char* name, const char* what, const char* examples) {
        auto& command = *to.add_subcommand(name, what);
        command.footer(std::string("Examples:\n") + examples);
        return command;
    }

    template <class Options>
    void runs(CLI::App& command, const Options& options, result<int> (*run)(const Options&)) {
        command.callback([this, &options, run] { job_ = [&options, run] { return run(options); }; });
    }

    // One of the things a command can do, which its other options go with as well.
    template <class Action>
    CLI::App& add_action(CLI::App& to, const char* name, const char* what, const char* examples, Action& chosen,
                         Action does) {
        auto& action = add(to, name, what, examples);
        action.callback([&chosen, does] { chosen = does; });
        action.fallthrough();
        return action;
    }

    static void add_config_and_data(CLI::App& command, instance_options& to) {
        command.add_option("--data", to.data, "Data folder of the instance (default: data_dir of the configuration)")
            ->type_name("DIR");
        command
            .add_option("--config", to.config,
                        "Configuration file (default: $LOQA_CONFIG, ~/.config/loqa/loqa.yaml, /etc/loqa/loqa.yaml)")
            ->type_name("FILE");
    }
    static void add_instance(CLI::App& command, instance_options& to) {
        add_config_and_data(command, to);
        command.add_option("--nats", to.nats, "Bus of a Loqa elsewhere, as `loqa env` prints it there")
            ->type_name("URL");
    }
    static void add_json(CLI::App& command, bool& to) {
        command.add_flag("--json", to, "Output for programs: JSON, one object a line");
    }
    static void add_out(CLI::App& command, std::optional<fs::path>& to) {
        command.add_option("--out", to, "Write the answer to this WAV file instead of playing it")->type_name("FILE");
    }
    static void add_area(CLI::App& command, std::string& to) {
        command
            .add_option("--area", to,
                        "The room it is said in, e.g. Kitchen (default: session.area of the configuration)")
            ->type_name("NAME");
    }
    static void add_timeout(CLI::App& command, seconds& to) {
        command
            .add_option_function<int>(
                "--timeout", [&to](int value) { to = seconds(value); },
                "Give up when nothing new came for so many seconds (default: 15)")
            ->type_name("SECONDS")
            ->check(CLI::Range(1, longest_timeout_s));
    }

    void add_up() {
        auto& c = add(app_, "up", "Start Loqa on this machine, and keep it running until Ctrl-C or SIGTERM",
                      "  loqa up\n"
                      "  loqa up --data /tmp/loqa-trial\n"
                      "  LOQA_HTTP_PORT=0 loqa up --config loqa.yaml\n"
                      "\nStandard output says `ready` when a turn can be taken; the logs go to standard error.");
        add_config_and_data(c, options_.up.instance);
        runs(c, options_.up, &cli::up);
    }
    void add_env() {
        auto& c = add(app_, "env", "Print what a client needs to reach the running Loqa",
                      "  eval \"$(loqa env)\" && nats --server \"$LOQA_NATS_URL\" sub 'session.>'\n"
                      "  loqa env --json\n"
                      "\nThe bus URL holds a password: it is made anew at each start.");
        add_config_and_data(c, options_.env.instance);
        add_json(c, options_.env.json);
        runs(c, options_.env, &cli::env);
    }
    void add_say() {
        auto& o = options_.say;
        auto& c =
            add(app_, "say", "Say recordings, or what the microphone hears, and hear the answers",
                "  loqa say question.wav\n"
                "  loqa say --mic\n"
                "  loqa say one.wav two.wav --json --out answer.wav\n"
                "  loqa say unlock.wav yes.wav      (what follows a question answers it)\n"
                "  espeak-ng --stdout 'what time is it' | loqa say -\n"
                "\nA recording is sent in real time, as if somebody spoke, up to the end of its first utterance; each\n"
                "is a session of its own. Exit code 1 if one was not answered.");
        auto* files = c.add_option("files", o.files, "WAV files of 8 to 48 kHz, mono or stereo; - is standard input")
                          ->type_name("FILE");
        c.add_flag("--mic", o.microphone, "Listen to the microphone")->excludes(files);
        c.add_flag("--mark-end", o.mark_end, "Tell Loqa where the recording ends, instead of letting it hear that");
        add_area(c, o.area);
        add_out(c, o.out);
        add_timeout(c, o.timeout);
        add_json(c, o.json);
        add_instance(c, o.instance);
        c.callback([this, &o] {
            if (o.files.empty() && !o.microphone) throw CLI::RequiredError("a WAV file or --mic");
            job_ = [&o] { return cli::say(o); };
        });
    }
    void add_ask() {
        auto& o = options_.ask;
        auto& c = add(app_, "ask", "Ask in writing, as if it had been heard",
                      "  loqa ask \"set a timer for ten minutes\"\n"
                      "  loqa ask --no-audio what time is it\n"
                      "  loqa ask --area Kitchen turn on the lights\n"
                      "  loqa ask --json --out answer.wav \"what day is it\"");
        c.add_option("text", words_, "What to ask")->required()->type_name("TEXT");
        c.add_flag("--no-audio", o.no_audio, "Read the answer only");
        c.add_option("--session", o.session, "Go on with this session, as --json named it (default: a new one)")
            ->type_name("SESSION");
        add_area(c, o.area);
        add_out(c, o.out);
        add_timeout(c, o.timeout);
        add_json(c, o.json);
        add_instance(c, o.instance);
        c.callback([this, &o] {
            o.text = fmt::format("{}", fmt::join(words_, " "));
            if (trim(o.text).empty()) throw CLI::ValidationError("text", "is empty");
            job_ = [&o] { return cli::ask(o); };
        });
    }
    void add_listen() {
        auto& o = options_.listen;
        auto& c = add(app_, "listen", "Show what happens, as it happens",
                      "  loqa listen\n"
                      "  loqa listen 'session.>' stt.text.final\n"
                      "  loqa listen --json | jq .subject\n"
                      "\nUntil Ctrl-C. Without subjects: all of a turn; for programs signs of life and spans too.");
        c.add_option("subjects", o.subjects, "Subjects of the bus; * is any word, > all words to the end")
            ->type_name("SUBJECT");
        add_json(c, o.json);
        add_instance(c, o.instance);
        runs(c, o, &cli::listen);
    }
    void add_trace() {
        auto& o = options_.trace;
        auto& c = add(app_, "trace", "Show where the time of a turn went",
                      "  loqa trace\n"
                      "  loqa trace 3f2a9c…   (a session, as `loqa say --json` names it)\n"
                      "  loqa trace --json | jq '.spans[].name'");
        c.add_option("session", o.session, "The session whose last turn to show (default: the latest turn of all)")
            ->type_name("SESSION");
        add_json(c, o.json);
        add_instance(c, o.instance);
        runs(c, o, &cli::trace);
    }
    void add_timers() {
        auto& o = options_.timers;
        auto& c = add(app_, "timers", "Show, set and change timers and alarms",
                      "  loqa timers\n"
                      "  loqa timers start 10m pasta\n"
                      "  loqa timers alarm \"7 am on weekdays\"\n"
                      "  loqa timers add 5m pasta\n"
                      "  loqa timers cancel pasta\n"
                      "  loqa timers list --json");
        add_json(c, o.json);
        add_instance(c, o.instance);
        c.require_subcommand(0, 1);
        runs(c, o, &cli::timers);
        using action = timers_options::action;
        const auto sub = [&](const char* name, const char* what, const char* example, action does) -> CLI::App& {
            return add_action(c, name, what, example, o.what, does);
        };
        const auto which = [&](CLI::App& s) {
            s.add_option("timer", o.timer, "Its id or its label")->required()->type_name("TIMER");
        };
        const auto length = [&](CLI::App& s, const char* name, const char* what) {
            return s
                .add_option_function<std::string>(
                    name,
                    [&o, name](const std::string& text) {
                        const auto parsed = parse_length(text);
                        if (!parsed) throw CLI::ValidationError(name, parsed.error().message);
                        o.length = *parsed;
                    },
                    what)
                ->type_name("LENGTH");
        };
        sub("list", "Show them", "  loqa timers list", action::list);
        auto& start = sub("start", "Start a timer", "  loqa timers start 1h30m bread", action::start);
        length(start, "length", "How long: 90s, 10m, 1h30m")->required();
        start.add_option("label", o.label, "Its name")->type_name("LABEL");
        auto& alarm =
            sub("alarm", "Set an alarm", "  loqa timers alarm \"half past six tomorrow\" work", action::alarm);
        alarm.add_option("at", o.at, "When, as it is said")->required()->type_name("TIME");
        alarm.add_option("label", o.label, "Its name")->type_name("LABEL");
        which(sub("cancel", "Cancel one", "  loqa timers cancel pasta", action::cancel));
        which(sub("pause", "Stop a timer's time", "  loqa timers pause pasta", action::pause));
        which(sub("resume", "Let it go on", "  loqa timers resume pasta", action::resume));
        auto& more = sub("add", "Give a timer more time, or less",
                         "  loqa timers add 5m pasta\n  loqa timers add --less 2m pasta", action::add);
        length(more, "length", "How much: 90s, 10m, 1h30m")->required();
        which(more);
        more.add_flag("--less", less_, "Take it away");
        more.callback([this, &o] {
            o.what = action::add;
            if (less_) o.length = -o.length;
        });
        auto& snooze = sub("snooze", "Put a ring off", "  loqa timers snooze pasta 5m", action::snooze);
        which(snooze);
        length(snooze, "length", "For how long")->required();
        which(sub("stop", "Silence one that rings", "  loqa timers stop pasta", action::stop));
    }
    void add_sessions() {
        auto& o = options_.sessions;
        auto& c = add(app_, "sessions", "Show, export or delete what is kept of past sessions",
                      "  loqa sessions\n"
                      "  loqa sessions show kitchen\n"
                      "  loqa sessions export --json > sessions.jsonl\n"
                      "  loqa sessions delete kitchen");
        add_json(c, o.json);
        add_instance(c, o.instance);
        c.add_option("--limit", o.limit, "How many to list (default: 20)")->type_name("N")->check(CLI::Range(1, 1000));
        c.require_subcommand(0, 1);
        runs(c, o, &cli::sessions);
        using action = sessions_options::action;
        const auto sub = [&](const char* name, const char* what, const char* example, action does) -> CLI::App& {
            return add_action(c, name, what, example, o.what, does);
        };
        sub("list", "Show the sessions, the one that was active last first", "  loqa sessions list", action::list);
        sub("show", "Show the events of a session", "  loqa sessions show kitchen --json", action::show)
            .add_option("session", o.session, "Its id")
            ->required()
            ->type_name("SESSION");
        sub("export", "Print events as JSON, one a line", "  loqa sessions export > sessions.jsonl", action::export_all)
            .add_option("session", o.session, "Of this session alone")
            ->type_name("SESSION");
        sub("delete", "Delete a session with all its events", "  loqa sessions delete kitchen", action::remove)
            .add_option("session", o.session, "Its id")
            ->required()
            ->type_name("SESSION");
    }
    void add_skill() {
        auto& o = options_.skill;
        auto& c = add(app_, "skill", "Show, install and set up skills",
                      "  loqa skill\n"
                      "  loqa skill install ./coffee\n"
                      "  loqa skill config home-assistant url http://homeassistant.lan:8123\n"
                      "  loqa skill secret set home-assistant token < token.txt\n"
                      "  loqa skill logs home-assistant");
        add_json(c, o.json);
        add_instance(c, o.instance);
        c.require_subcommand(0, 1);
        runs(c, o, &cli::skill);
        using action = skill_options::action;
        const auto sub = [&](CLI::App& in, const char* name, const char* what, const char* example,
                             action does) -> CLI::App& { return add_action(in, name, what, example, o.what, does); };
        const auto which = [&](CLI::App& s) -> CLI::Option* {
            return s.add_option("name", o.name, "Its name")->type_name("NAME");
        };
        sub(c, "list", "Show them", "  loqa skill list", action::list);
        sub(c, "install", "Take a skill's folder over into the skills of this Loqa", "  loqa skill install ./coffee",
            action::install)
            .add_option("folder", o.name, "The folder with skill.yaml, on the machine that loqad runs on")
            ->required()
            ->type_name("FOLDER");
        which(sub(c, "remove", "Delete a skill's folder; what it keeps stays", "  loqa skill remove coffee",
                  action::remove))
            ->required();
        which(sub(c, "enable", "Let a skill work again", "  loqa skill enable coffee", action::enable))->required();
        which(sub(c, "disable", "Let a skill rest", "  loqa skill disable coffee", action::disable))->required();
        which(sub(c, "reload", "Load a skill anew", "  loqa skill reload coffee", action::reload))->required();
        auto& config = sub(c, "config", "Show what is set for a skill, or set it",
                           "  loqa skill config coffee\n  loqa skill config coffee cups 2", action::config);
        which(config)->required();
        config.add_option("key", o.key, "What to set")->type_name("KEY");
        config.add_option("value", o.value, "To what (default: back to its default)")->type_name("VALUE");
        auto& secret = add(c, "secret", "Set what a skill uses and never sees",
                           "  loqa skill secret set home-assistant token < token.txt");
        secret.require_subcommand(1);
        secret.fallthrough();
        auto& set = sub(secret, "set", "Set a secret; it is asked for, or read from standard input",
                        "  loqa skill secret set home-assistant token < token.txt", action::secret);
        which(set)->required();
        set.add_option("key", o.key, "Which")->required()->type_name("KEY");
        auto& logs = sub(c, "logs", "Show what a skill did last", "  loqa skill logs coffee", action::logs);
        which(logs)->required();
        logs.add_option("--limit", o.limit, "How many events (default: 50)")
            ->type_name("N")
            ->check(CLI::Range(1, 1000));
        which(sub(c, "stats", "Show what skills did and used", "  loqa skill stats", action::stats));
    }
    void add_replay() {
        auto& o = options_.replay;
        auto& c = add(app_, "replay", "Ask Loqa what it would make of a past session now, without doing any of it",
                      "  loqa replay kitchen\n"
                      "  loqa replay kitchen --json | jq .differences\n"
                      "\nCompares intent, slots and reply of each turn. Exit code 1 if one of them changed.");
        c.add_option("session", o.session, "The session, as `loqa sessions` lists it")
            ->required()
            ->type_name("SESSION");
        c.add_option("--turn", o.turn, "This turn alone")->type_name("TURN");
        add_json(c, o.json);
        add_instance(c, o.instance);
        runs(c, o, &cli::replay);
    }
    void add_home() {
        auto& o = options_.home;
        auto& c = add(app_, "home", "Show the rooms, the things in them, and how they are",
                      "  loqa home\n"
                      "  loqa home --follow\n"
                      "  loqa home --json | jq '.entities[] | select(.state == \"on\") | .name'");
        c.add_flag("--follow", o.follow, "Show each change as it happens, until Ctrl-C");
        add_json(c, o.json);
        add_instance(c, o.instance);
        runs(c, o, &cli::home);
    }
    void add_models() {
        auto& o = options_.models;
        auto& c = add(app_, "models", "List, fetch and check the models that hear and speak",
                      "  loqa models list\n"
                      "  loqa models pull moonshine-base-en\n"
                      "  loqa models verify");
        c.require_subcommand(1);
        const auto sub = [&](const char* name, const char* what, const char* examples, models_options::action action,
                             const char* names) {
            auto& s = add(c, name, what, examples);
            if (names != nullptr) s.add_option("names", o.names, names)->type_name("MODEL");
            s.callback([this, &o, action] {
                o.what = action;
                job_ = [&o] { return cli::models(o); };
            });
            return &s;
        };
        using enum models_options::action;
        add_json(
            *sub("list", "Show the models there are, and which are installed", "  loqa models list", list, nullptr),
            o.json);
        sub("pull", "Fetch models and install them", "  loqa models pull moonshine-base-en", pull,
            "Models (default: those that Loqa needs)");
        add_json(*sub("verify", "Read every file of models and compare its SHA-256", "  loqa models verify silero-vad",
                      verify, "Models (default: those that are installed, or should be)"),
                 o.json);
    }
    void add_bench() {
        auto& o = options_.bench;
        auto& c = add(app_, "bench", "Compare the engines that this machine has", "  loqa bench stt");
        c.require_subcommand(1);
        auto& s = add(c, "stt", "Recognisers: wrong words, time, memory; each in a process of its own",
                      "  loqa bench stt\n"
                      "  loqa bench stt --engine moonshine:moonshine-tiny-en --engine whisper:whisper-tiny-en@768\n"
                      "  loqa bench stt --corpus recordings/ --json");
        s.add_option("--corpus", o.corpus,
                     "Recordings with transcripts: NAME.wav and NAME.txt (default: the recordings and voices of "
                     "scripts/setup.sh test)")
            ->type_name("FOLDER");
        s.add_option("--engine", o.engines,
                     "An engine and its model; of Whisper also @FRAMES of 20 ms to read (default: all installed)")
            ->type_name("ENGINE:MODEL");
        s.add_option("--repeat", o.repeat, "How often each is read")->check(CLI::Range(1, 100))->capture_default_str();
        s.add_option("--threads", o.threads, "Processor threads of one reading")
            ->check(CLI::Range(1, 64))
            ->capture_default_str();
        add_json(s, o.json);
        s.callback([this, &o] { job_ = [&o] { return cli::bench(o); }; });
    }
    void add_intents() {
        auto& o = options_.intents;
        auto& c = add(app_, "intents", "What sentences mean, without a running Loqa",
                      "  loqa intents match \"turn on the kitchen lights\" --home house.yaml\n"
                      "  loqa intents match --json --collection en.json --home house.yaml < sentences.txt\n"
                      "  loqa intents explain \"set a timer for ten minutes\"\n"
                      "  loqa intents lint my-sentences.yaml");
        c.require_subcommand(1);
        const auto add_action = [&](const char* name, const char* what, intents_options::action action,
                                    const char* examples) -> CLI::App& {
            auto& sub = add(c, name, what, examples);
            sub.add_option("--lang", o.language, "Language (default: en)")->type_name("XX");
            add_json(sub, o.json);
            sub.callback([this, &o, action] {
                o.what = action;
                job_ = [&o] { return cli::intents(o); };
            });
            return sub;
        };
        const auto add_source = [&](CLI::App& sub) {
            sub.add_option("--collection", o.collections,
                           "Sentence templates, JSON or YAML, instead of those that ship; may be repeated")
                ->type_name("FILE")
                ->allow_extra_args(false);
            sub.add_option("--own", o.own, "Folder of sentences of your own, beside those that ship")->type_name("DIR");
            sub.add_option("--home", o.home, "Floors, areas and entities")->type_name("FILE");
            sub.add_option("--area", o.area, "Where the sentences are said")->type_name("NAME");
        };
        const auto add_sentences = [&](CLI::App& sub) {
            sub.add_option("sentences", o.sentences, "What was said; without any, standard input is read, one a line")
                ->type_name("SENTENCE");
        };
        using action = intents_options::action;
        auto& match =
            add_action("match", "Intent and slots of sentences", action::match,
                       "  loqa intents match \"turn on the kitchen lights\" --home house.yaml --area Kitchen\n"
                       "\nExit code 1 if one of them means nothing; with --json the lines say so.");
        add_source(match);
        match.add_flag("--exact", o.exact, "Word for word: mend nothing, take nothing apart");
        add_sentences(match);
        auto& explain = add_action("explain", "Why a sentence means what it means, and what came second",
                                   action::explain, "  loqa intents explain \"what time is it\"");
        add_source(explain);
        add_sentences(explain);
        auto& list = add_action("list", "Intents and their templates", action::list, "  loqa intents list");
        list.add_option("--collection", o.collections, "Templates to list instead of those that ship")
            ->type_name("FILE")
            ->allow_extra_args(false);
        auto& lint =
            add_action("lint", "Check files of templates", action::lint, "  loqa intents lint my-sentences.yaml");
        lint.add_option("files", o.sentences, "YAML or JSON files")->required()->type_name("FILE");
        auto& bench = add_action("bench", "Time matching", action::bench,
                                 "  loqa intents bench --home house.yaml < sentences.txt");
        add_source(bench);
        add_sentences(bench);
    }
    void add_doctor() {
        auto& o = options_.doctor;
        auto& c = add(app_, "doctor", "Check what Loqa needs, and say how to mend what is missing",
                      "  loqa doctor\n"
                      "  loqa doctor --deep --json");
        c.add_flag("--deep", o.deep, "Read the model files too, and compare their SHA-256");
        add_json(c, o.json);
        add_instance(c, o.instance);
        runs(c, o, &cli::doctor);
    }
    void add_completion() {
        auto& c = add(app_, "completion", "Print the script that completes `loqa` in a shell",
                      "  source <(loqa completion bash)\n"
                      "  loqa completion zsh > ~/.zfunc/_loqa\n"
                      "  loqa completion fish > ~/.config/fish/completions/loqa.fish");
        c.add_option("shell", options_.shell, "bash, zsh or fish")
            ->required()
            ->type_name("{bash,zsh,fish}")
            ->check([](const std::string& value) {
                return value == "bash" || value == "zsh" || value == "fish" ? std::string()
                                                                            : "must be bash, zsh or fish";
            });
        c.callback([this] {
            job_ = [this]() -> result<int> {
                fmt::print("{}", completion_script(app_, options_.shell));
                return 0;
            };
        });
    }

    CLI::App app_{"Loqa, the voice assistant that runs on your own machines", "loqa"};
    all_options options_;
    std::vector<std::string> words_;
    bool less_ = false;
    job job_;
};

}  // namespace

parsed_line parse(int argc, const char* const* argv) {
    // The job reads the options, so the tree lives as long as it.
    auto line = std::make_shared<tree>();
    auto parsed = line->parse(argc, argv);
    if (const int* exit_code = std::get_if<int>(&parsed)) return *exit_code;
    return [line, run = std::get<job>(parsed)] { return run(); };
}

std::string completion_script(const std::string& shell) { return completion_script(tree().app(), shell); }

}  // namespace loqa::cli
