// Files and the folders that the project keeps things in. Stateless: safe from any thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "loqa/base/result.hpp"

namespace loqa {

namespace fs = std::filesystem;

// The whole file; too_long when it has more than `max_bytes`.
result<std::string> read_file(const fs::path& path, std::uintmax_t max_bytes = 64u << 20);

// Replaces the file so that a reader, or a power cut, sees the old or the new content, never half of one. `mode` as in
// chmod.
result<void> write_file_atomically(const fs::path& path, std::string_view content, unsigned mode = 0644);

// Makes the folder with its parents and proves that a file can be written in it.
result<void> make_writable_folder(const fs::path& path, unsigned mode = 0755);

// The folder of this program's binary.
fs::path executable_folder();

// Read-only data of the project (intents, model list, sounds): $LOQA_SHARE_DIR, or ../share/loqa beside the binary.
fs::path share_folder();

// Engines and models: $LOQA_CACHE_DIR, $XDG_CACHE_HOME/loqa or ~/.cache/loqa.
fs::path cache_folder();

// State that must outlive a restart, unless the configuration names another: $XDG_DATA_HOME/loqa or
// ~/.local/share/loqa.
fs::path default_data_folder();

}  // namespace loqa
