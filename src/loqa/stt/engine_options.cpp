// Apart from load_engine(), so that who only wants to know which engine is configured links none.
#include "loqa/stt/engines.hpp"

namespace loqa::stt {

engine_options engine_of(const config::stt_settings& settings) {
    return {.name = settings.mode,
            .model = settings.model_path,
            .command = settings.command,
            .language = settings.language,
            .threads = settings.threads,
            .longest = settings.max_utterance + seconds{5},
            .again = {.margin = settings.listen_again_margin},
            .whisper_context_frames = settings.whisper_context_frames};
}

}  // namespace loqa::stt
