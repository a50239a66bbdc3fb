// The command line of `loqa`, read into the options of one command.
//
// Only arguments.cpp, and completion.cpp beside the apps, know the argument parser. Main thread only.
#pragma once

#include <functional>
#include <string>
#include <variant>

#include "loqa/base/result.hpp"

namespace loqa::cli {

// What to run; or, when the line is to be answered at once (--help, a mistake), the exit code.
using parsed_line = std::variant<std::function<result<int>()>, int>;

parsed_line parse(int argc, const char* const* argv);

// The script that completes `loqa` in "bash", "zsh" or "fish".
std::string completion_script(const std::string& shell);

}  // namespace loqa::cli
