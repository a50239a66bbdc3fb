#include <cstdio>
#include <cstdlib>
#include <string_view>

#include <fmt/format.h>

#include "commands.hpp"
#include "loqa/base/files.hpp"
#include "loqa/base/text.hpp"

namespace loqa::skill_app {
namespace {

constexpr std::size_t max_name_bytes = 64;

bool is_name(std::string_view name) {
    const auto letter = [](char c) { return c >= 'a' && c <= 'z'; };
    if (name.empty() || name.size() > max_name_bytes || !letter(name.front()) || name.ends_with('-')) return false;
    return name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string_view::npos;
}

// "good-night" is the intent GoodNight.
std::string intent_of(const std::string& name) {
    std::string out;
    for (const auto& part : split(name, '-'))
        if (!part.empty())
            out += static_cast<char>(part[0] - (part[0] >= 'a' && part[0] <= 'z' ? 32 : 0)) + part.substr(1);
    return out;
}

void replace_all(std::string& in, std::string_view what, std::string_view with) {
    for (std::size_t at = 0; (at = in.find(what, at)) != std::string::npos; at += with.size())
        in.replace(at, what.size(), with);
}

result<void> make(const std::string& name, const fs::path& folder) {
    if (!is_name(name))
        return fail(errc::invalid_argument, "\"{}\" is no name for a skill", name)
            .hint("small letters, digits and -, beginning with a letter: good-night");
    std::error_code ec;
    if (fs::exists(folder, ec) && !fs::is_empty(folder, ec))
        return fail(errc::already_exists, "{} is there and not empty", folder.string())
            .hint("give another folder with --dir");
    const auto sdk = fs::weakly_canonical(share_folder() / "sdk", ec);
    if (!fs::exists(sdk / "template", ec))
        return fail(errc::not_found, "there is no SDK in {}", sdk.string())
            .hint("LOQA_SHARE_DIR names the folder that has sdk in it");
    if (auto made = make_writable_folder(folder); !made) return made;
    const char* user = std::getenv("USER");
    for (const auto& file : fs::directory_iterator(sdk / "template", ec)) {
        auto text = read_file(file.path());
        if (!text) return fail(std::move(text));
        replace_all(*text, "@NAME@", name);
        replace_all(*text, "@INTENT@", intent_of(name));
        replace_all(*text, "@AUTHOR@", user != nullptr && is_name(user) ? user : "somebody");
        replace_all(*text, "@SDK@", sdk.string());
        auto to = file.path().filename().string();
        if (to == "skill.cpp") to = name + ".cpp";
        if (to == "gitignore") to = ".gitignore";
        if (auto written = write_file_atomically(folder / to, *text); !written) return written;
    }
    return {};
}

}  // namespace

int make_new(const std::string& name, const std::string& dir) {
    const auto folder = fs::path(dir) / name;
    if (const auto made = make(name, folder); !made) {
        std::fputs(fmt::format("loqa-skill: {}\n", made.error().text()).c_str(), stderr);
        return made.error().code == errc::invalid_argument ? 2 : 1;
    }
    const auto at = folder.lexically_normal().string();
    std::fputs(fmt::format("{0} greets whoever says hello. Build it, and see:\n"
                           "  cmake -S {0} -B {0}/build && cmake --build {0}/build\n"
                           "  loqa-skill test {0}\n"
                           "  loqa-skill run {0} --intent {1} --slot who=Ann\n",
                           at, intent_of(name))
                   .c_str(),
               stdout);
    return 0;
}

}  // namespace loqa::skill_app
