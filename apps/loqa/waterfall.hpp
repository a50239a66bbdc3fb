// A trace as a picture in text: one line a span, indented below its parent, with a bar that shows when it ran.
// Stateless; any thread.
#pragma once

#include <string>
#include <vector>

#include "loqa/telemetry/trace.hpp"
#include "terminal.hpp"

namespace loqa::cli {

// Lines without a line end, each at most style.width columns. Spans may come in any order, from clocks that differ, and
// with parents that never arrived.
std::vector<std::string> waterfall(std::vector<telemetry::span> spans, const style& style);

}  // namespace loqa::cli
