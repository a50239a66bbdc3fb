#include "loqa/http/server.hpp"

#include <utility>

#include <nlohmann/json.hpp>

namespace loqa::http {

namespace {

using json = nlohmann::ordered_json;

std::string to_text(const json& value) {
    // What a component says of itself may quote bytes from outside.
    return value.dump(-1, ' ', false, json::error_handler_t::replace) + '\n';
}

int status_of(errc code) {
    switch (code) {
        case errc::invalid_argument:
        case errc::invalid_config:
        case errc::invalid_message:
            return 400;
        case errc::not_permitted:
            return 403;
        case errc::not_found:
            return 404;
        case errc::already_exists:
            return 409;
        case errc::too_long:
            return 413;
        case errc::busy:
            return 429;
        case errc::model_missing:
        case errc::model_truncated:
        case errc::unavailable:
        case errc::cancelled:
            return 503;
        case errc::timed_out:
            return 504;
        case errc::io_failed:
        case errc::engine_failed:
        case errc::internal:
            return 500;
    }
    return 500;
}

response answer_ready(const readiness& now) {
    json components = json::array();
    for (const component& each : now.components) {
        components.push_back({{"name", each.name}, {"state", each.state}, {"detail", each.detail}});
    }
    return {.status = now.ready ? 200 : 503,
            .body = to_text({{"ready", now.ready}, {"components", std::move(components)}})};
}

bool covers(std::string_view pattern, std::string_view path) {
    if (!pattern.ends_with("/*")) return pattern == path;
    const auto folder = pattern.substr(0, pattern.size() - 1);
    return path.size() > folder.size() && path.starts_with(folder);
}

response route_to(const std::vector<route>& routes, const request& what) {
    std::string allow;
    for (const route& each : routes) {
        if (!covers(each.path, what.path)) continue;
        if (each.method == what.method) return each.answer(what);
        allow += (allow.empty() ? "" : ", ") + each.method;
    }
    if (allow.empty()) return error_response({errc::not_found, fmt::format("there is nothing at {}", what.path), {}});
    response answer = error_response(
        {errc::invalid_argument, fmt::format("{} does not take {}", what.path, what.method), "use " + allow});
    answer.status = 405;
    answer.allow = std::move(allow);
    return answer;
}

class listening final : public server {
public:
    explicit listening(std::unique_ptr<telemetry::listener> on) : on_(std::move(on)) {}
    int port() const override { return on_->port(); }
    std::string url() const override { return on_->url(); }

private:
    const std::unique_ptr<telemetry::listener> on_;
};

}  // namespace

response error_response(const error& failed) {
    json body{{"code", to_string(failed.code)}, {"message", failed.message}};
    if (!failed.hint.empty()) body["hint"] = failed.hint;
    return {.status = status_of(failed.code), .body = to_text({{"error", std::move(body)}})};
}

result<std::unique_ptr<server>> server::start(options options, std::function<readiness()> ready,
                                              std::vector<route> routes) {
    routes.push_back({"GET", "/healthz", [](const request&) { return response{.body = to_text({{"alive", true}})}; }});
    routes.push_back({"GET", "/readyz", [ready = std::move(ready)](const request&) { return answer_ready(ready()); }});
    auto on = telemetry::listener::start(
        {.host = std::move(options.bind),
         .port = options.port,
         .key = "http.port",
         .max_request_bytes = options.max_request_bytes,
         .request_time = options.request_time,
         .max_connections = options.max_connections},
        [routes = std::move(routes)](const request& what) { return route_to(routes, what); });
    if (!on) return fail(std::move(on));
    return std::make_unique<listening>(std::move(*on));
}

}  // namespace loqa::http
