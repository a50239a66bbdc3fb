#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include <unistd.h>

#include "commands.hpp"
#include "json_fields.hpp"
#include "model_list.hpp"
#include "terminal.hpp"

namespace loqa::cli {
namespace {

std::string megabytes(std::uintmax_t bytes) { return fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6); }

std::string_view state_of(const model& m) {
    if (check_model(m, thoroughness::sizes)) return "installed";
    if (installed(m)) return "broken";
    return m.by_default ? "missing" : "on request";
}

int list(const std::vector<model>& known, bool json) {
    if (json) {
        auto all = nlohmann::ordered_json::array();
        for (const auto& m : known)
            all.push_back({{"name", m.name},
                           {"kind", m.kind},
                           {"state", state_of(m)},
                           {"bytes", m.size_bytes()},
                           {"folder", m.folder.string()},
                           {"license", m.license},
                           {"about", m.about}});
        print_line(one_line(nlohmann::ordered_json{{"models", all}}));
        return 0;
    }
    std::size_t width = 0;
    for (const auto& m : known) width = std::max(width, m.name.size());
    const auto style = style_of_stdout();
    for (const auto& m : known) {
        const auto state = state_of(m);
        const auto shown = fit(state, 10);
        print_line(fmt::format("{}  {:3}  {:>8}  {}  {}", fit(m.name, width), m.kind, megabytes(m.size_bytes()),
                               state == "installed"    ? style.paint(colour::green, shown)
                               : state == "on request" ? shown
                                                       : style.paint(colour::red, shown),
                               m.about));
    }
    return 0;
}

// One line that counts up, on a terminal; nothing elsewhere.
class progress {
public:
    progress(std::string what, std::uintmax_t of) : what_(std::move(what)), of_(of) { advance(0); }
    ~progress() {
        if (on_terminal_) fmt::print(stderr, "\r\x1b[K");
    }
    progress(const progress&) = delete;
    progress& operator=(const progress&) = delete;

    void advance(std::uintmax_t by) {
        done_ += by;
        if (on_terminal_)
            fmt::print(stderr, "\r{}: {:3}% of {}", what_, done_ * 100 / std::max<std::uintmax_t>(of_, 1),
                       megabytes(of_));
    }

private:
    const bool on_terminal_ = ::isatty(STDERR_FILENO) == 1;
    std::string what_;
    std::uintmax_t of_, done_ = 0;
};

result<int> verify(const std::vector<model>& known, const models_options& options) {
    std::vector<model> chosen;
    for (const auto& name : options.names) {
        auto found = find_model(known, name);
        if (!found) return fail(std::move(found));
        chosen.push_back(std::move(*found));
    }
    if (options.names.empty())
        for (const auto& m : known)
            if (m.by_default || installed(m)) chosen.push_back(m);

    int faults = 0;
    auto all = nlohmann::ordered_json::array();
    for (const auto& m : chosen) {
        const auto good = [&] {
            progress shown(m.name, m.size_bytes());
            return check_model(m, thoroughness::contents, [&](std::uintmax_t bytes) { shown.advance(bytes); });
        }();
        if (!good) ++faults;
        if (options.json) {
            nlohmann::ordered_json entry{{"name", m.name}, {"good", good.has_value()}};
            if (!good)
                entry["error"] = {{"code", to_string(good.error().code)},
                                  {"message", good.error().message},
                                  {"hint", good.error().hint}};
            all.push_back(std::move(entry));
        } else if (good) {
            print_line(fmt::format("{}: good", m.name));
        } else {
            print_error(good.error());
        }
    }
    if (options.json) print_line(one_line(nlohmann::ordered_json{{"models", all}}));
    return faults == 0 ? 0 : 1;
}

// In the source tree and in an installation alike, the scripts stand beside the read-only data.
result<fs::path> models_script() {
    std::vector<fs::path> places;
    if (const char* chosen = std::getenv("LOQA_SCRIPTS_DIR"); chosen != nullptr && *chosen != '\0') {
        places.emplace_back(chosen);
    } else {
        std::error_code ec;
        const auto share = fs::weakly_canonical(share_folder(), ec);
        places = {share.parent_path() / "scripts", share / "scripts"};
    }
    for (const auto& place : places) {
        std::error_code ec;
        if (fs::exists(place / "models.py", ec)) return place / "models.py";
    }
    return fail(errc::not_found, "there is no {}", (places.front() / "models.py").string())
        .hint("set LOQA_SCRIPTS_DIR to the folder scripts/ of Loqa's source");
}

// The script shows its own progress, so it takes this process over.
result<int> pull(const std::vector<model>& known, const models_options& options) {
    for (const auto& name : options.names)
        if (auto found = find_model(known, name); !found) return fail(std::move(found));
    const auto script = models_script();
    if (!script) return fail(script);
    std::vector<std::string> words{"python3", script->string(), "pull"};
    words.insert(words.end(), options.names.begin(), options.names.end());
    std::vector<char*> argv;
    for (auto& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    ::execvp(argv[0], argv.data());
    return fail(errc::io_failed, "python3 cannot be started: {}", errno_text(errno)).hint("run: scripts/setup.sh");
}

}  // namespace

result<int> models(const models_options& options) {
    const auto known = known_models(share_folder(), cache_folder());
    if (!known) return fail(known);
    switch (options.what) {
        case models_options::action::list:
            return list(*known, options.json);
        case models_options::action::pull:
            return pull(*known, options);
        case models_options::action::verify:
            return verify(*known, options);
    }
    return 1;
}

}  // namespace loqa::cli
