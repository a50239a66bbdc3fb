// How to write to a person: is there a terminal, how wide is it, does it want colour. Stateless; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "loqa/base/result.hpp"

namespace loqa::cli {

enum class colour : std::uint8_t { grey, red, green, yellow, blue, magenta, cyan, bold };

// What one output of this process wants.
struct style {
    bool colours = false;
    std::size_t width = 80;  // columns

    std::string paint(colour with, std::string_view text) const;
};

style style_of_stdout();
style style_of_stderr();

// Columns that UTF-8 text without wide characters takes.
std::size_t columns(std::string_view utf8);

// `text` in exactly `width` columns: filled up with spaces, or cut and ended with "…".
std::string fit(std::string_view text, std::size_t width);

// Text from outside, made safe for a terminal: control characters become spaces.
std::string printable(std::string_view text);

// All of standard input. From a terminal it is one line, which is asked for with `prompt` and not shown while it is
// typed; whoever interrupts that is heard when the terminal is as it was.
std::string read_hidden(std::string_view prompt);

// One line to standard output, flushed.
void print_line(std::string_view line);

// "loqa: sentence" and the hint, to standard error.
void print_error(const error& failed);

}  // namespace loqa::cli
