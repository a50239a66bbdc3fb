#include <optional>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "loqa/audio/vad.hpp"
#include "loqa/audio/wav.hpp"
#include "loqa/base/ids.hpp"
#include "loqa/base/process.hpp"
#include "loqa/base/text.hpp"
#include "loqa/stt/recognizer.hpp"

namespace loqa::stt {
namespace {

constexpr std::size_t max_output_bytes = 64 * 1024;

// What a person says is nobody else's to read, and not to be left behind.
class private_file {
public:
    static result<private_file> write(const std::string& bytes) {
        private_file made(fs::temp_directory_path() / ("loqa_stt_" + random_hex(8) + ".wav"));
        if (auto done = write_file_atomically(made.path_, bytes, 0600); !done) return fail(std::move(done));
        return made;
    }
    private_file(private_file&& other) noexcept : path_(std::exchange(other.path_, {})) {}
    private_file& operator=(private_file&&) = delete;
    ~private_file() {
        std::error_code ignored;
        if (!path_.empty()) fs::remove(path_, ignored);
    }
    const fs::path& path() const { return path_; }

private:
    explicit private_file(fs::path path) : path_(std::move(path)) {}
    fs::path path_;
};

class command_stream final : public stream {
public:
    command_stream(const std::vector<std::string>& words, const command_options& options)
        : words_(words), options_(options) {}

    result<void> accept(audio::pcm_view samples) override {
        samples_.insert(samples_.end(), samples.begin(), samples.end());
        return {};
    }
    result<hypothesis> read() override { return run(true); }
    result<hypothesis> finish() override { return run(false); }

private:
    result<hypothesis> run(bool more_may_follow) {
        const auto sound = private_file::write(
            audio::wav_bytes({audio::speech_rate_hz, 1, audio::from_s16le(audio::to_s16le(samples_))}));
        if (!sound) return fail(sound);
        process_options start{.command = words_, .environment = {}, .folder = {}, .on_line = {}};
        const auto add = [&](std::string_view option, const std::string& value) {
            if (!value.empty()) start.command.insert(start.command.end(), {std::string(option), value});
        };
        add("--audio", sound->path().string());
        add("--model", options_.model);
        add("--language", options_.language);
        if (more_may_follow) start.command.emplace_back("--partial");

        std::string output, complaint;
        start.on_line = [&](std::string_view line, bool is_stdout) {
            auto& text = is_stdout ? output : complaint;
            if (text.size() + line.size() < max_output_bytes) text.append(line).push_back('\n');
        };
        auto child = child_process::start(std::move(start));
        if (!child) return fail(std::move(child));
        const auto status = child->wait_until(std::chrono::steady_clock::now() + options_.timeout);
        if (!status) {
            child->stop(milliseconds{200});
            return fail(errc::timed_out, "{} gave no text within {} ms", words_[0], options_.timeout.count());
        }
        if (!status->clean()) {
            return fail(errc::engine_failed, "{} ended with {}: {}", words_[0], status->text(), trim(complaint));
        }
        return parse(output);
    }

    result<hypothesis> parse(const std::string& output) const {
        const auto said = nlohmann::json::parse(output, nullptr, false);
        const auto text = said.is_object() ? said.find("text") : said.end();
        if (!said.is_object() || text == said.end() || !text->is_string()) {
            return fail(errc::engine_failed, "{} printed no {{\"text\": …}}, but: {:.80}", words_[0], trim(output));
        }
        const auto confidence = said.find("confidence");
        return hypothesis{std::string(trim(text->get<std::string>())),
                          confidence != said.end() && confidence->is_number() ? confidence->get<float>() : 1.0F};
    }

    const std::vector<std::string>& words_;
    const command_options& options_;
    std::vector<float> samples_;
};

class command final : public recognizer {
public:
    command(std::vector<std::string> words, command_options options)
        : words_(std::move(words)), options_(std::move(options)) {}
    std::unique_ptr<stream> start() override { return std::make_unique<command_stream>(words_, options_); }

private:
    const std::vector<std::string> words_;
    const command_options options_;
};

}  // namespace

result<std::unique_ptr<recognizer>> load_command(const command_options& options) {
    auto words = split_command(options.command);
    if (!words) {
        return fail(errc::invalid_config, "stt.command: {}", words.error().message)
            .hint("Set it to the program to run, or stt.mode to moonshine.");
    }
    return std::make_unique<command>(std::move(*words), options);
}

}  // namespace loqa::stt
