#include "loqa/http/server.hpp"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "loqa/telemetry/tests/raw_http.hpp"

namespace loqa::http {
namespace {

using raw_http::get;
using raw_http::talk;
using ::testing::HasSubstr;

std::unique_ptr<server> start(
    std::function<readiness()> ready = [] { return readiness{.ready = true}; }, std::vector<route> routes = {}) {
    auto started = server::start({.port = 0, .max_request_bytes = 100}, std::move(ready), std::move(routes));
    EXPECT_TRUE(started) << started.error().text();
    return std::move(*started);
}

TEST(Http, AliveFromTheStart) {
    const auto server = start([] { return readiness{}; });
    const auto answer = get(server->port(), "/healthz");
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(nlohmann::json::parse(answer.body), nlohmann::json({{"alive", true}}));
    EXPECT_THAT(answer.head, HasSubstr("Content-Type: application/json"));
}

TEST(Http, ReadyWhenEveryComponentIs) {
    readiness now{.ready = false, .components = {{"stt", "starting", "loading moonshine \"tiny\""}}};
    const auto server = start([&] { return now; });
    auto answer = get(server->port(), "/readyz");
    EXPECT_EQ(answer.status, 503);
    EXPECT_EQ(nlohmann::json::parse(answer.body), nlohmann::json::parse(R"({"ready": false, "components":
                  [{"name": "stt", "state": "starting", "detail": "loading moonshine \"tiny\""}]})"));

    now = {.ready = true, .components = {{"stt", "ready", ""}, {"tts", "ready", ""}}};
    answer = get(server->port(), "/readyz");
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(nlohmann::json::parse(answer.body)["components"].size(), 2u);
    EXPECT_EQ(nlohmann::json::parse(answer.body)["ready"], true);
}

TEST(Http, ReadinessMayQuoteAnyBytes) {
    const auto server = start([] { return readiness{.components = {{"bus", "down", "\xff"}}}; });
    EXPECT_TRUE(nlohmann::json::accept(get(server->port(), "/readyz").body));
}

struct route_case {
    std::string_view name, request;
    int status;
    std::string_view body_has;
};

class Routes : public ::testing::TestWithParam<route_case> {};

TEST_P(Routes, FindTheirHandler) {
    const auto said = [](std::string_view what) {
        return [what](const request& r) { return response{.body = fmt::format("{} {}", what, r.body)}; };
    };
    const auto server = start({}, {{"GET", "/api/v1/timers", said("list")},
                                   {"POST", "/api/v1/timers", said("new")},
                                   {"DELETE", "/api/v1/timers/*", said("cancel")}});
    const auto answer = talk(server->port(), GetParam().request);
    EXPECT_EQ(answer.status, GetParam().status);
    EXPECT_THAT(answer.head + answer.body, HasSubstr(std::string(GetParam().body_has)));
}

INSTANTIATE_TEST_SUITE_P(
    Http, Routes,
    ::testing::Values(
        route_case{"get", "GET /api/v1/timers HTTP/1.1\r\n\r\n", 200, "list"},
        route_case{"post", "POST /api/v1/timers HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}", 200, "new {}"},
        route_case{"below", "DELETE /api/v1/timers/7 HTTP/1.1\r\n\r\n", 200, "cancel"},
        route_case{"folder_itself_is_not_below", "DELETE /api/v1/timers/ HTTP/1.1\r\n\r\n", 404, "\"not_found\""},
        route_case{"wrong_method", "PUT /api/v1/timers HTTP/1.1\r\n\r\n", 405, "Allow: GET, POST"},
        route_case{"post_to_health", "POST /healthz HTTP/1.1\r\n\r\n", 405, "Allow: GET"},
        route_case{"nothing_there", "GET /api/v2 HTTP/1.1\r\n\r\n", 404, "there is nothing at /api/v2"},
        route_case{"head", "HEAD /healthz HTTP/1.1\r\n\r\n", 200, "HTTP/1.1 200 OK"},
        route_case{"too_big", "POST /api/v1/timers HTTP/1.1\r\nContent-Length: 101\r\n\r\n", 413, "100 bytes"}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(Http, BusyPortNamesTheAddressTheKeyAndTheWayOut) {
    const auto first = start();
    const auto second = server::start({.port = first->port()}, [] { return readiness{}; });
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, errc::already_exists);
    EXPECT_THAT(second.error().message, HasSubstr(fmt::format("127.0.0.1:{}", first->port())));
    EXPECT_THAT(second.error().message, HasSubstr("http.port"));
    EXPECT_THAT(second.error().hint, HasSubstr("another port, or to port 0 for any free one"));
}

TEST(Http, ErrorsKeepTheirCodeSentenceAndHint) {
    const auto answer = error_response({errc::model_missing, "no model", "loqa models pull x"});
    EXPECT_EQ(answer.status, 503);
    EXPECT_EQ(nlohmann::json::parse(answer.body), nlohmann::json::parse(R"({"error": {"code": "model_missing",
        "message": "no model", "hint": "loqa models pull x"}})"));
}

}  // namespace
}  // namespace loqa::http
