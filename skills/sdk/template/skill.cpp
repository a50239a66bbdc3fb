#include "loqa/skill.hpp"

using namespace loqa;

LOQA_SKILL {
    const auto asked = asked_for();
    const auto name = asked.slots["who"].text();
    if (name.empty()) {
        apologise("I did not hear the name.", "no_name");
        return;
    }
    log::info("somebody says hello");
    publish("skill.@NAME@.greeted", json::object({{"name", name}}));
    say("Hello, " + std::string(name) + "!");
}
