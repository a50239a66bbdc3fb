// How `loqa up` shows what its processes log.
//
// A process logs "<time> <level> <process> <message>" or one JSON object a line. JSON goes on as it is, for the program
// that asked for it. A line for people begins with the name of its process, in a colour of its own on a terminal.
// Stateless; any thread.
#pragma once

#include <string>
#include <string_view>

#include "terminal.hpp"

namespace loqa::cli {

std::string show_child_line(std::string_view process, std::string_view line, const style& style);

// What the line complains about, without time and process; empty when it is no error.
std::string complaint_in(std::string_view line);

}  // namespace loqa::cli
