#include <algorithm>

#include "client.hpp"
#include "commands.hpp"
#include "json_fields.hpp"
#include "loqa/protocol/subjects.hpp"
#include "past.hpp"
#include "terminal.hpp"

namespace loqa::cli {
namespace {

using nlohmann::json;

void print_turn(const past_turn& turn, const std::vector<difference>& found, const style& style) {
    const bool changed = std::ranges::any_of(found, [](const auto& d) { return !d.expected; });
    print_line(fmt::format("{}  \"{}\"",
                           changed ? style.paint(colour::red, "changed") : style.paint(colour::green, "same   "),
                           printable(turn.heard)));
    for (const auto& d : found) {
        if (d.expected) {
            print_line(fmt::format("  {}: depends on the moment; now \"{}\"", d.what, printable(d.is)));
            continue;
        }
        print_line(fmt::format("  {}", d.what));
        print_line(style.paint(colour::red, fmt::format("  - {}", printable(d.was))));
        print_line(style.paint(colour::green, fmt::format("  + {}", printable(d.is))));
    }
}

json as_json(const past_turn& turn, const std::vector<difference>& found) {
    json differences = json::array();
    for (const auto& d : found)
        differences.push_back({{"what", d.what}, {"was", d.was}, {"is", d.is}, {"expected", d.expected}});
    return {{"turn_id", turn.id}, {"heard", turn.heard}, {"differences", std::move(differences)}};
}

}  // namespace

result<int> replay(const replay_options& options) {
    auto client = client::connect(options.instance);
    if (!client) return fail(std::move(client));
    const auto events = events_of(client->bus(), options.session);
    if (!events) return fail(events);
    auto turns = turns_of(*events);
    if (!options.turn.empty()) std::erase_if(turns, [&](const past_turn& t) { return t.id != options.turn; });
    if (turns.empty())
        return fail(errc::not_found, "nothing was said in session \"{}\"{}", options.session,
                    options.turn.empty() ? "" : fmt::format(" in a turn {}", options.turn))
            .hint("loqa sessions show {} tells what is kept of it", options.session);
    const auto style = style_of_stdout();
    bool changed = false;
    for (const auto& turn : turns) {
        // Understood and worded, not done.
        json question{{"text", turn.heard}};
        if (!turn.area.empty()) question["area"] = turn.area;
        const auto answer = ask_core(client->bus(), protocol::subject::dry_run, one_line(question));
        if (!answer) return fail(answer);
        const auto found = differences(turn, json::parse(*answer, nullptr, false));
        changed = changed || std::ranges::any_of(found, [](const auto& d) { return !d.expected; });
        if (options.json)
            print_line(one_line(as_json(turn, found)));
        else
            print_turn(turn, found, style);
    }
    return changed ? 1 : 0;
}

}  // namespace loqa::cli
