// The models that Loqa knows (share/models.json), and whether what is installed is what it should be.
//
// Values and stateless functions; any thread. scripts/models.py is what installs them.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "loqa/base/files.hpp"
#include "loqa/base/result.hpp"

namespace loqa::cli {

struct model_file {
    std::string path;  // relative to the model's folder
    std::uintmax_t size_bytes = 0;
    std::string sha256;
};

struct model {
    std::string name, kind, engine, about, license;
    bool by_default = false;  // setup installs it
    fs::path folder;          // where it is, or would be
    std::vector<model_file> files;

    std::uintmax_t size_bytes() const;
};

result<std::vector<model>> known_models(const fs::path& share, const fs::path& cache);

// not_found names the nearest.
result<model> find_model(const std::vector<model>& among, const std::string& name);

enum class thoroughness : std::uint8_t { sizes, contents };

// Reads no file unless contents are asked for; then `on_read` hears of the bytes as they are read. model_missing,
// model_truncated or io_failed name the file and the command that mends it.
result<void> check_model(const model& what, thoroughness how,
                         const std::function<void(std::uintmax_t bytes)>& on_read = {});

// Whether anything of it is there at all.
bool installed(const model& what);

}  // namespace loqa::cli
