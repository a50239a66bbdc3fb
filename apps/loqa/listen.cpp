#include <cstdio>
#include <ctime>
#include <thread>

#include "client.hpp"
#include "commands.hpp"
#include "events.hpp"
#include "loqa/base/bounded_queue.hpp"
#include "loqa/base/process.hpp"
#include "loqa/protocol/subjects.hpp"
#include "terminal.hpp"

namespace loqa::cli {
namespace {

constexpr std::size_t max_pending_events = 16'384;
constexpr milliseconds sound_pause{500};  // without a message for so long, what was sent is told

// What people want to see: all but the regular signs of life, and the spans, which `loqa trace` shows better.
const std::vector<std::string> usual = {"audio.>",
                                        "stt.>",
                                        "nlu.>",
                                        "tts.>",
                                        "skill.>",
                                        "session.>",
                                        "playback.>",
                                        "timers.>",
                                        "home.>",
                                        "intent.>",
                                        std::string(protocol::subject::readiness),
                                        std::string(protocol::subject::node_announce)};
// Programs choose for themselves.
const std::vector<std::string> everything = {"audio.>",    "stt.>",    "nlu.>",  "tts.>",    "skill.>", "session.>",
                                             "playback.>", "timers.>", "home.>", "intent.>", "ctrl.>",  "trace.>"};

struct event {
    bus::message message;
    wall_time at;
};

class printer {
public:
    explicit printer(bool json) : json_(json) {}

    void show(const event& e) {
        if (json_) return print_line(to_json(e.message, to_rfc3339(e.at)));
        if (tally_.add(e.message)) return;
        const auto session = session_of(e.message);
        if (ends_sound(e.message.subject)) show_sound(session, e.at);
        line(e.at, session, describe(e.message));
    }

    // Of all sessions when `session` is empty.
    void show_sound(const std::string& session, wall_time at) {
        for (const auto& sum : tally_.take(session)) line(at, sum.session, describe(sum));
    }

private:
    // After which the same session sends or gets no more of what it did.
    static bool ends_sound(std::string_view subject) {
        return subject == protocol::subject::stt_final || subject == protocol::subject::tts_done ||
               subject == protocol::subject::session_ended;
    }

    void line(wall_time at, const std::string& session, const std::string& text) const {
        const auto since = at.time_since_epoch();
        const auto whole = std::chrono::duration_cast<seconds>(since);
        const std::time_t time = whole.count();
        std::tm local{};
        ::localtime_r(&time, &local);
        const auto shown = fmt::format("{:02}:{:02}:{:02}.{:03}", local.tm_hour, local.tm_min, local.tm_sec,
                                       std::chrono::duration_cast<milliseconds>(since - whole).count());
        print_line(fmt::format(
            "{}  {}  {}", style_.paint(colour::grey, shown),
            style_.paint(colour::cyan, fit(session.empty() ? "-" : printable(session.substr(0, 8)), 8)), text));
    }

    const bool json_;
    const style style_ = style_of_stdout();
    audio_tally tally_;
};

}  // namespace

result<int> listen(const listen_options& options) {
    shutdown_signal shutdown;
    auto client = client::connect(options.instance);
    if (!client) return fail(std::move(client));

    bounded_queue<event> events(max_pending_events, overflow::drop_oldest);
    std::vector<std::unique_ptr<bus::subscription>> subscriptions;
    const auto& all = options.json ? everything : usual;
    for (const auto& subject : options.subjects.empty() ? all : options.subjects) {
        auto subscribed = client->bus().subscribe(
            subject, [&events](bus::message m) { events.push({std::move(m), std::chrono::system_clock::now()}); });
        if (!subscribed) return fail(std::move(subscribed));
        subscriptions.push_back(std::move(*subscribed));
    }

    std::jthread shower([&] {
        name_this_thread("listen");
        printer printer(options.json);
        while (!events.closed() && std::ferror(stdout) == 0) {
            if (const auto next = events.pop_until(std::chrono::steady_clock::now() + sound_pause))
                printer.show(*next);
            else
                printer.show_sound({}, std::chrono::system_clock::now());
        }
        shutdown.request();  // whoever read our output has gone
    });
    shutdown.wait();
    subscriptions.clear();
    events.close();
    shower.join();
    if (events.dropped() > 0) fmt::print(stderr, "loqa: {} messages came too fast to be shown\n", events.dropped());
    return 0;
}

}  // namespace loqa::cli
