// What whoever runs a skill sets for it: configuration values and secrets.
//
// Values stand in a YAML file of the skill's, and are checked against the manifest's schema when it is loaded. A secret
// is a file of its own that only this user can read, or one of a systemd unit's credentials. Stateless: safe from any
// thread.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "loqa/base/files.hpp"
#include "loqa/base/result.hpp"
#include "loqa/skills/http_client.hpp"
#include "loqa/skills/manifest.hpp"

namespace YAML {
class Node;
}

namespace loqa::skills {

inline constexpr std::size_t max_config_value_bytes = 16 * 1024;
inline constexpr std::size_t max_secret_bytes = 16 * 1024;

using config_values = std::map<std::string, std::string, std::less<>>;

// Of a node's data folder.
fs::path config_file(const fs::path& data, std::string_view skill);
fs::path secret_file(const fs::path& data, std::string_view skill, std::string_view name);

// The value as a skill gets it; the error completes a sentence: "is not a whole number".
result<std::string> config_value(const config_key& key, const YAML::Node& given);

// All values with the defaults filled in; invalid_config with every fault of the file, and as its hint the command that
// sets what is missing first.
result<config_values> read_config(const manifest& of, const fs::path& data);

// Whether all that is wrong with the values is that some have not been set.
bool lacks_values_only(const manifest& of, const fs::path& data);

// Writes one value of the file anew; without a value it is taken out. Only what fits the schema.
result<void> write_config(const manifest& of, const fs::path& data, std::string_view key, const std::string* value);

// not_found when it was not set, not_permitted when others can read its file.
result<std::string> read_secret(const fs::path& data, std::string_view skill, std::string_view name);
result<void> write_secret(const fs::path& data, std::string_view skill, std::string_view name, std::string_view value);

// "KEY" of "{{config:KEY}}"; empty when the text is no such reference.
std::string config_reference(std::string_view text);

// Where the skill may send requests, with its configuration filled in. An entry whose value is not set grants nothing.
result<std::vector<http_grant>> http_grants(const manifest& of, const config_values& values);

}  // namespace loqa::skills
