#include <algorithm>
#include <cerrno>
#include <charconv>
#include <optional>

#include <dlfcn.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client.hpp"
#include "commands.hpp"
#include "json_fields.hpp"
#include "loqa/base/process.hpp"
#include "loqa/base/text.hpp"
#include "loqa/protocol/messages.hpp"
#include "loqa/protocol/subjects.hpp"
#include "model_list.hpp"
#include "sound_device.hpp"
#include "terminal.hpp"

namespace loqa::cli {
namespace {

constexpr seconds program_timeout{10};
constexpr double least_free_gb = 1;

enum class state { ok, warn, fail };

struct check {
    std::string name;
    state how = state::ok;
    std::string detail;
    std::string mend = {};
};

check failed(std::string name, const error& why) { return {std::move(name), state::fail, why.message, why.hint}; }

// What a program writes when it is asked for its version; its complaint when it cannot be run.
result<std::string> version_of(const std::string& program) {
    std::vector<std::string> lines;
    auto child = child_process::start({.command = {program, "--version"},
                                       .environment = {},
                                       .folder = {},
                                       .on_line = [&](std::string_view line, bool) { lines.emplace_back(line); }});
    if (!child) return fail(std::move(child));
    const auto ended = child->wait_until(std::chrono::steady_clock::now() + program_timeout);
    auto said = lines.empty() ? std::string() : lines.front();
    if (!ended)
        return fail(errc::timed_out, "{} did not say its version within {} s", program, program_timeout.count());
    if (!ended->clean())
        return fail(errc::unavailable, "{}: {}{}{}", program, ended->text(), said.empty() ? "" : ": ", said);
    return said;
}

check check_configuration(const instance_options& options, const result<config::settings>& settings) {
    if (!settings) return failed("configuration", settings.error());
    const auto file = options.config ? options.config : config::find_file(config::process_environment());
    const auto from = file ? file->string() : "defaults; there is no file";
    if (settings->warnings.empty()) return {"configuration", state::ok, from};
    return {"configuration", state::warn, settings->warnings.front(), "see docs/config.md"};
}

// The folder, or that above it which is there.
fs::path existing(fs::path folder) {
    std::error_code ec;
    while (!fs::exists(folder, ec) && folder.has_relative_path()) folder = folder.parent_path();
    return folder;
}

check check_data_folder(const fs::path& folder) {
    const auto there = existing(folder);
    std::error_code ec;
    if (!fs::is_directory(there, ec) || ::access(there.c_str(), W_OK) != 0)
        return {"data folder", state::fail, fmt::format("{} cannot be written", there.string()),
                "make it writable for this user, or choose another with --data or data_dir"};
    return {"data folder", state::ok, folder.string() + (there == folder ? "" : " (will be made)")};
}

check check_disk(const fs::path& folder) {
    const auto there = existing(folder);
    std::error_code ec;
    const auto space = fs::space(there, ec);
    if (ec) return {"disk space", state::warn, fmt::format("unknown for {}: {}", there.string(), ec.message())};
    const double free_gb = static_cast<double>(space.available) / 1e9;
    const auto detail = fmt::format("{:.1f} GB free below {}", free_gb, there.string());
    if (free_gb >= least_free_gb) return {"disk space", state::ok, detail};
    return {"disk space", state::warn, detail, "make room: the event store and the bus grow with use"};
}

check check_clock() {
    // Timers and timestamps need the right day. A clock behind the day this program was built is certainly wrong.
    std::error_code ec;
    const auto built = fs::last_write_time(executable_folder() / "loqa", ec);
    if (!ec && built > fs::file_time_type::clock::now() + std::chrono::hours(24))
        return {"clock", state::fail, "shows a time before this program was built", "set it: timedatectl set-ntp true"};
    return {"clock", state::ok, to_rfc3339(std::chrono::system_clock::now())};
}

check check_time_zone(const std::string& zone) {
    if (zone.empty()) return {"time zone", state::ok, "the machine's"};
    std::error_code ec;
    if (fs::is_regular_file(fs::path("/usr/share/zoneinfo") / zone, ec)) return {"time zone", state::ok, zone};
    return {"time zone", state::fail, fmt::format("there is no time zone {}", zone),
            "set session.time_zone to a name such as Europe/Berlin; Debian's package tzdata has them"};
}

check check_program(const std::string& name) {
    const auto version = version_of((executable_folder() / name).string());
    if (!version) return {name, state::fail, version.error().message, "run: make build"};
    const auto expected = fmt::format("{} {}", name, LOQA_VERSION);
    if (*version != expected)
        return {name, state::warn, fmt::format("is \"{}\", this is {}", *version, LOQA_VERSION), "run: make build"};
    return {name, state::ok, *version};
}

check check_nats_server() {
    std::error_code ec;
    const auto own = cache_folder() / "engines" / "nats-server" / "nats-server";
    const auto version = version_of(fs::exists(own, ec) ? own.string() : "nats-server");
    if (!version) return {"nats-server", state::fail, version.error().message, "run: scripts/setup.sh"};
    // "nats-server: v2.15.1"
    const auto v = version->rfind('v');
    const auto parts =
        split(v == std::string::npos ? std::string_view(*version) : std::string_view(*version).substr(v + 1), '.');
    const auto number = [&](std::size_t i) {
        int value = 0;
        if (i < parts.size()) std::from_chars(parts[i].data(), parts[i].data() + parts[i].size(), value);
        return value;
    };
    if (std::pair(number(0), number(1)) < std::pair(2, 10))
        return {"nats-server", state::fail, fmt::format("{} is too old, 2.10 is needed", *version),
                "run: scripts/setup.sh"};
    return {"nats-server", state::ok, *version};
}

check check_espeak() {
    void* library = ::dlopen("libespeak-ng.so.1", RTLD_LAZY | RTLD_LOCAL);
    if (library == nullptr)
        return {"espeak-ng", state::fail, "libespeak-ng.so.1 cannot be loaded, which speaking needs for phonemes",
                "install it: apt-get install libespeak-ng1"};
    ::dlclose(library);
    return {"espeak-ng", state::ok, "libespeak-ng.so.1"};
}

// A model that the configuration names: a folder, or one of the list.
check check_wanted_model(const std::string& label, const std::string& name, const std::vector<model>& known,
                         bool deep) {
    if (name.find('/') != std::string::npos) {
        std::error_code ec;
        if (fs::is_directory(name, ec)) return {label, state::ok, name};
        return {label, state::fail, fmt::format("there is no folder {}", name),
                "mend the configuration, see docs/config.md"};
    }
    const auto found = find_model(known, name);
    if (!found) return failed(label, found.error());
    const auto good = check_model(*found, deep ? thoroughness::contents : thoroughness::sizes);
    if (!good) return failed(label, good.error());
    return {label, state::ok, fmt::format("{}, {:.1f} MB", name, static_cast<double>(found->size_bytes()) / 1e6)};
}

void check_models(const config::settings& settings, bool deep, std::vector<check>& to) {
    const auto known = known_models(share_folder(), cache_folder());
    if (!known) {
        to.push_back(failed("models", known.error()));
        return;
    }
    if (settings.stt.enabled && settings.stt.mode == "moonshine") {
        to.push_back(check_wanted_model("model to hear", settings.stt.model_path, *known, deep));
        to.push_back(check_wanted_model("model of voice activity", settings.stt.vad_model_path, *known, deep));
    }
    if (settings.tts.enabled && settings.tts.mode == "piper")
        to.push_back(check_wanted_model("model to speak", settings.tts.model_path, *known, deep));
}

// Whether this machine lets us listen there now.
result<void> can_listen(const std::string& host, int port) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
    addrinfo* found = nullptr;
    if (const int rc =
            ::getaddrinfo(host.empty() ? nullptr : host.c_str(), std::to_string(port).c_str(), &hints, &found);
        rc != 0)
        return fail(errc::invalid_config, "{} is no address: {}", host, ::gai_strerror(rc));
    const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, &::freeaddrinfo);
    const int fd = ::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return fail(errc::io_failed, "no socket: {}", errno_text(errno));
    const int on = 1;
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    const int failed = ::bind(fd, found->ai_addr, found->ai_addrlen) == 0 ? 0 : errno;
    ::close(fd);
    if (failed != 0) return fail(errc::already_exists, "port {} cannot be used: {}", port, errno_text(failed));
    return {};
}

void check_port(const std::string& name, const std::string& host, int port, const std::string& key,
                std::vector<check>& to) {
    if (port == 0) return;
    if (const auto free = can_listen(host, port); !free)
        to.push_back({name, state::fail, free.error().message,
                      fmt::format("set {} to another port, or to port 0 for a free one", key)});
    else
        to.push_back({name, state::ok, fmt::format("port {} is free", port)});
}

void check_ports(const config::settings& settings, std::vector<check>& to) {
    check_port("http port", settings.http.bind, settings.http.port, "http.port", to);
    if (settings.bus.embedded) check_port("bus port", "127.0.0.1", settings.bus.port, "bus.port", to);
    const auto& bind = settings.telemetry.prometheus_bind;
    const auto colon = bind.rfind(':');
    if (colon == std::string::npos) return;
    int port = 0;
    std::from_chars(bind.data() + colon + 1, bind.data() + bind.size(), port);
    if (port == 0) return;
    // One for each process, in a row.
    int index = 0;
    for (const auto* process : {"loqad", "loqa-stt", "loqa-tts"})
        check_port(fmt::format("metrics port of {}", process), bind.substr(0, colon), port + index++,
                   "telemetry.prometheus_bind", to);
}

void check_sound(std::vector<check>& to) {
    const auto sound = sound_system::open();
    const auto speaker = sound ? sound->speaker_name() : std::string();
    const auto microphone = sound ? sound->microphone_name() : std::string();
    if (speaker.empty())
        to.push_back(
            {"loudspeaker", state::warn, "there is none", "answers go to a file: loqa say FILE.wav --out answer.wav"});
    else
        to.push_back({"loudspeaker", state::ok, speaker});
    if (microphone.empty())
        to.push_back({"microphone", state::warn, "there is none", "say recordings: loqa say FILE.wav"});
    else
        to.push_back({"microphone", state::ok, microphone});
}

check check_instance(const instance_options& options) {
    const std::string name = "running Loqa";
    auto client = client::connect(options);
    if (!client) return failed(name, client.error());
    const auto answer = ask_core(client->bus(), protocol::subject::readiness_get, "{}");
    if (!answer) return failed(name, answer.error());
    const auto readiness = protocol::decode<protocol::readiness>(*answer);
    if (!readiness) return failed(name, readiness.error());
    std::string parts;
    for (const auto& c : readiness->components)
        parts += fmt::format("{}{} {}{}", parts.empty() ? "" : ", ", c.name, c.state,
                             c.detail.empty() ? "" : " (" + c.detail + ")");
    if (readiness->ready) return {name, state::ok, "ready: " + parts};
    return {name, state::fail, "not ready: " + parts, "what it logs says why"};
}

std::string_view word(state how) { return how == state::ok ? "ok" : how == state::warn ? "warn" : "fail"; }

void print_checks(const std::vector<check>& checks) {
    std::size_t width = 0;
    for (const auto& c : checks) width = std::max(width, columns(c.name));
    const auto style = style_of_stdout();
    for (const auto& c : checks) {
        const auto colour = c.how == state::ok ? colour::green : c.how == state::warn ? colour::yellow : colour::red;
        std::string_view rest = c.detail;
        print_line(fmt::format("{}  {}  {}", style.paint(colour, fit(word(c.how), 4)), fit(c.name, width),
                               printable(rest.substr(0, rest.find('\n')))));
        // An error of several lines, as a configuration with several faults has.
        while (rest.find('\n') != std::string_view::npos) {
            rest.remove_prefix(rest.find('\n') + 1);
            print_line(std::string(width + 8, ' ') + printable(rest.substr(0, rest.find('\n'))));
        }
        if (!c.mend.empty()) print_line(std::string(width + 8, ' ') + style.paint(colour::grey, printable(c.mend)));
    }
}

void print_json(const std::vector<check>& checks, bool good) {
    auto all = nlohmann::ordered_json::array();
    for (const auto& c : checks)
        all.push_back({{"name", c.name}, {"state", word(c.how)}, {"detail", c.detail}, {"hint", c.mend}});
    print_line(one_line(nlohmann::ordered_json{{"good", good}, {"checks", all}}));
}

}  // namespace

result<int> doctor(const doctor_options& options) {
    std::vector<check> checks;
    const auto settings = load_settings(options.instance);
    checks.push_back(check_configuration(options.instance, settings));
    // With a broken configuration the rest is judged by the defaults.
    const auto used = settings ? *settings : config::defaults();
    checks.push_back(check_data_folder(used.data_dir));
    checks.push_back(check_disk(used.data_dir));
    checks.push_back(check_clock());
    checks.push_back(check_time_zone(used.session.time_zone));
    for (const auto* program : {"loqad", "loqa-stt", "loqa-tts"}) checks.push_back(check_program(program));
    if (used.bus.embedded) checks.push_back(check_nats_server());
    checks.push_back(check_espeak());
    check_models(used, options.deep, checks);
    check_sound(checks);

    const bool runs = !options.instance.nats.empty() || !used.bus.embedded || bus::read_instance_info(used.data_dir);
    if (runs) {
        checks.push_back(check_instance(options.instance));
    } else {
        checks.push_back({"running Loqa", state::ok, fmt::format("none on {}", used.data_dir.string())});
        check_ports(used, checks);
    }

    const bool good = std::ranges::none_of(checks, [](const check& c) { return c.how == state::fail; });
    if (options.json)
        print_json(checks, good);
    else
        print_checks(checks);
    return good ? 0 : 1;
}

}  // namespace loqa::cli
