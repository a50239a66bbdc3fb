// A recogniser in a process of its own: `loqa` itself links no engine, and starts without their libraries. Stateless.
#pragma once

#include <memory>

#include "loqa/base/result.hpp"
#include "loqa/stt/engines.hpp"

namespace loqa::cli {

result<std::unique_ptr<stt::recognizer>> engine_apart(stt::engine_options options);

}  // namespace loqa::cli
