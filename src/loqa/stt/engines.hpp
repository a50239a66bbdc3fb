// An engine by its name in the configuration, for whoever lets a person choose one. Stateless: any thread.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "loqa/base/files.hpp"
#include "loqa/config/config.hpp"
#include "loqa/stt/recognizer.hpp"

namespace loqa::stt {

struct engine_options {
    std::string name;      // moonshine, transducer, whisper or exec
    std::string model;     // a folder, or the name of an installed model
    std::string command;   // of exec
    std::string language;  // of exec, and of Whisper's models for all languages
    int threads = 2;
    milliseconds longest{30'000};
    second_reading_options again{};  // of moonshine
    int whisper_context_frames = 0;  // of 20 ms that are read at least; 0 reads 30 s however little was said
    milliseconds timeout{10'000};    // of one reading, by an engine that is a process of its own
    std::function<void(const worker_usage&)> on_usage;  // of engines that are a process of their own
};

// As it is configured.
engine_options engine_of(const config::stt_settings& settings);

// invalid_config for a name that is none.
result<std::unique_ptr<recognizer>> load_engine(const engine_options& options);

// load_engine() for whisper alone: a process of its own, so that who links this links no engine.
result<std::unique_ptr<recognizer>> load_whisper(const engine_options& options);

// Where loqa-whisper is, which scripts/setup.sh whisper builds; unavailable when it is not.
result<fs::path> find_whisper();

}  // namespace loqa::stt
