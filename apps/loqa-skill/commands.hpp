// The commands of loqa-skill. Each prints what it has to say and returns the exit code.
#pragma once

#include <string>

namespace loqa::skill_app {

int validate(const std::string& file);

int keygen(const std::string& secret_file, const std::string& public_file, bool force);
int sign(const std::string& folder, const std::string& secret_file, const std::string& comment);
int verify(const std::string& folder, const std::string& public_key);  // a file, or the key itself

}  // namespace loqa::skill_app
