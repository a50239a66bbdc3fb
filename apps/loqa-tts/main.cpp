// loqa-tts: the voice of this node, on the bus.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "common/frame.hpp"
#include "loqa/base/files.hpp"
#include "loqa/base/text.hpp"
#include "loqa/tts/cache.hpp"
#include "loqa/tts/command.hpp"
#include "loqa/tts/earcon.hpp"
#include "loqa/tts/espeak.hpp"
#include "loqa/tts/kokoro.hpp"
#include "loqa/tts/piper.hpp"
#include "loqa/tts/service.hpp"
#include "loqa/tts/standby.hpp"

namespace {

using namespace loqa;

result<std::unique_ptr<tts::voice>> load_voice(const config::tts_settings& settings, tts::espeak* espeak) {
    if (settings.mode == "piper" && espeak)
        return tts::load_piper({.model = settings.model_path, .threads = settings.threads}, *espeak);
    if (settings.mode == "kokoro" && espeak)
        return tts::load_kokoro({.model = settings.model_path, .speaker = settings.voice, .threads = settings.threads},
                                *espeak);
    if (settings.mode == "exec")
        return tts::load_command({.command = settings.command,
                                  .voice = settings.voice,
                                  .sample_rate_hz = settings.sample_rate_hz,
                                  .channels = settings.channels});
    return fail(errc::invalid_config, "tts.mode '{}' has no engine in this binary", settings.mode)
        .hint("set tts.mode to piper, kokoro or exec");
}

// What is said so often that it is worth having from the start: one reply a line. Lines that begin with # are notes.
std::vector<std::string> usual_replies() {
    std::vector<std::string> replies;
    for (const auto& line : split(read_file(share_folder() / "replies" / "en.txt").value_or(""), '\n'))
        if (const auto reply = trim(line); !reply.empty() && !reply.starts_with('#')) replies.emplace_back(reply);
    return replies;
}

constexpr seconds voice_retry{5};
constexpr const char* plain_accent = "en-us";

// Says in the status which voice speaks, and why where it is not the one that is wanted.
std::string said_by(const tts::voice& voice) {
    const auto why = voice.lacking();
    return why ? fmt::format("{}, since {}", voice.name(), why->text()) : voice.name();
}

class speaking final : public app::part {
public:
    static result<std::unique_ptr<app::part>> start(app::frame& frame);
    ~speaking() override {
        if (standby_ != nullptr) standby_->stop();  // its thread uses the service
    }
    bool ready() const override { return false; }  // it says so when its voice is there, or another instead

private:
    void use(const tts::voice& loaded, app::frame& frame);

    steady_time begun_;
    tts::standby_voice* standby_ = nullptr;  // the engine, where another voice can stand in for it
    // Each uses those above it.
    std::unique_ptr<tts::espeak> espeak_;
    std::unique_ptr<tts::voice> fallback_, engine_, voice_;
    std::unique_ptr<tts::sound_cache> cache_;
    std::unique_ptr<tts::service> service_;
};

result<std::unique_ptr<app::part>> speaking::start(app::frame& frame) {
    const auto& settings = frame.settings().tts;
    auto made = std::make_unique<speaking>();
    auto espeak = tts::espeak::load();
    if (!espeak && settings.mode != "exec") return fail(std::move(espeak));
    if (espeak) {
        made->espeak_ = std::move(*espeak);
        if (auto ok = made->espeak_->set_voice(plain_accent); !ok) return fail(std::move(ok));
        made->fallback_ = tts::make_espeak_voice(*made->espeak_);
    }

    made->begun_ = frame.clock().steady();
    if (made->fallback_) {
        auto waits = std::make_unique<tts::standby_voice>(
            [settings, espeak = made->espeak_.get()] { return load_voice(settings, espeak); }, *made->fallback_,
            voice_retry, frame.log(),
            tts::standby_voice::events{
                .on_loaded = [self = made.get(), &frame](const tts::voice& loaded) { self->use(loaded, frame); },
                .on_failed =
                    [self = made.get(), &frame](const error& why) {
                        // What is configured wrong is to be set right; for what is missing or broken another voice
                        // stands in.
                        if (why.code == errc::invalid_config) return frame.give_up(why);
                        frame.log().error(why, {{"said_by", self->voice_->name()}});
                        frame.set_state("ready", said_by(*self->voice_));
                        frame.log().info("ready");
                    }});
        made->standby_ = waits.get();
        made->engine_ = std::move(waits);
    } else {
        auto voice = load_voice(settings, nullptr);
        if (!voice) return fail(std::move(voice));
        made->engine_ = std::move(*voice);
    }
    made->voice_ = tts::with_earcons(*made->engine_);

    constexpr auto mebibyte = std::size_t{1} << 20;
    made->cache_ = std::make_unique<tts::sound_cache>(
        tts::cache_options{.memory_bytes = static_cast<std::size_t>(settings.cache_memory_mb) * mebibyte,
                           .folder = settings.cache_path,
                           .disk_bytes = static_cast<std::size_t>(settings.cache_disk_mb) * mebibyte},
        frame.clock(), frame.metrics(), frame.log());

    auto service = tts::service::start(frame.bus(), *made->voice_, made->fallback_.get(), *made->cache_,
                                       {.max_pending = static_cast<std::size_t>(settings.max_pending),
                                        .max_text_bytes = static_cast<std::size_t>(settings.max_text_bytes),
                                        .chunk_duration = settings.chunk_duration,
                                        .sample_rate_hz = settings.sample_rate_hz,
                                        .channels = settings.channels,
                                        .volume_file = frame.settings().data_dir / "volumes.json",
                                        .default_privacy = frame.settings().event_store.retention_mode},
                                       frame.clock(), frame.metrics(), frame.tracer(), frame.log());
    if (!service) return fail(std::move(service));
    made->service_ = std::move(*service);
    frame.watch("synthesis", [of = made->service_.get()](auto alive) { of->ask(std::move(alive)); });
    if (made->standby_ != nullptr)
        made->standby_->start();
    else
        made->use(*made->engine_, frame);
    return made;
}

// What is said often is made ahead with the voice that is wanted.
void speaking::use(const tts::voice& loaded, app::frame& frame) {
    const auto took = to_ms(frame.clock().steady() - begun_);
    frame.metrics().gauge("loqa_tts_model_load_ms", "From the start of loading the voice to its first words").set(took);
    frame.log().info("voice {} loaded and warm after {:.0f} ms", loaded.name(), took);
    service_->warm(usual_replies());
    frame.set_state("ready", loaded.name());
    frame.log().info("ready");
}

}  // namespace

int main(int argc, char** argv) {
    return app::run({.binary = "loqa-tts",
                     .component = "tts",
                     .description = "Loqa's voice: says what is asked for on the bus",
                     .metrics_port_offset = 2},
                    argc, argv, speaking::start);
}
