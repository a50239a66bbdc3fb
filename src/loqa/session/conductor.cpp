#include "loqa/session/conductor.hpp"

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

#include "loqa/base/ids.hpp"
#include "loqa/base/text.hpp"
#include "loqa/protocol/json.hpp"
#include "loqa/protocol/subjects.hpp"
#include "loqa/session/dry_run.hpp"
#include "loqa/session/turn_events.hpp"

namespace loqa::session {

namespace subject = protocol::subject;
using protocol::json;

namespace {

constexpr std::size_t remembered_sessions = 256;
// A speaker that was sent samples and says nothing of them: the turn ends without knowing when they were heard.
constexpr milliseconds playback_patience{500};
constexpr milliseconds ring_patience{2'000};  // there, the timer rings elsewhere
// Twice the longest a span waits for others of its batch, and the way over the bus.
constexpr milliseconds spans_delay = telemetry::tracer::batch_delay * 2 + milliseconds(50);
constexpr std::size_t max_waiting_for_traces = 64;

constexpr std::string_view apology_not_heard = "Sorry, I didn't catch that.";
constexpr std::string_view apology_later = "Sorry, there was something to do now, but I can't read my note of it.";
constexpr std::string_view apology_announcement = "Sorry, I could not announce that.";
constexpr std::string_view no_other_speaker = "Sorry, I know no other speaker to announce that on.";
constexpr std::string_view apology_lost = "Sorry, I lost you there. Please say that again.";

std::string subject_of(std::string_view prefix) { return std::string(prefix); }

std::vector<std::string> configured_speakers(const conductor_config& config) {
    std::vector<std::string> all;
    if (!config.default_target.empty()) all.push_back(config.default_target);
    for (const auto& [name, area] : config.areas) all.push_back(name);
    return all;
}

telemetry::counter& intents_counter(telemetry::metrics& metrics, const char* found) {
    return metrics.counter("loqa_session_intents_total", "Turns by whether an intent was found", {{"found", found}});
}

// "The four minute one, please" → "four minute"; nothing where it is too much for an answer.
std::string words_of_an_answer(std::string_view heard) {
    std::string text = to_lower(trim(heard));
    std::erase_if(text, [](char c) { return c == '.' || c == ',' || c == '!' || c == '?'; });
    constexpr std::array<std::string_view, 16> before{"the ",    "my ",     "that ", "for ",   "at ", "to ",
                                                      "by ",     "in the ", "in ",   "on ",    "um ", "uh ",
                                                      "cancel ", "okay ",   "well ", "please "};
    constexpr std::array<std::string_view, 7> behind{" please", " one",     " ones",  " timer",
                                                     " alarm",  " of them", " thanks"};
    const auto strip = [&text](const auto& all, bool front) {
        const auto found = std::ranges::find_if(
            all, [&](std::string_view each) { return front ? text.starts_with(each) : text.ends_with(each); });
        if (found == all.end()) return false;
        text = front ? text.substr(found->size()) : text.substr(0, text.size() - found->size());
        return true;
    };
    while (strip(before, true) || strip(behind, false)) {
    }
    constexpr std::ptrdiff_t most_words = 9;
    return std::ranges::count(text, ' ') < most_words ? text : std::string();
}

bool begins_a_command(std::string_view heard) {
    constexpr std::array<std::string_view, 20> verbs{"set",  "start", "turn",  "switch", "add",  "remove", "take",
                                                     "make", "play",  "pause", "resume", "open", "close",  "remind",
                                                     "wake", "tell",  "what",  "when",   "how",  "is"};
    const std::string text = to_lower(trim(heard));
    return std::ranges::find(verbs, std::string_view(text).substr(0, text.find(' '))) != verbs.end();
}

// A command that lacks what it is to be done with: it is asked for.
std::optional<spoken_answer> unfinished(const intent::interpreter& meaning, const std::string& heard,
                                        const intent::context& where) {
    std::string text(trim(heard));
    while (text.ends_with('.') || text.ends_with('?') || text.ends_with('!')) text.pop_back();
    const auto timer = meaning.word_for_word(text + " for ten minutes", where);
    if (!timer || timer->size() != 1 || timer->front().later() || timer->front().what.intent != "HassStartTimer")
        return std::nullopt;
    return spoken_answer{
        .text = "For how long?", .failed = true, .reason = "missing_duration", .completes = {text + " for {}"}};
}

}  // namespace

conductor::conductor(conductor_config config, parts with, std::shared_ptr<const intent::interpreter> interpreter,
                     const intent::live_interpreter* live)
    : config_(std::move(config)),
      id_(random_hex(8)),
      own_again_(protocol::join(subject::stt_again, id_)),
      with_(std::move(with)),
      live_(live),
      interpreter_(std::move(interpreter)),
      answers_(with_.clock, with_.timers, config_.snooze),
      actor_({with_.clock, with_.bus, with_.timers, with_.tracer, answers_, with_.home}),
      speculation_(with_.bus, with_.metrics, config_.default_voice),
      timer_requests_(with_.clock, with_.timers, with_.bus, with_.log, config_.default_target),
      ringing_({config_.ring_pause, config_.ring_times}, with_.clock),
      speakers_(with_.clock, with_.bus, config_.default_voice, configured_speakers(config_)),
      components_(with_.clock, config_.required_components),
      sounding_(with_.clock),
      unreadable_(with_.log, with_.clock),
      late_(with_.metrics.counter("loqa_session_late_total", "Messages for turns that were over")),
      echoes_(with_.metrics.counter("loqa_session_echoes_total",
                                    "Transcripts that were only words of what Loqa was saying")),
      found_(intents_counter(with_.metrics, "yes")),
      not_found_(intents_counter(with_.metrics, "no")),
      active_(with_.metrics.gauge("loqa_session_active_turns", "Turns that are going on")),
      ready_(with_.metrics.gauge("loqa_ready", "1 when every required part is ready")) {}

conductor::conductor(conductor_config config, parts with, const intent::live_interpreter& sentences)
    : conductor(std::move(config), std::move(with), nullptr, &sentences) {}

conductor::conductor(conductor_config config, parts with, std::shared_ptr<const intent::interpreter> interpreter)
    : conductor(std::move(config), std::move(with), std::move(interpreter), nullptr) {}

std::vector<std::string> conductor::work_subjects() {
    auto all = timer_requests::subjects();
    for (const auto one : {subject::stt_final, subject::stt_again, subject::stt_ahead, subject::stt_started,
                           subject::stt_error, subject::trace_get, subject::readiness_get, subject::dry_run})
        all.push_back(subject_of(one));
    return all;
}

std::vector<std::string> conductor::broadcast_subjects() {
    return {subject_of(subject::tts_started),
            subject_of(subject::tts_done),
            subject_of(subject::playback_started),
            subject_of(subject::playback_stopped),
            subject_of(subject::session_state),
            subject_of(subject::trace_spans),
            subject_of(subject::component_status) + ".*",
            subject_of(subject::intent_declare)};
}

std::vector<std::string> conductor::own_subjects() const {
    return {actor_.handlers().inbox(), own_again_, own_again_ + ".*"};
}

void conductor::handle(const bus::message& m) {
    dispatch(m);
    if (!queued_.empty()) take_queued();
    write_down();
}

void conductor::ring(const timers::timer& t) {
    say_or_do(t);
    write_down();
}

void conductor::dispatch(const bus::message& m) {
    if (with_.taken_over && with_.taken_over(m.subject)) return;
    if (m.subject == subject::stt_final || m.subject == subject::stt_again || m.subject == own_again_)
        return on_final(m);
    if (m.subject.starts_with(own_again_)) return on_owner_gone(m);
    if (m.subject == subject::stt_ahead) return on_ahead(m);
    if (m.subject == subject::stt_started) return on_speech_started(m);
    if (m.subject == subject::stt_error) return on_stt_error(m);
    if (m.subject == subject::tts_started) return on_tts_started(m);
    if (m.subject == subject::tts_done) return on_tts_done(m);
    if (m.subject == subject::playback_started) return on_playback_started(m);
    if (m.subject == subject::playback_stopped) return on_playback_stopped(m);
    if (m.subject == subject::session_state) return on_session_state(m);
    if (m.subject == subject::intent_declare) return on_declare(m);
    if (const auto token = actor_.handlers().token_of(m.subject)) return on_handler_answer(m, *token);
    if (m.subject == subject::dry_run) return on_dry_run(m);
    if (m.subject == subject::trace_get) return on_trace_get(m);
    if (m.subject == subject::readiness_get) return respond(m, protocol::encode(components_.state()));
    if (m.subject == subject::trace_spans) {
        if (auto taken = traces_.accept(m.payload); !taken) refuse(m, taken.error());
        return;
    }
    if (m.subject.starts_with(subject::component_status)) return on_component_status(m);
    if (auto taken = timer_requests_.handle(m); !taken) return refuse(m, taken.error());
    settle_rings();
}

void conductor::refuse(const bus::message& m, const error& why) {
    with_.metrics.counter("loqa_bus_unreadable_total", "Messages that could not be read", {{"subject", "session"}})
        .add();
    unreadable_("{} bytes on {} cannot be read: {}", m.payload.size(), m.subject, why.message);
}

void conductor::publish(std::string_view to, const std::string& payload, const turn* t) {
    tell_news();
    if (auto sent = with_.bus.publish(to, payload, t != nullptr ? headers_of(*t) : protocol::headers{}); !sent)
        with_.log.warn(sent.error());
}

// What is told of a turn beside the words that it waits for. Told before anything else is, and at the end of what is
// being handled: at once, it would be in the way of the request for the words, in the bus and in everybody who hears
// it.
void conductor::tell_soon(std::string_view to, std::string payload, const turn& t) {
    news_.push_back({std::string(to), {}, headers_of(t), std::move(payload)});
}

void conductor::tell_news() {
    for (const auto& m : std::exchange(news_, {}))
        if (auto sent = with_.bus.publish(m.subject, m.payload, m.headers); !sent) with_.log.warn(sent.error());
}

void conductor::respond(const bus::message& request, const std::string& payload) {
    if (auto sent = with_.bus.respond(request, payload); !sent) with_.log.warn(sent.error());
}

protocol::headers conductor::headers_of(const turn& t) const {
    auto h = t.headers;
    const auto now = with_.clock.steady();
    h.turn_id = t.id;
    h.traceparent = telemetry::to_traceparent(t.trace);
    h.privacy = t.privacy;
    h.budget = std::max(milliseconds(0), std::chrono::floor<milliseconds>(t.deadline - now));
    if (t.headers.age) h.age = *t.headers.age + std::chrono::duration<double, std::milli>(now - t.heard_at);
    return protocol::write_turn(h);
}

conductor::turn& conductor::begin(const std::string& session_id, const protocol::turn_headers& headers) {
    const auto id = headers.turn_id.empty() ? random_hex(16) : headers.turn_id;
    supersede(session_id, id);
    turn& t = turns_[session_id];
    t.session_id = session_id;
    t.id = id;
    t.headers = headers;
    t.trace = telemetry::parse_traceparent(headers.traceparent).value_or(telemetry::new_trace());
    t.privacy = headers.privacy.empty() ? config_.privacy : headers.privacy;
    t.target = config_.default_target;
    t.area = area_of(t);
    t.began = with_.clock.steady();
    t.began_wall = with_.clock.wall();
    t.heard_at = t.began;
    t.deadline = t.began + config_.listen_timeout;
    t.phase_deadline = t.deadline;
    if (t.privacy != "ephemeral") begun_.push_back({t.trace.trace_id, t.session_id, t.id});
    active_.set(static_cast<double>(turns_.size()));
    return t;
}

// What the client says itself counts most, then what is configured for its speaker or its session.
std::string conductor::area_of(const turn& t) const {
    if (!t.headers.area.empty()) return t.headers.area;
    for (const auto& name : {t.target, t.session_id})
        if (const auto found = config_.areas.find(name); found != config_.areas.end()) return found->second;
    return config_.area;
}

std::string conductor::area_of_session(const std::string& session, const protocol::turn_headers& headers) const {
    turn t;
    t.session_id = session;
    t.headers = headers;
    t.target = config_.default_target;
    return area_of(t);
}

void conductor::on_speech_started(const bus::message& m) {
    const auto started = read<protocol::speech_started>(m);
    if (!started || turns_.size() >= config_.max_active_turns) return;
    const auto headers = protocol::read_turn(m.headers);
    if (!takes_turn(started->session_id, headers.turn_id)) return;
    turn& t = begin(started->session_id, headers);
    publish(subject::session_state, protocol::encode(protocol::session_state{t.session_id, t.id, "listening"}), &t);
}

void conductor::on_final(const bus::message& m) {
    const auto final = read<protocol::transcript>(m);
    if (!final || final->partial) return;
    auto headers = protocol::read_turn(m.headers);
    if (told_again(m, *final, headers) || set_aside(m, *final, headers)) return;
    const auto known = turns_.find(final->session_id);
    const bool continues = known != turns_.end() && known->second.at == state::listening &&
                           (headers.turn_id.empty() || headers.turn_id == known->second.id);
    if (!continues && known == turns_.end() && turns_.size() >= config_.max_active_turns) {
        publish(subject::session_degraded,
                protocol::encode(protocol::session_degraded{final->session_id, headers.turn_id, "session", "busy",
                                                            "too many turns are going on at once"}));
        publish(subject::session_ended, protocol::encode(protocol::session_ended{.session_id = final->session_id,
                                                                                 .turn_id = headers.turn_id,
                                                                                 .outcome = "cancelled",
                                                                                 .reason = "busy",
                                                                                 .heard = final->text}));
        return;
    }
    turn& t = continues ? known->second : begin(final->session_id, headers);
    t.headers = headers;
    t.area = area_of(t);
    t.heard_at = with_.clock.steady();
    t.deadline = t.heard_at + config_.turn_timeout;
    t.phase_deadline = t.deadline;
    if (headers.age) {
        t.stages_ms["stt"] = headers.age->count();
        observe("stt", headers.age->count());
    }
    store(t, "turn.heard", [said = *final] { return protocol::encode(said); });
    decide(t, *final);
}

void conductor::decide(turn& t, const protocol::transcript& said) {
    t.heard = trim(said.text);
    t.how_heard = how_heard(said);
    t.first_heard = said.heard;
    remember_decided(t);
    if (t.heard.empty()) {
        tell_decided(t);
        // Somebody spoke and nothing could be made of it: worth a word. Nobody spoke: worth none.
        if (said.reason == "speech_end")
            return speak(t, {.text = std::string(apology_not_heard), .failed = true, .reason = "not_heard"});
        t.reason = said.reason.empty() ? "no_speech" : said.reason;
        return end(turns_.find(t.session_id), "nothing_heard");
    }

    auto& memory = memory_of(t.session_id);
    const auto understood = understand(t, memory);
    store(t, "turn.intent", [id = t.id, area = t.area, understood] { return intent_event(id, area, understood); });
    (understood ? found_ : not_found_).add();
    if (!understood) {
        const auto words = not_understood(t.heard, t.area, understood.error());
        ask_for_words(t, words.completes);
        return reply(t, words);
    }
    const auto& commands = understood->commands;
    t.intent = commands.front().what.intent;
    for (const auto& s : commands.front().what.slots) t.slots.emplace_back(s.name, intent::to_string(s.value));
    if (!understood->ask_first) {
        // Before anything is done: who is told nothing of a turn has another process take it up.
        if (!actor_.only_tells(commands)) tell_decided(t);
        return act(t, commands);
    }
    // Nobody is asked about what cannot be done anyway.
    if (const auto why = actor_.objection(commands.front(), asker_of(t))) return reply(t, *why);
    memory.asked_about = commands;
    memory.asked_at = with_.clock.steady();
    t.expects_answer = true;
    reply(t, {.text = understood->question});
}

void conductor::reply(turn& t, const spoken_answer& given) {
    auto answer = given;
    if (answer.stop_speaking) hush(t);
    if (!answer.announce.empty()) {
        const auto told = speakers_.announce(answer.announce, t.target.empty() ? t.session_id : t.target);
        if (!told) answer = apology(told.error(), std::string(apology_announcement));
        if (told && *told == 0) answer = {.text = std::string(no_other_speaker), .failed = true, .reason = "not_found"};
    }
    settle_rings();
    if (answer.volume) publish(subject::playback_volume, protocol::encode(*answer.volume), &t);
    // The words are waited for; what is told beside them is not.
    const protocol::session_reply told{t.session_id, t.id, t.heard, t.intent, answer.text, t.slots};
    if (!answer.text.empty()) {
        speak(t, answer);
        return tell_soon(subject::session_reply, protocol::encode(told), t);
    }
    tell_decided(t);
    publish(subject::session_reply, protocol::encode(told), &t);
    speak(t, answer);
}

intent::understood conductor::understand(turn& t, memory& of_session) {
    const auto began = with_.clock.steady();
    telemetry::timed_span span(with_.tracer, with_.clock, "intent", t.trace);
    auto [result, confirmed, completes] = meaning_of(t.heard, t.area, of_session, t.how_heard);
    // Listened to again for commands, an answer that is none was taken for one.
    if (!completes && t.how_heard != intent::hearing::clear && !of_session.completes.empty())
        if (auto whole = meaning_of(t.first_heard, t.area, of_session).what; whole && !whole->mended)
            result = std::move(whole);
    of_session.asked_about.clear();
    of_session.completes.clear();
    if (confirmed) t.doing.confirmed = true;
    const double ms = to_ms(with_.clock.steady() - began);
    t.stages_ms["intent"] = ms;
    observe("intent", ms);
    if (result) {
        span.set("intent.name", result->commands.front().what.intent);
        span.set("intent.mended", result->mended ? "yes" : "no");
    } else {
        span.set("intent.miss", std::string(intent::to_string(result.error().reason)));
    }
    return result;
}

std::shared_ptr<const intent::interpreter> conductor::interpreter() const {
    return live_ != nullptr ? live_->now()->meaning : interpreter_;
}

intent::hearing conductor::how_heard(const protocol::transcript& said) {
    if (said.heard.empty()) return intent::hearing::clear;
    return said.doubtful ? intent::hearing::doubtful : intent::hearing::again;
}

// What a sentence means in its session. A yes or a no is about what was asked.
conductor::meant conductor::meaning_of(const std::string& heard, const std::string& area, const memory& before,
                                       intent::hearing how) const {
    const auto now = with_.clock.steady();
    const bool is_fresh = now - before.asked_at <= answer_awaited;
    if (is_fresh && !before.completes.empty())
        if (auto whole = completed(heard, area, before)) return {.what = std::move(*whole), .completes = true};
    const bool asked = !before.asked_about.empty() && is_fresh;
    const auto yes = asked ? intent::yes_or_no(heard, interpreter()->sentences().language()) : std::nullopt;
    if (!yes) return {interpreter()->understand(heard, {.area = area}, before.before, now, how)};
    if (*yes) return {intent::understanding{.commands = before.asked_about}, true};
    return {intent::understanding{
        .commands = {{.what = {.intent = "HassNevermind", .language = interpreter()->sentences().language()}}}}};
}

// The command that the words of an answer complete; nothing where they are a command themselves, or complete none.
std::optional<intent::understanding> conductor::completed(const std::string& heard, const std::string& area,
                                                          const memory& before) const {
    const auto meaning = interpreter();
    const intent::context where{.area = area};
    if (intent::yes_or_no(heard) == false)
        return intent::understanding{.commands = {{.what = {.intent = "HassNevermind", .language = "en"}}}};
    if (meaning->word_for_word(heard, where)) return std::nullopt;
    // Another command, not understood, is no answer.
    if (begins_a_command(heard)) return std::nullopt;
    const auto words = words_of_an_answer(heard);
    if (words.empty()) return std::nullopt;
    for (const auto& each : before.completes) {
        auto whole = each;
        whole.replace(whole.find("{}"), 2, words);
        if (auto commands = meaning->word_for_word(whole, where); commands && commands->size() == 1)
            return intent::understanding{.commands = std::move(*commands)};
    }
    return std::nullopt;
}

spoken_answer conductor::not_understood(const std::string& heard, const std::string& area,
                                        const intent::miss& why) const {
    if (auto asks = unfinished(*interpreter(), heard, {.area = area})) return std::move(*asks);
    return actor_.not_understood(why);
}

void conductor::ask_for_words(turn& t, const std::vector<std::string>& completes) {
    if (completes.empty() || t.timer_id) return;
    auto& memory = memory_of(t.session_id);
    memory.completes = completes;
    memory.asked_at = with_.clock.steady();
    t.expects_answer = true;
    t.expects_words = true;
}

asker conductor::asker_of(const turn& t) {
    return {.session_id = t.session_id,
            .target = t.target,
            .pcm = t.headers.audio == protocol::audio_form::pcm,
            .last_reply = t.timer_id ? std::string() : memory_of(t.session_id).last_reply,
            .area = t.area,
            .ephemeral = t.privacy == "ephemeral"};
}

void conductor::act(turn& t, std::vector<intent::command> commands) {
    t.at = state::acting;
    t.doing.commands = std::move(commands);
    go_on(t);
}

void conductor::go_on(turn& t) {
    const auto who = asker_of(t);
    const auto headers = headers_of(t);
    if (!actor_.go_on(t.doing, {who, t.id, t.trace, headers})) {
        t.phase_deadline = std::min(t.deadline, with_.clock.steady() + config_.intent_timeout);
        return;
    }
    const auto done = std::exchange(t.doing, {});
    const double ms = to_ms(with_.clock.steady() - done.began);
    t.stages_ms["skill"] = ms;
    observe("skill", ms);
    if (!t.timer_id) {
        auto& memory = memory_of(t.session_id);
        if (done.ask) {
            memory.asked_about = done.commands;
            memory.asked_at = with_.clock.steady();
            t.expects_answer = true;
        } else {
            memory.before = {.commands = done.commands, .said_at = done.began};
            ask_for_words(t, done.so_far.completes);
        }
    } else if (auto over = with_.timers.acknowledge(*t.timer_id); !over && over.error().code != errc::not_found) {
        with_.log.warn(over.error());
    }
    store(t, "turn.action",
          [id = t.id, intent = t.intent, given = done.so_far] { return action_event(id, intent, given); });
    reply(t, done.so_far);
}

void conductor::on_declare(const bus::message& m) {
    if (auto taken = actor_.handlers().declare(m.payload); !taken) refuse(m, taken.error());
}

void conductor::on_handler_answer(const bus::message& m, const std::string& token) {
    const auto it =
        std::ranges::find_if(turns_, [&](const auto& one) { return one.second.doing.waiting_for == token; });
    if (it == turns_.end()) return late_.add();
    turn& t = it->second;
    const auto who = asker_of(t);
    actor_.answered(t.doing, {who, t.id, t.trace, {}}, m);
    go_on(t);
}

// A command that was given earlier, for now.
void conductor::run_later(const timers::timer& t) {
    const auto session = fmt::format("timer-{}", t.id);
    if (turns_.contains(session)) return;
    protocol::turn_headers headers;
    headers.audio = t.pcm ? protocol::audio_form::pcm : protocol::audio_form::json;
    if (t.ephemeral) headers.privacy = "ephemeral";
    turn& runs = begin(session, headers);
    runs.timer_id = t.id;
    runs.target = t.target.empty() ? t.session_id : t.target;
    runs.deadline = runs.began + config_.turn_timeout;
    runs.phase_deadline = runs.deadline;
    const auto command = from_action(t.action);
    if (!command) {
        with_.log.warn("a command for later cannot be read: {}", command.error().message);
        std::ignore = with_.timers.acknowledge(t.id);
        return reply(runs, {.text = std::string(apology_later), .failed = true, .reason = "invalid_message"});
    }
    runs.area = command->area;
    runs.intent = command->what.intent;
    runs.doing.confirmed = true;
    for (const auto& s : command->what.slots) runs.slots.emplace_back(s.name, intent::to_string(s.value));
    if (asks_what_is_late(runs, command->what, t)) return;
    act(runs, {{.what = command->what}});
}

// Whether it is asked about instead of done; what is late and done all the same says so first.
bool conductor::asks_what_is_late(turn& t, const intent::recognized& what, const timers::timer& of) {
    const auto late = overdue_words(what, interpreter()->house(), of.late);
    if (!late) return false;
    if (!late->ask_first) {
        t.doing.so_far.text = late->words;
        return false;
    }
    if (auto over = with_.timers.acknowledge(of.id); !over) with_.log.warn(over.error());
    // The yes comes from where it was put off.
    auto& memory = memory_of(of.session_id);
    memory.asked_about = {{.what = what}};
    memory.asked_at = with_.clock.steady();
    t.expects_answer = true;
    reply(t, {.text = late->words});
    return true;
}

void conductor::speak(turn& t, const spoken_answer& answer) {
    t.reply = answer.text;
    t.apology = answer.failed;
    t.beep = config_.beep && answer.local && !answer.failed;
    t.reason = answer.reason;
    t.sounds = false;
    if (answer.text.empty()) return end(turns_.find(t.session_id), "answered");
    request_speech(t);
    store(t, "turn.reply", [id = t.id, text = t.reply, intent = t.intent, failed = t.apology] {
        return protocol::dump({{"turn_id", id}, {"text", text}, {"intent", intent}, {"failed", failed}});
    });
}

void conductor::tell_decided(turn& t) {
    if (std::exchange(t.told_decided, true)) return;
    publish(subject::session_state, protocol::encode(protocol::session_state{t.session_id, t.id, "deciding", {}, id_}),
            &t);
}

void conductor::request_speech(turn& t, const std::string& again) {
    if (t.at != state::speaking && t.headers.age) speculation_.settle(t.id, t.reply);
    t.at = state::speaking;
    t.requested_at = with_.clock.steady();
    t.phase_deadline = std::min(t.deadline, t.requested_at + config_.tts_timeout);
    // First of all: its words are waited for.
    publish_request(t, t.taken_up.empty() ? again : t.taken_up);
    if (!t.timer_id && !std::exchange(t.told_decided, true))
        tell_soon(subject::session_state,
                  protocol::encode(protocol::session_state{t.session_id, t.id, "deciding", {}, id_}), t);
    const auto* expects = !t.expects_answer ? "" : t.expects_words ? "words" : "yes_or_no";
    tell_soon(subject::session_state,
              protocol::encode(protocol::session_state{t.session_id, t.id, "speaking", expects, id_}), t);
}

conductor::turn* conductor::turn_of(const std::string& session_id, const bus::message& m) {
    const auto it = turns_.find(session_id);
    const auto id = protocol::read_turn(m.headers).turn_id;
    if (it != turns_.end() && (id.empty() || id == it->second.id)) return &it->second;
    // Speech that a client asked for itself belongs to no turn; only what names a turn is late.
    if (!id.empty()) late_.add();
    return nullptr;
}

void conductor::on_tts_started(const bus::message& m) {
    const auto started = read<protocol::tts_started>(m);
    if (!started) return;
    turn* t = turn_of(started->session_id, m);
    if (t == nullptr || t->at != state::speaking) return;
    begins_to_sound(*t);
    t->at = state::playing;
    t->started_at = with_.clock.steady();
    // Of a short answer the end may be heard of before the begin: then it is waited for no longer than it was.
    if (!t->synthesised) t->phase_deadline = t->deadline;
    const double ms = to_ms(t->started_at - t->requested_at);
    t->stages_ms["tts"] = ms;
    observe("tts", ms);
    if (t->headers.age) t->stages_ms["first_chunk"] = t->headers.age->count() + to_ms(t->started_at - t->heard_at);
}

// What tells that the words are heard comes in any order, the end of a short answer before its begin too. The first of
// it counts: else a question that is being asked would be taken for one that was heard.
void conductor::begins_to_sound(turn& t) {
    if (!std::exchange(t.sounds, true)) sounding_.begins(t.session_id, t.id, t.reply);
}

void conductor::on_playback_started(const bus::message& m) {
    const auto started = read<protocol::playback_started>(m);
    if (!started) return;
    speakers_.played(*started);
    turn* t = turn_of(started->session_id, m);
    if (t != nullptr && t->at == state::speaking) begins_to_sound(*t);
    sounding_.plays(started->session_id, started->generation);
    if (t == nullptr || t->played) return;
    t->played = true;
    // tts.started and this come over different connections: either may be first.
    const auto now = with_.clock.steady();
    const double playback_ms = t->at == state::playing ? to_ms(now - t->started_at) : 0;
    t->stages_ms["playback"] = playback_ms;
    observe("playback", playback_ms);
    store(*t, "turn.played",
          [id = t->id, target = t->target, ms = to_ms(now - t->heard_at)] { return played_event(id, target, ms); });
    if (t->headers.age) {
        const double total_ms = t->headers.age->count() + to_ms(now - t->heard_at);
        t->stages_ms["total"] = total_ms;
        observe("total", total_ms);
    }
    end_if_heard(*t);
}

void conductor::on_tts_done(const bus::message& m) {
    const auto done = read<protocol::tts_done>(m);
    if (!done) return;
    turn* t = turn_of(done->session_id, m);
    const auto of = protocol::read_turn(m.headers).turn_id;
    if (done->completed) {
        if (t != nullptr && t->at == state::speaking) begins_to_sound(*t);
        sounding_.lasts(done->session_id, of, milliseconds(done->audio_ms));
    } else {
        sounding_.breaks_off(done->session_id, of);
    }
    if (t == nullptr || t->at == state::listening || t->at == state::acting) return;
    if (!done->completed) {
        degrade(*t, "tts", "engine_failed", done->error.empty() ? "speech was not completed" : done->error);
        t->reason = "tts: " + done->error;
        return end(turns_.find(t->session_id), "apologised");
    }
    t->synthesised = true;
    end_if_heard(*t);
}

void conductor::end_if_heard(turn& t) {
    if (!t.synthesised) return;
    // Only speakers of the binary form say when they play; for others the turn is over with its last sample.
    if (t.headers.audio == protocol::audio_form::pcm && !t.played) {
        const auto patience = t.timer_id ? ring_patience : playback_patience;
        t.phase_deadline = std::min(t.deadline, with_.clock.steady() + patience);
        return;
    }
    end(turns_.find(t.session_id), t.apology ? "apologised" : "answered");
}

void conductor::on_stt_error(const bus::message& m) {
    const auto failed = read<protocol::stt_error>(m);
    if (!failed) return;
    with_.metrics
        .counter("loqa_session_errors_total", "Turns that something went wrong in, by stage", {{"stage", "stt"}})
        .add();
    turn* t = turn_of(failed->session_id, m);
    if (t == nullptr || t->at != state::listening) return;
    lose(*t, failed->code, failed->message);
}

// The transcript of a turn will never come.
void conductor::lose(turn& t, const std::string& reason, const std::string& message) {
    degrade(t, "stt", reason, message);
    t.deadline = with_.clock.steady() + config_.turn_timeout;
    say_instead(t, apology_lost, reason);
}

// The last spans of a turn come in batches after its end: who asks at once is answered when they are there.
void conductor::on_trace_get(const bus::message& m) {
    if (with_.clock.steady() >= traces_settled_at_ || waiting_for_traces_.size() >= max_waiting_for_traces)
        return respond(m, traces_.answer(m.payload));
    waiting_for_traces_.push_back(m);
}

// Another node took over a turn that was heard to begin here too.
void conductor::on_session_state(const bus::message& m) {
    const auto s = read<protocol::session_state>(m);
    if (!s || s->state != "deciding") return;
    const auto it = turns_.find(s->session_id);
    if (it == turns_.end() || it->second.id != s->turn_id || it->second.at != state::listening) return;
    turns_.erase(it);
    active_.set(static_cast<double>(turns_.size()));
}

void conductor::on_component_status(const bus::message& m) {
    const auto status = read<protocol::component_status>(m);
    if (!status) return;
    const auto change = components_.heard(*status);
    if (change.readiness_changed) publish_readiness();
    if (change.restarted) {
        // What the process before it was doing will not be finished.
        std::vector<std::string> sessions;
        for (const auto& [session, t] : turns_) sessions.push_back(session);
        for (const auto& session : sessions) {
            const auto it = turns_.find(session);
            turn& t = it->second;
            if (status->name == "stt" && t.at == state::listening) {
                lose(t, "unavailable", "speech recognition was restarted");
            } else if (status->name == "tts" && (t.at == state::playing || t.played) && !t.synthesised) {
                broken_off(t);
            }
        }
    }
    if (change.became_ready && status->name == "tts") {
        // What was asked of a process that died before it said anything is asked again. Nothing is said twice: where it
        // was only not heard of for a while, it knows what it was asked.
        for (auto& [session, t] : turns_)
            if (t.at == state::speaking)
                request_speech(t, "speaking");  // also an apology that none could say until now
        if (const auto all = with_.timers.list())
            for (const auto& t : *all)
                if (t.ringing()) say_or_do(t);
    }
}

void conductor::publish_readiness() {
    const auto now = components_.state();
    ready_.set(now.ready ? 1 : 0);
    publish(subject::readiness, protocol::encode(now));
    for (const auto& c : now.components)
        with_.log.debug("{} is {}{}{}", c.name, c.state, c.detail.empty() ? "" : ": ", c.detail);
}

void conductor::say_or_do(const timers::timer& t) {
    if (!t.action.empty()) return run_later(t);
    const auto session = fmt::format("timer-{}", t.id);
    if (turns_.contains(session)) return;
    const auto where = ringing_.begin(t, not_at(ringing::own(t).target));
    protocol::turn_headers headers;
    headers.audio = where.pcm ? protocol::audio_form::pcm : protocol::audio_form::json;
    headers.urgency = protocol::urgency::alarm;
    if (t.ephemeral) headers.privacy = "ephemeral";
    turn& rings = begin(session, headers);
    rings.timer_id = t.id;
    rings.target = where.target;
    rings.deadline = rings.began + config_.turn_timeout;
    rings.phase_deadline = rings.deadline;
    rings.intent = "timer.ring";
    const auto text = ring_text(t);
    if (ringing_.times(t.id) == 1) timer_requests_.tell(t, "completed");
    publish(subject::session_reply,
            protocol::encode(protocol::session_reply{session, rings.id, "", rings.intent, text, {}}), &rings);
    speak(rings, {.text = text});
}

// Where a timer rings on whose own speaker is gone: the configured one, else the one that played something last.
std::optional<ringing::place> conductor::not_at(const std::string& own) const {
    const auto& configured = config_.default_target;
    if (!configured.empty() && configured != own)
        // Every speaker understands JSON; whether it takes PCM is known once it has played some.
        return ringing::place{.target = configured, .pcm = speakers_.takes_pcm(configured)};
    auto last = speakers_.last_but(own);
    if (!last) return std::nullopt;
    return ringing::place{.target = std::move(*last), .pcm = true};
}

void conductor::ring_again() {
    const auto due = ringing_.due();
    if (due.empty()) return;
    const auto all = with_.timers.list();
    if (!all) return with_.log.warn(all.error());
    for (const auto id : due) {
        const auto found = std::ranges::find(*all, id, &timers::timer::id);
        if (found != all->end() && found->ringing())
            say_or_do(*found);
        else
            ringing_.forget(id);
    }
}

void conductor::settle_rings() {
    std::vector<std::pair<std::string, std::int64_t>> rings;
    for (const auto& [session, t] : turns_)
        if (t.timer_id && ringing_.times(*t.timer_id) > 0) rings.emplace_back(session, *t.timer_id);
    if (rings.empty()) return;
    const auto all = with_.timers.list();
    if (!all) return with_.log.warn(all.error());
    for (const auto& [session, id] : rings) {
        const auto found = std::ranges::find(*all, id, &timers::timer::id);
        if (found != all->end() && found->ringing()) continue;
        const auto it = turns_.find(session);
        ringing_.forget(id);
        publish(subject::tts_cancel, protocol::encode(protocol::tts_cancel{session}), &it->second);
        it->second.reason = "stopped";
        end(it, "cancelled");
    }
}

void conductor::supersede(const std::string& session_id, const std::string& by_turn_id) {
    const auto it = turns_.find(session_id);
    if (it == turns_.end()) return;
    if (it->second.at != state::listening) {
        // The answer of the turn that follows may be asked for at once, and overtake this.
        publish(subject::tts_cancel,
                protocol::encode(protocol::tts_cancel{.session_id = session_id, .except_turn_id = by_turn_id}),
                &it->second);
        sounding_.stops(session_id);
    }
    it->second.reason = "superseded";
    end(it, "cancelled");
}

void conductor::hush(const turn& by) {
    sounding_.stops(by.session_id);
    publish(subject::tts_cancel, protocol::encode(protocol::tts_cancel{
                                     .session_id = by.session_id, .target = by.target, .except_turn_id = by.id}));
    const auto all = with_.timers.list();
    if (!all) return with_.log.warn(all.error());
    // Heard well enough to be stopped: they do not ring again.
    std::vector<std::int64_t> stopped;
    for (const auto& t : *all) {
        if (!t.ringing() || !t.action.empty()) continue;
        stopped.push_back(t.id);
        if (auto done = with_.timers.acknowledge(t.id); !done) with_.log.warn(done.error());
    }
    settle_rings();
    for (const auto id : stopped) ringing_.forget(id);
}

void conductor::degrade(const turn& t, const std::string& stage, const std::string& reason,
                        const std::string& message) {
    with_.metrics
        .counter("loqa_session_errors_total", "Turns that something went wrong in, by stage", {{"stage", stage}})
        .add();
    with_.log.with({{"session", t.session_id}, {"turn", t.id}, {"trace", t.trace.trace_id}})
        .warn("turn degraded in {}: {} ({})", stage, message, reason);
    publish(subject::session_degraded,
            protocol::encode(protocol::session_degraded{t.session_id, t.id, stage, reason, message}), &t);
    store(t, "turn.error", [id = t.id, stage, reason, message] { return error_event(id, stage, reason, message); });
}

void conductor::end(turns::iterator which, const std::string& outcome) {
    turn t = std::move(which->second);
    turns_.erase(which);
    speculation_.forget(t.id);
    active_.set(static_cast<double>(turns_.size()));

    // What asks for words has done nothing yet, which is told as an apology is.
    if (t.expects_answer && (outcome == "answered" || (t.expects_words && t.synthesised)))
        memory_of(t.session_id).listens_for = t.id;

    // "Repeat that" means what was heard: not what was called off before it sounded.
    if (!t.timer_id && !t.cut_off && !t.reply.empty() && (t.played || outcome != "cancelled"))
        memory_of(t.session_id).last_reply = t.reply;
    const bool heard = t.played || t.headers.audio != protocol::audio_form::pcm;
    const bool announced = t.timer_id && outcome != "cancelled";
    if (announced && t.synthesised && !heard) speakers_.silent(t.target);
    if (announced && ringing_.said(*t.timer_id, t.synthesised, heard)) {
        with_.log.info("timer {} rang {} times and nobody stopped it", *t.timer_id, config_.ring_times);
        if (auto done = with_.timers.acknowledge(*t.timer_id); !done && done.error().code != errc::not_found)
            with_.log.warn(done.error());
    }

    const auto now = with_.clock.steady();
    const auto elapsed = now - t.began;
    traces_settled_at_ = now + spans_delay;
    const protocol::session_ended ended{.session_id = t.session_id,
                                        .turn_id = t.id,
                                        .outcome = outcome,
                                        .reason = t.reason,
                                        .heard = t.heard,
                                        .reply = t.reply,
                                        .intent = t.intent,
                                        .stages_ms = t.stages_ms};
    const auto text = protocol::encode(ended);
    publish(subject::session_ended, text, &t);
    store(t, "turn.ended", [kept = std::string(text)] { return kept; });

    if (t.trace.sampled) {
        telemetry::span root{.trace_id = t.trace.trace_id,
                             .span_id = t.trace.span_id,
                             .parent_span_id = {},
                             .name = "voice.session",
                             .process = {},
                             .start = t.began_wall,
                             .end = t.began_wall + std::chrono::duration_cast<wall_time::duration>(elapsed)};
        root.attributes = {
            {"session.id", t.session_id}, {"turn.id", t.id}, {"turn.outcome", outcome}, {"intent.name", t.intent}};
        root.failed = outcome == "apologised";
        root.status_message = root.failed ? t.reason : "";
        with_.tracer.record(std::move(root));
    }
    with_.metrics.counter("loqa_session_turns_total", "Turns by how they ended", {{"outcome", outcome}}).add();
    // What was said may be private; how it went is not.
    with_.log.with({{"session", t.session_id}, {"turn", t.id}, {"trace", t.trace.trace_id}})
        .info("turn {}{}{}{}", outcome, t.intent.empty() ? "" : ", ", t.intent,
              t.reason.empty() ? "" : " (" + t.reason + ")");
}

void conductor::cancel_all(const std::string& reason) {
    while (!turns_.empty()) {
        const auto it = turns_.begin();
        if (it->second.at != state::listening)
            publish(subject::tts_cancel, protocol::encode(protocol::tts_cancel{.session_id = it->first}), &it->second);
        it->second.reason = reason;
        end(it, "cancelled");
    }
    write_down();
}

void conductor::tick() {
    const auto now = with_.clock.steady();
    if (components_.check()) publish_readiness();
    ring_again();
    ask_again(now);
    open_microphones();
    take_queued();
    if (now >= traces_settled_at_)
        for (const auto& m : std::exchange(waiting_for_traces_, {})) respond(m, traces_.answer(m.payload));
    std::vector<std::string> due;
    for (const auto& [session, t] : turns_)
        if (now >= t.phase_deadline) due.push_back(session);
    for (const auto& session : due) {
        const auto it = turns_.find(session);
        if (it == turns_.end()) continue;
        turn& t = it->second;
        if (t.at == state::listening) {
            lose(t, "timed_out", "the transcript did not come in time");
        } else if (t.at == state::acting) {
            degrade(t, "skill", "timed_out", fmt::format("who handles {} did not answer in time", t.intent));
            actor_.gave_up(t.doing);
            go_on(t);
        } else if (t.synthesised) {
            end(it, t.apology ? "apologised" : "answered");
        } else if (t.at == state::speaking && now < t.deadline && components_.away("tts")) {
            t.phase_deadline = t.deadline;  // it is on its way back, and will be asked
        } else {
            degrade(t, "tts", "timed_out",
                    t.at == state::speaking ? "no speech came in time" : "speech did not end in time");
            publish(subject::tts_cancel, protocol::encode(protocol::tts_cancel{.session_id = session}), &t);
            t.reason = "tts: timed_out";
            end(it, "apologised");
        }
    }
    write_down();
}

steady_time conductor::next_deadline() const {
    auto next = std::min({components_.next_check(), ringing_.next(), next_ask()});
    if (!queued_.empty()) next = std::min(next, sounding_.next_end());
    for (const auto& m : memories_)
        if (!m.listens_for.empty() && !turns_.contains(m.session_id))
            next = std::min(next, sounding_.is(m.session_id) ? sounding_.next_end() : with_.clock.steady());
    if (!waiting_for_traces_.empty()) next = std::min(next, traces_settled_at_);
    for (const auto& [session, t] : turns_) next = std::min(next, t.phase_deadline);
    return next;
}

conductor::memory& conductor::memory_of(const std::string& session_id) {
    const auto it = std::ranges::find(memories_, session_id, &memory::session_id);
    if (it != memories_.end()) return *it;
    if (memories_.size() >= remembered_sessions) memories_.pop_front();
    // Who asks in a new session to have something repeated means what was said last.
    memory fresh{.session_id = session_id, .last_reply = memories_.empty() ? "" : memories_.back().last_reply};
    return memories_.emplace_back(std::move(fresh));
}

// What happened is put into words and stored once everybody was told: nobody waits for it.
void conductor::store(const turn& t, std::string type, std::function<std::string()> payload) {
    store::event event{.session_id = t.session_id,
                       .trace_id = t.trace.trace_id,
                       .actor_id = "loqad",
                       .type = std::move(type),
                       .privacy_scope = t.privacy,
                       .created_at = with_.clock.wall()};
    happened_.emplace_back(std::move(event), std::move(payload));
}

void conductor::write_down() {
    for (auto& [event, payload] : happened_) event.payload = payload();
    tell_news();
    for (auto& [event, payload] : happened_) {
        if (auto stored = with_.store.append(std::move(event)); !stored) with_.log.warn(stored.error());
    }
    happened_.clear();
    for (const auto& [trace, session, turn] : begun_) traces_.remember(trace, session, turn);
    begun_.clear();
}

void conductor::observe(const std::string& stage, double ms) {
    auto& latency = latencies_[stage];
    if (latency == nullptr)
        latency = &with_.metrics.histogram("loqa_voice_latency_ms",
                                           "Time from the end of speech, by stage; total: to the first audible sample",
                                           telemetry::latency_buckets_ms, {{"stage", stage}});
    latency->observe(ms);
}

void conductor::on_dry_run(const bus::message& m) {
    const asker nobody{.session_id = "replay", .target = config_.default_target, .area = config_.area};
    const auto preview = [&](const intent::recognized& what) { return actor_.own_preview(what, nobody); };
    respond(m, dry_run(m.payload, *interpreter(), preview));
}

}  // namespace loqa::session
