#include "completion.hpp"

#include <algorithm>
#include <vector>

#include <CLI/App.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "loqa/base/text.hpp"

namespace loqa::cli {
namespace {

struct option {
    std::vector<std::string> names;  // with their dashes; empty: stands alone
    std::string type;                // empty: takes no value
    std::string what;
};

struct command {
    std::vector<std::string> path;  // without the program
    std::string what;
    std::vector<option> options;
    std::vector<command> below;
};

command read(const CLI::App& app, const std::vector<std::string>& path) {
    command made{.path = path, .what = app.get_description(), .options = {}, .below = {}};
    for (const auto* o : app.get_options()) {
        option read{.names = {},
                    .type = o->get_type_size() == 0 ? std::string() : o->get_type_name(),
                    .what = o->get_description()};
        for (const auto& name : o->get_snames()) read.names.push_back("-" + name);
        for (const auto& name : o->get_lnames()) read.names.push_back("--" + name);
        made.options.push_back(std::move(read));
    }
    for (const auto* sub : app.get_subcommands({})) {
        auto deeper = path;
        deeper.push_back(sub->get_name());
        made.below.push_back(read(*sub, deeper));
        // What stands behind it may be the parent's.
        if (!sub->get_fallthrough()) continue;
        for (const auto& o : made.options)
            if (!o.names.empty() && o.names.back() != "--help") made.below.back().options.push_back(o);
    }
    return made;
}

// All commands of the tree, from the root on.
void flatten(const command& from, std::vector<const command*>& to) {
    to.push_back(&from);
    for (const auto& below : from.below) flatten(below, to);
}

// The words of a type such as {bash,zsh,fish}.
std::vector<std::string> words_of(const std::string& type) {
    if (!type.starts_with('{') || !type.ends_with('}')) return {};
    return split(std::string_view(type).substr(1, type.size() - 2), ',');
}

// Inside single quotes of a POSIX shell.
std::string shell_word(std::string_view text) {
    std::string out = "'";
    for (const char c : text) c == '\'' ? out += "'\\''" : out += c;
    return out + "'";
}

// As the name of a shell's function.
std::string identifier(std::string name) {
    std::ranges::replace(name, '-', '_');
    return name;
}

constexpr std::string_view model_names = "loqa models list 2>/dev/null | cut -d' ' -f1";

// How bash fills COMPREPLY with what a value can be.
std::string bash_values(const std::string& type) {
    if (type == "FILE") return "compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- \"$word\")";
    if (type == "DIR") return "compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- \"$word\")";
    if (type == "MODEL") return fmt::format("mapfile -t COMPREPLY < <(compgen -W \"$({})\" -- \"$word\")", model_names);
    if (const auto words = words_of(type); !words.empty())
        return fmt::format("mapfile -t COMPREPLY < <(compgen -W '{}' -- \"$word\")", fmt::join(words, " "));
    return "COMPREPLY=()";
}

std::string bash(const command& root, const std::string& program) {
    std::vector<const command*> all;
    flatten(root, all);
    std::string paths, cases;
    for (const auto* c : all) {
        const auto path = fmt::format("{}", fmt::join(c->path, " "));
        std::vector<std::string> words, names;
        std::string values, alone = "COMPREPLY=()";
        for (const auto& below : c->below) words.push_back(below.path.back());
        for (const auto& o : c->options) {
            names.insert(names.end(), o.names.begin(), o.names.end());
            if (o.names.empty())
                alone = bash_values(o.type);
            else if (!o.type.empty())
                values +=
                    fmt::format("                {}) {}; return ;;\n", fmt::join(o.names, "|"), bash_values(o.type));
        }
        if (!c->path.empty())
            paths += fmt::format("            {}) command={} ;;\n", shell_word(path), shell_word(path));
        cases += fmt::format("        {})\n", shell_word(path));
        if (!values.empty()) cases += fmt::format("            case \"$before\" in\n{}            esac\n", values);
        cases +=
            fmt::format("            if [[ $word == -* ]]; then mapfile -t COMPREPLY < <(compgen -W {} -- \"$word\")\n",
                        shell_word(fmt::format("{}", fmt::join(names, " "))));
        cases += words.empty()
                     ? fmt::format("            else {}; fi ;;\n", alone)
                     : fmt::format("            else mapfile -t COMPREPLY < <(compgen -W {} -- \"$word\"); fi ;;\n",
                                   shell_word(fmt::format("{}", fmt::join(words, " "))));
    }
    return fmt::format(R"(# {2}: completion for bash. Use it: source <({2} completion bash)
_{3}() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}} command='' i
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        case "${{command:+$command }}${{COMP_WORDS[i]}}" in
{0}        esac
    done
    case "$command" in
{1}    esac
}}
complete -F _{3} {2}
)",
                       paths, cases, program, identifier(program));
}

// Text inside [...] of zsh's _arguments.
std::string zsh_text(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '[' || c == ']' || c == ':' || c == '\\') out += '\\';
        out += c;
    }
    return out;
}

std::string zsh_values(const std::string& type) {
    if (type == "FILE") return "_files";
    if (type == "DIR") return "_files -/";
    if (type == "MODEL") return fmt::format("{{_values model ${{(f)\"$({})\"}}}}", model_names);
    if (const auto words = words_of(type); !words.empty()) return fmt::format("({})", fmt::join(words, " "));
    return " ";
}

std::string zsh(const command& root, const std::string& program) {
    std::vector<const command*> all;
    flatten(root, all);
    std::string functions;
    for (const auto* c : all) {
        const auto name =
            fmt::format("_{}{}{}", identifier(program), c->path.empty() ? "" : "_", fmt::join(c->path, "_"));
        std::string lines;
        for (const auto& o : c->options) {
            const auto value =
                o.type.empty() ? std::string() : fmt::format(":{}:{}", zsh_text(o.type), zsh_values(o.type));
            for (const auto& each : o.names)
                lines +=
                    fmt::format(" \\\n        {}", shell_word(fmt::format("{}[{}]{}", each, zsh_text(o.what), value)));
            if (o.names.empty())
                lines += fmt::format(" \\\n        {}",
                                     shell_word(fmt::format("*:{}:{}", zsh_text(o.what), zsh_values(o.type))));
        }
        if (c->below.empty()) {
            functions += fmt::format("{}() {{\n    _arguments -s{}\n}}\n\n", name, lines);
            continue;
        }
        std::string described, cases;
        for (const auto& below : c->below) {
            described += fmt::format(" {}", shell_word(fmt::format("{}:{}", below.path.back(), zsh_text(below.what))));
            cases += fmt::format("            {}) {}_{} ;;\n", below.path.back(), name, below.path.back());
        }
        functions += fmt::format(R"({0}() {{
    local line state
    local -a commands=({1})
    _arguments -C{2} \
        '1:command:->command' '*::argument:->argument'
    case $state in
        command) _describe command commands ;;
        argument) case $line[1] in
{3}        esac ;;
    esac
}}

)",
                                 name, described, lines, cases);
    }
    return fmt::format(
        "#compdef {1}\n# Completion for zsh: put this into a folder of $fpath, as _{1}.\n\n{0}_{2} \"$@\"\n", functions,
        program, identifier(program));
}

std::string fish(const command& root, const std::string& program) {
    std::vector<const command*> all;
    flatten(root, all);
    std::string lines = fmt::format(
        "# Completion for fish: put this into ~/.config/fish/completions/{0}.fish\ncomplete -c {0} -f\n", program);
    for (const auto* c : all) {
        // A command counts when its words stand on the line, and none of those below it.
        std::string when;
        for (const auto& word : c->path)
            when += fmt::format("{}__fish_seen_subcommand_from {}", when.empty() ? "" : "; and ", word);
        std::vector<std::string> below;
        for (const auto& sub : c->below) below.push_back(sub.path.back());
        std::string when_none = when;
        if (!below.empty())
            when_none += fmt::format("{}not __fish_seen_subcommand_from {}", when.empty() ? "" : "; and ",
                                     fmt::join(below, " "));
        const auto condition = when_none.empty() ? std::string() : fmt::format(" -n {}", shell_word(when_none));
        for (const auto& sub : c->below)
            lines += fmt::format("complete -c {}{} -a {} -d {}\n", program, condition, sub.path.back(),
                                 shell_word(sub.what));
        for (const auto& o : c->options) {
            std::string how;
            for (const auto& name : o.names)
                how += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
            if (!o.names.empty() && !o.type.empty()) how += " -r";
            if (o.type == "FILE") how += " -F";
            if (o.type == "DIR") how += " -a '(__fish_complete_directories)'";
            if (o.type == "MODEL") how += fmt::format(" -a {}", shell_word(fmt::format("({})", model_names)));
            if (const auto words = words_of(o.type); !words.empty())
                how += fmt::format(" -a '{}'", fmt::join(words, " "));
            if (how.empty()) continue;
            lines += fmt::format("complete -c {}{}{} -d {}\n", program, condition, how, shell_word(o.what));
        }
    }
    return lines;
}

}  // namespace

std::string completion_script(const CLI::App& app, const std::string& shell) {
    const auto root = read(app, {});
    const auto& program = app.get_name();
    if (shell == "bash") return bash(root, program);
    if (shell == "zsh") return zsh(root, program);
    if (shell == "fish") return fish(root, program);
    return {};
}

}  // namespace loqa::cli
