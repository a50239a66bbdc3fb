#include "turn.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <thread>
#include <tuple>
#include <variant>
#include <vector>

#include "client.hpp"
#include "json_fields.hpp"
#include "loqa/base/bounded_queue.hpp"
#include "loqa/base/ids.hpp"
#include "loqa/base/process.hpp"
#include "loqa/protocol/messages.hpp"
#include "loqa/protocol/subjects.hpp"
#include "terminal.hpp"

namespace loqa::cli {
namespace {

namespace header = protocol::header;
namespace subject = protocol::subject;

// How much silence the recogniser gets to hear after the end of a file before it is told that there is no more.
constexpr seconds silence_limit{5};
// How long after a question loqad may take to say that it listens.
constexpr milliseconds listen_patience{1'000};
constexpr std::size_t max_pending = 8192;  // messages; an answer of a minute has some hundred

struct source_ended {
    steady_time at;
};
using happened = std::variant<bus::message, source_ended, audio::heard, error>;

template <class Int>
Int number_in(const protocol::headers& all, std::string_view name, Int otherwise) {
    const auto text = protocol::find(all, name);
    Int value = otherwise;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

class turn {
public:
    turn(bus::connection& bus, const clock& clock, sink* to, const turn_options& options)
        : bus_(bus), clock_(clock), to_(to), options_(options) {
        report_.session_id = options.session.empty() ? random_hex(16) : options.session;
        report_.turn_id = random_hex(16);
    }

    turn_report say(source& from) {
        if (!listen_to({subject::stt_final, subject::stt_error})) return std::move(report_);
        spoken_ = true;
        // A microphone has no end: there the patience is for the person to begin.
        auto deadline = from.endless() ? clock_.steady() + options_.patience : steady_time::max();
        // With copies of the ids: the report is this thread's.
        sender_ = std::jthread([this, &from, session_id = report_.session_id, turn_id = report_.turn_id](
                                   const std::stop_token& stop) { send(from, session_id, turn_id, stop); });
        run(deadline);
        sender_ = {};
        return finish();
    }

    turn_report ask(const std::string& text) {
        if (!listen_to({})) return std::move(report_);
        report_.heard = text;
        const protocol::transcript said{.session_id = report_.session_id,
                                        .text = text,
                                        .partial = false,
                                        .timestamp = to_rfc3339(clock_.wall()),
                                        .confidence = 1,
                                        .reason = {}};
        protocol::turn_headers headers;
        headers.turn_id = report_.turn_id;
        headers.audio = protocol::audio_form::pcm;
        headers.area = options_.area;
        auto sent = bus_.publish(subject::stt_final, protocol::encode(said), protocol::write_turn(headers));
        if (!sent) {
            report_.failed = sent.error();
            return std::move(report_);
        }
        run(clock_.steady() + options_.patience);
        return finish();
    }

private:
    bool listen_to(std::vector<std::string_view> subjects) {
        subjects.insert(subjects.end(), {subject::session_reply, subject::session_ended, subject::session_state,
                                         subject::session_listen});
        const auto pcm = protocol::join(subject::tts_pcm, report_.session_id);
        const auto flush = protocol::join(subject::tts_flush, report_.session_id);
        if (to_ != nullptr) {
            subjects.insert(subjects.end(), {subject::tts_done, pcm, flush});
            to_->on_heard([this](const audio::heard& what) { events_.push(what); });
        }
        for (const auto name : subjects) {
            auto subscribed = bus_.subscribe(name, [this](bus::message m) { events_.push(std::move(m)); });
            if (!subscribed) {
                report_.failed = subscribed.error();
                return false;
            }
            subscriptions_.push_back(std::move(*subscribed));
        }
        return true;
    }

    // On the sender's thread.
    void send(source& from, const std::string& session_id, const std::string& turn_id, const std::stop_token& stop) {
        name_this_thread("sender");
        const auto format = from.format();
        const auto to = protocol::join(subject::audio_pcm, session_id);
        bool told = false;
        for (int sequence = 0;; ++sequence) {
            auto block = from.read(stop);
            if (!block) {
                events_.push(block.error());
                return;
            }
            if (!*block) return;
            const auto ended = from.ended();
            if (ended && !std::exchange(told, true)) events_.push(source_ended{*ended});
            const bool last = ended && (options_.mark_end || clock_.steady() - *ended >= silence_limit);
            protocol::headers headers{{std::string(header::session), session_id},
                                      {std::string(header::turn), turn_id},
                                      {std::string(header::audio), "pcm"},
                                      {std::string(header::sequence), std::to_string(sequence)},
                                      {std::string(header::sample_rate), std::to_string(format.sample_rate_hz)},
                                      {std::string(header::channels), std::to_string(format.channels)}};
            if (!options_.area.empty()) headers.emplace_back(header::area, options_.area);
            if (last) headers.emplace_back(header::last, "1");
            if (auto sent = bus_.publish(to, **block, headers); !sent) {
                events_.push(sent.error());
                return;
            }
            if (last) return;
        }
    }

    void run(steady_time deadline) {
        while (!over()) {
            auto next =
                events_.pop_until(answered() ? std::min(deadline, clock_.steady() + listen_patience) : deadline);
            if (!next) {
                if (answered()) return;  // it does not say that it listens
                report_.failed = gave_up();
                return;
            }
            if (auto* failed = std::get_if<error>(&*next)) {
                report_.failed = std::move(*failed);
                return;
            }
            if (const auto* end = std::get_if<source_ended>(&*next)) {
                source_end_ = end->at;
            } else if (const auto* heard = std::get_if<audio::heard>(&*next)) {
                on_heard(*heard);
            } else if (!take(std::get<bus::message>(*next))) {
                continue;
            }
            if (!spoken_ || source_end_ || transcribed_)
                deadline = clock_.steady() + options_.patience + (to_ != nullptr ? to_->left() : milliseconds(0));
        }
    }

    // False when the message was not for this turn.
    bool take(const bus::message& m) {
        if (m.subject.starts_with(subject::tts_pcm)) {
            play(m);
            return true;
        }
        if (m.subject.starts_with(subject::tts_flush)) {
            if (const auto flush = protocol::decode<protocol::tts_flush>(m.payload))
                to_->flush(flush->from, flush->generation);
            return true;
        }
        if (m.subject == subject::stt_final) return with<protocol::transcript>(m, &turn::on_transcript);
        if (m.subject == subject::stt_error) return with<protocol::stt_error>(m, &turn::on_stt_error);
        if (m.subject == subject::session_reply) return with<protocol::session_reply>(m, &turn::on_reply);
        if (m.subject == subject::session_ended) return with<protocol::session_ended>(m, &turn::on_ended);
        if (m.subject == subject::session_state) return with<protocol::session_state>(m, &turn::on_state);
        if (m.subject == subject::session_listen) return with<protocol::session_listen>(m, &turn::on_listen);
        if (m.subject == subject::tts_done) return with<protocol::tts_done>(m, &turn::on_done);
        return false;
    }

    template <class T>
    bool with(const bus::message& m, void (turn::*handle)(const T&)) {
        const auto decoded = protocol::decode<T>(m.payload);
        if (!decoded || decoded->session_id != report_.session_id) return false;
        (this->*handle)(*decoded);
        return true;
    }

    void on_transcript(const protocol::transcript& t) {
        // A noise before the words: they are still to come.
        if (t.text.empty() && t.reason != "speech_end" && !source_end_) return;
        transcribed_ = true;
        report_.heard = t.text;
        sender_.request_stop();
    }
    void on_stt_error(const protocol::stt_error& e) { report_.failed = error{code_named(e.code), e.message, {}}; }
    void on_reply(const protocol::session_reply& r) {
        report_.turn_id = r.turn_id.empty() ? report_.turn_id : r.turn_id;
        report_.heard = r.heard.empty() ? report_.heard : r.heard;
        report_.intent = r.intent;
        report_.reply = r.text;
    }
    void on_ended(const protocol::session_ended& e) {
        if (e.outcome == "nothing_heard" && spoken_ && !source_end_) return;
        // What was said went on after a pause: the turn that took its place is the one to wait for.
        if (e.reason == "superseded") return;
        report_.turn_id = e.turn_id.empty() ? report_.turn_id : e.turn_id;
        report_.outcome = e.outcome;
        if (!e.heard.empty()) report_.heard = e.heard;
        if (!e.reply.empty()) report_.reply = e.reply;
        if (!e.intent.empty()) report_.intent = e.intent;
        report_.stages_ms = e.stages_ms;
    }
    void on_state(const protocol::session_state& s) { asks_ = s.state == "speaking" && !s.expects.empty(); }
    void on_listen(const protocol::session_listen&) { report_.listens = true; }
    void on_done(const protocol::tts_done& d) {
        // The last samples of a whole answer come on another subject, maybe later than this.
        if (d.completed) return;
        to_->close();
        sound_over_ = sound_over_ || !sounded_;
    }

    // The speaker is done with an answer.
    void on_heard(const audio::heard& what) {
        if (what.generation == generation_) sound_over_ = true;
        std::ignore = bus_.publish(subject::playback_stopped,
                                   protocol::encode(protocol::playback_stopped{.session_id = report_.session_id,
                                                                               .target = target_,
                                                                               .generation = what.generation,
                                                                               .played_ms = what.played.count(),
                                                                               .completed = what.completed}));
    }

    void play(const bus::message& m) {
        const part_of of{.generation = number_in<std::uint64_t>(m.headers, header::generation, 0),
                         .urgency = static_cast<int>(protocol::read_turn(m.headers).urgency),
                         .last = protocol::find(m.headers, header::last) == "1"};
        const pcm_format format{number_in(m.headers, header::sample_rate, 22'050),
                                number_in(m.headers, header::channels, 1)};
        if (!m.payload.empty() && (!sounded_ || of.generation != generation_)) {
            if (!sounded_ && source_end_) report_.after_source_ms = to_ms(clock_.steady() - *source_end_);
            sounded_ = true;
            sound_over_ = false;
            generation_ = of.generation;
            target_ = protocol::find(m.headers, header::target);
            std::ignore =
                bus_.publish(subject::playback_started,
                             protocol::encode(protocol::playback_started{report_.session_id, target_, generation_}));
        }
        if (auto played = to_->play(m.payload, format, of); !played) report_.failed = played.error();
    }

    bool over() const { return report_.failed || (answered() && (!asks_ || to_ == nullptr || report_.listens)); }

    // All that there is to hear was heard.
    bool answered() const {
        if (report_.outcome.empty()) return false;
        return to_ == nullptr || sound_over_ || report_.reply.empty();
    }

    error gave_up() const {
        const auto waited = std::chrono::duration_cast<seconds>(options_.patience).count();
        if (!report_.outcome.empty() || sounded_)
            return {errc::timed_out, fmt::format("the answer broke off: nothing more came for {} s", waited),
                    "loqa doctor shows how the parts are"};
        if (!report_.reply.empty())
            return {errc::timed_out, fmt::format("the answer was not spoken within {} s", waited),
                    "loqa doctor shows how the parts are"};
        if (spoken_ && !transcribed_ && !source_end_)
            return {errc::timed_out, fmt::format("nobody was heard within {} s", waited),
                    "loqa doctor names the microphone"};
        return {errc::timed_out, fmt::format("no answer came within {} s", waited),
                "loqa doctor shows how the parts are"};
    }

    turn_report finish() {
        subscriptions_.clear();
        if (to_ != nullptr) to_->on_heard({});
        if (to_ != nullptr && sounded_) {
            if (auto finished = to_->finish(); !finished && !report_.failed) report_.failed = finished.error();
            report_.out = to_->where();
        }
        return std::move(report_);
    }

    bus::connection& bus_;
    const clock& clock_;
    sink* to_;
    const turn_options options_;
    turn_report report_;
    bool spoken_ = false;
    bool transcribed_ = false;
    bool sounded_ = false;
    bool sound_over_ = false;
    bool asks_ = false;
    std::uint64_t generation_ = 0;  // of what is played, or was last
    std::string target_;
    std::optional<steady_time> source_end_;
    bounded_queue<happened> events_{max_pending, overflow::reject_newest};
    std::vector<std::unique_ptr<bus::subscription>> subscriptions_;
    std::jthread sender_;  // last: it uses the others
};

// In the order in which they happen; what loqad adds later comes behind.
constexpr std::array stage_order = {"endpoint", "stt", "intent", "skill", "llm", "tts", "playback"};
// Sums of what stands above already.
constexpr std::array stage_sums = {"first_chunk", "total"};

}  // namespace

turn_report say_turn(bus::connection& bus, const clock& clock, source& from, sink& to, const turn_options& options) {
    return turn(bus, clock, &to, options).say(from);
}

turn_report ask_turn(bus::connection& bus, const clock& clock, const std::string& text, sink* to,
                     const turn_options& options) {
    return turn(bus, clock, to, options).ask(text);
}

std::string to_json(const turn_report& report, const std::string& file) {
    nlohmann::ordered_json object;
    if (!file.empty()) object["file"] = file;
    object["session_id"] = report.session_id;
    object["turn_id"] = report.turn_id;
    object["heard"] = report.heard;
    object["reply"] = report.reply;
    object["intent"] = report.intent;
    object["outcome"] = report.failed ? "failed" : report.outcome;
    object["stages_ms"] = report.stages_ms;
    if (report.after_source_ms) object["after_source_ms"] = *report.after_source_ms;
    object["out"] = report.out.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json(report.out);
    if (report.failed)
        object["error"] = {{"code", to_string(report.failed->code)},
                           {"message", report.failed->message},
                           {"hint", report.failed->hint}};
    return one_line(object);
}

void print(const turn_report& report) {
    const auto style = style_of_stdout();
    const auto show = [&](std::string_view what, std::string_view text) {
        print_line(fmt::format("{}  {}", style.paint(colour::grey, fit(what, 6)), text));
    };
    show("heard", report.heard.empty() ? "(nothing)" : printable(report.heard));
    if (!report.reply.empty()) show("answer", style.paint(colour::bold, printable(report.reply)));
    if (!report.out.empty()) show("sound", report.out);

    std::string stages;
    const auto add = [&](std::string_view name, double ms) {
        stages += fmt::format("{}{} {:.0f}", stages.empty() ? "" : ", ", name, ms);
    };
    for (const char* name : stage_order)
        if (const auto found = report.stages_ms.find(name); found != report.stages_ms.end()) add(name, found->second);
    for (const auto& [name, ms] : report.stages_ms)
        if (std::ranges::find(stage_sums, name) == stage_sums.end() &&
            std::ranges::find(stage_order, name) == stage_order.end())
            add(printable(name), ms);
    if (const auto total = report.stages_ms.find("total"); total != report.stages_ms.end())
        show("time", fmt::format("{:.0f} ms from the end of speech to the first sound ({})", total->second, stages));
    else if (!stages.empty())
        show("time", stages + " ms");
    if (report.after_source_ms)
        show("", fmt::format("{:.0f} ms from the end of the recording, measured here", *report.after_source_ms));
    if (report.failed) print_error(*report.failed);
}

}  // namespace loqa::cli
