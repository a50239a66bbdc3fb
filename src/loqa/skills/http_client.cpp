#include "loqa/skills/http_client.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <mutex>
#include <optional>

#include <arpa/inet.h>
#include <curl/curl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loqa/base/text.hpp"

namespace loqa::skills {
namespace {

constexpr int max_redirects = 5;
constexpr milliseconds longest_wait_in_one{1000};

template <class T, auto Delete>
struct curl_deleter {
    void operator()(T* what) const { Delete(what); }
};
using owned_url = std::unique_ptr<CURLU, curl_deleter<CURLU, &curl_url_cleanup>>;
using owned_easy = std::unique_ptr<CURL, curl_deleter<CURL, &curl_easy_cleanup>>;
using owned_multi = std::unique_ptr<CURLM, curl_deleter<CURLM, &curl_multi_cleanup>>;
using owned_list = std::unique_ptr<curl_slist, curl_deleter<curl_slist, &curl_slist_free_all>>;

void begin_once() {
    static std::once_flag begun;
    std::call_once(begun, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
}

std::string part(CURLU* of, CURLUPart which, unsigned flags = 0) {
    char* text = nullptr;
    if (curl_url_get(of, which, &text, flags) != CURLUE_OK) return {};
    std::string out(text);
    curl_free(text);
    return out;
}

// A URL taken apart by the same code that will follow it.
result<owned_url> open_url(std::string_view url) {
    begin_once();
    owned_url parsed(curl_url());
    const std::string text(url);
    if (std::ranges::any_of(text, [](unsigned char c) { return c <= ' ' || c == 0x7f || c == '\\'; }))
        return fail(errc::invalid_argument, "the URL has a space, a backslash or a control character in it");
    if (const auto code = curl_url_set(parsed.get(), CURLUPART_URL, text.c_str(), CURLU_DISALLOW_USER);
        code != CURLUE_OK)
        return fail(errc::invalid_argument, "\"{}\" is not a URL: {}", text, curl_url_strerror(code));
    const auto scheme = part(parsed.get(), CURLUPART_SCHEME);
    if (scheme != "http" && scheme != "https")
        return fail(errc::invalid_argument, "\"{}\" is not a URL of http or https", text);
    return parsed;
}

std::string host_of(CURLU* url) {
    auto host = to_lower(part(url, CURLUPART_HOST));
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    while (host.ends_with('.')) host.pop_back();
    return host;
}

struct origin {
    std::string scheme, host;
    int port = 0;
    bool operator==(const origin&) const = default;
};
origin origin_of(CURLU* url) {
    const auto port = part(url, CURLUPART_PORT, CURLU_DEFAULT_PORT);
    return {part(url, CURLUPART_SCHEME), host_of(url), port.empty() ? 0 : std::stoi(port)};
}

bool begins_with_parts(std::string_view path, std::string_view wanted) {
    if (wanted.empty() || wanted == "/") return true;
    if (wanted.ends_with('/')) wanted.remove_suffix(1);
    return path.starts_with(wanted) && (path.size() == wanted.size() || path[wanted.size()] == '/');
}

// Which entry lets it through. A path that hides a dot or a slash from us is none that begins as an entry says.
const http_grant* find_grant(std::span<const http_grant> grants, CURLU* url) {
    const auto from = origin_of(url);
    const auto path = part(url, CURLUPART_PATH);
    const auto lower = to_lower(path);
    const bool hides = lower.contains("%2e") || lower.contains("%2f") || lower.contains("%5c");
    const http_grant* found = nullptr;
    for (const auto& one : grants) {
        if (one.scheme != from.scheme || one.host != from.host || one.port != from.port) continue;
        if (!begins_with_parts(path, one.path) || (hides && one.path != "/")) continue;
        if (found == nullptr || one.private_too) found = &one;
    }
    return found;
}

bool inside_v4(std::uint32_t address) {
    struct range {
        std::uint32_t from;
        int bits;
    };
    static constexpr std::array<range, 13> ranges = {{{0x00000000, 8},
                                                      {0x0a000000, 8},
                                                      {0x64400000, 10},
                                                      {0x7f000000, 8},
                                                      {0xa9fe0000, 16},
                                                      {0xac100000, 12},
                                                      {0xc0000000, 24},
                                                      {0xc0a80000, 16},
                                                      {0xc6120000, 15},
                                                      {0xc0586300, 24},
                                                      {0xe0000000, 4},
                                                      {0xf0000000, 4},
                                                      {0xffffffff, 32}}};
    return std::ranges::any_of(ranges, [&](const range& r) { return (address ^ r.from) >> (32 - r.bits) == 0; });
}

bool inside(const sockaddr* address) {
    if (address->sa_family == AF_INET)
        return inside_v4(ntohl(reinterpret_cast<const sockaddr_in*>(address)->sin_addr.s_addr));
    if (address->sa_family != AF_INET6) return true;
    const auto* bytes = reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr.s6_addr;
    // Global unicast is 2000::/3; 2002::/16 and 2001::/32 carry an IPv4 address, which may be any.
    const bool global = (bytes[0] & 0xe0) == 0x20;
    const bool tunnel = bytes[0] == 0x20 && (bytes[1] == 0x02 || (bytes[1] == 0x01 && bytes[2] == 0 && bytes[3] == 0));
    return !global || tunnel;
}

// One request on its way; what curl's callbacks see.
struct transfer {
    bool private_too = false;
    bool address_refused = false;
    bool too_much = false;
    std::size_t bytes_left = 0;
    http_response got;

    bool take(std::size_t bytes) {
        too_much = bytes > bytes_left;
        if (!too_much) bytes_left -= bytes;
        return !too_much;
    }

    static curl_socket_t open(void* self, curlsocktype, curl_sockaddr* at) {
        auto& of = *static_cast<transfer*>(self);
        if (!of.private_too && inside(&at->addr)) {
            of.address_refused = true;
            return CURL_SOCKET_BAD;
        }
        return ::socket(at->family, at->socktype | SOCK_CLOEXEC, at->protocol);
    }
    static std::size_t body(char* data, std::size_t size, std::size_t count, void* self) {
        auto& of = *static_cast<transfer*>(self);
        if (!of.take(size * count)) return 0;
        of.got.body.append(data, size * count);
        return size * count;
    }
    static std::size_t head(char* data, std::size_t size, std::size_t count, void* self) {
        auto& of = *static_cast<transfer*>(self);
        if (!of.take(size * count)) return 0;
        const std::string_view line(data, size * count);
        if (line.starts_with("HTTP/")) of.got.headers.clear();  // those before were of an interim answer
        if (const auto colon = line.find(':'); colon != std::string_view::npos)
            of.got.headers.emplace_back(to_lower(trim(line.substr(0, colon))),
                                        std::string(trim(line.substr(colon + 1))));
        return size * count;
    }
};

bool of_the_host(std::string_view name) {
    static constexpr std::array<std::string_view, 6> names = {"host", "content-length",   "connection", "expect",
                                                              "te",   "transfer-encoding"};
    return std::ranges::find(names, name) != names.end();
}

result<owned_list> header_list(const http_request& what, bool same_origin) {
    curl_slist* list = nullptr;
    owned_list out;
    const auto add = [&](const std::string& line) {
        list = curl_slist_append(out.release(), line.c_str());
        out.reset(list);
    };
    add("Expect:");  // would cost a round trip
    for (const auto& one : what.headers) {
        const auto in_name = [](unsigned char c) { return std::isalnum(c) != 0 || c == '-' || c == '_'; };
        const auto in_value = [](unsigned char c) { return (c >= ' ' && c != 0x7f) || c == '\t'; };
        if (one.name.empty() || !std::ranges::all_of(one.name, in_name) || !std::ranges::all_of(one.value, in_value))
            return fail(errc::invalid_argument, "the header \"{}\" has characters that no header has", one.name);
        if (of_the_host(to_lower(one.name)))
            return fail(errc::invalid_argument, "the header {} is not a skill's to set", one.name);
        if (one.keep_to_host && !same_origin) continue;
        add(one.value.empty() ? one.name + ";" : fmt::format("{}: {}", one.name, one.value));
    }
    return out;
}

result<void> drive(CURL* easy, transfer& of, steady_time deadline, const std::stop_token& stop) {
    const owned_multi multi(curl_multi_init());
    curl_multi_add_handle(multi.get(), easy);
    std::optional<CURLcode> ended;
    {
        const std::stop_callback wake(stop, [&] { curl_multi_wakeup(multi.get()); });
        int running = 1;
        while (!ended) {
            if (stop.stop_requested()) break;
            curl_multi_perform(multi.get(), &running);
            int left = 0;
            while (const auto* m = curl_multi_info_read(multi.get(), &left))
                if (m->msg == CURLMSG_DONE) ended = m->data.result;
            const auto now = std::chrono::steady_clock::now();
            if (ended || now >= deadline) break;
            const auto wait = std::min(std::chrono::ceil<milliseconds>(deadline - now), longest_wait_in_one);
            curl_multi_poll(multi.get(), nullptr, 0, static_cast<int>(wait.count()), nullptr);
        }
    }
    curl_multi_remove_handle(multi.get(), easy);
    if (!ended && stop.stop_requested()) return fail(errc::cancelled, "the host ends");
    if (!ended || *ended == CURLE_OPERATION_TIMEDOUT) return fail(errc::timed_out, "no answer in time");
    if (of.too_much) return fail(errc::too_long, "the answer is larger than the limit");
    if (of.address_refused && *ended != CURLE_OK)
        return fail(errc::not_permitted, "its address is inside the house, which http.allow does not say");
    if (*ended == CURLE_OK) return {};
    return fail(errc::unavailable, "{}", curl_easy_strerror(*ended));
}

}  // namespace

bool inside_the_house(std::string_view address) {
    const std::string text(address);
    sockaddr_in four{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {}, .sin_zero = {}};
    if (::inet_pton(AF_INET, text.c_str(), &four.sin_addr) == 1) return inside(reinterpret_cast<sockaddr*>(&four));
    sockaddr_in6 six{};
    six.sin6_family = AF_INET6;
    if (::inet_pton(AF_INET6, text.c_str(), &six.sin6_addr) == 1) return inside(reinterpret_cast<sockaddr*>(&six));
    return false;
}

result<http_grant> parse_grant(std::string_view url, bool private_too) {
    auto parsed = open_url(url);
    if (!parsed) return fail(std::move(parsed));
    if (!part(parsed->get(), CURLUPART_QUERY).empty() || !part(parsed->get(), CURLUPART_FRAGMENT).empty())
        return fail(errc::invalid_argument, "\"{}\" has more than a scheme, a host, a port and a path", url);
    auto from = origin_of(parsed->get());
    if (from.host.contains('*')) return fail(errc::invalid_argument, "\"{}\": each host is listed by itself", url);
    const bool literal = inside_the_house(from.host) || from.host == "localhost";
    return http_grant{.scheme = std::move(from.scheme),
                      .host = std::move(from.host),
                      .port = from.port,
                      .path = part(parsed->get(), CURLUPART_PATH),
                      .private_too = private_too || literal};
}

result<http_response> http_fetch(const http_client_options& with, std::span<const http_grant> grants,
                                 const http_request& what, const std::stop_token& stop) {
    static constexpr std::array<std::string_view, 6> methods = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"};
    if (std::ranges::find(methods, what.method) == methods.end())
        return fail(errc::invalid_argument, "the method is \"{}\": {} are there", what.method,
                    "GET, HEAD, POST, PUT, PATCH and DELETE");
    const auto deadline = std::chrono::steady_clock::now() + what.timeout;
    const bool follows = what.method == "GET" || what.method == "HEAD";
    std::string url = what.url;
    std::optional<origin> first;
    transfer state{.bytes_left = what.max_bytes, .got = {}};
    for (int redirects = 0;; ++redirects) {
        const auto parsed = open_url(url);
        if (!parsed) return fail(parsed);
        const auto here = origin_of(parsed->get());
        const auto* grant = find_grant(grants, parsed->get());
        if (grant == nullptr)
            return fail(errc::not_permitted, "{}://{}:{}{} is not in http.allow{}", here.scheme, here.host, here.port,
                        part(parsed->get(), CURLUPART_PATH), redirects > 0 ? ", where it was redirected to" : "");
        if (!first) first = here;
        auto headers = header_list(what, *first == here);
        if (!headers) return fail(std::move(headers));

        const owned_easy easy(curl_easy_init());
        const auto set = [&](CURLoption option, auto value) { curl_easy_setopt(easy.get(), option, value); };
        state.private_too = grant->private_too;
        state.got = {};
        set(CURLOPT_CURLU, parsed->get());
        set(CURLOPT_PROTOCOLS_STR, "http,https");
        set(CURLOPT_PROXY, "");  // the environment's would be asked instead of the address that was checked
        set(CURLOPT_NOSIGNAL, 1L);
        set(CURLOPT_FOLLOWLOCATION, 0L);
        set(CURLOPT_HTTPHEADER, headers->get());
        set(CURLOPT_USERAGENT, "loqa-skill");
        if (!with.certificates.empty()) set(CURLOPT_CAINFO, with.certificates.c_str());
        const auto left = std::chrono::ceil<milliseconds>(deadline - std::chrono::steady_clock::now()).count();
        if (left <= 0) return fail(errc::timed_out, "no answer in time");
        set(CURLOPT_TIMEOUT_MS, static_cast<long>(left));
        set(CURLOPT_OPENSOCKETFUNCTION, &transfer::open);
        set(CURLOPT_OPENSOCKETDATA, &state);
        set(CURLOPT_WRITEFUNCTION, &transfer::body);
        set(CURLOPT_WRITEDATA, &state);
        set(CURLOPT_HEADERFUNCTION, &transfer::head);
        set(CURLOPT_HEADERDATA, &state);
        if (what.method == "HEAD") {
            set(CURLOPT_NOBODY, 1L);
        } else {
            if (what.method == "POST" || what.method == "PUT" || what.method == "PATCH" || !what.body.empty()) {
                set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(what.body.size()));
                set(CURLOPT_POSTFIELDS, what.body.empty() ? "" : what.body.data());
            }
            set(CURLOPT_CUSTOMREQUEST, what.method.c_str());
        }
        if (auto done = drive(easy.get(), state, deadline, stop); !done) return fail(std::move(done));
        long status = 0;
        curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &status);
        char* next = nullptr;
        if (follows && status >= 300 && status < 400 && redirects < max_redirects)
            curl_easy_getinfo(easy.get(), CURLINFO_REDIRECT_URL, &next);
        if (next == nullptr) {
            state.got.status = static_cast<int>(status);
            state.got.url = url;
            return std::move(state.got);
        }
        url = next;
    }
}

}  // namespace loqa::skills
