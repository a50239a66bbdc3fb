// How a command finds and reaches the Loqa that is meant.
//
// Stateless functions, and a client that holds one connection: owned by the command, safe from any thread.
#pragma once

#include <memory>
#include <string>

#include "commands.hpp"
#include "loqa/bus/connection.hpp"
#include "loqa/bus/embedded_server.hpp"
#include "loqa/config/config.hpp"

namespace loqa::cli {

// The configuration with what the command line says over it; paths are absolute.
result<config::settings> load_settings(const instance_options& from);

// The instance that runs on this machine's data folder.
result<bus::instance_info> find_instance(const instance_options& from);

class client {
public:
    // --nats, or the configured outer bus, or the instance of the data folder, whichever is first.
    static result<client> connect(const instance_options& to);

    bus::connection& bus() { return *connection_; }

private:
    client() : metrics_(std::make_unique<telemetry::metrics>()) {}

    std::unique_ptr<telemetry::metrics> metrics_;
    std::unique_ptr<bus::connection> connection_;
};

// The code that a message names; internal where it names none that we know.
errc code_named(std::string_view name);

// A request to loqad whose answer is a JSON object in text. An answer {"error": {code, message, hint}} becomes that
// error; that nobody answers, a sentence for people.
result<std::string> ask_core(bus::connection& bus, std::string_view subject, std::string_view payload,
                             milliseconds timeout = milliseconds(5000));

}  // namespace loqa::cli
