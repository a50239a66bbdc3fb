// The sound devices of this machine, through PortAudio: the only file that knows it is sound_device.cpp.
//
// A sound_system is what PortAudio needs for the process: make one, keep it longer than its speakers and microphones.
// Main thread only, but for a microphone's read(). The library's habit of writing to standard error is turned off.
#pragma once

#include <memory>
#include <string>

#include "sound.hpp"

namespace loqa::cli {

class sound_system {
public:
    static result<sound_system> open();
    sound_system(sound_system&& other) noexcept;
    sound_system& operator=(sound_system&&) = delete;
    ~sound_system();

    // Names of the default devices; empty where there is none.
    std::string speaker_name() const;
    std::string microphone_name() const;

    // unavailable, with a way out as hint, when there is no such device or it cannot be opened.
    result<std::unique_ptr<sink>> speaker(pcm_format expected) const;
    result<std::unique_ptr<source>> microphone() const;

private:
    sound_system() = default;
    bool owns_ = true;
};

}  // namespace loqa::cli
