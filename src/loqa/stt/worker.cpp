#include <condition_variable>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "loqa/audio/vad.hpp"
#include "loqa/base/bounded_queue.hpp"
#include "loqa/base/process.hpp"
#include "loqa/base/text.hpp"
#include "loqa/stt/recognizer.hpp"

namespace loqa::stt {
namespace {

constexpr std::size_t answers_at_most = 16;  // that wait; one that converses as it should has one
constexpr std::size_t complaint_bytes = 400;

// One run of the program.
class conversation {
public:
    static result<std::unique_ptr<conversation>> start(const worker_options& options,
                                                       const std::vector<std::string>& words) {
        auto made = std::unique_ptr<conversation>(new conversation(words[0]));
        auto child = child_process::start(
            {.command = words,
             .environment = {},
             .folder = {},
             .converse = true,
             .on_line = [&to = *made](std::string_view line, bool is_stdout) { to.take(line, is_stdout); }});
        if (!child) return fail(std::move(child)).hint("{}", options.mend);
        made->child_.emplace(std::move(*child));
        made->on_usage_ = options.on_usage;
        // Once its model is loaded it says so.
        auto ready = made->next(std::chrono::steady_clock::now() + options.start_timeout);
        if (!ready) {
            auto failed = fail(std::move(ready));
            if (failed.error().hint.empty()) return std::move(failed).hint("{}", options.mend);
            return failed;
        }
        return made;
    }

    ~conversation() {
        if (child_) child_->stop(milliseconds{200});
    }
    conversation(const conversation&) = delete;
    conversation& operator=(const conversation&) = delete;

    result<hypothesis> read(audio::pcm_view samples, bool more_may_follow, steady_time deadline) {
        const nlohmann::json header{{"samples", samples.size()}, {"partial", more_may_follow}};
        std::string request = header.dump() + '\n';
        request.append(reinterpret_cast<const char*>(samples.data()), samples.size_bytes());
        if (auto said = child_->say(request, deadline); !said) return fail(std::move(said));
        const auto answer = next(deadline);
        if (!answer) return fail(answer);
        const auto text = answer->find("text");
        if (text == answer->end() || !text->is_string())
            return fail(errc::engine_failed, "{} gave no text, but: {:.80}", name_, answer->dump());
        if (on_usage_)
            on_usage_({.peak_kb = answer->value("peak_kb", std::int64_t{0}),
                       .cpu_ms = answer->value("cpu_ms", std::int64_t{0})});
        const auto confidence = answer->find("confidence");
        return hypothesis{std::string(trim(text->get<std::string>())),
                          confidence != answer->end() && confidence->is_number() ? confidence->get<float>() : 1.0F};
    }

private:
    explicit conversation(std::string name) : name_(std::move(name)) {}

    void take(std::string_view line, bool is_stdout) {
        if (is_stdout) {
            answers_.push(std::string(line));
            return;
        }
        const std::lock_guard lock(mutex_);
        complaint_ = line.substr(0, complaint_bytes);
    }

    // {"error": …} in its place is a fault of this request alone; anything else that is no object ends the
    // conversation.
    result<nlohmann::json> next(steady_time deadline) {
        for (;;) {
            // In steps, since a program that has ended answers no more.
            const auto step = std::min(deadline, std::chrono::steady_clock::now() + milliseconds{50});
            if (const auto line = answers_.pop_until(step)) {
                auto answer = nlohmann::json::parse(*line, nullptr, false);
                if (!answer.is_object())
                    return fail(errc::engine_failed, "{} answered with no JSON object: {:.80}", name_, *line);
                if (const auto why = answer.find("error"); why != answer.end() && why->is_string()) {
                    const auto hint = answer.find("hint");
                    return fail(errc::invalid_argument, "{}", why->get<std::string>())
                        .hint("{}", hint != answer.end() && hint->is_string() ? hint->get<std::string>() : "");
                }
                return answer;
            }
            const auto now = std::chrono::steady_clock::now();
            if (const auto ended = child_->wait_until(now)) {
                const std::lock_guard lock(mutex_);
                return fail(errc::engine_failed, "{} ended with {}{}{}", name_, ended->text(),
                            complaint_.empty() ? "" : ": ", complaint_);
            }
            if (now >= deadline) return fail(errc::timed_out, "{} did not answer in time", name_);
        }
    }

    const std::string name_;
    std::function<void(const worker_usage&)> on_usage_;
    bounded_queue<std::string> answers_{answers_at_most, overflow::drop_oldest};
    std::mutex mutex_;
    std::string complaint_;  // its last line on standard error
    std::optional<child_process> child_;
};

// Starts the program, and again when it has ended.
class worker final : public recognizer {
public:
    worker(std::vector<std::string> words, worker_options options)
        : words_(std::move(words)), options_(std::move(options)) {}

    result<void> warm_up() {
        auto read = this->read(std::vector<float>(audio::speech_rate_hz), false, options_.start_timeout);
        if (!read) return fail(std::move(read));
        return {};
    }

    result<hypothesis> read(audio::pcm_view samples, bool more_may_follow) {
        return read(samples, more_may_follow, options_.timeout);
    }

    std::size_t longest_samples() const {
        return static_cast<std::size_t>(options_.longest.count()) * audio::speech_rate_hz / 1000;
    }

    std::unique_ptr<stream> start() override;

private:
    result<hypothesis> read(audio::pcm_view samples, bool more_may_follow, milliseconds within) {
        if (!now_) {
            auto started = conversation::start(options_, words_);
            if (!started) return fail(std::move(started));
            now_ = std::move(*started);
        }
        auto heard = now_->read(samples, more_may_follow, std::chrono::steady_clock::now() + within);
        // What it says next could be the answer to this: not to be taken for another's.
        if (!heard && heard.error().code != errc::invalid_argument) now_.reset();
        return heard;
    }

    const std::vector<std::string> words_;
    const worker_options options_;
    std::unique_ptr<conversation> now_;
};

class worker_stream final : public stream {
public:
    explicit worker_stream(worker& by) : by_(by) {}

    result<void> accept(audio::pcm_view samples) override {
        const auto room = by_.longest_samples() - samples_.size();
        samples_.insert(samples_.end(), samples.begin(), samples.begin() + std::min(room, samples.size()));
        if (samples.size() > room) {
            return fail(errc::too_long, "the utterance is longer than {} s",
                        by_.longest_samples() / audio::speech_rate_hz);
        }
        return {};
    }
    result<hypothesis> read() override { return by_.read(samples_, true); }
    result<hypothesis> finish() override { return by_.read(samples_, false); }

private:
    worker& by_;
    std::vector<float> samples_;
};

std::unique_ptr<stream> worker::start() { return std::make_unique<worker_stream>(*this); }

}  // namespace

result<std::unique_ptr<recognizer>> load_worker(const worker_options& options) {
    if (options.command.empty()) return fail(errc::invalid_argument, "no program to start");
    auto made = std::make_unique<worker>(options.command, options);
    if (auto warm = made->warm_up(); !warm) return fail(std::move(warm));
    return made;
}

}  // namespace loqa::stt
