#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <map>
#include <numeric>
#include <optional>
#include <thread>

#include <unistd.h>

#include "commands.hpp"
#include "engine_apart.hpp"
#include "json_fields.hpp"
#include "loqa/audio/pcm.hpp"
#include "loqa/audio/recording.hpp"
#include "loqa/audio/vad.hpp"
#include "loqa/base/ids.hpp"
#include "loqa/base/process.hpp"
#include "loqa/base/text.hpp"
#include "loqa/stt/engines.hpp"
#include "model_list.hpp"
#include "terminal.hpp"
#include "word_errors.hpp"

namespace loqa::cli {
namespace {

struct utterance {
    std::string name, said;
    std::vector<float> samples;

    double seconds() const { return static_cast<double>(samples.size()) / audio::speech_rate_hz; }
};

// What is compared: an engine with a model and its settings.
struct contestant {
    std::string name;
    stt::engine_options engine;
};

struct measured {
    std::string name;
    std::size_t words = 0, wrong = 0, exact = 0;
    double load_ms = 0, cpu_ms = 0;
    std::vector<double> latency_ms;
    std::int64_t peak_kb = 0;
    std::optional<error> failure;
    nlohmann::ordered_json mistakes = nlohmann::ordered_json::array();
};

// A slow machine is what is measured, not a fault.
constexpr seconds patience{60};

// Of a home; what a bench without a corpus of its own is spoken from.
constexpr std::array home_commands = {
    "turn on the kitchen lights",
    "turn off all the lights",
    "what time is it",
    "set a timer for ten minutes",
    "how long is left on my pasta timer",
    "cancel the timer",
    "stop",
    "never mind",
    "what is the temperature in the bedroom",
    "set the living room to twenty one degrees",
    "open the blinds in the office",
    "is the front door locked",
};
constexpr std::array flite_voices = {"slt", "rms", "awb", "kal"};
constexpr std::array recordings = {"/usr/share/pocketsphinx/test/data/cards",
                                   "/usr/share/pocketsphinx/test/data/librivox"};

// What was said in which file: NAME.txt beside NAME.wav, or one list for all in a file *transcription or *.trans.txt,
// in lines `NAME words` or `<s> words </s> (NAME)`.
std::map<std::string, std::string> transcripts(const fs::path& folder) {
    std::map<std::string, std::string> all;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error)) {
        const auto file = entry.path().filename().string();
        const bool list = file.ends_with("transcription") || file.ends_with(".trans.txt");
        if (!list && !file.ends_with(".txt")) continue;
        const auto text = read_file(entry.path(), 1u << 20);
        if (!text) continue;
        if (!list) {
            all[entry.path().stem().string()] = trim(*text);
            continue;
        }
        for (const auto& line : split(*text, '\n')) {
            std::string_view rest = trim(line);
            if (rest.starts_with("<s>") && rest.ends_with(")")) {
                const auto open = rest.rfind('(');
                const auto end = rest.find("</s>");
                if (open == std::string_view::npos || end == std::string_view::npos) continue;
                all[std::string(rest.substr(open + 1, rest.size() - open - 2))] = trim(rest.substr(3, end - 3));
            } else if (const auto space = rest.find(' '); space != std::string_view::npos) {
                all[std::string(rest.substr(0, space))] = trim(rest.substr(space + 1));
            }
        }
    }
    return all;
}

result<std::vector<utterance>> read_corpus(const fs::path& folder) {
    std::vector<utterance> all;
    for (const auto& [name, said] : transcripts(folder)) {
        const auto file = folder / (name + ".wav");
        std::error_code error;
        if (!fs::exists(file, error)) continue;
        auto samples = audio::read_speech(file);
        if (!samples) return fail(std::move(samples));
        all.push_back({name, said, std::move(*samples)});
    }
    if (all.empty())
        return fail(errc::not_found, "there is no recording with a transcript in {}", folder.string())
            .hint("Put NAME.wav and NAME.txt there, or a list of `NAME words` in a file named transcription.");
    return all;
}

// Spoken by flite in four voices, where it is installed.
std::vector<utterance> synthesised() {
    std::vector<utterance> all;
    const auto file = fs::temp_directory_path() / ("loqa-bench-" + random_hex(8) + ".wav");
    for (const std::string voice : flite_voices) {
        for (const std::string text : home_commands) {
            auto child = child_process::start({.command = {"flite", "-voice", voice, "-t", text, "-o", file.string()},
                                               .environment = {},
                                               .folder = {},
                                               .on_line = [](std::string_view, bool) {}});
            if (!child) return all;
            const auto ended = child->wait_until(std::chrono::steady_clock::now() + seconds{20});
            auto samples = ended && ended->clean() ? audio::read_speech(file) : result<std::vector<float>>{};
            if (samples && !samples->empty()) all.push_back({voice + ": " + text, text, std::move(*samples)});
        }
    }
    std::error_code ignored;
    fs::remove(file, ignored);
    return all;
}

result<std::vector<utterance>> corpus(const bench_options& options) {
    if (options.corpus) return read_corpus(*options.corpus);
    std::vector<utterance> all = synthesised();
    for (const auto* folder : recordings) {
        if (auto found = read_corpus(folder)) std::ranges::move(*found, std::back_inserter(all));
    }
    if (all.empty())
        return fail(errc::not_found, "there is neither flite nor pocketsphinx-testdata to make utterances with")
            .hint("scripts/setup.sh test, or --corpus FOLDER");
    return all;
}

// ENGINE:MODEL, and for Whisper @FRAMES.
result<contestant> parse_contestant(const std::string& text) {
    contestant made{.name = text, .engine = {}};
    const auto colon = text.find(':');
    if (colon == std::string::npos || colon == 0 || colon + 1 == text.size())
        return fail(errc::invalid_argument, "\"{}\" is no engine with a model", text)
            .hint("ENGINE:MODEL, e.g. moonshine:moonshine-tiny-en or transducer:/path/to/folder");
    made.engine.name = text.substr(0, colon);
    made.engine.model = text.substr(colon + 1);
    if (const auto at = made.engine.model.rfind('@'); at != std::string::npos) {
        made.engine.whisper_context_frames = std::atoi(made.engine.model.c_str() + at + 1);
        made.engine.model.resize(at);
    }
    return made;
}

// All that is installed, Whisper with less than the whole context too.
result<std::vector<contestant>> contestants(const bench_options& options) {
    std::vector<contestant> all;
    std::vector<std::string> wanted = options.engines;
    if (wanted.empty()) {
        const auto known = known_models(share_folder(), cache_folder());
        if (!known) return fail(known);
        for (const auto& m : *known) {
            if (m.kind != "stt" || !check_model(m, thoroughness::sizes)) continue;
            if (m.engine == "whisper") {
                if (!stt::find_whisper()) continue;
                wanted.push_back("whisper:" + m.name + "@512");
                wanted.push_back("whisper:" + m.name + "@768");
            }
            wanted.push_back(m.engine + ":" + m.name);
        }
    }
    for (const auto& each : wanted) {
        auto made = parse_contestant(each);
        if (!made) return fail(std::move(made));
        made->engine.threads = options.threads;
        all.push_back(std::move(*made));
    }
    return all;
}

measured measure(const contestant& who, const std::vector<utterance>& all, int repeat,
                 const std::function<void(std::size_t)>& progress) {
    measured made{.name = who.name, .failure = {}};
    using clock = std::chrono::steady_clock;
    stt::worker_usage used;
    const auto began = clock::now();
    auto options = who.engine;
    options.timeout = patience;
    options.on_usage = [&](const stt::worker_usage& now) { used = now; };
    auto engine = engine_apart(std::move(options));  // so that its memory is its own
    if (!engine) {
        made.failure = std::move(engine).error();
        return made;
    }
    made.load_ms = to_ms(clock::now() - began);
    const auto cpu_of_loading = used.cpu_ms;
    for (int round = 0; round < repeat; ++round) {
        for (std::size_t i = 0; i < all.size(); ++i) {
            const auto stream = (*engine)->start();
            if (auto heard = stream->accept(all[i].samples); !heard && heard.error().code != errc::too_long) {
                made.failure = std::move(heard).error();
                return made;
            }
            const auto asked = clock::now();
            const auto heard = stream->finish();
            made.latency_ms.push_back(to_ms(clock::now() - asked));
            progress(static_cast<std::size_t>(round) * all.size() + i + 1);
            if (!heard) {
                made.failure = heard.error();
                return made;
            }
            if (round > 0) continue;
            const auto said = spoken_words(all[i].said);
            const auto wrong = word_errors(said, spoken_words(heard->text));
            made.words += said.size();
            made.wrong += wrong;
            made.exact += wrong == 0 ? 1 : 0;
            if (wrong > 0)
                made.mistakes.push_back({{"utterance", all[i].name}, {"said", all[i].said}, {"heard", heard->text}});
        }
    }
    made.cpu_ms = static_cast<double>(used.cpu_ms - cpu_of_loading);
    made.peak_kb = used.peak_kb;
    return made;
}

double percentile(std::vector<double> values, double part) {
    if (values.empty()) return 0;
    std::ranges::sort(values);
    const auto index = static_cast<std::size_t>(std::ceil(part * static_cast<double>(values.size())));
    return values[std::clamp<std::size_t>(index, 1, values.size()) - 1];
}

double sum(const std::vector<double>& values) { return std::accumulate(values.begin(), values.end(), 0.0); }

double percent(std::size_t part, std::size_t of) {
    return of == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(of);
}

nlohmann::ordered_json as_json(const measured& m, std::size_t utterances, double speech_s) {
    if (m.failure)
        return {{"engine", m.name}, {"error", {{"code", to_string(m.failure->code)}, {"message", m.failure->message}}}};
    return {{"engine", m.name},
            {"word_error_rate", percent(m.wrong, m.words) / 100},
            {"words", m.words},
            {"wrong_words", m.wrong},
            {"exact_utterances", m.exact},
            {"utterances", utterances},
            {"latency_ms", {{"p50", percentile(m.latency_ms, 0.5)}, {"p95", percentile(m.latency_ms, 0.95)}}},
            {"real_time_factor", sum(m.latency_ms) / 1000 / speech_s},
            {"cpu_ms_per_second", m.cpu_ms / speech_s},
            {"load_ms", m.load_ms},
            {"peak_memory_mb", static_cast<double>(m.peak_kb) / 1024},
            {"mistakes", m.mistakes}};
}

}  // namespace

result<int> bench(const bench_options& options) {
    const auto all = corpus(options);
    if (!all) return fail(all);
    const auto who = contestants(options);
    if (!who) return fail(who);
    if (who->empty()) return fail(errc::not_found, "no recogniser is installed").hint("loqa models pull");

    double speech_s = 0;
    for (const auto& each : *all) speech_s += each.seconds();
    const bool on_terminal = ::isatty(STDERR_FILENO) == 1;
    std::vector<measured> results;
    for (const auto& each : *who) {
        if (!on_terminal) fmt::print(stderr, "{}: {} utterances\n", each.name, all->size());
        results.push_back(measure(each, *all, options.repeat, [&](std::size_t done) {
            if (on_terminal) fmt::print(stderr, "\r\x1b[K{}: {} of {}", each.name, done, all->size() * options.repeat);
        }));
        if (on_terminal) fmt::print(stderr, "\r\x1b[K");
    }
    const double heard_s = speech_s * options.repeat;

    bool any_failed = false;
    for (const auto& m : results) any_failed = any_failed || m.failure;
    if (options.json) {
        auto engines = nlohmann::ordered_json::array();
        for (const auto& m : results) engines.push_back(as_json(m, all->size(), heard_s));
        print_line(one_line(nlohmann::ordered_json{{"utterances", all->size()},
                                                   {"speech_s", speech_s},
                                                   {"threads", options.threads},
                                                   {"processors", std::thread::hardware_concurrency()},
                                                   {"engines", engines}}));
        return any_failed ? 1 : 0;
    }

    std::size_t width = 6;
    for (const auto& m : results) width = std::max(width, m.name.size());
    print_line(fmt::format("{} utterances, {:.1f} s of speech, {} threads of {} processors", all->size(), speech_s,
                           options.threads, std::thread::hardware_concurrency()));
    print_line(fmt::format("{}  {:>6}  {:>6}  {:>7}  {:>7}  {:>5}  {:>8}  {:>7}  {:>6}", fit("engine", width), "wrong",
                           "exact", "p50", "p95", "RTF", "CPU/s", "memory", "load"));
    for (const auto& m : results) {
        if (m.failure) {
            print_line(fmt::format("{}  {}", fit(m.name, width), m.failure->text()));
            continue;
        }
        print_line(fmt::format(
            "{}  {:5.1f}%  {:5.1f}%  {:4.0f} ms  {:4.0f} ms  {:5.2f}  {:5.0f} ms  {:4.0f} MB  {:4.1f} s",
            fit(m.name, width), percent(m.wrong, m.words), percent(m.exact, all->size()), percentile(m.latency_ms, 0.5),
            percentile(m.latency_ms, 0.95), sum(m.latency_ms) / 1000 / heard_s, m.cpu_ms / heard_s,
            static_cast<double>(m.peak_kb) / 1024, m.load_ms / 1000));
    }
    return any_failed ? 1 : 0;
}

}  // namespace loqa::cli
