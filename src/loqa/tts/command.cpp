#include "loqa/tts/command.hpp"

#include <csignal>
#include <mutex>
#include <thread>
#include <utility>

#include <nlohmann/json.hpp>

#include "loqa/audio/pcm.hpp"
#include "loqa/base/bounded_queue.hpp"
#include "loqa/base/ids.hpp"
#include "loqa/base/process.hpp"
#include "loqa/base/text.hpp"

namespace loqa::tts {

namespace {

using json = nlohmann::json;

constexpr std::size_t max_line_bytes = 4u << 20;  // about a minute of samples
constexpr std::size_t max_waiting_lines = 1024;
constexpr std::size_t max_complaint_bytes = 1024;

struct output_line {
    std::vector<float> samples;
    bool final = false;
};

result<output_line> parse(std::string_view line, int channels, const std::string& program) {
    const auto unreadable = [&] {
        return fail(errc::engine_failed, "{} printed no {{\"pcm_base64\": …, \"final\": …}}, but: {:.80}", program,
                    line);
    };
    const auto read = json::parse(line, nullptr, false);
    if (!read.is_object()) return unreadable();
    const auto pcm = read.find("pcm_base64");
    const auto final = read.find("final");
    if (pcm == read.end() || !pcm->is_string() || (final != read.end() && !final->is_boolean())) return unreadable();
    const auto bytes = base64_decode(pcm->get_ref<const std::string&>());
    if (!bytes) return unreadable();
    return output_line{audio::mono_from_s16le(*bytes, channels), final != read.end() && final->get<bool>()};
}

class command_speech final : public speech {
public:
    static result<std::unique_ptr<speech>> start(const std::vector<std::string>& words, const command_config& config,
                                                 std::string_view text) {
        std::unique_ptr<command_speech> made(new command_speech(words[0], config));
        const json request{{"text", text},
                           {"voice", config.voice},
                           {"sample_rate", config.sample_rate_hz},
                           {"channels", config.channels}};
        auto child = child_process::start(
            {.command = words,
             .environment = {},
             .folder = {},
             .input = request.dump(-1, ' ', false, json::error_handler_t::replace),
             .on_line = [self = made.get()](std::string_view line, bool is_stdout) { self->take(line, is_stdout); },
             .max_line_bytes = max_line_bytes});
        if (!child) return fail(std::move(child));
        made->child_.emplace(std::move(*child));
        made->waiter_ = std::thread([self = made.get()] { self->wait(); });
        return made;
    }

    ~command_speech() override {
        if (child_) child_->send_signal(SIGKILL);  // it has said all, or nobody wants the rest
        if (waiter_.joinable()) waiter_.join();
    }

    result<piece> next() override {
        for (;;) {
            const auto line = lines_.pop();
            if (!line) return after_the_end();
            if (trim(*line).empty()) continue;
            auto read = parse(*line, channels_, program_);
            if (!read) return fail(std::move(read));
            return piece{.samples = std::move(read->samples), .last = read->final};
        }
    }

private:
    command_speech(std::string program, const command_config& config)
        : program_(std::move(program)), channels_(config.channels), timeout_(config.timeout) {}

    void take(std::string_view line, bool is_stdout) {
        if (is_stdout) {
            lines_.push(std::string(line));
            return;
        }
        std::lock_guard lock(mutex_);
        if (complaint_.size() + line.size() < max_complaint_bytes) complaint_.append(line).push_back('\n');
    }

    void wait() {
        auto ended = child_->wait_until(std::chrono::steady_clock::now() + timeout_);
        const bool in_time = ended.has_value();
        if (!in_time) ended = child_->stop(milliseconds{200});
        {
            std::lock_guard lock(mutex_);
            timed_out_ = !in_time;
            ended_ = ended;
        }
        lines_.close();
    }

    result<piece> after_the_end() {
        std::lock_guard lock(mutex_);
        if (timed_out_) return fail(errc::timed_out, "{} was not done after {} ms", program_, timeout_.count());
        if (!ended_->clean())
            return fail(errc::engine_failed, "{} ended with {}: {}", program_, ended_->text(), trim(complaint_));
        if (lines_.dropped() > 0)
            return fail(errc::too_long, "{} printed more than {} lines ahead of its voice", program_,
                        max_waiting_lines);
        return piece{.samples = {}, .last = true};
    }

    const std::string program_;
    const int channels_;
    const milliseconds timeout_;
    bounded_queue<std::string> lines_{max_waiting_lines, overflow::reject_newest};
    std::mutex mutex_;
    std::string complaint_;             // what it printed on standard error; under mutex_
    bool timed_out_ = false;            // under mutex_
    std::optional<exit_status> ended_;  // under mutex_; there once lines_ is closed
    std::optional<child_process> child_;
    std::thread waiter_;
};

class command_voice final : public voice {
public:
    command_voice(std::vector<std::string> words, command_config config)
        : words_(std::move(words)), config_(std::move(config)) {}
    std::string name() const override { return words_[0]; }
    int sample_rate_hz() const override { return config_.sample_rate_hz; }
    result<std::unique_ptr<speech>> speak(std::string_view text) override {
        return command_speech::start(words_, config_, text);
    }

private:
    const std::vector<std::string> words_;
    const command_config config_;
};

}  // namespace

result<std::unique_ptr<voice>> load_command(const command_config& config) {
    auto words = split_command(config.command);
    if (!words) return fail(errc::invalid_config, "tts.command: {}", words.error().message).hint("set tts.command");
    auto made = std::make_unique<command_voice>(std::move(*words), config);
    auto said = say_all(*made, "Ready.");
    if (!said) return fail(std::move(said));
    if (said->empty()) return fail(errc::engine_failed, "{} said nothing when asked to say \"Ready.\"", made->name());
    return made;
}

}  // namespace loqa::tts
