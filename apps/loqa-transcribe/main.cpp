// loqa-transcribe: an engine of Loqa's without the rest of it. Writes down recordings, as a program for stt.mode exec
// and from a terminal, or with --serve one utterance after the other on a model that stays loaded (docs/engines.md).
#include <cstdint>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/resource.h>

#include "loqa/audio/pcm.hpp"
#include "loqa/audio/recording.hpp"
#include "loqa/audio/vad.hpp"
#include "loqa/stt/engines.hpp"

namespace {

using namespace loqa;
using nlohmann::json;

constexpr std::int64_t longest_request = std::int64_t{60} * audio::speech_rate_hz;  // samples

void answer(json what) {
    rusage own{}, children{};
    getrusage(RUSAGE_SELF, &own);
    getrusage(RUSAGE_CHILDREN, &children);
    const auto milliseconds = [](const timeval& of) { return of.tv_sec * 1000 + of.tv_usec / 1000; };
    what["peak_kb"] = std::max(own.ru_maxrss, children.ru_maxrss);
    what["cpu_ms"] = milliseconds(own.ru_utime) + milliseconds(own.ru_stime) + milliseconds(children.ru_utime) +
                     milliseconds(children.ru_stime);
    std::cout << what.dump(-1, ' ', false, json::error_handler_t::replace) << std::endl;
}

int complain(const error& why) {
    fmt::print(stderr, "loqa-transcribe: {}\n", why.text());
    return 1;
}

result<stt::hypothesis> read(stt::recognizer& engine, audio::pcm_view samples, bool more_may_follow) {
    const auto stream = engine.start();
    // What was said before it became too long is still worth reading.
    if (auto heard = stream->accept(samples); !heard && heard.error().code != errc::too_long)
        return fail(std::move(heard));
    return more_may_follow ? stream->read() : stream->finish();
}

// One request after the other on standard input, until that ends.
int serve(stt::recognizer& engine) {
    answer({{"ready", true}});
    for (std::string line; std::getline(std::cin, line);) {
        const auto header = json::parse(line, nullptr, false);
        const auto count = header.is_object() ? header.value("samples", std::int64_t{-1}) : -1;
        if (count < 0 || count > longest_request)  // what follows cannot be found any more
            return complain({errc::invalid_message, fmt::format("not a request: {:.80}", line), {}});
        std::vector<float> samples(static_cast<std::size_t>(count));
        std::cin.read(reinterpret_cast<char*>(samples.data()),
                      static_cast<std::streamsize>(samples.size() * sizeof(float)));
        if (!std::cin) return 0;
        const auto heard = read(engine, samples, header.value("partial", false));
        if (heard)
            answer({{"text", heard->text}, {"confidence", heard->confidence}});
        else
            answer({{"error", heard.error().message}, {"hint", heard.error().hint}});
    }
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app{"Writes down what is said in recordings, with one of Loqa's engines", "loqa-transcribe"};
    app.set_version_flag("--version", std::string("loqa-transcribe ") + LOQA_VERSION);
    stt::engine_options options{.name = "moonshine", .model = "moonshine-tiny-en", .language = "en"};
    std::vector<std::string> files;
    bool partial = false, keep = false;
    app.add_option("files", files, "WAV files")->type_name("FILE");
    app.add_option("--audio", files, "A WAV file, as stt.mode exec names it")->type_name("FILE");
    app.add_option("--engine", options.name, "moonshine, transducer or whisper")->capture_default_str();
    app.add_option("--model", options.model, "A folder, or the name of an installed model")->capture_default_str();
    app.add_option("--language", options.language, "Of Whisper's models for all languages")->capture_default_str();
    app.add_option("--threads", options.threads, "Processor threads")->check(CLI::Range(1, 64))->capture_default_str();
    app.add_option("--context", options.whisper_context_frames, "Of Whisper: frames of 20 ms read at least")
        ->check(CLI::Range(0, 1500));
    app.add_flag("--partial", partial, "More may follow");
    app.add_flag("--serve", keep, "Take utterances from standard input (docs/engines.md)");
    app.footer(
        "Prints a line {\"text\": …, \"confidence\": …} for each file.\n\nExamples:\n"
        "  loqa-transcribe question.wav\n"
        "  loqa-transcribe --engine whisper --model whisper-base *.wav");
    CLI11_PARSE(app, argc, argv);
    if (!keep && files.empty())
        return complain({errc::invalid_argument, "no file to write down", "loqa-transcribe --help explains it"});

    const auto engine = stt::load_engine(options);
    if (!engine) {
        if (keep) answer({{"error", engine.error().message}, {"hint", engine.error().hint}});
        return complain(engine.error());
    }
    if (keep) return serve(**engine);
    for (const auto& file : files) {
        const auto samples = audio::read_speech(file);
        if (!samples) return complain(samples.error());
        const auto heard = read(**engine, *samples, partial);
        if (!heard) return complain(heard.error());
        std::cout << json{{"text", heard->text}, {"confidence", heard->confidence}}.dump() << std::endl;
    }
    return 0;
}
