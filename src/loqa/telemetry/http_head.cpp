#include "loqa/telemetry/http_head.hpp"

#include <charconv>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include "loqa/base/text.hpp"

namespace loqa::telemetry {

namespace {

std::optional<std::string> percent_decoded(std::string_view text) {
    std::string plain;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            plain += text[i];
            continue;
        }
        unsigned value = 0;
        const auto digits = text.substr(i + 1, 2);
        const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
        if (digits.size() != 2 || failed != std::errc{} || end != digits.data() + 2 || value == 0) return std::nullopt;
        plain += static_cast<char>(value);
        i += 2;
    }
    return plain;
}

}  // namespace

response refusal(int status, std::string_view why) {
    return {.status = status, .content_type = "text/plain; charset=utf-8", .body = fmt::format("{}\n", why)};
}

std::expected<head, response> parse_head(std::string_view text) {
    const auto bad = [](std::string_view why) { return std::unexpected(refusal(400, why)); };
    const auto line = [&] {
        const auto end = text.find("\r\n");
        const auto found = text.substr(0, end);
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 2);
        return found;
    };

    const auto words = split(line(), ' ');
    if (words.size() != 3 || words[0].empty()) return bad("The request line cannot be read.");
    if (!words[2].starts_with("HTTP/1.")) return std::unexpected(refusal(505, "This server speaks HTTP/1.1."));
    const auto question = words[1].find('?');
    auto path = percent_decoded(std::string_view(words[1]).substr(0, question));
    if (!path || !path->starts_with('/')) return bad("The path cannot be read.");

    head found;
    found.what.method = words[0];
    found.what.path = std::move(*path);
    if (question != std::string::npos) found.what.query = words[1].substr(question + 1);

    std::optional<std::size_t> length;
    while (!text.empty()) {
        const auto field = line();
        const auto colon = field.find(':');
        if (colon == std::string_view::npos || colon == 0) return bad("A header cannot be read.");
        const auto name = to_lower(field.substr(0, colon));
        const auto value = trim(field.substr(colon + 1));
        if (name.find_first_of(" \t") != std::string::npos) return bad("A header cannot be read.");
        if (name == "transfer-encoding") return std::unexpected(refusal(411, "Send a Content-Length instead."));
        if (name == "expect") found.expects_continue = to_lower(value) == "100-continue";
        if (name == "content-length") {
            std::size_t bytes = 0;
            const auto [end, failed] = std::from_chars(value.data(), value.data() + value.size(), bytes);
            // Two lengths that differ are how one request is smuggled inside another.
            if (failed != std::errc{} || end != value.data() + value.size() || (length && *length != bytes)) {
                return bad("Content-Length cannot be read.");
            }
            length = bytes;
        }
    }
    found.body_bytes = length.value_or(0);
    return found;
}

}  // namespace loqa::telemetry
