// The ear alone, in the time of the recordings: what is heard, and how long after the end of speech, on a machine that
// may be busy with other things.
//
//   hearing_bench [--home FILE] [--threads N] [--fixed MS] [--speed X] [--bare] [--verbose] < list
//
// Reads lines "NAME<tab>WAV file" or "NAME<tab>=sentence", the latter spoken by Loqa's own voice. Each recording, with
// silence around it unless it is --bare, goes through a session of its own, in frames of 20 ms, with the detector and
// the recogniser that ship and the sentences of this home. Time is counted, not waited for: a reading takes the
// processor time that it took its thread here, times --speed, and what comes meanwhile is heard meanwhile. Prints for
// each utterance that it finds "NAME<tab>ms from the end of speech to the transcript, negative when it is cut
// off<tab>heard<tab>how it was heard at first<tab>"doubtful" or nothing<tab>phrase"; with --verbose before it every
// reading, and when.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <ctime>
#include <iostream>
#include <map>
#include <memory>
#include <random>
#include <string>

#include <fmt/format.h>

#include "loqa/audio/echo_canceller.hpp"
#include "loqa/audio/recording.hpp"
#include "loqa/audio/resample.hpp"
#include "loqa/audio/wav.hpp"
#include "loqa/base/text.hpp"
#include "loqa/intent/collection.hpp"
#include "loqa/intent/home.hpp"
#include "loqa/stt/expectation.hpp"
#include "loqa/stt/session.hpp"
#include "loqa/tts/piper.hpp"

namespace {

using namespace loqa;

template <class T>
T or_exit(result<T> got) {
    if (!got) {
        fmt::print(stderr, "hearing_bench: {}\n", got.error().text());
        std::exit(1);
    }
    if constexpr (!std::is_void_v<T>) return std::move(*got);
}

std::chrono::nanoseconds thread_time() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return seconds{now.tv_sec} + std::chrono::nanoseconds{now.tv_nsec};
}

constexpr milliseconds frame_duration{20};
constexpr milliseconds interrupted_within{10};  // a reading that is superseded
constexpr double lead_s = 0.4, tail_s = 1.8;    // of silence

struct options {
    fs::path home = share_folder() / "homes" / "house.yaml";
    int threads = 1;
    std::optional<milliseconds> fixed;
    double speed = 1;
    bool bare = false;
    bool verbose = false;
    double echo_db = -10;
    milliseconds echo_delay{80};
    double at_s = 1.5;
    double peak = 12'000;
};

std::vector<float> at_speech_rate(const audio::clip& clip) {
    std::vector<float> all, made;
    for (const auto each : clip.samples) all.push_back(static_cast<float>(each) / 32'768.0F);
    auto to_rate = or_exit(audio::resampler::create(clip.sample_rate_hz, audio::speech_rate_hz));
    or_exit(to_rate.process(all, made, true));
    return made;
}

// One recording after the other. Stands where the service and the decoder are: one reading at a time, the next one when
// it is done.
class ear final : public stt::session_host {
public:
    ear(const options& how, stt::recognizer& engine, audio::voice_model& voices,
        std::shared_ptr<const intent::interpreter> sentences)
        : how_(how),
          engine_(engine),
          voices_(voices),
          sentences_(std::move(sentences)),
          expected_(std::make_shared<stt::expectation>(sentences_)) {}

    struct heard {
        stt::hypothesis said;
        milliseconds at{};  // since the first frame
        stt::phrase form = stt::phrase::unknown;
    };

    // Each utterance that was found in it; one without text where there was none. `played` is what Loqa says meanwhile,
    // from the first sample on.
    std::vector<heard> hear(const audio::clip& clip, const audio::clip& played = {}) {
        made_.clear();
        began_.clear();
        own_voice_ = {};
        echo_time_ = {};
        stt::session_options options;
        if (how_.fixed) options.usual = {*how_.fixed, *how_.fixed, *how_.fixed, *how_.fixed};
        stt::session session("recording", options, voices_.start(), clock_, *this);
        session_ = &session;
        start_ = clock_.steady();
        next_partial_ = start_;
        if (!played.samples.empty()) {
            own_voice_.will_play(1, at_speech_rate(played), start_);
            own_voice_.plays(1, start_);
            session.attend(stt::attention::speaking);
        }
        const auto step = static_cast<std::size_t>(clip.sample_rate_hz) / 50;
        for (std::size_t at = 0; at < clip.samples.size(); at += step) {
            pass(frame_duration);
            const auto piece = std::span(clip.samples).subspan(at, std::min(step, clip.samples.size() - at));
            stt::frame frame;
            frame.session_id = "recording";
            frame.sample_rate_hz = clip.sample_rate_hz;
            frame.pcm = audio::to_s16le(piece);
            frame.last = at + step >= clip.samples.size();
            frame.arrived = clock_.steady();
            session.hear(frame);
        }
        while (running_) pass(frame_duration);
        streams_.clear();
        if (made_.empty()) made_.emplace_back();
        return made_;
    }

    const std::vector<milliseconds>& began() const { return began_; }
    std::chrono::nanoseconds echo_time() const { return echo_time_; }

private:
    struct job {
        std::unique_ptr<stt::stream> input;
        std::vector<float> samples;
        std::optional<stt::reading> wanted;
        std::int64_t mark = 0;
        steady_time asked;
        bool forgotten = false;
    };

    std::uint64_t next_utterance() override { return ++utterances_; }
    void submit(std::uint64_t utterance, std::vector<float> samples, stt::reading what, std::int64_t mark) override {
        auto& entry = streams_[utterance];
        entry.samples.insert(entry.samples.end(), samples.begin(), samples.end());
        if (!entry.wanted) entry.asked = clock_.steady();
        entry.wanted = std::max(what, entry.wanted.value_or(what));
        entry.mark = mark;
        if (what != stt::reading::partial && running_ && running_->utterance == utterance) {
            superseded_ = true;
            running_->ended = std::min(running_->ended, clock_.steady() + interrupted_within);
        }
        start_reading();
    }
    void hurry(std::uint64_t) override {}
    void put_off(std::uint64_t utterance) override {
        if (auto& wanted = streams_[utterance].wanted; wanted == stt::reading::ahead) wanted = stt::reading::partial;
    }
    void forget(std::uint64_t utterance) override {
        streams_[utterance].forgotten = true;
        if (running_ && running_->utterance == utterance)
            running_->ended = std::min(running_->ended, clock_.steady() + interrupted_within);
    }
    bool idle() const override { return !running_; }
    bool spare() const override { return !running_ && clock_.steady() >= next_partial_; }
    bool take_out_echo(const std::string&, stt::audio_frame frame, steady_time now) override {
        const auto before = thread_time();
        const bool own = own_voice_.take_out(frame, now);
        echo_time_ += thread_time() - before;
        return own;
    }
    void on_started(const stt::utterance&) override {
        began_.push_back(std::chrono::duration_cast<milliseconds>(clock_.steady() - start_));
        say("started");
    }
    void on_partial(const stt::utterance&, const stt::hypothesis&) override {}
    void on_ahead(const stt::utterance&, const stt::hypothesis& heard) override { say("ahead \"{}\"", heard.text); }
    void on_final(const stt::utterance& of, const stt::hypothesis& heard) override {
        say("final \"{}\" {} speech {} ms", heard.text, to_string(of.reason), of.speech.count());
        if (heard.text.empty()) return;
        made_.push_back({.said = heard,
                         .at = std::chrono::duration_cast<milliseconds>(clock_.steady() - start_),
                         .form = of.read ? of.read->form : stt::phrase::unknown});
    }
    void on_failed(const stt::utterance&, const error& why) override { say("failed: {}", why.text()); }

    template <class... A>
    void say(fmt::format_string<A...> text, A&&... with) const {
        if (!how_.verbose) return;
        fmt::print("  {:5.0f} {}\n", to_ms(clock_.steady() - start_), fmt::format(text, std::forward<A>(with)...));
    }

    // The clock goes on; readings that are done by then are handed over when they are.
    void pass(std::chrono::nanoseconds time) {
        const auto until = clock_.steady() + time;
        while (running_ && running_->ended <= until) {
            clock_.advance(running_->ended - clock_.steady());
            auto made = std::move(*running_);
            running_.reset();
            if (made.what == stt::reading::partial) next_partial_ = made.ended + (made.ended - made.began);
            if (std::exchange(superseded_, false)) {
                say("{} of {} was interrupted", to_string(made.what), made.mark);
                start_reading();
                continue;
            }
            say("{} of {}, took {:.0f} ms, waited {:.0f}: \"{}\"{}{} {}", to_string(made.what), made.mark,
                to_ms(made.ended - made.began), to_ms(made.began - made.asked), made.heard->text,
                made.heard->heard.empty() ? "" : " from \"" + made.heard->heard + "\"",
                made.heard->begins ? " begins" : "", to_string(made.form));
            if (!streams_[made.utterance].forgotten) session_->take(made);
            start_reading();
        }
        clock_.advance(until - clock_.steady());
    }

    void start_reading() {
        if (running_) return;
        for (auto& [utterance, entry] : streams_) {
            if (!entry.wanted || entry.forgotten) continue;
            stt::outcome made{utterance,   *entry.wanted,   entry.mark, stt::hypothesis{},
                              entry.asked, clock_.steady(), {}};
            entry.wanted.reset();
            const auto before = thread_time();
            if (!entry.input) entry.input = engine_.start();
            or_exit(entry.input->accept(std::exchange(entry.samples, {})));
            made.heard = entry.input->read();
            if (made.heard && made.what != stt::reading::partial)
                made.heard = entry.input->listen_again(std::move(*made.heard), expected_);
            or_exit(made.heard);
            made.form = stt::form_of(*made.heard, [&](std::string_view text) { return stt::judge(*sentences_, text); });
            const std::chrono::duration<double, std::nano> took = (thread_time() - before) * how_.speed;
            made.ended = made.began + std::chrono::duration_cast<std::chrono::nanoseconds>(took);
            running_ = std::move(made);
            return;
        }
    }

    const options& how_;
    stt::recognizer& engine_;
    audio::voice_model& voices_;
    const std::shared_ptr<const intent::interpreter> sentences_;
    const std::shared_ptr<stt::expectation> expected_;

    manual_clock clock_;
    steady_time start_, next_partial_;
    stt::session* session_ = nullptr;
    std::map<std::uint64_t, job> streams_;
    std::optional<stt::outcome> running_;
    bool superseded_ = false;
    std::uint64_t utterances_ = 0;
    std::vector<heard> made_;
    std::vector<milliseconds> began_;
    audio::echo_canceller own_voice_;
    std::chrono::nanoseconds echo_time_{};
};

class speaker {
public:
    audio::clip say(std::string_view sentence) {
        if (!voice_) {
            phonemes_ = or_exit(tts::espeak::load());
            voice_ = or_exit(tts::load_piper({.model = "piper-en_US-joe-medium"}, *phonemes_));
        }
        const auto samples = or_exit(tts::say_all(*voice_, sentence));
        audio::clip made{.sample_rate_hz = voice_->sample_rate_hz(), .channels = 1, .samples = {}};
        for (const float one : samples) made.samples.push_back(static_cast<std::int16_t>(one * 32'000));
        return made;
    }

private:
    std::unique_ptr<tts::espeak> phonemes_;
    std::unique_ptr<tts::voice> voice_;
};

// Behind the last sample of a clean recording that is louder than its peak less 45 dB.
std::size_t end_of_speech(const std::vector<std::int16_t>& samples) {
    int peak = 0;
    for (const int each : samples) peak = std::max(peak, std::abs(each));
    const double quiet = peak * std::pow(10, -45 / 20.0);
    const auto last = std::find_if(samples.rbegin(), samples.rend(), [&](int each) { return std::abs(each) > quiet; });
    return static_cast<std::size_t>(samples.rend() - last);
}

// What a microphone hears of a speaker in the same room: the sound itself after `delay`, then two hundred reflections
// that fade by 60 dB in 0.3 s, all together `db` louder than what is played.
std::vector<double> echo_of(const audio::clip& played, milliseconds delay, double db) {
    const auto rate = static_cast<double>(played.sample_rate_hz);
    std::mt19937 random(5);
    std::uniform_real_distribution<double> share(0, 1);
    std::normal_distribution<double> strength;
    std::vector<std::pair<std::size_t, double>> paths = {{0, 1.0}};
    for (int i = 0; i < 200; ++i) {
        const double at_s = 0.003 + 0.2 * share(random);
        paths.emplace_back(static_cast<std::size_t>(at_s * rate),
                           0.12 * strength(random) * std::pow(10, -3 * at_s / 0.3));
    }
    const auto first = static_cast<std::size_t>(to_ms(delay) / 1000 * rate);
    std::vector<double> made(played.samples.size() + first + static_cast<std::size_t>(0.21 * rate));
    for (const auto& [behind, gain] : paths)
        for (std::size_t i = 0; i < played.samples.size(); ++i) made[first + behind + i] += gain * played.samples[i];
    double before = 0, after = 0;
    for (const double x : played.samples) before += x * x;
    for (const double x : made) after += x * x;
    const double gain = std::pow(10, db / 20) * std::sqrt(before / after);
    for (double& x : made) x *= gain;
    return made;
}

// The person, as loud as people are at an arm's length, over the echo of what Loqa says.
audio::clip over(const audio::clip& person, const audio::clip& played, const options& how) {
    auto heard = echo_of(played, how.echo_delay, how.echo_db);
    std::mt19937 random(6);
    std::normal_distribution<double> noise(0, 10);  // a quiet room
    for (double& x : heard) x += noise(random);
    int peak = 1;
    for (const int each : person.samples) peak = std::max(peak, std::abs(each));
    const double step = static_cast<double>(person.sample_rate_hz) / played.sample_rate_hz;
    const auto first = static_cast<std::size_t>(how.at_s * played.sample_rate_hz);
    for (std::size_t i = 0; first + i < heard.size(); ++i) {
        const double at = static_cast<double>(i) * step;
        const auto before = static_cast<std::size_t>(at);
        if (before + 1 >= person.samples.size()) break;
        const double between = at - std::floor(at);
        heard[first + i] +=
            ((1 - between) * person.samples[before] + between * person.samples[before + 1]) * how.peak / peak;
    }
    audio::clip made{.sample_rate_hz = played.sample_rate_hz, .channels = 1, .samples = {}};
    for (const double x : heard) made.samples.push_back(static_cast<std::int16_t>(std::clamp(x, -32'768.0, 32'767.0)));
    return made;
}

std::shared_ptr<const intent::interpreter> sentences_about(const fs::path& file) {
    const auto house = std::make_shared<const intent::home>(or_exit(intent::load_home(file)));
    auto loaded = or_exit(intent::load_sentences({.language = "en"}));
    auto compiled = or_exit(intent::matcher::compile(loaded.sentences, *house));
    return std::make_shared<const intent::interpreter>(std::move(compiled), house);
}

}  // namespace

int main(int argc, char** argv) {
    options how;
    for (int i = 1; i < argc; ++i) {
        const std::string_view name = argv[i];
        if (name == "--verbose") {
            how.verbose = true;
            continue;
        }
        if (name == "--bare") {
            how.bare = true;
            continue;
        }
        if (i + 1 == argc) return 2;
        const std::string value = argv[++i];
        if (name == "--home") how.home = value;
        if (name == "--threads") how.threads = std::stoi(value);
        if (name == "--fixed") how.fixed = milliseconds{std::stoi(value)};
        if (name == "--speed") how.speed = std::stod(value);
        if (name == "--echo") how.echo_db = std::stod(value);
        if (name == "--delay") how.echo_delay = milliseconds{std::stoi(value)};
        if (name == "--peak") how.peak = std::stod(value);
        if (name == "--at") how.at_s = std::stod(value);
    }
    const auto engine = or_exit(stt::load_moonshine({.model = "moonshine-tiny-en", .threads = how.threads}));
    const auto voices = or_exit(audio::load_silero("silero-vad"));
    ear listener(how, *engine, *voices, sentences_about(how.home));
    speaker own;
    std::string line;
    while (std::getline(std::cin, line)) {
        const auto fields = split(line, '\t');
        if (fields.size() != 2 && fields.size() != 3) continue;
        if (how.verbose) fmt::print("{}\n", fields[0]);
        const auto sound = [&](std::string_view what) {
            if (what.empty()) return audio::clip{.sample_rate_hz = 16'000, .channels = 1, .samples = {}};
            return what.starts_with('=') ? own.say(what.substr(1)) : or_exit(audio::read_wav(fs::path(what)));
        };
        auto clip = sound(fields[1]);
        if (fields.size() == 3) {
            const auto played = sound(fields[2]);
            const auto all = listener.hear(over(clip, played, how), played);
            std::string began, heard;
            for (const auto each : listener.began())
                began += fmt::format("{}{}", began.empty() ? "" : " ", each.count());
            for (const auto& each : all)
                heard += fmt::format("{}{}@{}{}", heard.empty() ? "" : "|", each.said.text, each.at.count(),
                                     each.said.doubtful ? "?" : "");
            fmt::print(
                "{}\t{}\t{}\t{:.1f}\n", fields[0], began, heard,
                to_ms(listener.echo_time()) * played.sample_rate_hz / static_cast<double>(played.samples.size()));
            std::fflush(stdout);
            continue;
        }
        const auto silence = [&](double seconds) {
            return static_cast<std::size_t>(how.bare ? 0 : seconds * clip.sample_rate_hz);
        };
        clip.samples.insert(clip.samples.begin(), silence(lead_s), 0);
        const double end_ms = 1000.0 * static_cast<double>(end_of_speech(clip.samples)) / clip.sample_rate_hz;
        clip.samples.resize(clip.samples.size() + silence(tail_s));
        const auto all = listener.hear(clip);
        // The frame with the last sample of speech is sent when it is full.
        const double sent_ms = std::ceil(end_ms / 20) * 20;
        for (const auto& [said, at, form] : all)
            fmt::print("{}\t{:.0f}\t{}\t{}\t{}\t{}\n", fields[0], static_cast<double>(at.count()) - sent_ms, said.text,
                       said.heard, said.doubtful ? "doubtful" : "", to_string(form));
        std::fflush(stdout);
    }
}
