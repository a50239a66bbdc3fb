#include "loqa/skills/control.hpp"

#include "loqa/base/process.hpp"
#include "loqa/protocol/json.hpp"
#include "loqa/protocol/subjects.hpp"

namespace loqa::skills {

using protocol::json;

namespace {

constexpr std::size_t max_waiting = 16;
constexpr std::size_t max_path_bytes = 4096;
constexpr int usual_events = 50;
constexpr int most_events_told = 1000;

json to_json(const skill_status& of) {
    return {{"name", of.name},
            {"version", of.version},
            {"folder", of.folder.string()},
            {"state", of.state},
            {"signed_by", of.signed_by},
            {"error", of.error},
            {"hint", of.hint},
            {"intents", of.intents},
            {"invocations", of.invocations},
            {"failures", of.failures},
            {"dropped", of.dropped},
            {"denied", of.denied},
            {"waiting", of.waiting},
            {"running", of.running},
            {"cpu_us", of.cpu.count()},
            {"wall_us", of.wall.count()},
            {"memory_bytes", of.memory_bytes}};
}

}  // namespace

result<std::unique_ptr<control>> control::start(service& of, bus::connection& bus, store::event_store& store,
                                                telemetry::logger log) {
    std::unique_ptr<control> made(new control(of, bus, store, std::move(log)));
    made->thread_ = std::jthread([c = made.get()](const std::stop_token& stop) {
        name_this_thread("skill-control");
        c->run(stop);
    });
    auto subscribed =
        bus.subscribe(protocol::subject::skill_control, protocol::group::skill, [c = made.get()](bus::message m) {
            {
                std::lock_guard lock(c->mutex_);
                if (c->waiting_.size() < max_waiting) {
                    c->waiting_.push_back(std::move(m));
                    c->asked_.notify_one();
                    return;
                }
            }
            const auto why = fail(errc::busy, "the skills are busy with {} other requests", max_waiting);
            std::ignore = c->bus_.respond(m, protocol::refusal(why.error()));
        });
    if (!subscribed) return fail(std::move(subscribed));
    made->subscription_ = std::move(*subscribed);
    return made;
}

control::~control() { subscription_.reset(); }

void control::run(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (asked_.wait(lock, stop, [this] { return !waiting_.empty(); })) {
        const auto m = std::move(waiting_.front());
        waiting_.pop_front();
        lock.unlock();
        const auto done = answer(m.payload);
        if (auto sent = bus_.respond(m, done ? *done : protocol::refusal(done.error())); !sent) log_.warn(sent.error());
        lock.lock();
    }
}

result<std::string> control::answer(const std::string& payload) {
    const auto request = protocol::parse_object(payload);
    if (!request) return fail(request);
    std::string action, name, folder;
    int limit = usual_events;
    protocol::field_reader read(*request);
    read.text("action", action, max_path_bytes, true)
        .text("name", name, max_path_bytes)
        .text("folder", folder, max_path_bytes)
        .integer("limit", limit, 1, most_events_told);
    if (read.failed()) return failure(read.why());
    const auto done = [&](const result<void>& how) -> result<std::string> {
        if (!how) return fail(how);
        return protocol::dump({{"name", name}});
    };
    if (action == "list" || action == "stats") {
        auto all = json::array();
        for (const auto& one : skills_.list())
            if (name.empty() || one.name == name) all.push_back(to_json(one));
        if (!name.empty() && all.empty()) return fail(errc::not_found, "there is no skill {}", name);
        return protocol::dump({{"skills", all}});
    }
    if (action == "install") {
        if (!fs::path(folder).is_absolute()) return fail(errc::invalid_message, "field folder is not an absolute path");
        auto installed = skills_.install(folder);
        if (!installed) return fail(std::move(installed));
        json told = {{"name", *installed}};
        for (const auto& one : skills_.list())
            if (one.name == *installed && (one.state == "waiting" || one.state == "refused"))
                told.update({{"waits_for", one.error}, {"hint", one.hint}});
        return protocol::dump(told);
    }
    if (action == "rescan") return skills_.rescan(), done({});
    if (name.empty()) return fail(errc::invalid_message, "field name is missing");
    if (action == "logs") {
        auto events = recorded(store_, name, static_cast<std::size_t>(limit));
        if (!events) return fail(std::move(events));
        return fmt::format(R"({{"events":{}}})", *events);
    }
    if (action == "enable" || action == "disable") return done(skills_.enable(name, action == "enable"));
    if (action == "reload") return done(skills_.reload(name));
    if (action == "remove") return done(skills_.remove(name));
    return fail(errc::invalid_message, "there is no action \"{}\"", action);
}

}  // namespace loqa::skills
