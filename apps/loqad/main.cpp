// loqad: turns, intents, timers, the event store and the HTTP front door of a core node.
#include <cstdlib>
#include <ctime>
#include <mutex>

#include "common/frame.hpp"
#include "loqa/base/files.hpp"
#include "loqa/base/text.hpp"
#include "loqa/base/watch.hpp"
#include "loqa/bus/embedded_server.hpp"
#include "loqa/house/house.hpp"
#include "loqa/house/learned.hpp"
#include "loqa/http/server.hpp"
#include "loqa/intent/live.hpp"
#include "loqa/session/history.hpp"
#include "loqa/session/home_feed.hpp"
#include "loqa/session/home_service.hpp"
#include "loqa/session/house_answers.hpp"
#include "loqa/session/service.hpp"
#include "loqa/skills/control.hpp"
#include "loqa/skills/service.hpp"
#include "node.hpp"

namespace loqa {
namespace {

store::options store_options(const config::event_store_settings& from) {
    store::options options{.path = from.path,
                           .keep_for = std::chrono::days(from.retention_days),
                           .max_sessions = from.max_sessions,
                           .vacuum_on_start = from.vacuum_on_start};
    if (from.retention_mode == "ephemeral") options.mode = store::retention::ephemeral;
    if (from.retention_mode == "persistent") options.mode = store::retention::persistent;
    return options;
}

store::sound_options sound_options(const config::settings& from) {
    return {.folder = from.event_store.path.parent_path() / "sound",
            .most_bytes = static_cast<std::uintmax_t>(from.event_store.keep_audio_mb) << 20,
            .keep_for = std::chrono::days(from.event_store.keep_audio_days)};
}

session::conductor_config conductor_options(const config::settings& from) {
    std::vector<std::string> required;
    for (const auto& [name, wanted] :
         {std::pair{"loqad", true}, std::pair{"stt", from.stt.enabled}, std::pair{"tts", from.tts.enabled}})
        if (wanted) required.emplace_back(name);
    session::conductor_config config{.turn_timeout = from.session.turn_timeout,
                                     .tts_timeout = from.session.tts_timeout,
                                     .listen_timeout = from.stt.max_utterance + seconds(5),
                                     .intent_timeout = from.session.intent_timeout,
                                     .max_active_turns = static_cast<std::size_t>(from.session.max_active_turns),
                                     .default_target = from.router.target,
                                     .default_voice = from.router.default_voice,
                                     .beep = from.session.confirm == "beep",
                                     .area = from.session.area,
                                     .privacy = from.event_store.retention_mode,
                                     .required_components = std::move(required)};
    for (const auto& one : from.session.areas)
        if (const auto sign = one.find('='); sign != std::string::npos)
            config.areas.insert_or_assign(std::string(trim(one.substr(0, sign))),
                                          std::string(trim(one.substr(sign + 1))));
    if (from.session.barge_in == "stop") config.interrupts = session::barge_in::stop;
    if (from.session.barge_in == "off") config.interrupts = session::barge_in::off;
    config.queue_words = from.session.new_words == "queue";
    config.ring_pause = from.timers.ring_pause;
    config.ring_times = from.timers.ring_times;
    config.snooze = from.timers.snooze;
    return config;
}

result<skills::service_options> skill_options(const config::settings& from) {
    skills::service_options options{.directory = from.skills.directory,
                                    .cache = from.data_dir / "skills" / "compiled",
                                    .file = from.event_store.path,
                                    .data = from.data_dir,
                                    .http_certificates = from.skills.http_certificates,
                                    .max_concurrency = from.skills.max_concurrency,
                                    .audit_privacy_scope = from.skills.audit_privacy_scope};
    if (from.skills.signatures == "require") options.signatures = skills::signature_policy::require;
    if (from.skills.signatures == "off") options.signatures = skills::signature_policy::off;
    for (const auto& text : from.skills.trusted_keys) {
        auto key = skills::parse_trusted_key(text);
        if (!key) return fail(errc::invalid_config, "skills.trusted_keys: \"{}\": {}", text, key.error().message);
        options.trusted.push_back(std::move(*key));
    }
    return options;
}

// The home as its file describes it: the configured one, or the one that ships.
fs::path home_file(const config::session_settings& from) {
    return from.home.empty() ? share_folder() / "homes" / "house.yaml" : from.home;
}

class core final : public app::part {
public:
    static result<std::unique_ptr<app::part>> start(app::frame& frame) {
        const auto& settings = frame.settings();
        if (!settings.session.time_zone.empty()) {
            // Before any thread of ours asks for local time.
            ::setenv("TZ", settings.session.time_zone.c_str(), 1);
            ::tzset();
        }
        if (auto made = make_writable_folder(settings.data_dir, 0700); !made)
            return fail(std::move(made)).hint("set data_dir to a folder that this user may write");

        auto made = std::make_unique<core>();
        auto events =
            store::event_store::open(store_options(settings.event_store), frame.clock(), frame.log(), frame.metrics());
        if (!events) return fail(std::move(events));
        made->store_ = std::move(*events);
        auto timers = timers::timer_service::open(settings.data_dir / "timers.db", frame.clock(), frame.log(),
                                                  settings.event_store.path);
        if (!timers) return fail(std::move(timers));
        made->timers_ = std::move(*timers);
        if (auto started = made->start_home(frame); !started) return fail(std::move(started));
        auto session = session::service::start(conductor_options(settings),
                                               {.clock = frame.clock(),
                                                .bus = frame.bus(),
                                                .timers = *made->timers_,
                                                .store = *made->store_,
                                                .tracer = frame.tracer(),
                                                .metrics = frame.metrics(),
                                                .log = frame.log(),
                                                .home = made->answers_.get(),
                                                .taken_over = made->taken_over()},
                                               *made->sentences_);
        if (!session) return fail(std::move(session));
        made->session_ = std::move(*session);
        frame.watch("the session", [of = made->session_.get()](auto alive) { of->ask(std::move(alive)); });
        if (settings.skills.enabled) {
            auto options = skill_options(settings);
            if (!options) return fail(std::move(options));
            auto skills = skills::service::start(std::move(*options), {.time = frame.clock(),
                                                                       .bus = frame.bus(),
                                                                       .store = *made->store_,
                                                                       .metrics = frame.metrics(),
                                                                       .log = frame.log(),
                                                                       .claimed = &made->claims_});
            if (!skills) return fail(std::move(skills));
            made->skills_ = std::move(*skills);
            auto control = skills::control::start(*made->skills_, frame.bus(), *made->store_, frame.log());
            if (!control) return fail(std::move(control));
            made->skill_control_ = std::move(*control);
        }
        if (settings.event_store.keep_audio && settings.event_store.retention_mode != "ephemeral") {
            auto sounds =
                store::sound_store::open(sound_options(settings), frame.clock(), frame.log(), frame.metrics());
            if (!sounds) return fail(std::move(sounds));
            made->sounds_ = std::move(*sounds);
        }
        auto history = session::history::start(frame.bus(), *made->store_, made->sounds_.get(),
                                               settings.event_store.retention_mode, frame.log());
        if (!history) return fail(std::move(history));
        made->history_ = std::move(*history);
        auto web = http::server::start({.bind = settings.http.bind, .port = settings.http.port},
                                       [s = made->session_.get()] { return readiness(*s); });
        if (!web) return fail(std::move(web));
        made->web_ = std::move(*web);
        if (auto written = bus::write_http_info(settings.data_dir, made->web_->url()); !written)
            return fail(std::move(written));
        made->node_ = std::make_unique<app::node_announcer>(frame);
        return made;
    }

    // Members would end in the reverse order of their declaration; here the order matters enough to be said.
    ~core() override {
        node_.reset();
        web_.reset();
        skill_control_.reset();
        skills_.reset();
        history_.reset();
        sounds_.reset();
        if (session_) session_->stop();
        timers_.reset();  // its thread calls into the session
        session_.reset();
        home_feed_.reset();
        home_watch_.reset();
        sentences_.reset();  // its thread tells the home on the bus
        home_bus_.reset();
        answers_.reset();
        home_.reset();
        store_.reset();
    }

    std::string detail() const override { return web_->url(); }

private:
    std::function<bool(std::string_view)> taken_over() const {
        return [this](std::string_view subject) { return claims_.has(subject); };
    }

    static http::readiness readiness(const session::service& session) {
        const auto now = session.readiness();
        http::readiness shown{.ready = now.ready};
        for (const auto& c : now.components) shown.components.push_back({c.name, c.state, c.detail});
        return shown;
    }

    intent::home whole_home() {
        std::lock_guard lock(building_);
        return learned_->behind(only_an_example_ && !learned_->empty() ? intent::home{} : as_built_);
    }
    void rebuild_home() {
        home_->rebuild(whole_home());
        home_bus_->home_changed();
        sentences_->rebuild(home_->snapshot());
    }

    // The home, the sentences that speak of it, and what keeps both up to date.
    result<void> start_home(app::frame& frame) {
        const auto& settings = frame.settings();
        const auto file = home_file(settings.session);
        // Watched for the skills' sentences before there are any.
        if (auto made = make_writable_folder(settings.data_dir / "skills", 0700); !made) return made;
        auto as_built = intent::load_home(file);
        if (!as_built)
            return fail(std::move(as_built)).hint("session.home names the file; share/homes has one to copy");
        auto learned = house::learned_homes::open(settings.data_dir / "home", frame.log());
        if (!learned) return fail(std::move(learned));
        learned_ = std::move(*learned);
        // Once there is a real one, the home that ships as an example is in the way.
        only_an_example_ = settings.session.home.empty();
        as_built_ = std::move(*as_built);
        auto home = house::simulated_home::open(settings.event_store.path, whole_home(), frame.clock(), frame.log());
        if (!home) return fail(std::move(home));
        home_ = std::move(*home);
        auto bus = session::home_service::start(*home_, frame.bus(), frame.clock(), frame.log(), frame.metrics(),
                                                taken_over());
        if (!bus) return fail(std::move(bus));
        home_bus_ = std::move(*bus);

        auto& builds = frame.metrics().counter("loqa_sentences_builds_total",
                                               "Times that the sentences were compiled with the home");
        auto& took = frame.metrics().gauge("loqa_sentences_build_ms", "How long that took last");
        auto& left_aside =
            frame.metrics().gauge("loqa_sentences_broken", "Files and templates of the user's that were left aside");
        const auto tell = [&builds, &took, &left_aside, log = frame.log()](const intent::built& now) {
            builds.add();
            took.set(static_cast<double>(now.took.count()) / 1000);
            left_aside.set(static_cast<double>(now.broken.size()));
            for (const auto& broken : now.broken) log.warn(broken);
            const auto& stats = now.meaning->sentences().stats();
            log.info("{} sentence templates and {} names compiled in {} ms", stats.templates, stats.names,
                     now.took.count() / 1000);
        };
        auto sentences = intent::live_interpreter::start(
            {.language = settings.session.locale,
             .own = settings.session.intents_path,
             .skills = skills::sentences_folder(settings.data_dir)},
            home_->snapshot(), [tell, bus = home_bus_.get(), log = frame.log()](const auto& now) {
                if (!now) return log.warn(now.error());  // the last good ones stay
                tell(**now);
                bus->sentences_changed((*now)->revision);
            });
        if (!sentences) return fail(std::move(sentences));
        sentences_ = std::move(*sentences);
        tell(*sentences_->now());
        answers_ = std::make_unique<session::house_answers>(frame.clock(), *home_, *sentences_);

        auto watch = file_watch::start({file}, [this, file, log = frame.log()] {
            auto edited = intent::load_home(file);
            if (!edited) return log.warn(edited.error());  // the home stays what it was
            {
                std::lock_guard lock(building_);
                as_built_ = std::move(*edited);
            }
            rebuild_home();
        });
        home_feed_ = std::make_unique<session::home_feed>(*home_, *learned_, frame.bus(), frame.log());
        if (auto fed = home_feed_->start([this] { rebuild_home(); }); !fed) return fed;
        // Without it everything works but the taking up of changes.
        if (watch)
            home_watch_ = std::move(*watch);
        else
            frame.log().warn(watch.error());
        return {};
    }

    skills::claims claims_;
    std::unique_ptr<store::event_store> store_;
    std::unique_ptr<store::sound_store> sounds_;
    std::unique_ptr<timers::timer_service> timers_;
    std::mutex building_;
    intent::home as_built_;  // as its file says
    bool only_an_example_ = false;
    std::unique_ptr<house::learned_homes> learned_;
    std::unique_ptr<house::simulated_home> home_;
    std::unique_ptr<session::home_service> home_bus_;
    std::unique_ptr<intent::live_interpreter> sentences_;
    std::unique_ptr<session::house_answers> answers_;
    std::unique_ptr<file_watch> home_watch_;
    std::unique_ptr<session::home_feed> home_feed_;
    std::unique_ptr<session::service> session_;
    std::unique_ptr<skills::service> skills_;
    std::unique_ptr<skills::control> skill_control_;
    std::unique_ptr<session::history> history_;
    std::unique_ptr<http::server> web_;
    std::unique_ptr<app::node_announcer> node_;
};

}  // namespace
}  // namespace loqa

int main(int argc, char** argv) {
    return loqa::app::run(
        {.binary = "loqad",
         .component = "loqad",
         .description = "The core of Loqa: turns, intents, timers, the event store and the HTTP front door.",
         .metrics_port_offset = 0,
         .owns_bus = true},
        argc, argv, &loqa::core::start);
}
