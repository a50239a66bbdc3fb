#include "loqa/base/clock.hpp"

#include <fmt/chrono.h>

namespace loqa {

std::string to_rfc3339(wall_time time) {
    const auto ms = std::chrono::floor<milliseconds>(time);
    const auto whole = std::chrono::floor<seconds>(ms);
    return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(std::chrono::system_clock::to_time_t(whole)),
                       (ms - whole).count());
}

}  // namespace loqa
