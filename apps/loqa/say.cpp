#include <cstdio>
#include <utility>

#include "client.hpp"
#include "commands.hpp"
#include "output.hpp"
#include "sound_device.hpp"
#include "terminal.hpp"
#include "turn.hpp"

namespace loqa::cli {
namespace {

constexpr int least_rate_hz = 8'000;
constexpr int most_rate_hz = 48'000;

result<std::string> read_standard_input() {
    std::string bytes;
    char block[65536];
    for (std::size_t n = 0; (n = std::fread(block, 1, sizeof block, stdin)) > 0;) {
        bytes.append(block, n);
        if (bytes.size() > audio::max_wav_bytes)
            return fail(errc::too_long, "standard input has more than {} bytes", audio::max_wav_bytes);
    }
    return bytes;
}

result<audio::clip> read_recording(const std::string& file) {
    auto clip = [&]() -> result<audio::clip> {
        if (file != "-") return audio::read_wav(file);
        auto bytes = read_standard_input();
        if (!bytes) return fail(std::move(bytes));
        return audio::parse_wav(*bytes);
    }();
    const auto name = file == "-" ? "standard input" : file;
    if (!clip) {
        if (file == "-") clip.error().message = "standard input: " + clip.error().message;
        return clip;
    }
    if (clip->samples.empty()) return fail(errc::invalid_message, "{} has no sound in it", name);
    if (clip->sample_rate_hz < least_rate_hz || clip->sample_rate_hz > most_rate_hz || clip->channels > 2)
        return fail(errc::invalid_message, "{} has {} Hz and {} channel{}, Loqa hears {} to {} Hz and 1 or 2 channels",
                    name, clip->sample_rate_hz, clip->channels, clip->channels == 1 ? "" : "s", least_rate_hz,
                    most_rate_hz)
            .hint("convert it, e.g.: sox in.wav -r 16000 -c 1 out.wav");
    return clip;
}

}  // namespace

result<int> say(const say_options& options) {
    const real_clock clock;
    auto output = output::open(options.out, options.files.size(), clock);
    if (!output) return fail(std::move(output));
    // What cannot be read should be known before anything is said.
    std::vector<std::unique_ptr<source>> sources;
    if (options.microphone) {
        auto opened = output->devices();
        if (!opened) return fail(opened);
        auto microphone = (*opened)->microphone();
        if (!microphone) return fail(std::move(microphone));
        sources.push_back(std::move(*microphone));
    }
    for (const auto& file : options.files) {
        auto clip = read_recording(file);
        if (!clip) return fail(std::move(clip));
        sources.push_back(spoken(std::move(*clip), clock));
    }
    auto client = client::connect(options.instance);
    if (!client) return fail(std::move(client));

    int unanswered = 0;
    std::string session;  // goes on while Loqa asks: the next words are the answer to its question
    for (std::size_t i = 0; i < sources.size();) {
        auto to = output->next();
        if (!to) return fail(std::move(to));
        if (options.microphone) fmt::print(stderr, "speak now\n");
        const auto report = say_turn(client->bus(), clock, *sources[i], **to,
                                     {.patience = options.timeout,
                                      .mark_end = options.mark_end,
                                      .session = std::exchange(session, {}),
                                      .area = options.area});
        const auto file = options.files.empty() ? std::string() : options.files[i];
        if (!report.answered()) ++unanswered;
        if (report.listens) session = report.session_id;
        if (!report.listens || !options.microphone) ++i;
        if (options.json) {
            print_line(to_json(report, file));
            continue;
        }
        if (sources.size() > 1) print_line((i > 1 ? "\n" : "") + file);
        print(report);
    }
    return unanswered == 0 ? 0 : 1;
}

}  // namespace loqa::cli
