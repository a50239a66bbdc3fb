#include <algorithm>

#include "client.hpp"
#include "commands.hpp"
#include "engine_apart.hpp"
#include "json_fields.hpp"
#include "loqa/audio/pcm.hpp"
#include "loqa/protocol/subjects.hpp"
#include "past.hpp"
#include "terminal.hpp"

namespace loqa::cli {
namespace {

using nlohmann::json;

// Hears the sound of past turns again, where it was kept, with the recogniser that is configured.
class listener {
public:
    listener(bus::connection& bus, instance_options instance) : bus_(bus), instance_(std::move(instance)) {}

    // What it reads is the turn's heard_now; nothing where there is no sound.
    result<void> hear(const std::string& session, past_turn& turn) {
        const auto kept = bus_.request(protocol::subject::sessions_audio,
                                       one_line(json{{"session_id", session}, {"turn_id", turn.id}}), patience);
        // A loqad of before that knows no sound is as good as one that kept none.
        if (!kept || protocol::find(kept->headers, protocol::header::sample_rate).empty()) return {};
        if (!engine_) {
            const auto settings = load_settings(instance_);
            if (!settings) return fail(settings);
            auto loaded = engine_apart(stt::engine_of(settings->stt));
            if (!loaded) return fail(std::move(loaded));
            engine_ = std::move(*loaded);
        }
        const auto utterance = engine_->start();
        if (auto taken = utterance->accept(audio::mono_from_s16le(kept->payload, 1)); !taken) return taken;
        auto read = utterance->finish();
        if (!read) return fail(std::move(read));
        turn.heard_now = std::move(read->text);
        return {};
    }

private:
    static constexpr seconds patience{5};
    bus::connection& bus_;
    const instance_options instance_;
    std::unique_ptr<stt::recognizer> engine_;  // loaded when there is something to hear
};

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
    return {{"turn_id", turn.id},
            {"heard", turn.heard},
            {"from_sound", turn.heard_now.has_value()},
            {"differences", std::move(differences)}};
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
    listener listener(client->bus(), options.instance);
    bool changed = false;
    for (auto& turn : turns) {
        if (auto heard = listener.hear(options.session, turn); !heard) return fail(std::move(heard));
        // Understood and worded, not done.
        json question{{"text", turn.heard_now.value_or(turn.heard)}};
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
