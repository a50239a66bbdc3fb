#include "loqa/skills/settings.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>

#include <fmt/ranges.h>
#include <sys/stat.h>
#include <yaml-cpp/yaml.h>

#include "loqa/base/text.hpp"
#include "loqa/protocol/json.hpp"
#include "loqa/protocol/subjects.hpp"

namespace loqa::skills {
namespace {

constexpr unsigned owner_only = 0600;
constexpr unsigned folder_of_owner = 0700;
constexpr unsigned others = 0077;

// Names of skills are their authors': as a file's name one says nothing about folders, and no two are one.
std::string file_name(std::string_view of) { return protocol::token(of); }

result<YAML::Node> parse_values(const fs::path& file) {
    std::error_code ec;
    if (!fs::exists(file, ec)) return YAML::Node(YAML::NodeType::Map);
    const auto text = read_file(file, max_manifest_bytes);
    if (!text) return fail(text);
    try {
        auto top = YAML::Load(*text);
        if (top.IsMap()) return top;
        if (top.IsNull()) return YAML::Node(YAML::NodeType::Map);
    } catch (const YAML::Exception& e) {
        return fail(errc::invalid_config, "{}:{}:{}: is not YAML that can be read: {}", file.string(), e.mark.line + 1,
                    e.mark.column + 1, e.msg);
    }
    return fail(errc::invalid_config, "{}: is not a map of values", file.string());
}

result<std::string> number_in_words(const config_key& key, const std::string& given, double value) {
    if (!std::isfinite(value)) return fail(errc::invalid_config, "is not a number that there is");
    if (value < key.least) return fail(errc::invalid_config, "is less than {}", key.least);
    if (value > key.most) return fail(errc::invalid_config, "is more than {}", key.most);
    return given;
}

}  // namespace

fs::path config_file(const fs::path& data, std::string_view skill) {
    return data / "skills" / "config" / (file_name(skill) + ".yaml");
}

fs::path secret_file(const fs::path& data, std::string_view skill, std::string_view name) {
    return data / "skills" / "secrets" / file_name(skill) / file_name(name);
}

result<std::string> config_value(const config_key& key, const YAML::Node& given) {
    if (key.type == config_key::kind::list) {
        if (!given.IsSequence()) return fail(errc::invalid_config, "is not a list: write [one, two]");
        auto all = protocol::json::array();
        for (const auto& one : given) {
            if (!one.IsScalar()) return fail(errc::invalid_config, "has an entry that is not text");
            all.push_back(one.Scalar());
        }
        return protocol::dump(all);
    }
    if (!given.IsScalar()) return fail(errc::invalid_config, "is not a single value");
    const auto& text = given.Scalar();
    if (text.size() > max_config_value_bytes)
        return fail(errc::invalid_config, "has {} bytes, the limit is {}", text.size(), max_config_value_bytes);
    switch (key.type) {
        case config_key::kind::integer: {
            std::int64_t value = 0;
            if (!YAML::convert<std::int64_t>::decode(given, value))
                return fail(errc::invalid_config, "is not a whole number");
            return number_in_words(key, text, static_cast<double>(value));
        }
        case config_key::kind::number: {
            double value = 0;
            if (!YAML::convert<double>::decode(given, value)) return fail(errc::invalid_config, "is not a number");
            return number_in_words(key, text, value);
        }
        case config_key::kind::boolean: {
            bool value = false;
            if (!YAML::convert<bool>::decode(given, value)) return fail(errc::invalid_config, "is not true or false");
            return std::string(value ? "true" : "false");
        }
        default:
            if (!key.one_of.empty() && std::ranges::find(key.one_of, text) == key.one_of.end())
                return fail(errc::invalid_config, "is none of {}", fmt::join(key.one_of, ", "));
            return text;
    }
}

namespace {

struct values_read {
    config_values values;
    std::vector<std::string> faults;   // but what is missing
    std::vector<std::string> missing;  // keys
};

result<values_read> read_values(const manifest& of, const fs::path& file) {
    values_read out;
    if (of.config.empty()) return out;
    const auto given = parse_values(file);
    if (!given) return fail(given);
    const auto wrong = [&](std::string what) { out.faults.push_back(std::move(what)); };
    for (const auto& one : *given)
        if (!one.first.IsScalar() || of.find_config(one.first.Scalar()) == nullptr)
            wrong(fmt::format("skill {} has no value {}", of.name, one.first.IsScalar() ? one.first.Scalar() : "[…]"));
    for (const auto& key : of.config) {
        const auto found = (*given)[key.name];
        if (found && !found.IsNull()) {
            auto value = config_value(key, found);
            if (value)
                out.values[key.name] = std::move(*value);
            else
                wrong(fmt::format("{} {}", key.name, value.error().message));
        } else if (key.fallback) {
            out.values[key.name] = *key.fallback;
        } else if (key.required) {
            out.missing.push_back(key.name);
        }
    }
    return out;
}

}  // namespace

result<config_values> read_config(const manifest& of, const fs::path& data) {
    const auto file = config_file(data, of.name);
    auto read = read_values(of, file);
    if (!read) return fail(std::move(read));
    if (read->faults.empty() && read->missing.empty()) return std::move(read->values);
    std::string told;
    const auto tell = [&](const std::string& what) {
        told += fmt::format("{}{}: {}", told.empty() ? "" : "; ", file.string(), what);
    };
    for (const auto& one : read->faults) tell(one);
    for (const auto& key : read->missing) tell(key + " must be set");
    auto failed = fail(errc::invalid_config, "{}", told);
    if (read->missing.empty()) return std::move(failed).hint("loqa skill config {} KEY VALUE sets a value", of.name);
    return std::move(failed).hint("loqa skill config {} {} VALUE", of.name, read->missing.front());
}

bool lacks_values_only(const manifest& of, const fs::path& data) {
    const auto read = read_values(of, config_file(data, of.name));
    return read && read->faults.empty() && !read->missing.empty();
}

result<void> write_config(const manifest& of, const fs::path& data, std::string_view key, const std::string* value) {
    const auto* known = of.find_config(key);
    if (known == nullptr) return fail(errc::not_found, "skill {} has no value {}", of.name, key);
    const auto file = config_file(data, of.name);
    auto all = parse_values(file);
    if (!all) return fail(std::move(all));
    if (value == nullptr) {
        all->remove(std::string(key));
    } else {
        YAML::Node given;
        try {
            given = known->type == config_key::kind::list ? YAML::Load(*value) : YAML::Node(*value);
        } catch (const YAML::Exception&) {
            return fail(errc::invalid_config, "{} is not a list: write [one, two]", key);
        }
        if (auto fits = config_value(*known, given); !fits)
            return fail(errc::invalid_config, "{} {}", key, fits.error().message);
        (*all)[std::string(key)] = given;
    }
    if (auto made = make_writable_folder(file.parent_path(), folder_of_owner); !made) return made;
    return write_file_atomically(file, YAML::Dump(*all) + "\n", owner_only);
}

result<std::string> read_secret(const fs::path& data, std::string_view skill, std::string_view name) {
    std::error_code ec;
    auto file = secret_file(data, skill, name);
    bool of_the_unit = false;
    if (const char* folder = std::getenv("CREDENTIALS_DIRECTORY")) {
        auto credential = fs::path(folder) / fmt::format("{}.{}", file_name(skill), file_name(name));
        of_the_unit = fs::exists(credential, ec);
        if (of_the_unit) file = std::move(credential);
    }
    struct stat about{};
    if (::stat(file.c_str(), &about) != 0)
        return fail(errc::not_found, "skill {}: the secret {} is not set", skill, name)
            .hint("loqa skill secret set {} {}", skill, name);
    // systemd keeps its credentials from others by the folder they are in.
    if (!of_the_unit && (about.st_mode & others) != 0)
        return fail(errc::not_permitted, "{} can be read by others than its owner", file.string())
            .hint("chmod 600 {}", file.string());
    auto text = read_file(file, max_secret_bytes);
    if (!text) return text;
    while (!text->empty() && (text->back() == '\n' || text->back() == '\r')) text->pop_back();
    return text;
}

result<void> write_secret(const fs::path& data, std::string_view skill, std::string_view name, std::string_view value) {
    if (value.empty() || value.size() > max_secret_bytes)
        return fail(errc::too_long, "a secret has 1 to {} bytes, this one {}", max_secret_bytes, value.size());
    const auto file = secret_file(data, skill, name);
    if (auto made = make_writable_folder(file.parent_path(), folder_of_owner); !made) return made;
    return write_file_atomically(file, value, owner_only);
}

std::string config_reference(std::string_view text) {
    constexpr std::string_view begin = "{{config:", end = "}}";
    if (!text.starts_with(begin) || !text.ends_with(end)) return {};
    return std::string(text.substr(begin.size(), text.size() - begin.size() - end.size()));
}

result<std::vector<http_grant>> http_grants(const manifest& of, const config_values& values) {
    std::vector<http_grant> out;
    for (const auto& entry : of.http) {
        const auto key = config_reference(entry.url);
        const auto value = key.empty() ? values.end() : values.find(key);
        if (!key.empty() && value == values.end()) continue;
        // Whoever set the value said where to.
        auto grant = parse_grant(key.empty() ? entry.url : value->second, entry.private_too || !key.empty());
        if (!grant) return fail(errc::invalid_config, "skill {}: {}", of.name, grant.error().message);
        out.push_back(std::move(*grant));
    }
    return out;
}

}  // namespace loqa::skills
