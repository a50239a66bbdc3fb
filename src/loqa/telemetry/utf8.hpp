// Text that comes from outside, made fit for formats that demand UTF-8. Internal to the module; stateless.
#pragma once

#include <string>
#include <string_view>

namespace loqa::telemetry {

// The text with every byte that is not part of a well-formed character replaced by U+FFFD.
std::string to_valid_utf8(std::string_view text);

}  // namespace loqa::telemetry
