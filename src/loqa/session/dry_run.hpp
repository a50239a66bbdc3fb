// What loqad would make of a sentence, without doing any of it: the answer to `session.dry_run`.
//
// Stateless: any thread that may use the interpreter and the previews.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "loqa/intent/understanding.hpp"

namespace loqa::session {

// The words for a command, as far as they are known without carrying it out.
using previewer = std::function<std::optional<std::string>(const intent::recognized&)>;

// `request` is JSON with `text` and perhaps `area`; the answer as docs/protocol.md has it.
std::string dry_run(const std::string& request, const intent::interpreter& meaning, const previewer& preview);

}  // namespace loqa::session
