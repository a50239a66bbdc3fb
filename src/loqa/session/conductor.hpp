// The turns: from what somebody said to what is answered, each with an end.
//
// A turn begins when speech is heard (or, for clients that send text, with the text), goes through deciding and
// speaking, and ends with an answer, an apology, or a cancel; each end is said on session.ended. Every wait has a
// deadline; what comes for a turn that is over is dropped and counted. New speech in a session ends the turn that was
// going on there.
//
// The conductor has no thread and no clock of its own: its owner calls handle() with each message, ring() with each
// timer, and tick() at the latest at next_deadline(), one at a time.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "loqa/base/clock.hpp"
#include "loqa/bus/connection.hpp"
#include "loqa/intent/understanding.hpp"
#include "loqa/protocol/messages.hpp"
#include "loqa/protocol/turn_headers.hpp"
#include "loqa/session/acting.hpp"
#include "loqa/session/answers.hpp"
#include "loqa/session/components.hpp"
#include "loqa/session/house_answers.hpp"
#include "loqa/session/ringing.hpp"
#include "loqa/session/sounding.hpp"
#include "loqa/session/speakers.hpp"
#include "loqa/session/speculation.hpp"
#include "loqa/session/timer_requests.hpp"
#include "loqa/session/traces.hpp"
#include "loqa/store/event_store.hpp"
#include "loqa/telemetry/log.hpp"
#include "loqa/telemetry/metrics.hpp"
#include "loqa/telemetry/trace.hpp"
#include "loqa/timers/timers.hpp"

namespace loqa::session {

// What interrupts Loqa while it speaks.
enum class barge_in : std::uint8_t { any, stop, off };

struct conductor_config {
    milliseconds turn_timeout{10'000};    // from the final transcript to the end of the answer's synthesis
    milliseconds tts_timeout{4'000};      // from the request to the first samples
    milliseconds listen_timeout{20'000};  // from the first speech to the final transcript
    milliseconds intent_timeout{3'000};   // from the request to the answer of an intent's handler
    std::size_t max_active_turns = 64;
    std::string default_target, default_voice;
    bool beep = false;  // rather than words, for what was done in the room it was asked from
    barge_in interrupts = barge_in::any;
    bool queue_words = false;                  // new words wait for the answer to older ones, rather than cancel it
    std::string area;                          // the room that is spoken from where nothing else says so
    std::map<std::string, std::string> areas;  // rooms of targets and sessions
    std::string privacy = "session";           // scope of turns whose client names none
    std::vector<std::string> required_components;
    milliseconds ring_pause{10'000};  // between the announcements of one ring
    int ring_times = 12;              // after so many it ends unheard
    milliseconds snooze{9 * 60'000};
};

class conductor {
public:
    struct parts {
        const loqa::clock& clock;
        bus::connection& bus;
        timers::timer_service& timers;
        store::event_store& store;
        telemetry::tracer& tracer;
        telemetry::metrics& metrics;
        telemetry::logger log;
        house_answers* home = nullptr;                               // null: nothing answers for things
        std::function<bool(std::string_view subject)> taken_over{};  // by somebody who answers it instead
    };
    // The interpreter of the moment is asked for each sentence.
    conductor(conductor_config config, parts with, const intent::live_interpreter& sentences);
    // For tests: one that stays the same.
    conductor(conductor_config config, parts with, std::shared_ptr<const intent::interpreter> interpreter);

    // The subjects that handle() understands: work is shared in a queue group, broadcasts are for every node.
    static std::vector<std::string> work_subjects();
    static std::vector<std::string> broadcast_subjects();
    std::vector<std::string> own_subjects() const;  // for this conductor alone

    void handle(const bus::message& m);
    void ring(const timers::timer& t);
    void tick();
    steady_time next_deadline() const;

    // Ends every turn that is going on, saying so.
    void cancel_all(const std::string& reason);

    protocol::readiness readiness() const { return components_.state(); }
    std::size_t active_turns() const { return turns_.size(); }

private:
    static constexpr seconds answer_awaited{30};  // after a question of ours

    conductor(conductor_config config, parts with, std::shared_ptr<const intent::interpreter> interpreter,
              const intent::live_interpreter* live);

    enum class state { listening, acting, speaking, playing };

    struct turn {
        std::string session_id, id;
        telemetry::trace_context trace;  // of the root span
        protocol::turn_headers headers;
        state at = state::listening;
        wall_time began_wall{};
        steady_time began{}, heard_at{}, requested_at{}, started_at{}, deadline{}, phase_deadline{};
        std::string heard, first_heard, reply, intent, target, privacy, area;
        intent::hearing how_heard = intent::hearing::clear;
        bool apology = false;
        bool beep = false;  // instead of the reply's words
        bool expects_answer = false;
        bool expects_words = false;  // the answer is more than a yes or a no
        std::string reason;
        std::string taken_up;  // what was known of it where a process before this one had it; else empty
        bool played = false;
        bool synthesised = false;
        bool cut_off = false;                  // an answer was, and an apology follows
        bool told_decided = false;             // on session.state
        bool sounds = false;                   // that it began to was noted
        steady_time ask_again_at{};            // for the words, when none of them came
        std::optional<std::int64_t> timer_id;  // of a ring
        deed doing;                            // what is being done
        std::vector<std::pair<std::string, std::string>> slots;
        std::map<std::string, double> stages_ms;
    };
    // What a session's next words may refer to.
    struct memory {
        std::string session_id;
        std::string last_reply;
        intent::conversation before;
        std::vector<intent::command> asked_about;  // waiting for a yes
        std::vector<std::string> completes;        // waiting for the words in the place of their "{}"
        steady_time asked_at{};
        std::string listens_for;  // the turn that asked, until its question was heard
    };
    using turns = std::map<std::string, turn>;  // by session; references stay valid while others come and go

    void on_speech_started(const bus::message& m);
    void on_ahead(const bus::message& m);
    void on_final(const bus::message& m);
    void on_stt_error(const bus::message& m);
    void on_tts_started(const bus::message& m);
    void on_tts_done(const bus::message& m);
    void on_playback_started(const bus::message& m);
    void on_playback_stopped(const bus::message& m);
    void on_trace_get(const bus::message& m);
    void on_session_state(const bus::message& m);
    void on_component_status(const bus::message& m);
    void on_dry_run(const bus::message& m);

    std::string area_of(const turn& t) const;
    std::string area_of_session(const std::string& session, const protocol::turn_headers& headers) const;
    bool takes_turn(const std::string& session_id, const std::string& turn_id);
    void quiet(const std::string& session_id, const std::string& by_turn_id);
    bool set_aside(const bus::message& m, const protocol::transcript& said, const protocol::turn_headers& headers);
    void turned_down(const protocol::transcript& said, const protocol::turn_headers& headers, std::string_view reason);
    void take_queued();
    void open_microphone(const std::string& session_id);
    void open_microphones();
    void dispatch(const bus::message& m);
    turn& begin(const std::string& session_id, const protocol::turn_headers& headers);
    void decide(turn& t, const protocol::transcript& said);
    struct meant {
        intent::understood what;
        bool confirmed = false;  // with a yes to a question of ours
        bool completes = false;  // with the words that a question of ours asked for
    };
    std::shared_ptr<const intent::interpreter> interpreter() const;
    meant meaning_of(const std::string& heard, const std::string& area, const memory& before,
                     intent::hearing how = intent::hearing::clear) const;
    std::optional<intent::understanding> completed(const std::string& heard, const std::string& area,
                                                   const memory& before) const;
    spoken_answer not_understood(const std::string& heard, const std::string& area, const intent::miss& why) const;
    void ask_for_words(turn& t, const std::vector<std::string>& completes);
    static intent::hearing how_heard(const protocol::transcript& said);
    intent::understood understand(turn& t, memory& of_session);
    void act(turn& t, std::vector<intent::command> commands);
    void go_on(turn& t);
    asker asker_of(const turn& t);
    void on_handler_answer(const bus::message& m, const std::string& token);
    void on_declare(const bus::message& m);
    void run_later(const timers::timer& t);
    bool asks_what_is_late(turn& t, const intent::recognized& what, const timers::timer& of);
    void reply(turn& t, const spoken_answer& answer);
    std::string words_ahead(const turn& t, const protocol::transcript& said);
    void speak(turn& t, const spoken_answer& answer);
    void tell_decided(turn& t);
    void request_speech(turn& t, const std::string& again = {});
    void publish_request(turn& t, const std::string& again);
    void ask_again(steady_time now);
    steady_time next_ask() const;
    void remember_decided(const turn& t);
    bool told_again(const bus::message& m, const protocol::transcript& final, protocol::turn_headers& headers);
    void hand_on(const bus::message& m, const std::string& owner);
    void on_owner_gone(const bus::message& m);
    void say_instead(turn& t, std::string_view apology, const std::string& reason);
    void broken_off(turn& t);
    void lose(turn& t, const std::string& reason, const std::string& message);
    void degrade(const turn& t, const std::string& stage, const std::string& reason, const std::string& message);
    // The turn of a message's session, or null when that turn is over or another.
    turn* turn_of(const std::string& session_id, const bus::message& m);
    void end(turns::iterator which, const std::string& outcome);
    void begins_to_sound(turn& t);
    void end_if_heard(turn& t);
    void supersede(const std::string& session_id, const std::string& by_turn_id);
    void hush(const turn& by);

    template <class T>
    std::optional<T> read(const bus::message& m) {
        auto message = protocol::decode<T>(m.payload);
        if (message) return std::move(*message);
        refuse(m, message.error());
        return std::nullopt;
    }
    void publish(std::string_view subject, const std::string& payload, const turn* t = nullptr);
    void tell_soon(std::string_view subject, std::string payload, const turn& t);
    void tell_news();
    void respond(const bus::message& request, const std::string& payload);
    void refuse(const bus::message& m, const error& why);
    void publish_readiness();
    memory& memory_of(const std::string& session_id);
    void store(const turn& t, std::string type, std::function<std::string()> payload);
    void write_down();
    void observe(const std::string& stage, double ms);
    // Silences the announcements of timers that ring no longer.
    void settle_rings();
    void say_or_do(const timers::timer& t);
    std::optional<ringing::place> not_at(const std::string& own) const;
    void ring_again();
    protocol::headers headers_of(const turn& t) const;

    const conductor_config config_;
    const std::string id_;         // of this conductor, unlike any other
    const std::string own_again_;  // where transcripts of its turns are told again
    parts with_;
    const intent::live_interpreter* const live_ = nullptr;
    std::shared_ptr<const intent::interpreter> interpreter_;  // when it is not live
    answers answers_;
    actor actor_;
    speculation speculation_;
    timer_requests timer_requests_;
    ringing ringing_;
    speakers speakers_;
    components components_;
    recent_traces traces_;
    std::vector<bus::message> waiting_for_traces_;
    steady_time traces_settled_at_{};
    turns turns_;
    std::deque<memory> memories_;  // of the sessions that spoke last; newest last; bounded
    sounding sounding_;
    struct waiting {
        std::string session_id;
        bus::message said;
    };
    std::deque<waiting> queued_;       // transcripts that wait for the answer to older words; bounded
    std::deque<std::string> decided_;  // the last turns whose words were acted on
    std::deque<bus::message>
        handed_on_;  // to their owners, each with the subject for the news that it is gone; bounded
    std::uint64_t times_handed_on_ = 0;
    // Of what is being handled.
    std::vector<bus::message> news_;
    std::vector<std::pair<store::event, std::function<std::string()>>> happened_;
    struct trace_of_turn {
        std::string trace_id, session_id, turn_id;
    };
    std::vector<trace_of_turn> begun_;
    std::map<std::string, telemetry::histogram*> latencies_;  // by stage
    telemetry::rate_limited unreadable_;
    telemetry::counter& late_;
    telemetry::counter& echoes_;
    telemetry::counter &found_, &not_found_;
    telemetry::gauge& active_;
    telemetry::gauge& ready_;
};

}  // namespace loqa::session
