// Whether a reading can be what was said. Stateless: any thread.
#pragma once

#include <string_view>

#include "loqa/base/clock.hpp"

namespace loqa::stt {

// False when nobody could have said `text` in that much speech, or when a word comes again and again, or a phrase
// twice: recognisers invent such things from noise.
bool plausible(std::string_view text, milliseconds speech);

}  // namespace loqa::stt
