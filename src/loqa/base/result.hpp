// Errors as values.
//
// Every function of the project that can fail returns result<T>. An error is a code to branch on, a sentence for
// people, and the next step to take where there is one; all three survive unchanged to the log, the bus and the command
// line. Value types: safe to copy between threads.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace loqa {

enum class errc : std::uint8_t {
    invalid_argument,  // the caller asked for something that cannot be
    invalid_config,    // a configuration file or variable is wrong
    invalid_message,   // bytes from outside that cannot be read
    not_found,         // a named thing does not exist
    already_exists,    // a named thing exists, or a port or file is taken
    io_failed,         // the operating system said no
    model_missing,     // a model file is not there
    model_truncated,   // a model file is there but not whole
    engine_failed,     // a speech or language engine gave up
    too_long,          // more input than a limit allows
    busy,              // a bounded queue or a concurrency limit is full
    timed_out,         // a deadline passed
    unavailable,       // a part this needs is not reachable
    not_permitted,     // credentials or policy forbid it
    cancelled,         // somebody called it off
    internal,          // a fault of ours
};

// The code's stable name in snake_case: used in metrics labels, JSON and tests.
std::string_view to_string(errc code);

struct error {
    errc code = errc::internal;
    std::string message;  // one sentence: what, where, what was found, what was expected
    std::string hint;     // the next step, a command where there is one; may be empty

    // "message" or "message\n  hint".
    std::string text() const;
};

template <class T = void>
using result = std::expected<T, error>;

// What fail() returns: converts to any result<T>.
class failure : public std::unexpected<loqa::error> {
public:
    explicit failure(loqa::error e) : std::unexpected<loqa::error>(std::move(e)) {}

    template <class... Args>
    failure hint(fmt::format_string<Args...> format, Args&&... args) && {
        this->error().hint = fmt::format(format, std::forward<Args>(args)...);
        return std::move(*this);
    }
};

template <class... Args>
[[nodiscard]] failure fail(errc code, fmt::format_string<Args...> format, Args&&... args) {
    return failure(error{code, fmt::format(format, std::forward<Args>(args)...), {}});
}

// Hands an error on from one result type to another: `if (!x) return fail(std::move(x));`
template <class T>
[[nodiscard]] failure fail(std::expected<T, error>&& failed) {
    return failure(std::move(failed).error());
}
template <class T>
[[nodiscard]] failure fail(const std::expected<T, error>& failed) {
    return failure(failed.error());
}

// errno in words: "Permission denied".
std::string errno_text(int number);

}  // namespace loqa
