// A private nats-server, run as a supervised child.
//
// It listens on loopback only, on a free port unless one is given, keeps JetStream in <data>/jetstream, and knows one
// user for each role with a random password made at each start() and just the subjects that the role needs. When the
// server dies it is started again with the same port and passwords, so that clients find it; one that does not answer
// any more is ended first. Thread-safe; owned by whoever runs the instance
// (`loqa up`, or a loqad that runs alone).
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "loqa/base/clock.hpp"
#include "loqa/base/result.hpp"
#include "loqa/telemetry/log.hpp"

namespace loqa::bus {

// Who may connect, and so what a connection may do.
enum class role { core, stt, tts, client };
std::string_view to_string(role role);

struct embedded_server_options {
    std::filesystem::path data_folder;
    std::filesystem::path binary;  // empty: nats-server of the engines folder, or in PATH
    int port = 0;                  // 0: a free one
    milliseconds hang_timeout{0};  // after so long without an answer it is started anew; 0: never
};

class embedded_server {
public:
    // Returns once clients can connect. already_exists when the port is taken, not_found when there is no nats-server.
    static result<std::unique_ptr<embedded_server>> start(embedded_server_options options, telemetry::logger log);
    virtual ~embedded_server() = default;  // stops the server

    virtual std::string server() const = 0;  // nats://127.0.0.1:PORT
    virtual std::string username(role role) const = 0;
    virtual std::string password(role role) const = 0;
    virtual std::string url(role role) const = 0;  // with credentials: nats://user:password@127.0.0.1:PORT
    virtual int pid() const = 0;                   // 0 while it is being restarted
};

// Where the running instance of a data folder says how it is reached: <data>/run/bus.json and <data>/run/http.json,
// both 0600.
struct instance_info {
    std::string nats_url;  // with the client role's credentials
    std::string http_url;
    int pid = 0;
};
result<void> write_bus_info(const std::filesystem::path& data_folder, const std::string& nats_url, int pid);
result<void> write_http_info(const std::filesystem::path& data_folder, const std::string& http_url);
// not_found, with a hint to start one, when none runs.
result<instance_info> read_instance_info(const std::filesystem::path& data_folder);
void remove_instance_info(const std::filesystem::path& data_folder);

}  // namespace loqa::bus
