#include "client.hpp"
#include "commands.hpp"
#include "json_fields.hpp"
#include "loqa/protocol/subjects.hpp"
#include "waterfall.hpp"

namespace loqa::cli {

result<int> trace(const trace_options& options) {
    auto client = client::connect(options.instance);
    if (!client) return fail(std::move(client));
    nlohmann::json question = nlohmann::json::object();
    if (!options.session.empty()) question["session_id"] = options.session;
    const auto answer = ask_core(client->bus(), protocol::subject::trace_get, one_line(question));
    if (!answer) return fail(answer);
    if (options.json) {
        print_line(*answer);
        return 0;
    }

    const auto turn = nlohmann::json::parse(*answer, nullptr, false);
    std::vector<telemetry::span> spans;
    if (const auto list = turn.find("spans"); list != turn.end() && list->is_array())
        for (const auto& each : *list) {
            auto span = telemetry::span_from_json(one_line(each));
            if (!span) return fail(std::move(span));
            spans.push_back(std::move(*span));
        }
    if (spans.empty())
        return fail(errc::not_found, "there are no spans of that turn")
            .hint("loqad keeps those of the last turns only; a moment after its end a turn is complete");

    const auto style = style_of_stdout();
    print_line(style.paint(colour::bold, fmt::format("session {}  turn {}", printable(text_field(turn, "session_id")),
                                                     printable(text_field(turn, "turn_id")))));
    for (const auto& line : waterfall(std::move(spans), style)) print_line(line);
    return 0;
}

}  // namespace loqa::cli
