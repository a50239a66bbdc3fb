#include "loqa/base/result.hpp"

#include <system_error>

namespace loqa {

std::string_view to_string(errc code) {
    switch (code) {
        case errc::invalid_argument:
            return "invalid_argument";
        case errc::invalid_config:
            return "invalid_config";
        case errc::invalid_message:
            return "invalid_message";
        case errc::not_found:
            return "not_found";
        case errc::already_exists:
            return "already_exists";
        case errc::io_failed:
            return "io_failed";
        case errc::model_missing:
            return "model_missing";
        case errc::model_truncated:
            return "model_truncated";
        case errc::engine_failed:
            return "engine_failed";
        case errc::too_long:
            return "too_long";
        case errc::busy:
            return "busy";
        case errc::timed_out:
            return "timed_out";
        case errc::unavailable:
            return "unavailable";
        case errc::not_permitted:
            return "not_permitted";
        case errc::cancelled:
            return "cancelled";
        case errc::internal:
            return "internal";
    }
    return "internal";
}

std::string error::text() const { return hint.empty() ? message : message + "\n  " + hint; }

std::string errno_text(int number) { return std::generic_category().message(number); }

}  // namespace loqa
