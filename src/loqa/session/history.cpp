#include "loqa/session/history.hpp"

#include <string_view>
#include <tuple>
#include <utility>

#include "loqa/protocol/json.hpp"
#include "loqa/protocol/subjects.hpp"
#include "loqa/protocol/turn_headers.hpp"

namespace loqa::session {

namespace subject = protocol::subject;
using protocol::json;

namespace {

constexpr std::size_t max_id_bytes = 256;
constexpr int most_sessions = 1000;
constexpr std::size_t most_events = 10'000;
// An answer is one message of the bus, which takes 2 MiB.
constexpr std::size_t most_answer_bytes = 1u << 20;

json session_json(const store::session_row& s) {
    return {{"session_id", s.session_id},
            {"actor_id", s.actor_id},
            {"privacy_scope", s.privacy_scope},
            {"created_at", to_rfc3339(s.created_at)},
            {"last_event_at", to_rfc3339(s.last_event_at)},
            {"events", s.events}};
}

json event_json(const store::event& e) {
    auto payload = json::parse(e.payload, nullptr, false);
    return {{"id", e.id},
            {"trace_id", e.trace_id},
            {"actor_id", e.actor_id},
            {"type", e.type},
            {"payload", payload.is_discarded() ? json(e.payload) : std::move(payload)},
            {"privacy_scope", e.privacy_scope},
            {"created_at", to_rfc3339(e.created_at)}};
}

result<std::string> session_named(const bus::message& m, const json& request) {
    std::string session;
    protocol::field_reader read(request);
    read.text("session_id", session, max_id_bytes, true);
    if (read.failed()) return failure(read.why());
    if (session.empty()) return fail(errc::invalid_argument, "{} needs a session_id", m.subject);
    return session;
}

}  // namespace

result<std::unique_ptr<history>> history::start(bus::connection& bus, store::event_store& store,
                                                store::sound_store* sounds, std::string default_privacy,
                                                telemetry::logger log) {
    auto made = std::unique_ptr<history>(new history(bus, store, sounds, std::move(default_privacy), std::move(log)));
    using handler = result<std::string> (history::*)(const bus::message&);
    const std::pair<std::string_view, handler> answers[] = {{subject::sessions_list, &history::list},
                                                            {subject::sessions_show, &history::show},
                                                            {subject::sessions_delete, &history::remove}};
    for (const auto& [on, answer] : answers) {
        auto subscribed =
            bus.subscribe(on, protocol::group::session, [h = made.get(), answer = answer](const bus::message& m) {
                const auto text = (h->*answer)(m);
                if (auto sent = h->bus_.respond(m, text ? *text : protocol::refusal(text.error())); !sent)
                    h->log_.warn(sent.error());
            });
        if (!subscribed) return fail(std::move(subscribed));
        made->subscriptions_.push_back(std::move(*subscribed));
    }
    const std::pair<std::string, void (history::*)(const bus::message&)> sound[] = {
        {std::string(subject::stt_audio) + ".>", &history::keep},
        {std::string(subject::sessions_audio), &history::send_sound}};
    for (const auto& [on, take] : sound) {
        auto subscribed = bus.subscribe(on, protocol::group::session,
                                        [h = made.get(), take = take](const bus::message& m) { (h->*take)(m); });
        if (!subscribed) return fail(std::move(subscribed));
        made->subscriptions_.push_back(std::move(*subscribed));
    }
    return made;
}

result<std::string> history::list(const bus::message& m) {
    json request = json::object();
    if (!m.payload.empty()) {
        auto parsed = protocol::parse_object(m.payload);
        if (!parsed) return fail(std::move(parsed));
        request = std::move(*parsed);
    }
    int limit = 100;
    protocol::field_reader read(request);
    read.integer("limit", limit, 1, most_sessions);
    if (read.failed()) return failure(read.why());
    // What was only just said is listed as well, if the disk keeps up.
    std::ignore = store_.flush(std::chrono::steady_clock::now() + seconds(1));
    const auto all = store_.sessions(static_cast<std::size_t>(limit));
    if (!all) return fail(all);
    json shown = json::array();
    for (const auto& s : *all) shown.push_back(session_json(s));
    return protocol::dump({{"sessions", std::move(shown)}});
}

result<std::string> history::show(const bus::message& m) {
    auto request = protocol::parse_object(m.payload);
    if (!request) return fail(std::move(request));
    const auto session = session_named(m, *request);
    if (!session) return fail(session);
    std::int64_t after = 0;
    protocol::field_reader read(*request);
    read.integer("after_id", after, 0, std::int64_t{1} << 53);
    if (read.failed()) return failure(read.why());
    std::ignore = store_.flush(std::chrono::steady_clock::now() + seconds(1));
    const auto found = store_.events({.session_id = *session, .after_id = after, .limit = most_events});
    if (!found) return fail(found);
    if (found->empty() && after == 0)
        return fail(errc::not_found, "there is no session \"{}\"", *session)
            .hint("loqa sessions lists them; what was ephemeral is not kept");
    json shown = json::array();
    std::size_t bytes = 0;
    bool more = false;
    for (const auto& e : *found) {
        bytes += e.payload.size() + 256;
        more = bytes > most_answer_bytes && !shown.empty();
        if (more) break;
        shown.push_back(event_json(e));
    }
    return protocol::dump(
        {{"session_id", *session}, {"events", std::move(shown)}, {"more", more || found->size() == most_events}});
}

result<std::string> history::remove(const bus::message& m) {
    auto request = protocol::parse_object(m.payload);
    if (!request) return fail(std::move(request));
    const auto session = session_named(m, *request);
    if (!session) return fail(session);
    auto deleted = store_.delete_session(*session);
    if (!deleted) return fail(std::move(deleted));
    if (sounds_ != nullptr) sounds_->forget(*session);
    log_.info("session {} was deleted with {} events", *session, *deleted);
    return protocol::dump({{"deleted", *deleted}});
}

void history::keep(const bus::message& sound) {
    const auto turn = protocol::read_turn(sound.headers);
    const auto& scope = turn.privacy.empty() ? default_privacy_ : turn.privacy;
    if (sounds_ == nullptr || scope == store::ephemeral) return;
    sounds_->keep(std::string(protocol::find(sound.headers, protocol::header::session)), turn.turn_id, sound.payload);
}

// The samples themselves, or why there are none.
void history::send_sound(const bus::message& m) {
    const auto found = [&]() -> result<std::string> {
        auto request = protocol::parse_object(m.payload);
        if (!request) return fail(std::move(request));
        std::string session, turn;
        protocol::field_reader read(*request);
        read.text("session_id", session, max_id_bytes, true).text("turn_id", turn, max_id_bytes, true);
        if (read.failed()) return failure(read.why());
        if (sounds_ == nullptr)
            return fail(errc::not_found, "no sound is kept").hint("event_store.keep_audio keeps that of turns to come");
        return sounds_->find(session, turn);
    }();
    const protocol::headers headers{{std::string(protocol::header::sample_rate), "16000"},
                                    {std::string(protocol::header::channels), "1"}};
    auto sent = found ? bus_.respond(m, *found, headers) : bus_.respond(m, protocol::refusal(found.error()));
    if (!sent) log_.warn(sent.error());
}

}  // namespace loqa::session
