#include "model_list.hpp"

#include <numeric>
#include <span>

#include "json_fields.hpp"
#include "loqa/base/ids.hpp"
#include "loqa/base/text.hpp"

namespace loqa::cli {
namespace {

// The biggest file of a model that is read whole; libsodium's hash takes it in one piece.
constexpr std::uintmax_t max_file_bytes = 1u << 30;

failure mend(failure failed, const model& what) {
    return std::move(failed).hint("run: loqa models pull {}", what.name);
}

}  // namespace

std::uintmax_t model::size_bytes() const {
    return std::accumulate(files.begin(), files.end(), std::uintmax_t{0},
                           [](auto sum, const auto& file) { return sum + file.size_bytes; });
}

result<std::vector<model>> known_models(const fs::path& share, const fs::path& cache) {
    const auto path = share / "models.json";
    auto text = read_file(path);
    if (!text) return fail(std::move(text));
    const auto document = nlohmann::json::parse(*text, nullptr, false);
    const auto assets = document.find("assets");
    if (!document.is_object() || assets == document.end() || !assets->is_array())
        return fail(errc::invalid_config, "{} is not a list of models", path.string());
    std::vector<model> all;
    for (const auto& asset : *assets) {
        if (!asset.is_object() || !asset.contains("files") || !asset["files"].is_array())
            return fail(errc::invalid_config, "{} has an entry that is no model: {}", path.string(), one_line(asset));
        model entry{.name = text_field(asset, "name"),
                    .kind = text_field(asset, "kind"),
                    .engine = text_field(asset, "engine"),
                    .about = text_field(asset, "about"),
                    .license = text_field(asset, "license"),
                    .by_default = asset.contains("default") && asset["default"] == true,
                    .folder = cache / text_field(asset, "folder") / text_field(asset, "name"),
                    .files = {}};
        for (const auto& file : asset["files"])
            entry.files.push_back({text_field(file, "path"), static_cast<std::uintmax_t>(number_field(file, "size")),
                                   text_field(file, "sha256")});
        all.push_back(std::move(entry));
    }
    return all;
}

result<model> find_model(const std::vector<model>& among, const std::string& name) {
    std::vector<std::string> names;
    for (const auto& each : among) {
        if (each.name == name) return each;
        names.push_back(each.name);
    }
    auto failed = fail(errc::not_found, "there is no model \"{}\"", name);
    if (const auto near = nearest(name, names); !near.empty()) return std::move(failed).hint("did you mean {}?", near);
    return std::move(failed).hint("loqa models list shows those there are");
}

result<void> check_model(const model& what, thoroughness how, const std::function<void(std::uintmax_t)>& on_read) {
    for (const auto& file : what.files) {
        const auto path = what.folder / file.path;
        std::error_code ec;
        const auto have = fs::file_size(path, ec);
        if (ec) return mend(fail(errc::model_missing, "model file {} is missing", path.string()), what);
        if (have != file.size_bytes)
            return mend(fail(errc::model_truncated, "model file {} has {} bytes, expected {}", path.string(), have,
                             file.size_bytes),
                        what);
        if (how == thoroughness::sizes) continue;
        const auto content = read_file(path, max_file_bytes);
        if (!content) return fail(content);
        if (sha256_hex(std::as_bytes(std::span(*content))) != file.sha256)
            return mend(
                fail(errc::model_truncated, "model file {} has other contents than expected (SHA-256)", path.string()),
                what);
        if (on_read) on_read(have);
    }
    return {};
}

bool installed(const model& what) {
    std::error_code ec;
    return fs::is_directory(what.folder, ec);
}

}  // namespace loqa::cli
