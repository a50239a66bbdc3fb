#include "loqa/skills/manifest.hpp"

#include <algorithm>
#include <array>
#include <set>

#include <yaml-cpp/yaml.h>

#include "loqa/base/text.hpp"
#include "loqa/intent/collection.hpp"
#include "loqa/intent/sentence_template.hpp"
#include "loqa/protocol/json.hpp"
#include "loqa/skills/abi.hpp"
#include "loqa/skills/http_client.hpp"
#include "loqa/skills/settings.hpp"

namespace loqa::skills {
namespace {

constexpr std::size_t max_name_bytes = 64;
constexpr std::size_t max_text_bytes = 1000;
constexpr std::size_t max_list_entries = 64;

constexpr std::array<std::string_view, 7> known_permissions = {
    permission::bus_publish, permission::bus_subscribe, permission::bus_request, permission::events,
    permission::http,        permission::home_read,     permission::home_write};

constexpr std::array<std::string_view, 5> config_types = {"text", "integer", "number", "boolean", "list"};

// A name that becomes a file's, a part of a subject or a word in a template.
bool plain_name(std::string_view name) {
    return !name.empty() && name.size() <= max_name_bytes &&
           std::ranges::all_of(name, [](unsigned char c) { return std::isalnum(c) != 0 || c == '_' || c == '-'; });
}

bool valid_subject(std::string_view subject) {
    if (subject.empty() || subject.size() > 255) return false;
    const auto tokens = split(subject, '.');
    for (std::size_t i = 0; i < tokens.size(); ++i) {
        const auto& token = tokens[i];
        if (token.empty()) return false;
        if (token == "*" || (token == ">" && i + 1 == tokens.size())) continue;
        if (token.find_first_of("*> \t\r\n") != std::string::npos) return false;
    }
    return true;
}

// Whether the list has the subject, which is one and no pattern.
bool names(const std::vector<std::string>& patterns, std::string_view subject) {
    return valid_subject(subject) && subject.find_first_of("*>") == std::string_view::npos &&
           std::ranges::any_of(patterns, [&](const auto& pattern) { return subject_matches(pattern, subject); });
}

class reader {
public:
    parsed_manifest run(std::string_view text) {
        if (text.size() > max_manifest_bytes) {
            fault({}, fmt::format("the file has {} bytes, the limit is {}", text.size(), max_manifest_bytes));
            return std::move(out_);
        }
        try {
            read(YAML::Load(std::string(text)));
        } catch (const YAML::Exception& e) {
            out_.faults.push_back({e.mark.line + 1, e.mark.column + 1, "is not YAML that can be read: " + e.msg});
        }
        std::ranges::stable_sort(out_.faults, {}, [](const remark& r) { return std::pair(r.line, r.column); });
        return std::move(out_);
    }

private:
    void read(const YAML::Node& top) {
        auto& m = out_.value;
        if (!top.IsMap()) return fault(top, "the file is not a map of metadata, runtime, capabilities and permissions");
        known(top, "",
              {"metadata", "runtime", "capabilities", "permissions", "surfaces", "limits", "intents", "language",
               "lists", "expansion_rules", "http", "config", "secrets"});

        const auto metadata = section(top, "metadata");
        known(metadata, "metadata.", {"name", "version", "description", "author", "tags"});
        m.name = required(metadata, "metadata.", "name", max_name_bytes);
        m.version = required(metadata, "metadata.", "version", max_name_bytes);
        m.description = text(metadata, "metadata.", "description", max_text_bytes);
        m.author = text(metadata, "metadata.", "author", max_text_bytes);
        m.tags = list(metadata, "metadata.", "tags");

        const auto runtime = section(top, "runtime");
        known(runtime, "runtime.", {"mode", "module", "entrypoint", "host_version", "start"});
        m.start = truth(runtime, "runtime.", "start");
        m.mode = required(runtime, "runtime.", "mode", max_name_bytes);
        if (m.mode == "wasm") {
            m.module = required(runtime, "runtime.", "module", 255, " for wasm");
            m.entrypoint = required(runtime, "runtime.", "entrypoint", 255, " for wasm");
        } else if (!m.mode.empty()) {
            fault(runtime["mode"], fmt::format("runtime.mode \"{}\" not supported: wasm is", m.mode));
        }
        if (const fs::path module = m.module;
            module.is_absolute() || std::ranges::any_of(module, [](const fs::path& part) { return part == ".."; }))
            fault(runtime["module"], fmt::format("runtime.module {} is outside the skill's folder", m.module));
        m.host_version = text(runtime, "runtime.", "host_version", max_name_bytes);
        if (m.host_version.empty()) m.host_version = "v1";
        if (m.host_version != "v1" && m.host_version != "v2")
            fault(runtime["host_version"],
                  fmt::format("runtime.host_version \"{}\" not supported: v1 and v2 are", m.host_version));

        const auto capabilities = section(top, "capabilities");
        known(capabilities, "capabilities.", {"bus", "storage", "timers"});
        const auto bus = section(capabilities, "bus");
        known(bus, "capabilities.bus.", {"publish", "subscribe", "request", "durable"});
        m.durable = truth(bus, "capabilities.bus.", "durable");
        m.publish = subjects(bus, "publish");
        m.subscribe = subjects(bus, "subscribe");
        m.request = subjects(bus, "request");
        read_intents(top);
        if (m.durable && m.subscribe.empty())
            fault(bus["durable"], "capabilities.bus.durable keeps what comes on subscribe, where nothing is");
        if (m.publish.empty() && m.subscribe.empty() && m.intents.empty() && !m.start)
            fault(bus            ? bus
                  : capabilities ? capabilities
                                 : top,
                  "capabilities.bus must declare publish or subscribe subjects");
        const auto storage = section(capabilities, "storage");
        known(storage, "capabilities.storage.", {"kv"});
        m.storage = truth(storage, "capabilities.storage.", "kv");
        m.timers = truth(capabilities, "capabilities.", "timers");

        m.permissions = list(top, "", "permissions");
        if (m.permissions.empty())
            fault(top["permissions"] ? top["permissions"] : top, "permissions must include at least one entry");
        for (std::size_t i = 0; i < m.permissions.size(); ++i)
            if (std::ranges::find(known_permissions, m.permissions[i]) == known_permissions.end())
                warn(top["permissions"][i], fmt::format("permission {} is not known here, and grants nothing{}",
                                                        m.permissions[i], meant(m.permissions[i], known_permissions)));

        const auto surfaces = section(top, "surfaces");
        known(surfaces, "surfaces.", {"voice", "display", "automations"});
        m.voice = truth(surfaces, "surfaces.", "voice");
        m.display = truth(surfaces, "surfaces.", "display");
        m.automations = truth(surfaces, "surfaces.", "automations");

        const auto limits = section(top, "limits");
        known(limits, "limits.",
              {"wall_ms", "cpu_ms", "memory_mb", "log_lines", "log_kb", "publishes", "publish_kb", "requests",
               "storage_kb", "timers", "http_calls", "http_kb"});
        auto& l = m.limits;
        l.run.wall = milliseconds(number(limits, "wall_ms", 1, 30'000, static_cast<int>(l.run.wall.count())));
        l.run.cpu = milliseconds(number(limits, "cpu_ms", 1, 30'000, static_cast<int>(l.run.cpu.count())));
        l.run.memory_bytes =
            mebibyte * static_cast<std::size_t>(
                           number(limits, "memory_mb", 1, 64, static_cast<int>(l.run.memory_bytes / mebibyte)));
        l.log_lines = number(limits, "log_lines", 0, 10'000, l.log_lines);
        l.log_bytes = 1024 * number(limits, "log_kb", 0, 1024, l.log_bytes / 1024);
        l.publishes = number(limits, "publishes", 0, 10'000, l.publishes);
        l.requests = number(limits, "requests", 0, 1000, l.requests);
        l.storage_bytes = 1024 * number(limits, "storage_kb", 0, 16 * 1024, l.storage_bytes / 1024);
        l.publish_bytes = 1024 * number(limits, "publish_kb", 0, 16 * 1024, l.publish_bytes / 1024);
        l.timers = number(limits, "timers", 0, 50, l.timers);
        l.http_calls = number(limits, "http_calls", 0, 200, l.http_calls);
        l.http_bytes = 1024 * number(limits, "http_kb", 0, 8 * 1024, l.http_bytes / 1024);
        read_config(section(top, "config"));
        read_secrets(member(top, "secrets"));
        read_http(section(top, "http"));
    }

    // Its sentences go to the matcher as a document like the user's own; here each is only looked at by itself.
    void read_intents(const YAML::Node& top) {
        const auto intents = member(top, "intents");
        const auto language = text(top, "", "language", max_name_bytes);
        if (!intents) return;
        if (!intents.IsSequence()) return fault(intents, "intents is not a list");
        if (intents.size() > max_list_entries)
            return fault(intents,
                         fmt::format("intents has {} entries, the limit is {}", intents.size(), max_list_entries));
        YAML::Node all;
        for (const auto& one : intents) {
            const bool bare = one.IsScalar();
            if (!bare && !one.IsMap()) {
                fault(one, "an intent is neither a name nor a map with one");
                continue;
            }
            if (!bare) known(one, "intents.", {"name", "sentences", "confirm"});
            skill_intent found{.name = bare ? one.Scalar() : text(one, "intents.", "name", max_name_bytes),
                               .confirm = bare ? std::string() : question(one)};
            if (!plain_name(found.name)) {
                fault(one, fmt::format("intents: \"{}\" is not a name of letters, digits, _ and -", found.name));
                continue;
            }
            if (out_.value.find_intent(found.name) != nullptr) {
                fault(one, fmt::format("intents: {} is there twice", found.name));
                continue;
            }
            const auto sentences = list(one, "intents.", "sentences");
            for (std::size_t i = 0; i < sentences.size(); ++i)
                if (auto parsed = intent::parse_template({.text = sentences[i], .where = {}}); !parsed)
                    fault(one["sentences"][i], fmt::format("intents.sentences: {}", parsed.error().message));
                else
                    all["intents"][found.name]["data"][0]["sentences"].push_back(sentences[i]);
            out_.value.intents.push_back(std::move(found));
        }
        if (!all.IsDefined() || all.IsNull()) return;
        all["language"] = language.empty() ? "en" : language;
        for (const char* with : {"lists", "expansion_rules"})
            if (const auto given = section(top, with)) all[with] = given;
        out_.value.sentences = YAML::Dump(all);
        if (const auto readable = intent::parse_collection(out_.value.sentences, "intents"); !readable)
            fault(intents, fmt::format("its sentences cannot be read: {}", readable.error().message));
    }

    std::string question(const YAML::Node& of) {
        const auto found = member(of, "confirm");
        if (!found) return {};
        if (bool wanted = false; found.IsScalar() && YAML::convert<bool>::decode(found, wanted))
            return wanted ? "Shall I really do that?" : "";
        return text(of, "intents.", "confirm", max_text_bytes);
    }

    void read_config(const YAML::Node& keys) {
        if (!keys || !keys.IsMap()) return;
        for (const auto& one : keys) {
            config_key key{.name = one.first.IsScalar() ? one.first.Scalar() : std::string()};
            const auto prefix = fmt::format("config.{}.", key.name);
            if (!plain_name(key.name))
                fault(one.first, fmt::format("config: \"{}\" is not a name of letters, digits, _ and -", key.name));
            if (!one.second.IsMap()) {
                fault(one.second, fmt::format("config.{} is not a map with a type", key.name));
                continue;
            }
            known(one.second, prefix, {"type", "required", "default", "min", "max", "one_of", "description"});
            const auto type = text(one.second, prefix, "type", max_name_bytes);
            const auto at = std::ranges::find(config_types, type);
            if (at == config_types.end()) {
                fault(one.second,
                      fmt::format("{}type is \"{}\": text, integer, number, boolean and list are there", prefix, type));
                continue;
            }
            key.type = static_cast<config_key::kind>(at - config_types.begin());
            key.required = truth(one.second, prefix, "required");
            for (auto [name, bound] : {std::pair{"min", &key.least}, std::pair{"max", &key.most}})
                if (const auto given = member(one.second, name); given && !YAML::convert<double>::decode(given, *bound))
                    fault(given, fmt::format("{}{} is not a number", prefix, name));
            key.one_of = list(one.second, prefix, "one_of");
            if (const auto fallback = member(one.second, "default")) {
                auto value = config_value(key, fallback);
                if (value)
                    key.fallback = std::move(*value);
                else
                    fault(fallback, fmt::format("{}default {}", prefix, value.error().message));
            }
            out_.value.config.push_back(std::move(key));
        }
    }

    void read_secrets(const YAML::Node& names) {
        if (!names) return;
        if (!names.IsMap() && !names.IsSequence()) return fault(names, "secrets is not a map of names");
        for (std::size_t i = 0; names.IsSequence() && i < names.size(); ++i) add_secret(names[i]);
        if (!names.IsMap()) return;
        for (const auto& one : names) add_secret(one.first);
    }
    void add_secret(const YAML::Node& name) {
        if (!name.IsScalar() || !plain_name(name.Scalar()))
            return fault(name, "secrets: a name has letters, digits, _ and -");
        out_.value.secrets.push_back(name.Scalar());
    }

    void read_http(const YAML::Node& http) {
        known(http, "http.", {"allow"});
        const auto allow = member(http, "allow");
        if (!allow) return;
        if (!allow.IsSequence()) return fault(allow, "http.allow is not a list");
        for (const auto& one : allow) {
            http_entry entry;
            if (one.IsScalar()) {
                entry.url = one.Scalar();
            } else if (one.IsMap()) {
                known(one, "http.allow.", {"url", "private"});
                entry.url = text(one, "http.allow.", "url", max_text_bytes);
                entry.private_too = truth(one, "http.allow.", "private");
            }
            if (const auto key = config_reference(entry.url); !key.empty()) {
                if (out_.value.find_config(key) == nullptr)
                    fault(one, fmt::format("http.allow: there is no config.{}", key));
            } else if (auto grant = parse_grant(entry.url, entry.private_too); !grant) {
                fault(one, fmt::format("http.allow: {}", grant.error().message));
            }
            out_.value.http.push_back(std::move(entry));
        }
        if (!out_.value.http.empty() && !out_.value.permits(permission::http))
            warn(allow, "http.allow has no effect without the permission http:call");
    }

    static YAML::Node member(const YAML::Node& map, const char* name) {
        if (!map || !map.IsMap()) return YAML::Node(YAML::NodeType::Undefined);
        auto found = map[name];
        return found && !found.IsNull() ? found : YAML::Node(YAML::NodeType::Undefined);
    }

    YAML::Node section(const YAML::Node& of, const char* name) {
        auto found = member(of, name);
        if (found && !found.IsMap()) fault(found, fmt::format("{} is not a map", name));
        return found;
    }

    void known(const YAML::Node& map, std::string_view prefix, std::initializer_list<std::string_view> names) {
        if (!map || !map.IsMap()) return;
        std::set<std::string> seen;
        for (const auto& entry : map) {
            const auto name = entry.first.IsScalar() ? entry.first.Scalar() : std::string();
            if (!seen.insert(name).second) fault(entry.first, fmt::format("{}{} is there twice", prefix, name));
            if (std::ranges::find(names, name) == names.end())
                warn(entry.first,
                     fmt::format("{}{} is not known here, and has no effect{}", prefix, name, meant(name, names)));
        }
    }

    template <class Words>
    static std::string meant(const std::string& word, const Words& words) {
        const std::vector<std::string> candidates(std::begin(words), std::end(words));
        const auto near = nearest(word, candidates);
        return near.empty() ? "" : fmt::format(" (is {} meant?)", near);
    }

    std::string required(const YAML::Node& of, std::string_view prefix, const char* name, std::size_t max_bytes,
                         std::string_view when = {}) {
        auto value = text(of, prefix, name, max_bytes);
        if (value.empty() && !member(of, name).IsSequence() && !member(of, name).IsMap())
            fault(member(of, name) ? member(of, name) : of, fmt::format("{}{} is required{}", prefix, name, when));
        return value;
    }

    std::string text(const YAML::Node& of, std::string_view prefix, const char* name, std::size_t max_bytes) {
        const auto found = member(of, name);
        if (!found) return {};
        if (!found.IsScalar()) return fault(found, fmt::format("{}{} is not text", prefix, name)), std::string();
        const auto& value = found.Scalar();
        if (value.size() > max_bytes)
            return fault(found,
                         fmt::format("{}{} has {} bytes, the limit is {}", prefix, name, value.size(), max_bytes)),
                   std::string();
        const auto control = [](unsigned char c) { return c < 0x20 && c != '\n' && c != '\t'; };
        if (std::ranges::any_of(value, control))
            return fault(found, fmt::format("{}{} has control characters in it", prefix, name)), std::string();
        return value;
    }

    bool truth(const YAML::Node& of, std::string_view prefix, const char* name) {
        const auto found = member(of, name);
        if (!found) return false;
        bool value = false;
        if (!found.IsScalar() || !YAML::convert<bool>::decode(found, value))
            fault(found, fmt::format("{}{} is not true or false", prefix, name));
        return value;
    }

    int number(const YAML::Node& of, const char* name, int least, int most, int otherwise) {
        const auto found = member(of, name);
        if (!found) return otherwise;
        int value = otherwise;
        if (!found.IsScalar() || !YAML::convert<int>::decode(found, value) || value < least || value > most) {
            fault(found, fmt::format("limits.{} must be a whole number from {} to {}", name, least, most));
            return otherwise;
        }
        return value;
    }

    std::vector<std::string> list(const YAML::Node& of, std::string_view prefix, const char* name) {
        const auto found = member(of, name);
        if (!found) return {};
        if (!found.IsSequence())
            return fault(found, fmt::format("{}{} is not a list", prefix, name)), std::vector<std::string>();
        std::vector<std::string> out;
        if (found.size() > max_list_entries)
            fault(found,
                  fmt::format("{}{} has {} entries, the limit is {}", prefix, name, found.size(), max_list_entries));
        for (std::size_t i = 0; i < std::min(found.size(), max_list_entries); ++i) {
            if (found[i].IsScalar() && !found[i].Scalar().empty())
                out.push_back(found[i].Scalar());
            else
                fault(found[i], fmt::format("{}{}: entry {} is not text", prefix, name, i + 1));
        }
        return out;
    }

    std::vector<std::string> subjects(const YAML::Node& bus, const char* name) {
        auto out = list(bus, "capabilities.bus.", name);
        for (std::size_t i = 0; i < out.size(); ++i) {
            if (!valid_subject(out[i]))
                fault(bus[name][i], fmt::format("capabilities.bus.{}: \"{}\" is not a subject", name, out[i]));
            else if (out[i].starts_with('$') || out[i].starts_with('_'))
                fault(bus[name][i],
                      fmt::format("capabilities.bus.{}: {} is the bus's own, which no skill is given", name, out[i]));
        }
        return out;
    }

    void fault(const YAML::Node& at, std::string what) { out_.faults.push_back(place(at, std::move(what))); }
    void warn(const YAML::Node& at, std::string what) { out_.warnings.push_back(place(at, std::move(what))); }
    static remark place(const YAML::Node& at, std::string what) {
        const auto mark = at.IsDefined() ? at.Mark() : YAML::Mark::null_mark();
        return mark.is_null() ? remark{1, 1, std::move(what)} : remark{mark.line + 1, mark.column + 1, std::move(what)};
    }

    parsed_manifest out_;
};

}  // namespace

bool manifest::permits(std::string_view permission) const {
    return std::ranges::find(permissions, permission) != permissions.end();
}

bool manifest::may_publish(std::string_view subject) const {
    return permits(permission::bus_publish) && names(publish, subject);
}

bool manifest::may_request(std::string_view subject) const {
    return permits(permission::bus_request) && names(request, subject);
}

bool manifest::grants(std::string_view need) const {
    return need.empty() || permits(need) || (need == capability::storage && storage) ||
           (need == capability::timers && timers);
}

const skill_intent* manifest::find_intent(std::string_view name_of) const {
    const auto found = std::ranges::find(intents, name_of, &skill_intent::name);
    return found == intents.end() ? nullptr : &*found;
}

const config_key* manifest::find_config(std::string_view name_of) const {
    const auto found = std::ranges::find(config, name_of, &config_key::name);
    return found == config.end() ? nullptr : &*found;
}

std::string remark::at(std::string_view file) const {
    return line == 0 ? fmt::format("{}: {}", file, what) : fmt::format("{}:{}:{}: {}", file, line, column, what);
}

parsed_manifest parse_manifest(std::string_view text) { return reader().run(text); }

result<manifest> valid_manifest(std::string_view text, const fs::path& file) {
    auto parsed = parse_manifest(text);
    if (parsed.faults.empty()) return std::move(parsed.value);
    std::string message;
    for (const auto& fault : parsed.faults) message += (message.empty() ? "" : "\n") + fault.at(file.string());
    return fail(errc::invalid_config, "{}", message);
}

result<fs::path> module_path(const manifest& of, const fs::path& folder) {
    std::error_code ec;
    const auto root = fs::weakly_canonical(folder, ec);
    auto path = fs::weakly_canonical(folder / of.module, ec);
    if (ec) return fail(errc::io_failed, "{}: {}", (folder / of.module).string(), ec.message());
    const auto [end, _] = std::ranges::mismatch(root, path);
    if (end != root.end())
        return fail(errc::not_permitted, "runtime.module {} leads to {}, which is outside the skill's folder",
                    of.module, path.string());
    return path;
}

std::vector<std::string> mismatches(const manifest& wanted, const module_facts& module) {
    std::vector<std::string> out;
    for (const auto& import : module.imports) {
        if (import.module == "wasi_snapshot_preview1") continue;
        const auto* known = find_host_function(import.module, import.name);
        if (known != nullptr && !wanted.grants(known->needs))
            out.push_back(fmt::format("the module imports {}.{}, for which the manifest must have {}", import.module,
                                      import.name, known->needs));
        if (known == nullptr)
            out.push_back(
                fmt::format("the module imports {}.{}, which this host does not have", import.module, import.name));
        else if (known->signature != import.type)
            out.push_back(fmt::format("the module imports {}.{} as {}, but it is {}", import.module, import.name,
                                      import.type, known->signature));
    }
    const auto entry = module.type_of_export(wanted.entrypoint);
    if (entry.empty() && module.type_of_export("_start").empty())
        out.push_back(fmt::format("the module exports neither the entrypoint {} nor _start", wanted.entrypoint));
    else if (!entry.empty() && !entry.starts_with("()"))
        out.push_back(
            fmt::format("the entrypoint {} is {}, expected a function without arguments", wanted.entrypoint, entry));
    return out;
}

bool subject_matches(std::string_view pattern, std::string_view subject) {
    if (pattern == subject) return true;
    const auto wanted = split(pattern, '.');
    const auto tokens = split(subject, '.');
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        if (wanted[i] == ">") return i < tokens.size();
        if (i >= tokens.size() || (wanted[i] != "*" && wanted[i] != tokens[i])) return false;
    }
    return wanted.size() == tokens.size();
}

}  // namespace loqa::skills
