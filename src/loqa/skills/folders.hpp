// A skill's folder on its way in and out. Stateless; who installs and removes takes care that it is one at a time.
#pragma once

#include <set>
#include <string>

#include "loqa/base/files.hpp"
#include "loqa/base/result.hpp"

namespace loqa::skills {

// Copies `from` to `to`, which is replaced as a whole or not at all. Only files and folders; too_long for more than a
// skill has.
result<void> replace_folder(const fs::path& from, const fs::path& to);
result<void> remove_folder(const fs::path& which);

// A list of names, one a line.
std::set<std::string> read_names(const fs::path& file);
result<void> write_names(const fs::path& file, const std::set<std::string>& names);

}  // namespace loqa::skills
