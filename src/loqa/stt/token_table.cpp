#include "loqa/stt/token_table.hpp"

#include <utility>

#include "loqa/base/ids.hpp"
#include "loqa/base/text.hpp"

namespace loqa::stt {

token_table::token_table(std::vector<std::string> tokens) : tokens_(std::move(tokens)) {}

result<token_table> token_table::load(const fs::path& file) {
    auto text = read_file(file, 16u << 20);
    if (!text) return fail(std::move(text));
    std::vector<std::string> tokens;
    for (const auto& line : split(trim(*text), '\n')) {
        const auto space = line.rfind(' ');
        const bool counted = space != std::string::npos && line.substr(space + 1) == std::to_string(tokens.size());
        auto token = counted ? base64_decode(std::string_view(line).substr(0, space)) : result<std::string>{};
        if (!counted || !token) {
            return fail(errc::model_truncated, "model file {} has no token {} in line {}", file.string(), tokens.size(),
                        tokens.size() + 1)
                .hint("Fetch it again: loqa models pull {}", file.parent_path().filename().string());
        }
        tokens.push_back(std::move(*token));
    }
    return token_table(std::move(tokens));
}

std::string token_table::text(std::span<const token> tokens) const {
    std::string whole;
    for (const token each : tokens) whole += text(each);
    return std::string(trim(whole));
}

}  // namespace loqa::stt
