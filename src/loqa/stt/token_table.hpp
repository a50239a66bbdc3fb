// The tokens that a recogniser writes its text in.
//
// A file of lines "base64(token) number", in order of the numbers. Immutable: shared by every thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "loqa/base/files.hpp"
#include "loqa/base/result.hpp"

namespace loqa::stt {

using token = std::int32_t;

class token_table {
public:
    // Every line is checked: model_truncated names the first that is wrong.
    static result<token_table> load(const fs::path& file);
    explicit token_table(std::vector<std::string> tokens);

    std::size_t size() const { return tokens_.size(); }
    std::string_view text(token which) const { return tokens_[static_cast<std::size_t>(which)]; }

    // Trimmed.
    std::string text(std::span<const token> tokens) const;

private:
    std::vector<std::string> tokens_;
};

}  // namespace loqa::stt
