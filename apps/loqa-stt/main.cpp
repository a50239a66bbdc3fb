// loqa-stt: hears what clients send over the bus and says what was spoken.
#include <fmt/format.h>

#include "common/frame.hpp"
#include "loqa/audio/vad.hpp"
#include "loqa/stt/engines.hpp"
#include "loqa/stt/service.hpp"

namespace {

using namespace loqa;

// Destroyed from the bottom up: first the service, then what it stands on.
struct hearing final : app::part {
    std::unique_ptr<stt::recognizer> engine;
    std::unique_ptr<audio::voice_model> voices;
    std::unique_ptr<stt::sentences> sentences;
    std::unique_ptr<stt::service> service;
    std::string about;

    std::string detail() const override { return about; }
};

result<std::unique_ptr<stt::recognizer>> load_engine(const config::stt_settings& settings) {
    if (settings.mode == "mock") {
        return fail(errc::invalid_config, "stt.mode mock is for tests, and not part of this program")
            .hint("Set stt.mode to moonshine, transducer, whisper or exec.");
    }
    return stt::load_engine(stt::engine_of(settings));
}

// As loqad has them, so that both mean the same by a command. What of the user's cannot be used loqad tells of.
result<intent::collection> load_sentences(const config::settings& from) {
    auto loaded = intent::load_sentences({.language = from.session.locale,
                                          .own = from.session.intents_path,
                                          .skills = from.data_dir / "skills" / "sentences"});
    if (!loaded) return fail(std::move(loaded));
    return std::move(loaded->sentences);
}

result<std::unique_ptr<app::part>> start(app::frame& frame) {
    const auto& settings = frame.settings().stt;
    const auto began = frame.clock().steady();
    auto part = std::make_unique<hearing>();

    auto engine = load_engine(settings);
    if (!engine) return fail(std::move(engine));
    part->engine = std::move(*engine);
    auto voices = audio::load_silero(settings.vad_model_path);
    if (!voices) return fail(std::move(voices));
    part->voices = std::move(*voices);

    const double load_ms = to_ms(frame.clock().steady() - began);
    frame.metrics().gauge("loqa_stt_model_load_ms", "Time to load and warm up the models").set(load_ms);
    part->about = settings.mode == "exec" ? settings.command : settings.model_path;
    frame.log().info("{} and {} are warm after {:.0f} ms", part->about, settings.vad_model_path, load_ms);

    part->sentences = std::make_unique<stt::sentences>(
        frame.bus(), [from = frame.settings()] { return load_sentences(from); }, stt::sentences::options{},
        frame.log());
    auto options = stt::options_from(settings);
    if (settings.listen_again) options.decoder.expect = [of = part->sentences.get()] { return of->expected(); };
    const auto& store = frame.settings().event_store;
    options.session.keep_sound = store.keep_audio && store.retention_mode != "ephemeral";
    auto service =
        stt::service::start(*part->engine, *part->voices, std::move(options),
                            {frame.bus(), frame.clock(), frame.metrics(), frame.tracer(), frame.log(),
                             [of = part->sentences.get()](std::string_view text) { return of->judge(text); }});
    if (!service) return fail(std::move(service));
    part->service = std::move(*service);
    frame.watch("recognition", [of = part->service.get()](auto alive) { of->ask(std::move(alive)); });
    return part;
}

}  // namespace

int main(int argc, char** argv) {
    return app::run({.binary = "loqa-stt",
                     .component = "stt",
                     .description = "Listens to the bus's audio and publishes what was said.",
                     .metrics_port_offset = 1},
                    argc, argv, start);
}
