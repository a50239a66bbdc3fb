#include "engine_apart.hpp"

#include <string>
#include <utility>

#include "loqa/base/files.hpp"

namespace loqa::cli {

result<std::unique_ptr<stt::recognizer>> engine_apart(stt::engine_options options) {
    if (options.name == "whisper") return stt::load_whisper(options);
    if (options.name == "exec")
        return stt::load_command({.command = options.command, .model = options.model, .language = options.language});
    return stt::load_worker(
        {.command = {(executable_folder() / "loqa-transcribe").string(), "--serve", "--engine", options.name, "--model",
                     options.model, "--threads", std::to_string(options.threads)},
         .mend = "scripts/setup.sh",
         .timeout = options.timeout,
         .on_usage = std::move(options.on_usage)});
}

}  // namespace loqa::cli
