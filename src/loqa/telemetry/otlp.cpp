#include <algorithm>
#include <array>
#include <charconv>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include <httplib.h>
#include <netdb.h>
#include <sys/socket.h>

#include "loqa/base/text.hpp"
#include "loqa/telemetry/otlp_codec.hpp"
#include "loqa/telemetry/trace.hpp"

namespace loqa::telemetry {

namespace {

constexpr seconds connect_timeout{1};
constexpr seconds answer_timeout{5};
constexpr seconds lookup_timeout{5};
constexpr std::array<milliseconds, 3> waits{// before each further attempt
                                            milliseconds(200), milliseconds(600), milliseconds(1200)};

struct endpoint {
    bool tls = false;
    std::string host;
    int port = 0;
    std::string path;
};

result<endpoint> parse_endpoint(std::string_view text, bool insecure) {
    const std::string whole(text);
    const auto unreadable = [&] {
        return fail(errc::invalid_config, "telemetry.otlp_endpoint is \"{}\", which is no address", whole)
            .hint("write http://host:4318, https://host:4318 or host:4318");
    };
    endpoint found{.tls = !insecure};
    if (const auto scheme = text.find("://"); scheme != std::string_view::npos) {
        const auto word = to_lower(text.substr(0, scheme));
        if (word != "http" && word != "https") return unreadable();
        found.tls = word == "https";
        text.remove_prefix(scheme + 3);
    }
    const auto slash = std::min(text.find('/'), text.size());
    found.path = text.substr(slash);
    while (found.path.ends_with('/')) found.path.pop_back();
    if (!found.path.ends_with("/v1/traces")) found.path += "/v1/traces";
    text = text.substr(0, slash);

    std::string_view digits;
    if (text.starts_with('[')) {
        const auto close = text.find(']');
        if (close == std::string_view::npos) return unreadable();
        found.host = text.substr(1, close - 1);
        digits = text.substr(close + 1);
    } else {
        const auto colon = std::min(text.find(':'), text.size());
        found.host = text.substr(0, colon);
        digits = text.substr(colon);
    }
    if (found.host.empty() || found.host.find_first_of(" @?#") != std::string::npos) return unreadable();
    found.port = 4318;
    if (!digits.empty()) {
        digits.remove_prefix(1);
        const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), found.port);
        if (failed != std::errc{} || end != digits.data() + digits.size() || found.port < 1 || found.port > 65'535) {
            return unreadable();
        }
    }
    return found;
}

// A name's addresses, looked up on a thread that nobody waits for at the end: the system's resolver takes as long as it
// likes, tens of seconds without a name server, and cannot be interrupted. The thread touches nothing but its own
// state.
class address_lookup {
public:
    explicit address_lookup(std::string host) : host_(std::move(host)) {}

    // Empty when there are none, or not in time.
    std::vector<std::string> addresses(const std::stop_token& stop) {
        if (!asked_) asked_ = ask(host_);
        std::unique_lock lock(asked_->mutex);
        const bool done = asked_->changed.wait_for(lock, stop, lookup_timeout, [this] { return asked_->done; });
        if (!done) return {};  // and the next call waits for the same answer
        auto found = std::move(asked_->found);
        lock.unlock();
        asked_.reset();
        return found;
    }

private:
    struct question {
        std::mutex mutex;
        std::condition_variable_any changed;
        bool done = false;
        std::vector<std::string> found;
    };

    static std::shared_ptr<question> ask(const std::string& host) {
        auto asked = std::make_shared<question>();
        std::thread([asked, host] {
            auto found = resolve(host);
            {
                std::lock_guard lock(asked->mutex);
                asked->found = std::move(found);
                asked->done = true;
            }
            asked->changed.notify_all();
        }).detach();
        return asked;
    }

    static std::vector<std::string> resolve(const std::string& host) {
        addrinfo hints{};
        hints.ai_socktype = SOCK_STREAM;
        addrinfo* list = nullptr;
        if (::getaddrinfo(host.c_str(), nullptr, &hints, &list) != 0) {
            // A machine without /etc/hosts (a container made by hand) may not know this one, which RFC 6761 fixes.
            if (host == "localhost") return {"127.0.0.1", "::1"};
            return {};
        }
        std::vector<std::string> found;
        for (const addrinfo* at = list; at; at = at->ai_next) {
            std::array<char, NI_MAXHOST> text{};
            if (::getnameinfo(at->ai_addr, at->ai_addrlen, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST) == 0) {
                found.emplace_back(text.data());
            }
        }
        ::freeaddrinfo(list);
        return found;
    }

    const std::string host_;
    std::shared_ptr<question> asked_;  // null: no question is open
};

class otlp final : public span_sink {
public:
    otlp(endpoint to, otlp_options options) : to_(std::move(to)), options_(std::move(options)), lookup_(to_.host) {}

    std::string_view name() const override { return "otlp"; }

    result<void> accept(const std::vector<span>& batch, std::stop_token stop) override {
        const std::string body = encode_otlp(batch, options_.resource);
        for (std::size_t attempt = 0;; ++attempt) {
            const outcome sent = post(body, stop);
            if (sent.taken) return check_answer(sent.text);
            if (!sent.again || attempt == waits.size() || !pause(waits[attempt], stop)) {
                return fail(errc::unavailable, "{} spans were not sent to {}: {}", batch.size(), options_.endpoint,
                            sent.text);
            }
        }
    }

private:
    struct outcome {
        bool taken = false;
        bool again = false;  // another attempt may succeed
        std::string text;    // the answer's body, or why it was not taken
    };

    // False when a stop ended it.
    static bool pause(milliseconds time, const std::stop_token& stop) {
        std::mutex mutex;
        std::condition_variable_any never;
        std::unique_lock lock(mutex);
        never.wait_for(lock, stop, time, [] { return false; });
        return !stop.stop_requested();
    }

    static result<void> check_answer(std::string_view body) {
        const auto answer = decode_otlp_response(body);
        if (!answer) return fail(answer);
        if (answer->rejected_spans == 0) return {};
        return fail(errc::invalid_message, "the receiver refused {} spans: {}", answer->rejected_spans,
                    answer->message);
    }

    // On the connection there is, or else on a new one to the first of the host's addresses that answers.
    outcome post(const std::string& body, const std::stop_token& stop) {
        if (client_) return post_once(body, stop);
        outcome last{.again = true, .text = fmt::format("the address of {} cannot be found", to_.host)};
        for (const auto& address : lookup_.addresses(stop)) {
            if (stop.stop_requested()) break;
            connect_to(address);
            last = post_once(body, stop);
            if (client_) break;
        }
        return last;
    }

    void connect_to(const std::string& address) {
        const std::string host = to_.host.contains(':') ? "[" + to_.host + "]" : to_.host;
        client_ =
            std::make_unique<httplib::Client>(fmt::format("{}://{}:{}", to_.tls ? "https" : "http", host, to_.port));
        client_->set_hostname_addr_map({{to_.host, address}});
        client_->set_connection_timeout(connect_timeout);
        client_->set_read_timeout(answer_timeout);
        client_->set_write_timeout(answer_timeout);
        client_->set_keep_alive(true);
    }

    // Without an answer there is no connection afterwards.
    outcome post_once(const std::string& body, const std::stop_token& stop) {
        const httplib::Result answer = [&] {
            // stop() ends a request that is under way; one that has not begun is refused by the content provider.
            const std::stop_callback cut(stop, [this] { client_->stop(); });
            return client_->Post(
                to_.path, {{"User-Agent", "loqa"}}, body.size(),
                [&](std::size_t offset, std::size_t length, httplib::DataSink& sink) {
                    return !stop.stop_requested() && sink.write(body.data() + offset, length);
                },
                "application/x-protobuf");
        }();
        if (!answer) {
            client_.reset();
            return {.again = answer.error() != httplib::Error::SSLServerVerification,
                    .text = stop.stop_requested() ? "no time was left" : httplib::to_string(answer.error())};
        }
        const int status = answer->status;
        if (status >= 200 && status < 300) return {.taken = true, .text = answer->body};
        return {.again = status == 429 || status == 502 || status == 503 || status == 504,
                .text = fmt::format("the receiver answered with status {}", status)};
    }

    const endpoint to_;
    const otlp_options options_;
    address_lookup lookup_;
    std::unique_ptr<httplib::Client> client_;  // null: not connected
};

}  // namespace

result<std::unique_ptr<span_sink>> otlp_sink(otlp_options options) {
    auto to = parse_endpoint(options.endpoint, options.insecure);
    if (!to) return fail(std::move(to));
    return std::make_unique<otlp>(std::move(*to), std::move(options));
}

}  // namespace loqa::telemetry
