// What is used of sherpa-onnx, apart from the engines that are built on it: sherpa.cpp alone knows the library.
//
// The library ends the process on a file that is not what it expects, so who opens an engine has looked at every file
// before. An engine is used by one thread at a time and outlives its streams.
#pragma once

#include <memory>
#include <string>

#include "loqa/audio/pcm.hpp"
#include "loqa/base/result.hpp"

namespace loqa::stt::sherpa {

// Reads while the samples come.
class live_stream {
public:
    virtual ~live_stream() = default;
    virtual result<void> accept(audio::pcm_view samples) = 0;

    // Nothing more comes: the frames that the model still waited to see the end of are read as well.
    virtual result<void> end() = 0;
    virtual result<std::string> text() = 0;
};

class live_engine {
public:
    virtual ~live_engine() = default;
    virtual result<std::unique_ptr<live_stream>> start() = 0;
};

struct transducer_files {
    std::string encoder, decoder, joiner, tokens;
};
result<std::unique_ptr<live_engine>> open_transducer(const transducer_files& files, int threads);

}  // namespace loqa::stt::sherpa
