#include "client.hpp"
#include "commands.hpp"
#include "json_fields.hpp"
#include "terminal.hpp"

namespace loqa::cli {

result<int> env(const env_options& options) {
    const auto running = find_instance(options.instance);
    if (!running) return fail(running);
    if (options.json) {
        print_line(one_line(nlohmann::ordered_json{{"nats_url", running->nats_url}, {"http_url", running->http_url}}));
        return 0;
    }
    // Loopback addresses and URL-safe passwords: nothing in them that a shell would read as more than a word. The names
    // are of no section of the configuration (http, bus), so that exporting them disturbs no process of Loqa.
    print_line(fmt::format("LOQA_NATS_URL={}", running->nats_url));
    print_line(fmt::format("LOQA_API_URL={}", running->http_url));
    return 0;
}

}  // namespace loqa::cli
