#include <optional>

#include "client.hpp"
#include "commands.hpp"
#include "output.hpp"
#include "terminal.hpp"
#include "turn.hpp"

namespace loqa::cli {

result<int> ask(const ask_options& options) {
    const real_clock clock;
    auto client = client::connect(options.instance);
    if (!client) return fail(std::move(client));
    std::optional<output> output;  // longer than what comes from it
    std::unique_ptr<sink> to;
    if (!options.no_audio) {
        auto opened = output::open(options.out, 1, clock);
        if (!opened) return fail(std::move(opened));
        output.emplace(std::move(*opened));
        auto made = output->next();
        if (!made) return fail(std::move(made));
        to = std::move(*made);
    }
    const auto report = ask_turn(client->bus(), clock, options.text, to.get(),
                                 {.patience = options.timeout, .session = options.session, .area = options.area});
    if (options.json) {
        print_line(to_json(report, {}));
    } else if (report.failed) {
        print_error(*report.failed);
    } else {
        print_line(printable(report.reply));
    }
    return report.answered() ? 0 : 1;
}

}  // namespace loqa::cli
