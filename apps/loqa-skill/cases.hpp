// tests.yaml: what happens to a skill, and what is expected of it.
//
// A case has surroundings and one or more steps; a step is one happening with what is expected of it. What is not
// mentioned is not looked at. Value types, stateless functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rig.hpp"

namespace loqa::skill_app {

struct expectation {
    std::optional<json> answer;  // null: nobody is answered
    std::optional<json> published, log, http, timers, kept, denied, asked, learned, updated;
    std::optional<std::string> error;  // a part of it; none expected where it is not mentioned
};

struct step {
    happening given;
    expectation expect;
};

struct test_case {
    std::string name;
    int line = 0;
    surroundings around;
    std::vector<step> steps;
};

// invalid_config with file, line and what is wrong.
result<std::vector<test_case>> read_cases(std::string_view yaml, const std::string& file);

// JSON as a person types it on a command line or in YAML: what is no JSON is text.
json value_of(const std::string& text);

// An intent as loqad hands it over.
std::string intent_payload(const std::string& name, const json& slots, const json& more = json::object());

// Each difference in some lines; none when all is as expected.
std::vector<std::string> differences(const expectation& wanted, const outcome& found,
                                     const std::map<std::string, std::string>& kept);

}  // namespace loqa::skill_app
