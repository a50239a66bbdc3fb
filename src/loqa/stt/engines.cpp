#include "loqa/stt/engines.hpp"

namespace loqa::stt {

result<std::unique_ptr<recognizer>> load_engine(const engine_options& options) {
    if (options.name == "moonshine")
        return load_moonshine(
            {.model = options.model, .threads = options.threads, .longest = options.longest, .again = options.again});
    if (options.name == "transducer")
        return load_transducer({.model = options.model, .threads = options.threads, .longest = options.longest});
    if (options.name == "exec")
        return load_command({.command = options.command, .model = options.model, .language = options.language});
    if (options.name == "whisper") return load_whisper(options);
    return fail(errc::invalid_config, "there is no speech recognition engine '{}'", options.name)
        .hint("There are moonshine, transducer, whisper and exec.");
}

}  // namespace loqa::stt
