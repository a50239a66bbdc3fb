// loqa-whisper: whisper.cpp as a worker, one that keeps its model loaded and is asked on its standard input
// (docs/engines.md has the form). A process of its own: the library ends the process when it runs out of memory.
//
// Whisper writes down speech that nobody spoke when it is given silence. What it says is taken for speech only if the
// sound has energy, the model's own idea of "nobody speaks" is not the likelier one, and its tokens were no guesses.
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <iostream>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>
#include <sys/resource.h>
#include <whisper.h>

namespace {

using nlohmann::json;

constexpr int rate_hz = 16'000;
constexpr std::size_t longest_samples = 60 * rate_hz;
constexpr int samples_a_frame = 320;        // of what the encoder attends to
constexpr int whole_context_frames = 1500;  // 30 s
constexpr float audible = 0.003F;           // RMS of the loudest tenth of a second
constexpr float surely_nobody = 0.8F, perhaps_nobody = 0.5F;
constexpr double guessed_logprob = -1.0;

struct arguments {
    std::string model, language = "en";
    int threads = 2;
    int context_frames = 0;  // 0: all of them, as the model was trained
};

[[noreturn]] void wrong_usage() {
    std::cerr << "Usage: loqa-whisper --model FILE [--language CODE] [--threads N] [--context FRAMES]\n";
    std::exit(2);
}

arguments parse(std::span<char*> words) {
    arguments all;
    for (std::size_t i = 1; i < words.size(); i += 2) {
        const std::string_view option = words[i];
        if (i + 1 == words.size()) wrong_usage();
        const std::string_view value = words[i + 1];
        const auto number = [&](int& into) {
            const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), into);
            if (error != std::errc{} || end != value.data() + value.size() || into < 0) wrong_usage();
        };
        if (option == "--model")
            all.model = value;
        else if (option == "--language")
            all.language = value;
        else if (option == "--threads")
            number(all.threads);
        else if (option == "--context")
            number(all.context_frames);
        else
            wrong_usage();
    }
    if (all.model.empty()) wrong_usage();
    return all;
}

void answer(json what) {
    rusage used{};
    getrusage(RUSAGE_SELF, &used);
    const auto milliseconds = [](const timeval& of) { return of.tv_sec * 1000 + of.tv_usec / 1000; };
    what["peak_kb"] = used.ru_maxrss;
    what["cpu_ms"] = milliseconds(used.ru_utime) + milliseconds(used.ru_stime);
    std::cout << what.dump(-1, ' ', false, json::error_handler_t::replace) << std::endl;
}

bool can_be_heard(std::span<const float> samples) {
    constexpr std::size_t window = rate_hz / 10;
    for (std::size_t at = 0; at < samples.size(); at += window) {
        const auto part = samples.subspan(at, std::min(window, samples.size() - at));
        double energy = 0;
        for (const float sample : part) energy += static_cast<double>(sample) * sample;
        if (std::sqrt(energy / static_cast<double>(part.size())) > audible) return true;
    }
    return false;
}

struct free_context {
    void operator()(whisper_context* of) const { whisper_free(of); }
};
using context = std::unique_ptr<whisper_context, free_context>;

json read(whisper_context* model, const arguments& with, std::span<const float> samples) {
    if (!can_be_heard(samples)) return {{"text", ""}, {"confidence", 1.0}};

    auto how = whisper_full_default_params(WHISPER_SAMPLING_GREEDY);
    how.n_threads = with.threads;
    how.language = with.language.c_str();
    how.no_context = true;  // what was said before is no reason to hear it again
    how.no_timestamps = true;
    how.single_segment = true;
    how.suppress_blank = true;
    how.suppress_nst = true;
    how.temperature_inc = 0;  // one try: another would come too late
    how.print_progress = how.print_realtime = how.print_timestamps = how.print_special = false;
    if (with.context_frames > 0) {
        // Never less than what was said, or its end is not heard.
        const int needed = static_cast<int>(samples.size()) / samples_a_frame + 64;
        how.audio_ctx = std::min(std::max(with.context_frames, needed), whole_context_frames);
    }
    if (whisper_full(model, how, samples.data(), static_cast<int>(samples.size())) != 0)
        return {{"error", "whisper.cpp gave up"}};

    std::string text;
    double logprob = 0;
    int tokens = 0;
    float nobody = 0;
    for (int segment = 0; segment < whisper_full_n_segments(model); ++segment) {
        text += whisper_full_get_segment_text(model, segment);
        nobody = std::max(nobody, whisper_full_get_segment_no_speech_prob(model, segment));
        for (int token = 0; token < whisper_full_n_tokens(model, segment); ++token, ++tokens)
            logprob += std::log(std::max(whisper_full_get_token_p(model, segment, token), 1e-10F));
    }
    const double mean = tokens > 0 ? logprob / tokens : 0;
    const bool nobody_spoke =
        nobody > surely_nobody || (nobody > perhaps_nobody && mean < guessed_logprob / 2) || mean < guessed_logprob;
    return {{"text", nobody_spoke ? "" : text}, {"confidence", std::exp(mean)}, {"no_speech", nobody}};
}

// The samples of the next request; nothing at the end of the input.
std::optional<std::vector<float>> next_request() {
    std::string line;
    if (!std::getline(std::cin, line)) return std::nullopt;
    const auto header = json::parse(line, nullptr, false);
    const auto count = header.is_object() ? header.value("samples", std::int64_t{-1}) : -1;
    if (count < 0 || static_cast<std::size_t>(count) > longest_samples) {
        // What follows cannot be found any more.
        std::cerr << "not a request: " << line.substr(0, 80) << '\n';
        std::exit(1);
    }
    std::vector<float> samples(static_cast<std::size_t>(count));
    std::cin.read(reinterpret_cast<char*>(samples.data()),
                  static_cast<std::streamsize>(samples.size() * sizeof(float)));
    if (!std::cin) return std::nullopt;
    return samples;
}

// The library reads on after the end of a file that was cut off, and believes the numbers that it finds.
bool looks_like_a_model(const std::string& file) {
    std::array<char, 4> magic{};
    std::ifstream in(file, std::ios::binary);
    return in.read(magic.data(), magic.size()) && std::string_view(magic.data(), magic.size()) == "lmgg";
}

}  // namespace

int main(int argc, char** argv) {
    const auto with = parse({argv, static_cast<std::size_t>(argc)});
    std::ios::sync_with_stdio(false);
    whisper_log_set(
        [](ggml_log_level level, const char* text, void*) {
            if (level == GGML_LOG_LEVEL_ERROR) std::cerr << text;
        },
        nullptr);

    if (!looks_like_a_model(with.model)) {
        answer({{"error", "model file " + with.model + " is missing, or is no whisper.cpp model"},
                {"hint", "Fetch it: loqa models pull whisper-tiny-en"}});
        return 1;
    }
    auto settings = whisper_context_default_params();
    settings.use_gpu = false;
    const context model(whisper_init_from_file_with_params(with.model.c_str(), settings));
    if (!model) {
        answer({{"error", "model file " + with.model + " is not whole"}, {"hint", "Check it: loqa models verify"}});
        return 1;
    }
    answer({{"ready", true}, {"engine", std::string("whisper.cpp ") + whisper_version()}});
    while (const auto samples = next_request()) answer(read(model.get(), with, *samples));
    return 0;
}
