// loqad: turns, intents, timers, the event store and the HTTP front door of a core node.
#include <cstdlib>
#include <ctime>

#include "common/frame.hpp"
#include "loqa/base/files.hpp"
#include "loqa/bus/embedded_server.hpp"
#include "loqa/http/server.hpp"
#include "loqa/intent/collection.hpp"
#include "loqa/intent/understanding.hpp"
#include "loqa/protocol/subjects.hpp"
#include "loqa/session/service.hpp"
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

session::conductor_config conductor_options(const config::settings& from) {
    session::conductor_config config{.turn_timeout = from.session.turn_timeout,
                                     .tts_timeout = from.session.tts_timeout,
                                     .listen_timeout = from.stt.max_utterance + seconds(5),
                                     .max_active_turns = static_cast<std::size_t>(from.session.max_active_turns),
                                     .default_target = from.router.target,
                                     .default_voice = from.router.default_voice,
                                     .privacy = from.event_store.retention_mode,
                                     .required_components = {"loqad"}};
    if (from.stt.enabled) config.required_components.emplace_back("stt");
    if (from.tts.enabled) config.required_components.emplace_back("tts");
    return config;
}

result<skills::service_options> skill_options(const config::settings& from) {
    skills::service_options options{.directory = from.skills.directory,
                                    .cache = from.data_dir / "skills" / "compiled",
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

// The templates that ship, and then the user's own: a broken file of the user's is said and left aside.
result<std::shared_ptr<const intent::interpreter>> load_intents(const config::session_settings& from,
                                                                const telemetry::logger& log) {
    auto shipped = intent::load_collection_folder(share_folder() / "intents" / from.locale);
    if (!shipped.broken.empty()) return failure(shipped.broken.front());
    if (shipped.sentences.intents.empty())
        return fail(errc::not_found, "there are no intents for the language \"{}\" in {}", from.locale,
                    (share_folder() / "intents").string())
            .hint("set session.locale to one of the folders there");
    if (!from.intents_path.empty()) {
        auto own = intent::load_collection_folder(from.intents_path);
        for (const auto& broken : own.broken) log.warn(broken);
        shipped.sentences.merge(std::move(own.sentences));
    }
    const auto house = std::make_shared<const intent::home>();
    auto sentences = intent::matcher::compile(shipped.sentences, *house);
    if (!sentences) return fail(std::move(sentences));
    return std::make_shared<const intent::interpreter>(std::move(*sentences), house);
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
        auto interpreter = load_intents(settings.session, frame.log());
        if (!interpreter) return fail(std::move(interpreter));

        auto made = std::make_unique<core>();
        auto events =
            store::event_store::open(store_options(settings.event_store), frame.clock(), frame.log(), frame.metrics());
        if (!events) return fail(std::move(events));
        made->store_ = std::move(*events);
        auto timers = timers::timer_service::open(settings.event_store.path, frame.clock(), frame.log());
        if (!timers) return fail(std::move(timers));
        made->timers_ = std::move(*timers);
        auto session = session::service::start(conductor_options(settings),
                                               {.clock = frame.clock(),
                                                .bus = frame.bus(),
                                                .timers = *made->timers_,
                                                .store = *made->store_,
                                                .tracer = frame.tracer(),
                                                .metrics = frame.metrics(),
                                                .log = frame.log()},
                                               std::move(*interpreter));
        if (!session) return fail(std::move(session));
        made->session_ = std::move(*session);
        if (settings.skills.enabled) {
            auto options = skill_options(settings);
            if (!options) return fail(std::move(options));
            auto skills = skills::service::start(std::move(*options), {.time = frame.clock(),
                                                                       .bus = frame.bus(),
                                                                       .store = *made->store_,
                                                                       .metrics = frame.metrics(),
                                                                       .log = frame.log()});
            if (!skills) return fail(std::move(skills));
            made->skills_ = std::move(*skills);
        }
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
        skills_.reset();
        if (session_) session_->stop();
        timers_.reset();  // its thread calls into the session
        session_.reset();
        store_.reset();
    }

    std::string detail() const override { return web_->url(); }

private:
    static http::readiness readiness(const session::service& session) {
        const auto now = session.readiness();
        http::readiness shown{.ready = now.ready};
        for (const auto& c : now.components) shown.components.push_back({c.name, c.state, c.detail});
        return shown;
    }

    std::unique_ptr<store::event_store> store_;
    std::unique_ptr<timers::timer_service> timers_;
    std::unique_ptr<session::service> session_;
    std::unique_ptr<skills::service> skills_;
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
