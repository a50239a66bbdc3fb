// HTTP for skills against servers of this machine: what is granted, what is followed, what is cut off.
#include "loqa/skills/http_client.hpp"

#include <thread>

#include <gmock/gmock.h>
#include <httplib.h>

#include "loqa/base/ids.hpp"
#include "loqa/base/process.hpp"

namespace loqa::skills {
namespace {

using testing::HasSubstr;

struct address_case {
    std::string address;
    bool inside;
};
class Address : public testing::TestWithParam<address_case> {};
TEST_P(Address, IsInsideTheHouseOrNot) { EXPECT_EQ(inside_the_house(GetParam().address), GetParam().inside); }
INSTANTIATE_TEST_SUITE_P(Addresses, Address,
                         testing::Values(address_case{"127.0.0.1", true}, address_case{"10.1.2.3", true},
                                         address_case{"172.16.0.1", true}, address_case{"172.32.0.1", false},
                                         address_case{"192.168.1.20", true}, address_case{"169.254.169.254", true},
                                         address_case{"100.64.0.1", true}, address_case{"0.0.0.0", true},
                                         address_case{"224.0.0.1", true}, address_case{"255.255.255.255", true},
                                         address_case{"93.184.216.34", false}, address_case{"8.8.8.8", false},
                                         address_case{"::1", true}, address_case{"::", true},
                                         address_case{"fe80::1", true}, address_case{"fd00::1", true},
                                         address_case{"::ffff:192.168.0.1", true}, address_case{"64:ff9b::a00:1", true},
                                         address_case{"2002:c0a8:1::1", true}, address_case{"2001:0:1::1", true},
                                         address_case{"2606:2800:220:1::1", false}));

struct grant_case {
    std::string url, wrong;
};
class Grant : public testing::TestWithParam<grant_case> {};
TEST_P(Grant, IsReadOrNamed) {
    const auto grant = parse_grant(GetParam().url, false);
    if (GetParam().wrong.empty())
        EXPECT_TRUE(grant) << grant.error().message;
    else
        EXPECT_THAT(grant ? "" : grant.error().message, HasSubstr(GetParam().wrong));
}
INSTANTIATE_TEST_SUITE_P(Urls, Grant,
                         testing::Values(grant_case{"https://example.org", ""}, grant_case{"http://[::1]:80/x", ""},
                                         grant_case{"https://example.org/v1", ""},
                                         grant_case{"ftp://example.org", "not a URL of http"},
                                         grant_case{"example.org", "not a URL"},
                                         grant_case{"https://user@example.org", "not a URL"},
                                         grant_case{"https://example.org/?q=1", "more than a scheme"},
                                         grant_case{"https://exa mple.org", "a space"}));

// A server of its own on a port of its own, for as long as the test runs.
template <class Server = httplib::Server>
class served {
public:
    template <class... Args>
    explicit served(Args&&... args) : server_(std::forward<Args>(args)...) {
        server_.Get("/v1/hello", [](const auto&, auto& out) { out.set_content("hello", "text/plain"); });
        server_.Get("/private", [](const auto&, auto& out) { out.set_content("private", "text/plain"); });
        server_.Get("/v1/away", [](const auto&, auto& out) { out.set_redirect("/private"); });
        server_.Get("/v1/on", [](const auto&, auto& out) { out.set_redirect("/v1/hello"); });
        server_.Get("/v1/round", [](const auto&, auto& out) { out.set_redirect("/v1/round"); });
        server_.Get("/v1/big",
                    [](const auto&, auto& out) { out.set_content(std::string(100'000, 'x'), "text/plain"); });
        server_.Get("/v1/head", [](const auto& in, auto& out) {
            out.set_content(in.get_header_value("Authorization"), "text/plain");
        });
        server_.Post("/v1/post", [](const auto& in, auto& out) {
            out.status = 201;
            out.set_content(in.body + in.get_header_value("Content-Type"), "text/plain");
        });
        server_.Get("/v1/slow", [this](const auto&, auto& out) {
            std::unique_lock lock(mutex_);
            over_.wait_for(lock, seconds(20), [this] { return is_over_; });
            out.set_content("late", "text/plain");
        });
        port_ = server_.bind_to_any_port("127.0.0.1");
        thread_ = std::jthread([this] { server_.listen_after_bind(); });
        while (!server_.is_running()) std::this_thread::yield();
    }
    ~served() {
        {
            std::lock_guard lock(mutex_);
            is_over_ = true;
        }
        over_.notify_all();
        server_.stop();
    }
    int port() const { return port_; }
    std::string url(std::string_view path, std::string_view host = "127.0.0.1",
                    std::string_view scheme = "http") const {
        return fmt::format("{}://{}:{}{}", scheme, host, port_, path);
    }
    auto& server() { return server_; }

private:
    Server server_;
    int port_ = 0;
    std::mutex mutex_;
    std::condition_variable over_;
    bool is_over_ = false;
    std::jthread thread_;
};

class Http : public testing::Test {
protected:
    result<http_response> get(const std::string& url, std::vector<http_header> headers = {},
                              std::size_t most = 10'000) {
        return http_fetch({}, grants, {"GET", url, std::move(headers), {}, seconds(5), most}, stop.get_token());
    }
    served<> at;
    std::vector<http_grant> grants = {parse_grant(at.url("/v1"), false).value()};
    std::stop_source stop;
};

TEST_F(Http, WhatIsGrantedIsFetched) {
    const auto got = get(at.url("/v1/hello?x=1"));
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_EQ(got->status, 200);
    EXPECT_EQ(got->body, "hello");
    EXPECT_THAT(got->headers, testing::Contains(std::pair<std::string, std::string>("content-type", "text/plain")));
    EXPECT_EQ(get(at.url("/v1/nothing"))->status, 404);
    const auto posted = http_fetch(
        {}, grants, {"POST", at.url("/v1/post"), {{"Content-Type", "text/x"}}, "body ", seconds(5), 10'000}, {});
    ASSERT_TRUE(posted);
    EXPECT_EQ(posted->status, 201);
    EXPECT_EQ(posted->body, "body text/x");
}

TEST_F(Http, NothingElseIs) {
    EXPECT_EQ(get(at.url("/private")).error().code, errc::not_permitted);
    EXPECT_EQ(get(at.url("/v10")).error().code, errc::not_permitted);
    EXPECT_EQ(get(at.url("/v1/../private")).error().code, errc::not_permitted);
    EXPECT_EQ(get(at.url("/v1/hello", "localhost")).error().code, errc::not_permitted);
    EXPECT_EQ(get("file:///etc/passwd").error().code, errc::invalid_argument);
}

TEST_F(Http, RedirectsStayWithinWhatIsGranted) {
    const auto on = get(at.url("/v1/on"));
    ASSERT_TRUE(on) << on.error().message;
    EXPECT_EQ(on->body, "hello");
    EXPECT_EQ(on->url, at.url("/v1/hello"));
    EXPECT_THAT(get(at.url("/v1/away")).error().message, HasSubstr("where it was redirected to"));
    EXPECT_EQ(get(at.url("/v1/round"))->status, 302);
}

TEST_F(Http, WhatProvesWhoAsksIsNotSentOn) {
    served<> other;
    other.server().Get("/v1/sent", [](const auto& in, auto& out) {
        out.set_content("got " + in.get_header_value("Authorization"), "text/plain");
    });
    at.server().Get("/v1/to", [&](const auto&, auto& out) { out.set_redirect(other.url("/v1/sent")); });
    grants.push_back(parse_grant(other.url("/"), false).value());
    const auto got = get(at.url("/v1/to"), {{"Authorization", "Bearer x", true}});
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_EQ(got->body, "got ");
    EXPECT_EQ(get(at.url("/v1/head"), {{"Authorization", "Bearer x", true}})->body, "Bearer x");
}

// A name may be looked up again between the check and the connection: only the address that is connected to counts.
TEST_F(Http, ANameThatLeadsIntoTheHouseIsNotFollowed) {
    grants = {{.scheme = "http", .host = "localhost", .port = at.port(), .path = "/", .private_too = false}};
    const auto got = get(at.url("/v1/hello", "localhost"));
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, errc::not_permitted);
    EXPECT_THAT(got.error().message, HasSubstr("inside the house"));
}

TEST_F(Http, SizeAndTimeAreBounded) {
    EXPECT_EQ(get(at.url("/v1/big")).error().code, errc::too_long);
    EXPECT_EQ(get(at.url("/v1/big"), {}, 200'000)->body.size(), 100'000U);
    const auto slow = http_fetch({}, grants, {"GET", at.url("/v1/slow"), {}, {}, milliseconds(200), 1000}, {});
    EXPECT_EQ(slow.error().code, errc::timed_out);
    std::jthread later([this] {
        std::this_thread::sleep_for(milliseconds(100));
        stop.request_stop();
    });
    EXPECT_EQ(get(at.url("/v1/slow")).error().code, errc::cancelled);
}

TEST_F(Http, HeadersCannotCarryMoreThanThemselves) {
    EXPECT_EQ(get(at.url("/v1/hello"), {{"X", "a\r\nHost: b"}}).error().code, errc::invalid_argument);
    EXPECT_EQ(get(at.url("/v1/hello"), {{"X: y\r\nZ", "a"}}).error().code, errc::invalid_argument);
    EXPECT_EQ(get(at.url("/v1/hello"), {{"Host", "example.org"}}).error().code, errc::invalid_argument);
}

TEST_F(Http, NobodyThereIsSaid) {
    int port = 0;
    {
        const served<> gone;
        port = gone.port();
    }
    grants = {parse_grant(fmt::format("http://127.0.0.1:{}", port), false).value()};
    EXPECT_EQ(get(fmt::format("http://127.0.0.1:{}/", port)).error().code, errc::unavailable);
}

TEST(Https, CertificatesAreChecked) {
    const auto folder = fs::temp_directory_path() / ("loqa-tls-" + random_hex(8));
    fs::create_directories(folder);
    auto made =
        child_process::start({.command = {"openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                                          "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout",
                                          (folder / "key").string(), "-out", (folder / "cert").string()},
                              .environment = {},
                              .folder = {},
                              .on_line = [](std::string_view, bool) {}});
    ASSERT_TRUE(made);
    ASSERT_TRUE(made->wait_until(std::chrono::steady_clock::now() + seconds(60)).value_or(exit_status{1, 0}).clean());
    {
        const served<httplib::SSLServer> at((folder / "cert").c_str(), (folder / "key").c_str());
        const std::vector<http_grant> grants = {parse_grant(at.url("/v1", "127.0.0.1", "https"), false).value()};
        const http_request what{"GET", at.url("/v1/hello", "127.0.0.1", "https"), {}, {}, seconds(5), 10'000};
        const auto unknown = http_fetch({}, grants, what, {});
        ASSERT_FALSE(unknown);
        EXPECT_EQ(unknown.error().code, errc::unavailable);
        EXPECT_THAT(unknown.error().message, HasSubstr("ertificate"));
        const auto known = http_fetch({.certificates = folder / "cert"}, grants, what, {});
        ASSERT_TRUE(known) << known.error().message;
        EXPECT_EQ(known->body, "hello");
    }
    fs::remove_all(folder);
}

}  // namespace
}  // namespace loqa::skills
