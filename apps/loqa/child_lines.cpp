#include "child_lines.hpp"

#include <optional>

#include "json_fields.hpp"
#include "loqa/base/text.hpp"

namespace loqa::cli {
namespace {

constexpr std::size_t name_width = 8;  // "loqa-stt"

// The next word of `rest`, which is what stands behind it from then on.
std::string_view take_word(std::string_view& rest) {
    rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
    const auto word = rest.substr(0, rest.find(' '));
    rest.remove_prefix(word.size());
    return word;
}

colour colour_of_process(std::string_view name) {
    if (name == "loqad") return colour::blue;
    if (name == "loqa-stt") return colour::magenta;
    if (name == "loqa-tts") return colour::cyan;
    return colour::bold;
}

std::optional<colour> colour_of_level(std::string_view level) {
    if (level == "error") return colour::red;
    if (level == "warn") return colour::yellow;
    if (level == "info") return colour::green;
    if (level == "debug" || level == "trace") return colour::grey;
    return std::nullopt;
}

// "<time> <level> <process> <message>"
struct log_line {
    std::string_view time, level, message;
};

// Nothing for lines of libraries, which have no such form.
std::optional<log_line> read(std::string_view line) {
    log_line found;
    found.time = take_word(line);
    found.level = take_word(line);
    take_word(line);
    found.message = trim(line);
    if (!colour_of_level(found.level) || found.time.size() != 24 || found.time[10] != 'T') return std::nullopt;
    return found;
}

}  // namespace

std::string show_child_line(std::string_view process, std::string_view line, const style& style) {
    if (line.starts_with('{')) return std::string(line);
    const auto name = style.paint(colour_of_process(process), fit(process, name_width));
    const auto read_line = read(line);
    if (!read_line) return fmt::format("{}  {}", name, printable(line));
    // The process, which stands first now, is left out; people see the hour, log files the date.
    const auto time = style.colours ? read_line->time.substr(11, 12) : read_line->time;
    return fmt::format("{}  {} {} {}", name, style.paint(colour::grey, time),
                       style.paint(*colour_of_level(read_line->level), fit(read_line->level, 5)),
                       printable(read_line->message));
}

std::string complaint_in(std::string_view line) {
    if (line.starts_with('{')) {
        const auto entry = nlohmann::json::parse(line, nullptr, false);
        if (!entry.is_object() || text_field(entry, "level") != "error") return {};
        const auto hint = text_field(entry, "hint");
        return printable(text_field(entry, "message") + (hint.empty() ? "" : " hint=" + hint));
    }
    const auto read_line = read(line);
    return read_line && read_line->level == "error" ? printable(read_line->message) : std::string();
}

}  // namespace loqa::cli
