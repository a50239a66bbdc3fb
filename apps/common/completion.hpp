// Scripts that complete a command line, made from the arguments as CLI11 knows them. Stateless; any thread.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace loqa::cli {

// For bash, zsh or fish; empty for another shell. What follows an option or stands alone is completed by the name of
// its type: FILE and DIR by what is there, MODEL by the models' names, a set of words {a,b} by these.
std::string completion_script(const CLI::App& app, const std::string& shell);

}  // namespace loqa::cli
