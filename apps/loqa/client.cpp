#include "client.hpp"

#include <algorithm>
#include <array>

#include "json_fields.hpp"

namespace loqa::cli {
result<config::settings> load_settings(const instance_options& from) {
    auto environment = config::process_environment();
    if (from.data) environment.emplace_back("LOQA_RUNTIME_DATA_DIR", fs::absolute(*from.data).string());
    const auto file = from.config ? from.config : config::find_file(environment);
    auto settings = config::load({.file = file, .environment = std::move(environment)});
    if (settings) settings->data_dir = fs::absolute(settings->data_dir);
    return settings;
}

result<bus::instance_info> find_instance(const instance_options& from) {
    auto settings = load_settings(from);
    if (!settings) return fail(std::move(settings));
    return bus::read_instance_info(settings->data_dir);
}

result<client> client::connect(const instance_options& to) {
    bus::options options{.servers = {to.nats}, .name = "loqa"};
    if (to.nats.empty()) {
        auto settings = load_settings(to);
        if (!settings) return fail(std::move(settings));
        if (settings->bus.embedded) {
            auto running = bus::read_instance_info(settings->data_dir);
            if (!running) return fail(std::move(running));
            options.servers = {running->nats_url};
        } else {
            options = bus::options_from(settings->bus, "loqa");
        }
    }
    client made;
    auto log = telemetry::logger::to_stderr("loqa", telemetry::level::warn, false);
    auto connection = bus::connect(std::move(options), std::move(log), *made.metrics_);
    if (!connection) return fail(std::move(connection));
    made.connection_ = std::move(*connection);
    return made;
}

errc code_named(std::string_view name) {
    constexpr std::array codes = {errc::invalid_argument,
                                  errc::invalid_config,
                                  errc::invalid_message,
                                  errc::not_found,
                                  errc::already_exists,
                                  errc::io_failed,
                                  errc::model_missing,
                                  errc::model_truncated,
                                  errc::engine_failed,
                                  errc::too_long,
                                  errc::busy,
                                  errc::timed_out,
                                  errc::unavailable,
                                  errc::not_permitted,
                                  errc::cancelled};
    const auto found = std::ranges::find(codes, name, [](errc code) { return to_string(code); });
    return found == codes.end() ? errc::internal : *found;
}

result<std::string> ask_core(bus::connection& bus, std::string_view subject, std::string_view payload,
                             milliseconds timeout) {
    auto answer = bus.request(subject, payload, timeout);
    if (!answer) {
        if (answer.error().code == errc::unavailable && bus.connected())
            return fail(errc::unavailable, "loqad does not answer on {}", subject)
                .hint("it may still be starting: loqa doctor shows how it is");
        return fail(std::move(answer));
    }
    const auto parsed = nlohmann::json::parse(answer->payload, nullptr, false);
    if (!parsed.is_object()) return fail(errc::invalid_message, "loqad's answer on {} cannot be read", subject);
    if (const auto failed = parsed.find("error"); failed != parsed.end() && failed->is_object())
        return failure(
            {code_named(text_field(*failed, "code")), text_field(*failed, "message"), text_field(*failed, "hint")});
    return std::move(answer->payload);
}

}  // namespace loqa::cli
