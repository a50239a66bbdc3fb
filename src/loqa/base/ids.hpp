// Identifiers, encodings and randomness: drawn from the operating system, safe from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "loqa/base/result.hpp"

namespace loqa {

// `bytes` random bytes in lower-case hex. 16 make a turn, session or trace id, 8 a span id.
std::string random_hex(std::size_t bytes);

// A secret fit for a password: 32 random bytes in URL-safe base64 without padding.
std::string random_secret();

std::string base64_encode(std::span<const std::byte> bytes);

// Standard alphabet, padding required; anything else is invalid_message.
result<std::string> base64_decode(std::string_view text);

std::string sha256_hex(std::span<const std::byte> bytes);

}  // namespace loqa
