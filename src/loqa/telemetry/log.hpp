// Logs: one line an event, for people or as JSON.
//
// A logger is a small value: copy it, give it fields with with(), keep the copy. Every copy writes to the sink of the
// one it came from. Safe from any thread; each line is written whole, before the call returns. Fields from outside may
// hold anything: control characters are escaped and invalid UTF-8 is replaced.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "loqa/base/clock.hpp"
#include "loqa/base/result.hpp"

namespace loqa::telemetry {

enum class level : std::uint8_t { trace, debug, info, warn, error };

std::string_view to_string(level value);
std::optional<level> parse_level(std::string_view word);

// Names and values, in order. Of two with one name the later counts in JSON.
using fields = std::vector<std::pair<std::string, std::string>>;

class logger {
public:
    // A line without its newline; called by one thread at a time.
    using line_sink = std::function<void(std::string_view line)>;

    // Lines for people have colour when standard error is a terminal.
    static logger to_stderr(std::string process, level minimum, bool json);
    static logger to(line_sink sink, std::string process, level minimum, bool json);
    static logger silent();

    // A logger whose every line carries `more` too, e.g. a session and a trace id.
    logger with(fields more) const;

    bool enabled(level at) const { return out_ && at >= minimum_; }

    // The form all others end in.
    void write(level at, std::string_view message, const fields& more = {}) const;

    template <class... Args>
    void trace(fmt::format_string<Args...> format, Args&&... args) const {
        if (enabled(level::trace)) write(level::trace, fmt::format(format, std::forward<Args>(args)...));
    }
    template <class... Args>
    void debug(fmt::format_string<Args...> format, Args&&... args) const {
        if (enabled(level::debug)) write(level::debug, fmt::format(format, std::forward<Args>(args)...));
    }
    template <class... Args>
    void info(fmt::format_string<Args...> format, Args&&... args) const {
        if (enabled(level::info)) write(level::info, fmt::format(format, std::forward<Args>(args)...));
    }
    template <class... Args>
    void warn(fmt::format_string<Args...> format, Args&&... args) const {
        if (enabled(level::warn)) write(level::warn, fmt::format(format, std::forward<Args>(args)...));
    }
    template <class... Args>
    void error(fmt::format_string<Args...> format, Args&&... args) const {
        if (enabled(level::error)) write(level::error, fmt::format(format, std::forward<Args>(args)...));
    }

    // The error's sentence, with its code and hint as fields.
    void warn(const loqa::error& failed, fields more = {}) const { write_error(level::warn, failed, std::move(more)); }
    void error(const loqa::error& failed, fields more = {}) const {
        write_error(level::error, failed, std::move(more));
    }

private:
    struct output;

    logger(std::shared_ptr<output> out, level minimum) : out_(std::move(out)), minimum_(minimum) {}
    void write_error(level at, const loqa::error& failed, fields more) const;

    std::shared_ptr<output> out_;           // null: silent
    std::shared_ptr<const fields> fields_;  // null: none
    level minimum_;
};

// For what may happen a thousand times a second, such as messages that cannot be read: the first is logged, then at
// most one each period, with the number of those that were not. One object for each kind of event. Safe from any
// thread.
class rate_limited {
public:
    rate_limited(logger log, const clock& clock, level at = level::warn, seconds period = seconds{60})
        : log_(std::move(log)), clock_(clock), at_(at), period_(period) {}

    template <class... Args>
    void operator()(fmt::format_string<Args...> format, Args&&... args) {
        if (const auto skipped = pass()) write(*skipped, fmt::format(format, std::forward<Args>(args)...));
    }

private:
    // How many were held back since the last line, when one may be written now.
    std::optional<std::uint64_t> pass();
    void write(std::uint64_t skipped, const std::string& message) const;

    const logger log_;
    const clock& clock_;
    const level at_;
    const seconds period_;
    std::mutex mutex_;
    std::optional<steady_time> last_;
    std::uint64_t skipped_ = 0;
};

}  // namespace loqa::telemetry
