#include "loqa/telemetry/listener.hpp"

#include <atomic>
#include <future>
#include <latch>
#include <vector>

#include <gmock/gmock.h>

#include "loqa/telemetry/tests/raw_http.hpp"

namespace loqa::telemetry {
namespace {

using raw_http::connection;
using raw_http::get;
using raw_http::parse_answer;
using raw_http::talk;
using ::testing::HasSubstr;

listener_options small() {
    return {.host = "127.0.0.1",
            .key = "http.port",
            .max_request_bytes = 100,
            .request_time = milliseconds(5000),
            .max_connections = 4};
}

response echo(const request& r) {
    return {.content_type = "text/plain", .body = fmt::format("{}|{}|{}|{}", r.method, r.path, r.query, r.body)};
}

std::unique_ptr<listener> start(listener_options options = small(),
                                std::function<response(const request&)> answer = echo) {
    auto started = listener::start(std::move(options), std::move(answer));
    EXPECT_TRUE(started) << started.error().text();
    return std::move(*started);
}

struct request_case {
    std::string_view name, bytes;
    int status;
    std::string_view body;
};

class Requests : public ::testing::TestWithParam<request_case> {};

TEST_P(Requests, GetTheirAnswer) {
    const auto server = start();
    const auto answer = talk(server->port(), GetParam().bytes);
    EXPECT_EQ(answer.status, GetParam().status) << answer.head;
    if (answer.status == 200) {
        EXPECT_EQ(answer.body, GetParam().body);
    }
}

const std::string too_many_headers = "GET / HTTP/1.1\r\n" + std::string(20'000, 'x');
const std::string too_big = "POST / HTTP/1.1\r\nContent-Length: 100000\r\n\r\n" + std::string(100'000, 'x');

INSTANTIATE_TEST_SUITE_P(
    Listener, Requests,
    ::testing::Values(
        request_case{"get", "GET /a HTTP/1.1\r\nHost: x\r\n\r\n", 200, "GET|/a||"},
        request_case{"http_1_0", "GET /a HTTP/1.0\r\n\r\n", 200, "GET|/a||"},
        request_case{"query", "GET /a?b=c%20d HTTP/1.1\r\n\r\n", 200, "GET|/a|b=c%20d|"},
        request_case{"decoded_path", "GET /K%C3%BCche%2Fx HTTP/1.1\r\n\r\n", 200, "GET|/Küche/x||"},
        request_case{"post", "POST /a HTTP/1.1\r\ncontent-length: 5\r\n\r\nhello", 200, "POST|/a||hello"},
        request_case{"more_than_said", "POST /a HTTP/1.1\r\nContent-Length: 2\r\n\r\nhello", 200, "POST|/a||he"},
        request_case{"head_has_no_body", "HEAD /a HTTP/1.1\r\n\r\n", 200, ""},
        request_case{"no_request", "hello\r\n\r\n", 400, ""}, request_case{"no_http", "\x16\x03\x01", 400, ""},
        request_case{"empty_line", "\r\n\r\n", 400, ""}, request_case{"no_path", "GET a HTTP/1.1\r\n\r\n", 400, ""},
        request_case{"bad_escape", "GET /%4 HTTP/1.1\r\n\r\n", 400, ""},
        request_case{"zero_byte", "GET /%00 HTTP/1.1\r\n\r\n", 400, ""},
        request_case{"http_2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, ""},
        request_case{"header_without_colon", "GET / HTTP/1.1\r\nabc\r\n\r\n", 400, ""},
        request_case{"folded_header", "GET / HTTP/1.1\r\nA: b\r\n c: d\r\n\r\n", 400, ""},
        request_case{"two_lengths", "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400, ""},
        request_case{"negative_length", "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400, ""},
        request_case{"chunked", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411, ""},
        request_case{"too_big", too_big, 413, ""}, request_case{"too_many_headers", too_many_headers, 431, ""}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(Listener, AsksForTheBodyThatWaitsForIt) {
    const auto server = start();
    const std::string all = [&] {
        connection to(server->port());
        to.send("POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi");
        return to.read_all();
    }();
    EXPECT_TRUE(all.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")) << all;
}

TEST(Listener, SlowRequestIsRefusedWhileOthersAreServed) {
    auto options = small();
    options.request_time = milliseconds(300);
    const auto server = start(options);
    connection slow(server->port());
    slow.send("GET / HT");
    EXPECT_EQ(get(server->port(), "/").status, 200);
    EXPECT_EQ(parse_answer(slow.read_all()).status, 408);
}

TEST(Listener, ConnectionAboveTheLimitIsTurnedAway) {
    std::latch all_in(4);
    std::promise<void> go;
    const auto gone = go.get_future().share();
    const auto server = start(small(), [&](const request& r) -> response {
        if (r.path != "/wait") return {.body = "{}"};
        all_in.count_down();
        gone.wait();
        return {.body = "{}"};
    });
    std::vector<std::future<int>> waiting;
    for (int i = 0; i < 4; ++i) {
        waiting.push_back(std::async(std::launch::async, [&] { return get(server->port(), "/wait").status; }));
    }
    all_in.wait();
    EXPECT_EQ(get(server->port(), "/").status, 503);
    go.set_value();
    for (auto& each : waiting) EXPECT_EQ(each.get(), 200);
    // Its connections' threads end a moment after their clients have the answers.
    const auto deadline = std::chrono::steady_clock::now() + seconds(5);
    int status = 0;
    while (status != 200 && std::chrono::steady_clock::now() < deadline) status = get(server->port(), "/").status;
    EXPECT_EQ(status, 200);
}

TEST(Listener, EndsAtOnceWithConnectionsOpen) {
    auto server = start();
    const connection idle(server->port());
    connection half(server->port());
    half.send("GET / HTTP/1.1\r\n");
    ASSERT_EQ(get(server->port(), "/").status, 200);
    const auto began = std::chrono::steady_clock::now();
    server.reset();
    EXPECT_LT(to_ms(std::chrono::steady_clock::now() - began), 3000);
}

TEST(Listener, RequestInWorkIsAnsweredBeforeItEnds) {
    std::latch working(1);
    std::promise<void> go;
    auto server = start(small(), [&](const request&) -> response {
        working.count_down();
        go.get_future().wait();
        return {.body = "whole"};
    });
    auto answer = std::async(std::launch::async, [port = server->port()] { return get(port, "/"); });
    working.wait();
    auto ended = std::async(std::launch::async, [&] { server.reset(); });
    go.set_value();
    EXPECT_EQ(answer.get().body, "whole");
    ended.get();
}

TEST(Listener, BusyPortSaysWhoseSettingItIs) {
    const auto first = start();
    auto options = small();
    options.port = first->port();
    const auto second = listener::start(options, echo);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, errc::already_exists);
    EXPECT_THAT(second.error().message, HasSubstr(fmt::format("127.0.0.1:{} is taken", options.port)));
    EXPECT_THAT(second.error().hint, HasSubstr("set http.port to another port, or to port 0"));
}

TEST(Listener, AddressOfAnotherMachineIsRefused) {
    auto options = small();
    options.host = "192.0.2.1";  // reserved for documentation
    const auto server = listener::start(options, echo);
    ASSERT_FALSE(server);
    EXPECT_EQ(server.error().code, errc::io_failed);
    EXPECT_THAT(server.error().hint, HasSubstr("address of this machine"));
}

TEST(Listener, UrlCanBeOpened) {
    const auto server = start();
    EXPECT_EQ(server->url(), fmt::format("http://127.0.0.1:{}", server->port()));
}

}  // namespace
}  // namespace loqa::telemetry
