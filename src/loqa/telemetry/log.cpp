#include "loqa/telemetry/log.hpp"

#include <algorithm>
#include <array>
#include <cerrno>

#include <nlohmann/json.hpp>
#include <unistd.h>

#include "loqa/telemetry/utf8.hpp"

namespace loqa::telemetry {

namespace {

constexpr std::array<std::string_view, 5> level_words = {"trace", "debug", "info", "warn", "error"};

// What makes a word stand out on a terminal: grey, cyan, green, yellow, red.
constexpr std::array<std::string_view, 5> level_colours = {"\x1b[90m", "\x1b[36m", "\x1b[32m", "\x1b[33m", "\x1b[31m"};
constexpr std::string_view dim = "\x1b[2m";
constexpr std::string_view plain = "\x1b[0m";

// No field can pretend to be one of these.
constexpr std::array<std::string_view, 4> fixed_keys = {"time", "level", "process", "message"};

// Control characters would let what comes from outside forge lines, or drive the terminal.
void append_escaped(std::string& to, std::string_view text) {
    for (const char c : to_valid_utf8(text)) {
        switch (c) {
            case '\n':
                to += "\\n";
                break;
            case '\r':
                to += "\\r";
                break;
            case '\t':
                to += "\\t";
                break;
            default:
                if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
                    fmt::format_to(std::back_inserter(to), "\\x{:02x}", static_cast<unsigned char>(c));
                } else {
                    to += c;
                }
        }
    }
}

void append_value(std::string& to, std::string_view value) {
    const bool bare = !value.empty() && value.find_first_of(" \t\r\n=\"") == std::string_view::npos;
    if (bare) return append_escaped(to, value);
    to += '"';
    std::string quoted;
    for (const char c : value) {
        if (c == '"' || c == '\\') quoted += '\\';
        quoted += c;
    }
    append_escaped(to, quoted);
    to += '"';
}

void write_to_stderr(std::string_view line) {
    std::string whole;
    whole.reserve(line.size() + 1);
    whole.append(line).push_back('\n');
    std::string_view left = whole;
    while (!left.empty()) {
        const ssize_t n = ::write(STDERR_FILENO, left.data(), left.size());
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return;  // nowhere to say so
        left.remove_prefix(static_cast<std::size_t>(n));
    }
}

}  // namespace

struct logger::output {
    line_sink sink;
    std::string process;
    bool json = false;
    bool colour = false;
    std::mutex mutex = {};  // one line at a time

    std::string text_line(level at, std::string_view message, const fields* own, const fields& more) const {
        const auto index = static_cast<std::size_t>(at);
        std::string line = to_rfc3339(std::chrono::system_clock::now());
        fmt::format_to(std::back_inserter(line), " {}{:<5}{} {} ", colour ? level_colours[index] : "",
                       level_words[index], colour ? plain : "", process);
        append_escaped(line, message);
        const auto append = [&](const fields& all) {
            for (const auto& [key, value] : all) {
                fmt::format_to(std::back_inserter(line), " {}{}={}", colour ? dim : "", key, colour ? plain : "");
                append_value(line, value);
            }
        };
        if (own) append(*own);
        append(more);
        return line;
    }

    std::string json_line(level at, std::string_view message, const fields* own, const fields& more) const {
        nlohmann::ordered_json line{{"time", to_rfc3339(std::chrono::system_clock::now())},
                                    {"level", level_words[static_cast<std::size_t>(at)]},
                                    {"process", process},
                                    {"message", message}};
        const auto append = [&](const fields& all) {
            for (const auto& [key, value] : all) {
                if (std::ranges::find(fixed_keys, key) == fixed_keys.end()) line[key] = value;
            }
        };
        if (own) append(*own);
        append(more);
        return line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
    }
};

std::string_view to_string(level value) { return level_words[static_cast<std::size_t>(value)]; }

std::optional<level> parse_level(std::string_view word) {
    const auto found = std::ranges::find(level_words, word);
    if (found == level_words.end()) return std::nullopt;
    return static_cast<level>(found - level_words.begin());
}

logger logger::to_stderr(std::string process, level minimum, bool json) {
    const bool colour = !json && ::isatty(STDERR_FILENO) == 1;
    return {std::make_shared<output>(write_to_stderr, std::move(process), json, colour), minimum};
}

logger logger::to(line_sink sink, std::string process, level minimum, bool json) {
    return {std::make_shared<output>(std::move(sink), std::move(process), json, false), minimum};
}

logger logger::silent() { return {nullptr, level::error}; }

logger logger::with(fields more) const {
    logger copy = *this;
    if (!out_) return copy;
    fields all = fields_ ? *fields_ : fields{};
    std::ranges::move(more, std::back_inserter(all));
    copy.fields_ = std::make_shared<const fields>(std::move(all));
    return copy;
}

void logger::write(level at, std::string_view message, const fields& more) const {
    if (!enabled(at)) return;
    const std::string line = out_->json ? out_->json_line(at, message, fields_.get(), more)
                                        : out_->text_line(at, message, fields_.get(), more);
    std::lock_guard lock(out_->mutex);
    out_->sink(line);
}

void logger::write_error(level at, const loqa::error& failed, fields more) const {
    if (!enabled(at)) return;
    more.emplace_back("code", to_string(failed.code));
    if (!failed.hint.empty()) more.emplace_back("hint", failed.hint);
    write(at, failed.message, more);
}

std::optional<std::uint64_t> rate_limited::pass() {
    const steady_time now = clock_.steady();
    std::lock_guard lock(mutex_);
    if (last_ && now - *last_ < period_) {
        ++skipped_;
        return std::nullopt;
    }
    last_ = now;
    return std::exchange(skipped_, 0);
}

void rate_limited::write(std::uint64_t skipped, const std::string& message) const {
    fields more;
    if (skipped > 0) more.emplace_back("not_shown_since", std::to_string(skipped));
    log_.write(at_, message, more);
}

}  // namespace loqa::telemetry
