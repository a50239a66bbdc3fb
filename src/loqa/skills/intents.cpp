#include "loqa/skills/intents.hpp"

#include "loqa/protocol/json.hpp"

namespace loqa::skills {

using protocol::json;

namespace {

// "{room}" becomes what was said for it.
std::string filled(std::string text, const json& slots) {
    if (!slots.is_object()) return text;
    for (const auto& [name, value] : slots.items()) {
        const auto mark = "{" + name + "}";
        const auto words = value.is_string() ? value.get<std::string>() : value.dump();
        for (std::size_t at = 0; (at = text.find(mark, at)) != std::string::npos; at += words.size())
            text.replace(at, mark.size(), words);
    }
    return text;
}

}  // namespace

std::string question_before(const skill_intent& of, std::string_view request) {
    if (of.confirm.empty()) return {};
    const auto object = protocol::parse_object(request);
    if (!object) return {};
    const auto yes = object->find("confirmed");
    if (yes != object->end() && yes->is_boolean() && yes->get<bool>()) return {};
    const auto slots = object->find("slots");
    return protocol::dump(
        {{"handled", true}, {"ask", true}, {"speech", filled(of.confirm, slots == object->end() ? json() : *slots)}});
}

std::string apology_for(no_answer why) {
    struct words {
        std::string_view reason, speech;
    };
    static constexpr words all[] = {{"skill_failed", "Sorry, that did not work."},
                                    {"no_answer", "Sorry, that did not work."},
                                    {"suspended", "Sorry, what does that is not working right now."},
                                    {"busy", "Sorry, what does that is busy right now."}};
    const auto& said = all[static_cast<std::size_t>(why)];
    return protocol::dump({{"handled", true}, {"failed", true}, {"reason", said.reason}, {"speech", said.speech}});
}

std::string session_of(std::string_view request) {
    const auto object = protocol::parse_object(request);
    if (!object) return {};
    const auto found = object->find("session_id");
    return found != object->end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace loqa::skills
