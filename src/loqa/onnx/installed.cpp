#include "loqa/onnx/installed.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <system_error>

#include <nlohmann/json.hpp>

namespace loqa::onnx {

namespace {

using json = nlohmann::json;

struct listed {
    std::string folder;
    std::map<std::string, std::uintmax_t, std::less<>> bytes;  // of each file
};

result<std::map<std::string, listed, std::less<>>> read_list(const fs::path& file) {
    auto text = read_file(file);
    if (!text) return fail(std::move(text));
    try {
        std::map<std::string, listed, std::less<>> models;
        const auto list = json::parse(*text);
        for (const auto& asset : list.at("assets")) {
            auto& model = models[asset.at("name").get<std::string>()];
            model.folder = asset.at("folder").get<std::string>();
            for (const auto& part : asset.at("files"))
                model.bytes[part.at("path").get<std::string>()] = part.at("size").get<std::uintmax_t>();
        }
        return models;
    } catch (const json::exception& e) {
        return fail(errc::invalid_config, "the list of models {} cannot be read: {}", file.string(), e.what());
    }
}

}  // namespace

result<fs::path> find_model(std::string_view name, std::span<const std::string_view> files, const fs::path& cache,
                            const fs::path& share) {
    auto models = read_list(share / "models.json");
    if (!models) return fail(std::move(models));

    fs::path folder;
    const listed* known = nullptr;
    if (name.contains('/')) {
        folder = name;
    } else {
        const auto found = models->find(name);
        if (found == models->end())
            return fail(errc::not_found, "there is no model named '{}'", name)
                .hint("loqa models list, or give a path to a folder");
        known = &found->second;
        folder = cache / known->folder / name;
    }
    const auto mend = known ? fmt::format("loqa models pull {}", name) : "check the path in the configuration";

    for (const auto file : files) {
        const auto path = folder / file;
        std::error_code error;
        const auto have = fs::file_size(path, error);
        if (error)
            return fail(errc::model_missing, "model file {} cannot be read: {}", path.string(), error.message())
                .hint("{}", mend);
        const auto want = known && known->bytes.contains(file) ? known->bytes.find(file)->second : 0;
        if (have == 0 || (want != 0 && have < want))
            return fail(errc::model_truncated, "model file {} has {} bytes, expected {}: it was cut off", path.string(),
                        have, want != 0 ? fmt::to_string(want) : "some")
                .hint("{}", mend);
        if (want != 0 && have != want)
            return fail(errc::model_truncated, "model file {} has {} bytes, expected {}: it is another one",
                        path.string(), have, want)
                .hint("{}", mend);
    }
    return folder;
}

}  // namespace loqa::onnx
