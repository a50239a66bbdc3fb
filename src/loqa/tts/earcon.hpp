// Short sounds that say more than words would: a request whose text is the bell character is answered with one.
//
// with_earcons() is a voice that hands every other text on to the one below it, which must outlive it; used as that is.
#pragma once

#include <memory>
#include <string_view>

#include "loqa/protocol/messages.hpp"
#include "loqa/tts/voice.hpp"

namespace loqa::tts {

using protocol::earcon_done;

std::unique_ptr<voice> with_earcons(voice& below);

}  // namespace loqa::tts
