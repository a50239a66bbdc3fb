// A voice that is somebody's own program.
//
// It is started for each reply, reads one JSON object {"text", "voice", "sample_rate", "channels"} from its standard
// input, and prints lines {"pcm_base64", "final"}: samples of 16 bits, little-endian, at the rate and with the channels
// it was told. A line is on its way as soon as it is printed; "final": true, or a clean exit, ends the reply.
#pragma once

#include <memory>
#include <string>

#include "loqa/base/clock.hpp"
#include "loqa/base/result.hpp"
#include "loqa/tts/voice.hpp"

namespace loqa::tts {

struct command_config {
    std::string command;  // words as in a shell; nothing is expanded
    std::string voice;    // handed on to the program
    int sample_rate_hz = 22'050;
    int channels = 1;
    milliseconds timeout{30'000};  // for one reply
};

// Lets the program say one word, so that what is wrong with it shows now.
result<std::unique_ptr<voice>> load_command(const command_config& config);

}  // namespace loqa::tts
