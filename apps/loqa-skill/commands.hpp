// The commands of loqa-skill. Each prints what it has to say and returns the exit code.
#pragma once

#include <string>
#include <vector>

namespace loqa::skill_app {

int validate(const std::string& file);

int make_new(const std::string& name, const std::string& dir);

struct run_options {
    std::string folder = ".";
    std::string intent, event, timer, payload, area;
    bool start = false, asks = false, confirmed = false;
    std::vector<std::string> slots, config, secrets, answers;  // NAME=VALUE
};
int run(const run_options& with);
int test(const std::string& folder, const std::string& only);

int keygen(const std::string& secret_file, const std::string& public_file, bool force);
int sign(const std::string& folder, const std::string& secret_file, const std::string& comment);
int verify(const std::string& folder, const std::string& public_key);  // a file, or the key itself

}  // namespace loqa::skill_app
