// Where a model stands, and whether its files are whole.
//
// An engine calls find_model() before it opens anything: speech engines end the process on a bad file. Sizes come from
// share/models.json; what only a SHA-256 would show is left to `loqa models verify`. Stateless: any thread.
#pragma once

#include <span>
#include <string_view>

#include "loqa/base/files.hpp"
#include "loqa/base/result.hpp"

namespace loqa::onnx {

// The folder of a model that has all of `files`. `name` is a path to a folder (it has a slash), or a model's name in
// share/models.json, which is installed below `cache`. model_missing and model_truncated name the file, what it has,
// what it should have, and the command that mends it. The files of a folder that the list does not know need only be
// there and not be empty.
result<fs::path> find_model(std::string_view name, std::span<const std::string_view> files,
                            const fs::path& cache = cache_folder(), const fs::path& share = share_folder());

}  // namespace loqa::onnx
