#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml-cpp/yaml.h>

#include "loqa/base/text.hpp"
#include "loqa/config/config.hpp"
#include "loqa/config/declarations.hpp"

extern char** environ;

namespace loqa::config {
namespace {

constexpr std::uintmax_t max_file_bytes = 1u << 20;
constexpr std::size_t max_faults = 50;
constexpr std::size_t max_shown_bytes = 60;

std::string variable_of(const environment_variables& environment, std::string_view name) {
    for (auto it = environment.rbegin(); it != environment.rend(); ++it)
        if (it->first == name) return it->second;
    return {};
}

// A value in an error: a part of it is enough, but no part of a character.
std::string shown(std::string_view text) {
    if (text.size() <= max_shown_bytes) return fmt::format("\"{}\"", text);
    auto end = max_shown_bytes;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
    return fmt::format("\"{}…\"", text.substr(0, end));
}

// Whether a second document begins in the text, which YAML::Load would leave out without a word. (YAML::LoadAll would
// not, but yaml-cpp 0.7 never returns from "[\n...\n" there.) A marker at the start of a line is one wherever it
// stands.
bool is_one_document(std::string_view text) {
    bool begun = false, ended = false;
    for (const auto& line : split(text, '\n')) {
        const auto word = std::string_view(line).substr(0, line.find_first_of(" \t\r"));
        if (word == "...") {
            ended = true;
        } else if (word == "---") {
            if (begun) return false;
            begun = true;
        } else if (const auto rest = trim(line); !rest.empty() && rest.front() != '#' && rest.front() != '%') {
            if (ended) return false;
            begun = true;
        }
    }
    return true;
}

class loader {
public:
    explicit loader(const source& from) : from_(from) {
        for (const auto& declared : declarations()) assign(declared, out_, declared.fallback);
    }

    result<settings> run() {
        if (from_.file) read_yaml(*from_.file);
        read_environment();
        check_combinations();
        if (!faults_.empty()) {
            if (faults_.size() > max_faults) {
                const auto more = faults_.size() - max_faults;
                faults_.resize(max_faults);
                faults_.push_back(fmt::format("and {} more", more));
            }
            return fail(errc::invalid_config, "{}", fmt::join(faults_, "\n"))
                .hint("docs/config.md lists every key; loqad --print-config prints a file to begin with");
        }
        derive();
        warn();
        return std::move(out_);
    }

private:
    // Names and the parser's own words may carry anything that stood in the file: an error stays on its line of the
    // terminal.
    void fault(std::string text) {
        std::ranges::replace_if(text, [](unsigned char c) { return c < ' '; }, '?');
        faults_.push_back(std::move(text));
    }

    std::string at(const YAML::Mark& mark) const {
        if (mark.is_null()) return from_.file->string();
        return fmt::format("{}:{}:{}", from_.file->string(), mark.line + 1, mark.column + 1);
    }

    void wrong(const property& declared, const std::string& where, const std::string& found) {
        bad_.insert(declared.key);
        std::string text = fmt::format("{}: {} must be {}", where, declared.key, declared.allowed());
        // A secret that has the wrong form is still a secret.
        text += declared.secret ? ", found something else" : fmt::format(", found {}", found);
        fault(std::move(text));
    }

    void read_yaml(const fs::path& path) {
        auto content = read_file(path, max_file_bytes);
        if (!content) return fault(content.error().message);
        try {
            if (!is_one_document(*content))
                return fault(fmt::format("{}: has several documents, must be one", path.string()));
            const auto top = YAML::Load(*content);
            if (top.IsNull()) return;
            read_top(top);
        } catch (const YAML::Exception& e) {
            fault(fmt::format("{}: {}", at(e.mark), e.msg));
        } catch (const std::exception& e) {
            fault(fmt::format("{}: is not YAML that can be read: {}", path.string(), e.what()));
        }
    }

    void read_top(const YAML::Node& top) {
        if (!top.IsMap()) return fault(fmt::format("{}: must be a map of sections", at(top.Mark())));
        read_map("", top);
    }

    void read_map(std::string_view section, const YAML::Node& map) {
        std::set<std::string> seen;
        for (const auto& entry : map) {
            if (!entry.first.IsScalar()) {
                fault(fmt::format("{}: a key must be a word", at(entry.first.Mark())));
                continue;
            }
            const auto name = entry.first.Scalar();
            const auto key = section.empty() ? name : fmt::format("{}.{}", section, name);
            if (!seen.insert(name).second) {
                fault(fmt::format("{}: {} stands here a second time", at(entry.first.Mark()), shown(key)));
                continue;
            }
            const auto named = std::ranges::find(sections(), name, &section::name);
            if (section.empty() && !name.empty() && named != sections().end()) {
                if (entry.second.IsMap())
                    read_map(named->name, entry.second);
                else if (!entry.second.IsNull())
                    fault(fmt::format("{}: {} must be a map of keys", at(entry.second.Mark()), key));
                continue;
            }
            const auto declared = std::ranges::find(declarations(), key, &property::key);
            if (declared == declarations().end())
                fault(unknown(entry.first, section, name));
            else if (!entry.second.IsNull())
                read_value(*declared, entry.second);
        }
    }

    std::string unknown(const YAML::Node& at_key, std::string_view section, const std::string& name) const {
        std::vector<std::string> here;
        std::string elsewhere;
        if (section.empty())
            for (const auto& known : sections())
                if (!known.name.empty()) here.emplace_back(known.name);
        for (const auto& declared : declarations()) {
            if (declared.section() == section)
                here.emplace_back(declared.name());
            else if (declared.name() == name && elsewhere.empty())
                elsewhere = declared.key;
        }
        const auto prefix = section.empty() ? std::string() : fmt::format("{}.", section);
        std::string near = nearest(name, here);
        near = near.empty() ? elsewhere : prefix + near;
        auto text = fmt::format("{}: {} is not a key", at(at_key.Mark()), shown(prefix + name));
        if (!near.empty()) return text + fmt::format("; did you mean {}?", near);
        return text + fmt::format("; {} {}", section.empty() ? "known are" : fmt::format("{} has", section),
                                  fmt::join(here, ", "));
    }

    void read_value(const property& declared, const YAML::Node& node) {
        sources_[declared.key] = at(node.Mark());
        from_file_.insert(declared.key);
        const slot where = declared.at(out_);
        if (auto* const* list = std::get_if<std::vector<capability>*>(&where)) {
            read_capabilities(declared, node, at(node.Mark()), **list);
        } else if (node.IsScalar()) {
            if (!assign(declared, out_, node.Scalar())) wrong(declared, at(node.Mark()), shown(node.Scalar()));
        } else if (node.IsSequence() && std::holds_alternative<std::vector<std::string>*>(where)) {
            read_list(declared, node);
        } else {
            wrong(declared, at(node.Mark()), node.IsMap() ? "a map" : "a list");
        }
    }

    void read_list(const property& declared, const YAML::Node& node) {
        std::vector<std::string> items;
        for (const auto& item : node) {
            if (!item.IsScalar()) return wrong(declared, at(item.Mark()), "something else inside");
            items.push_back(item.Scalar());
            // One by one, so that the fault names the line of the item.
            if (!assign(declared, out_, std::vector{item.Scalar()}))
                return wrong(declared, at(item.Mark()), shown(item.Scalar()));
        }
        assign(declared, out_, items);
    }

    // `where` is given rather than taken from the node because a variable's text has no line in a file.
    void read_capabilities(const property& declared, const YAML::Node& node, const std::string& where,
                           std::vector<capability>& into) {
        std::vector<capability> all;
        if (!node.IsSequence()) return wrong(declared, where, "something else");
        for (const auto& item : node) {
            if (!item.IsMap()) return wrong(declared, where, "an item that is not a map");
            capability one;
            for (const auto& entry : item) {
                const auto name = entry.first.IsScalar() ? entry.first.Scalar() : std::string();
                if (name == "attributes" && entry.second.IsMap()) {
                    for (const auto& attribute : entry.second) {
                        if (!attribute.first.IsScalar() || !attribute.second.IsScalar())
                            return wrong(declared, where, "an attribute that is not a text");
                        one.attributes[attribute.first.Scalar()] = attribute.second.Scalar();
                    }
                } else if (name == "name" && entry.second.IsScalar()) {
                    one.name = entry.second.Scalar();
                } else if (name == "tier" && entry.second.IsScalar()) {
                    one.tier = entry.second.Scalar();
                } else if (!entry.second.IsNull()) {
                    return wrong(declared, where, fmt::format("{} in an item", shown(name)));
                }
            }
            if (one.name.empty()) return wrong(declared, where, "an item without a name");
            all.push_back(std::move(one));
        }
        into = std::move(all);
    }

    void read_environment() {
        for (const auto& declared : declarations()) {
            const auto name = declared.variable();
            const auto last = std::find_if(from_.environment.rbegin(), from_.environment.rend(),
                                           [&](const auto& variable) { return variable.first == name; });
            if (last == from_.environment.rend()) continue;
            sources_[declared.key] = name;
            bad_.erase(declared.key);
            from_file_.erase(declared.key);
            const slot where = declared.at(out_);
            if (auto* const* list = std::get_if<std::vector<capability>*>(&where)) {
                try {
                    read_capabilities(declared, YAML::Load(last->second), name, **list);
                } catch (const std::exception&) {
                    wrong(declared, name, shown(last->second));
                }
            } else if (!assign(declared, out_, last->second)) {
                wrong(declared, name, shown(last->second));
            }
        }
        for (const auto& [name, value] : from_.environment) check_known(name);
    }

    // A misspelt variable would be ignored without a word; variables of other purposes (LOQA_CACHE_DIR) have no
    // section's prefix.
    void check_known(const std::string& name) {
        const auto ours = std::ranges::any_of(
            sections(), [&](const auto& known) { return name.starts_with(variable_prefix(known.name)); });
        if (!ours) return;
        std::vector<std::string> known;
        for (const auto& declared : declarations()) known.push_back(declared.variable());
        if (std::ranges::find(known, name) != known.end()) return;
        const auto near = nearest(name, known);
        fault(fmt::format("{}: is not a variable of Loqa{}", name,
                          near.empty() ? std::string() : fmt::format("; did you mean {}?", near)));
    }

    std::string source_of(std::string_view key) const {
        const auto found = sources_.find(key);
        return found == sources_.end() ? "default" : found->second;
    }

    // A fault of several values together; silent when one of them is already a fault of its own.
    void require(bool fine, std::initializer_list<std::string_view> keys, std::string_view sentence) {
        if (fine || std::ranges::any_of(keys, [&](auto key) { return bad_.contains(key); })) return;
        fault(fmt::format("{}: {}", source_of(*keys.begin()), sentence));
    }

    void check_combinations() {
        const auto& s = out_;
        require(s.node.heartbeat_timeout > s.node.heartbeat_interval,
                {"node.heartbeat_timeout_ms", "node.heartbeat_interval_ms"},
                fmt::format("node.heartbeat_timeout_ms must be more than node.heartbeat_interval_ms, found {} and {}",
                            s.node.heartbeat_timeout.count(), s.node.heartbeat_interval.count()));
        require(!s.stt.enabled || s.stt.mode != "exec" || !trim(s.stt.command).empty(), {"stt.mode", "stt.command"},
                "stt.mode is exec, which needs stt.command");
        require(!s.tts.enabled || s.tts.mode != "exec" || !trim(s.tts.command).empty(), {"tts.mode", "tts.command"},
                "tts.mode is exec, which needs tts.command");
        require(!s.llm.enabled || s.llm.mode != "exec" || !trim(s.llm.command).empty(), {"llm.mode", "llm.command"},
                "llm.mode is exec, which needs llm.command");
        require(s.bus.tls_key.empty() || !s.bus.tls_cert.empty(), {"bus.tls_key", "bus.tls_cert"},
                "bus.tls_key needs bus.tls_cert beside it");
        require(s.bus.tls_cert.empty() || !s.bus.tls_key.empty(), {"bus.tls_cert", "bus.tls_key"},
                "bus.tls_cert needs bus.tls_key beside it");
        require(s.bus.password.empty() || !s.bus.username.empty(), {"bus.password", "bus.username"},
                "bus.password needs bus.username beside it");
    }

    void derive() {
        for (const auto& declared : declarations()) {
            const slot where = declared.at(out_);
            if (auto* const* path = std::get_if<fs::path*>(&where)) expand_home(**path);
        }
        if (out_.data_dir.empty()) out_.data_dir = default_data_folder();
        if (out_.skills.directory.empty()) out_.skills.directory = out_.data_dir / "skills" / "installed";
        if (out_.event_store.path.empty()) out_.event_store.path = out_.data_dir / "events.db";
        if (out_.tts.cache_path.empty()) out_.tts.cache_path = cache_folder() / "speech";
        if (!out_.bus.embedded && out_.bus.servers.empty())
            out_.bus.servers = {fmt::format("nats://127.0.0.1:{}", out_.bus.port == 0 ? 4222 : out_.bus.port)};
        if (out_.node.id.empty()) out_.node.id = host_name();
    }

    // No shell expands the "~" of a YAML file, and nobody means a folder of that name.
    void expand_home(fs::path& path) const {
        const auto text = path.string();
        const auto home = variable_of(from_.environment, "HOME");
        if (text.starts_with("~/") && !home.empty()) path = fs::path(home) / text.substr(2);
    }

    static std::string host_name() {
        char buffer[256] = {};
        ::gethostname(buffer, sizeof buffer - 1);
        std::string name(buffer);
        name.resize(std::min(name.find('.'), name.size()));
        for (auto& c : name)
            if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '-') c = '-';
        return name.empty() ? "loqa" : name;
    }

    void warn() {
        warn_of_readable_secrets();
        const auto open = [](std::string_view address) {
            const auto host = address.substr(0, address.rfind(':'));
            return !address.empty() && !host.starts_with("127.") && host != "localhost" && host != "[::1]";
        };
        if (open(out_.http.bind + ":0"))
            out_.warnings.push_back(fmt::format(
                "http.bind is {}: whoever reaches this machine can use the API without a password", out_.http.bind));
        if (open(out_.telemetry.prometheus_bind))
            out_.warnings.push_back(
                fmt::format("telemetry.prometheus_bind is {}: whoever reaches this machine can read the metrics",
                            out_.telemetry.prometheus_bind));
        if (out_.bus.tls_insecure)
            out_.warnings.emplace_back(
                "bus.tls_insecure is true: somebody in between can read and change everything on the bus");
        for (const auto& [key, enabled, mode] : {std::tuple{"stt.mode", out_.stt.enabled, out_.stt.mode},
                                                 std::tuple{"tts.mode", out_.tts.enabled, out_.tts.mode},
                                                 std::tuple{"llm.mode", out_.llm.enabled, out_.llm.mode}})
            if (enabled && mode == "mock")
                out_.warnings.push_back(fmt::format("{} is mock: its results are made up", key));
    }

    void warn_of_readable_secrets() {
        struct stat status = {};
        if (!from_.file || ::stat(from_.file->c_str(), &status) != 0 || (status.st_mode & S_IROTH) == 0) return;
        for (const auto& declared : declarations())
            if (declared.secret && from_file_.contains(declared.key))
                out_.warnings.push_back(fmt::format(
                    "{}: {} is a secret, but every user of this machine can read the file; run chmod 600 {}",
                    source_of(declared.key), declared.key, from_.file->string()));
    }

    const source& from_;
    settings out_;
    std::vector<std::string> faults_;
    std::map<std::string_view, std::string> sources_;  // key → where its value comes from
    std::set<std::string_view> bad_;                   // keys whose value is a fault
    std::set<std::string_view> from_file_;
};

}  // namespace

environment_variables process_environment() {
    environment_variables out;
    for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
        const std::string_view text(*entry);
        if (const auto equals = text.find('='); equals != std::string_view::npos)
            out.emplace_back(text.substr(0, equals), text.substr(equals + 1));
    }
    return out;
}

std::optional<fs::path> find_file(const environment_variables& environment) {
    if (auto named = variable_of(environment, "LOQA_CONFIG"); !named.empty()) return named;
    std::vector<fs::path> places;
    if (const auto xdg = variable_of(environment, "XDG_CONFIG_HOME"); !xdg.empty())
        places.emplace_back(fs::path(xdg) / "loqa");
    else if (const auto home = variable_of(environment, "HOME"); !home.empty())
        places.emplace_back(fs::path(home) / ".config/loqa");
    places.emplace_back("/etc/loqa");
    for (const auto& place : places) {
        std::error_code ec;
        if (auto file = place / "loqa.yaml"; fs::exists(file, ec)) return file;
    }
    return std::nullopt;
}

result<settings> load(const source& from) { return loader(from).run(); }

// The declarations alone cannot fail: a test holds every default against its own rule.
settings defaults() { return load({}).value(); }

}  // namespace loqa::config
