#include "loqa/session/dry_run.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "loqa/base/text.hpp"
#include "loqa/protocol/json.hpp"
#include "loqa/protocol/messages.hpp"
#include "loqa/session/answers.hpp"

namespace loqa::session {

using protocol::json;

namespace {

// Of all others the words depend on the moment: the time, which timers run, what is switched on.
constexpr std::array<std::string_view, 4> always_alike = {"HassStartTimer", "HassNevermind", "HassRespond", "LoqaHelp"};

}  // namespace

std::string dry_run(const std::string& request, const intent::interpreter& meaning, const previewer& preview) {
    auto asked = protocol::parse_object(request);
    if (!asked) return protocol::refusal(asked.error());
    std::string text, area;
    protocol::field_reader read(*asked);
    read.text("text", text, protocol::max_text_bytes, true).text("area", area, 256);
    if (read.failed()) return protocol::refusal(read.why());

    const auto understood = meaning.understand(trim(text), {.area = area});
    json answer{{"understood", understood.has_value()}};
    if (!understood) {
        answer["reason"] = intent::to_string(understood.error().reason);
        answer["reply"] = answers::not_understood(understood.error()).text;
        answer["reply_depends"] = false;
        return protocol::dump(answer);
    }
    json commands = json::array();
    std::optional<std::string> words = understood->ask_first ? understood->question : std::string();
    bool depends = false;
    for (const auto& command : understood->commands) {
        json slots = json::object();
        for (const auto& s : command.what.slots) slots[s.name] = intent::to_string(s.value);
        commands.push_back({{"intent", command.what.intent}, {"slots", std::move(slots)}, {"later", command.later()}});
        if (understood->ask_first || !words) continue;
        depends = depends || std::ranges::find(always_alike, command.what.intent) == always_alike.end();
        const auto said = command.later() ? std::nullopt : preview(command.what);
        if (!said) {
            words.reset();
            continue;
        }
        if (!words->empty() && !said->empty()) *words += " ";
        *words += *said;
    }
    answer["commands"] = std::move(commands);
    answer["asked_first"] = understood->ask_first;
    if (words) {
        answer["reply"] = *words;
        answer["reply_depends"] = depends;
    }
    return protocol::dump(answer);
}

}  // namespace loqa::session
