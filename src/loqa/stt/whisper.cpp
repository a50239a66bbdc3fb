#include <array>

#include "loqa/onnx/installed.hpp"
#include "loqa/stt/engines.hpp"

namespace loqa::stt {

result<fs::path> find_whisper() {
    const auto built = cache_folder() / "engines" / "whisper" / "loqa-whisper";
    for (const auto& place : {executable_folder() / "loqa-whisper", built}) {
        std::error_code error;
        if (fs::exists(place, error)) return place;
    }
    return fail(errc::unavailable, "the engine whisper is not installed: there is no {}", built.string())
        .hint("scripts/setup.sh whisper");
}

result<std::unique_ptr<recognizer>> load_whisper(const engine_options& options) {
    const auto program = find_whisper();
    if (!program) return fail(program);
    constexpr std::array<std::string_view, 1> files{"ggml-model.bin"};
    const auto folder = onnx::find_model(options.model, files);
    if (!folder) return fail(folder);
    return load_worker(
        {.command = {program->string(), "--model", (*folder / files[0]).string(), "--language",
                     options.language.empty() ? "en" : options.language, "--threads", std::to_string(options.threads),
                     "--context", std::to_string(options.whisper_context_frames)},
         .mend = "scripts/setup.sh whisper",
         .longest = options.longest,
         .timeout = options.timeout,
         .on_usage = options.on_usage});
}

}  // namespace loqa::stt
