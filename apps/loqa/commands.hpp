// What `loqa` can do: one function a command, with the options that its arguments were read into.
//
// A command writes what was asked for to standard output, everything else to standard error, and returns the exit
// code: 0 done, 1 not done. What keeps it from trying at all is an error, which main() prints; invalid_argument and
// invalid_config mean that the command line or the configuration is wrong (exit code 2). Each runs once a process, on
// the main thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "loqa/base/clock.hpp"
#include "loqa/base/files.hpp"
#include "loqa/base/result.hpp"

namespace loqa::cli {

// Which Loqa is meant.
struct instance_options {
    std::optional<fs::path> config;  // empty: the one that every process finds
    std::optional<fs::path> data;    // empty: the configuration's
    std::string nats;                // its bus, when it does not run on this machine
};

struct up_options {
    instance_options instance;
};
result<int> up(const up_options& options);

struct env_options {
    instance_options instance;
    bool json = false;
};
result<int> env(const env_options& options);

struct say_options {
    instance_options instance;
    std::vector<std::string> files;  // "-" is standard input
    bool microphone = false;
    bool mark_end = false;
    std::string area;  // that is spoken from; empty: as configured
    std::optional<fs::path> out;
    seconds timeout{15};
    bool json = false;
};
result<int> say(const say_options& options);

struct ask_options {
    instance_options instance;
    std::string text;
    std::string session;  // that it goes on with; empty: one of its own
    std::string area;     // that is asked from; empty: as configured
    bool no_audio = false;
    std::optional<fs::path> out;
    seconds timeout{15};
    bool json = false;
};
result<int> ask(const ask_options& options);

struct listen_options {
    instance_options instance;
    std::vector<std::string> subjects;  // empty: what people want to see
    bool json = false;
};
result<int> listen(const listen_options& options);

struct trace_options {
    instance_options instance;
    std::string session;  // empty: the latest turn of all
    bool json = false;
};
result<int> trace(const trace_options& options);

struct timers_options {
    enum class action { list, start, alarm, cancel, pause, resume, add, snooze, stop };
    instance_options instance;
    action what = action::list;
    std::string timer;  // id or label
    seconds length{};   // of start, add (may be negative) and snooze
    std::string at;     // of an alarm, as it is said
    std::string label;
    bool json = false;
};
result<int> timers(const timers_options& options);

struct home_options {
    instance_options instance;
    bool follow = false;
    bool json = false;
};
result<int> home(const home_options& options);

struct skill_options {
    enum class action { list, install, remove, enable, disable, reload, config, secret, logs, stats };
    instance_options instance;
    action what = action::list;
    std::string name;  // of install: the folder
    std::string key;   // of config and secret
    std::optional<std::string> value;
    int limit = 50;
    bool json = false;
};
result<int> skill(const skill_options& options);

// "90", "90s", "10m", "1h30m", "-5m": seconds.
result<seconds> parse_length(const std::string& text);

struct sessions_options {
    enum class action { list, show, remove, export_all };
    instance_options instance;
    action what = action::list;
    std::string session;
    int limit = 20;
    bool json = false;
};
result<int> sessions(const sessions_options& options);

struct replay_options {
    instance_options instance;
    std::string session;
    std::string turn;  // empty: every turn of the session
    bool json = false;
};
result<int> replay(const replay_options& options);

struct models_options {
    enum class action { list, pull, verify };
    action what = action::list;
    std::vector<std::string> names;
    bool json = false;
};
result<int> models(const models_options& options);

struct bench_options {
    std::optional<fs::path> corpus;    // recordings with transcripts; empty: what this machine has
    std::vector<std::string> engines;  // ENGINE:MODEL; empty: all that are installed
    int repeat = 1;
    int threads = 2;
    bool json = false;
};
result<int> bench(const bench_options& options);

struct intents_options {
    enum class action { match, explain, list, lint, bench };
    action what = action::match;
    std::vector<std::string> sentences;  // for lint: files; empty: standard input, one a line
    std::vector<fs::path> collections;   // empty: what ships, and behind it `own`
    fs::path own;                        // the user's folder; empty: none
    std::optional<fs::path> home;
    std::string area;
    std::string language = "en";
    bool exact = false;  // word for word only: nothing mended, nothing taken apart
    bool json = false;
};
result<int> intents(const intents_options& options);

struct doctor_options {
    instance_options instance;
    bool deep = false;
    bool json = false;
};
result<int> doctor(const doctor_options& options);

}  // namespace loqa::cli
