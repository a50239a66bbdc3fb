#include "rig.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>

#include <fmt/format.h>

#include "loqa/base/ids.hpp"
#include "loqa/bus/testing/fake_connection.hpp"
#include "loqa/protocol/subjects.hpp"
#include "loqa/skills/durable_timers.hpp"
#include "loqa/skills/manifest.hpp"
#include "loqa/skills/service.hpp"
#include "loqa/skills/storage.hpp"
#include "loqa/store/event_store.hpp"
#include "loqa/telemetry/listener.hpp"
#include "loqa/telemetry/log.hpp"
#include "loqa/telemetry/metrics.hpp"

namespace loqa::skill_app {
namespace {

constexpr seconds patience{40};  // more than the longest invocation
constexpr std::string_view private_subjects = "_INBOX.";

std::string dump(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

// The time of the day, which can be moved on: then what is due rings.
class moving_clock final : public clock {
public:
    steady_time steady() const override { return std::chrono::steady_clock::now() + ahead_.load(); }
    wall_time wall() const override { return std::chrono::system_clock::now() + ahead_.load(); }
    void advance(milliseconds by) { ahead_ = ahead_.load() + by; }

private:
    std::atomic<milliseconds> ahead_{milliseconds(0)};
};

class real_rig final : public rig {
public:
    ~real_rig() override {
        service_.reset();
        answering_.clear();
        web_.reset();
        store_.reset();
        std::error_code ec;
        fs::remove_all(root_, ec);
    }

    result<void> begin(const fs::path& folder, const surroundings& around) {
        std::error_code ec;
        const auto text = read_file(folder / "skill.yaml", skills::max_manifest_bytes);
        if (!text) return fail(text);
        auto about = skills::valid_manifest(*text, folder / "skill.yaml");
        if (!about) return fail(std::move(about));
        about_ = std::move(*about);
        const auto module = skills::module_path(about_, folder);
        if (!module) return fail(module);
        if (!fs::exists(*module, ec))
            return fail(errc::not_found, "{} is not there", module->string())
                .hint("build it: cmake -S {0} -B {0}/build && cmake --build {0}/build", folder.string());

        root_ = fs::temp_directory_path(ec) / ("loqa-skill-" + random_hex(8));
        const auto place = root_ / "loaded" / about_.name;
        if (auto made = make_writable_folder((place / about_.module).parent_path(), 0700); !made) return made;
        fs::copy_file(folder / "skill.yaml", place / "skill.yaml", ec);
        if (!ec) fs::copy_file(*module, place / about_.module, ec);
        if (ec) return fail(errc::io_failed, "{}: {}", place.string(), ec.message());

        if (auto served = serve_http(around.http); !served) return served;
        if (auto written = settle(around); !written) return written;
        answer_on_the_bus(around);
        auto opened = store::event_store::open({.path = root_ / "events.db"}, clock_, log(), metrics_);
        if (!opened) return fail(std::move(opened));
        store_ = std::move(*opened);
        if (auto before = remember(around.kept); !before) return before;
        if (auto set = set_timers(around.timers); !set) return set;
        auto started =
            skills::service::start({.directory = root_ / "loaded",
                                    .signatures = skills::signature_policy::off,
                                    .cache = cache_folder() / "skills" / "compiled",
                                    .file = root_ / "events.db",
                                    .data = root_,
                                    .failures_to_suspend = 1'000'000},
                                   {.time = clock_, .bus = bus_, .store = *store_, .metrics = metrics_, .log = log()});
        if (!started) return fail(std::move(started));
        service_ = std::move(*started);
        const auto found = service_->list();
        if (found.size() != 1 || found.front().state != "ready")
            return fail(errc::not_permitted, "{}", found.empty() ? "the host found no skill" : found.front().error);
        if (!about_.start) return {};
        auto first = wait("the start");
        if (!first) return fail(std::move(first));
        start_ = std::move(*first);
        return {};
    }

    result<outcome> happen(const happening& what) override {
        if (what.what == happening::kind::start) {
            if (!start_)
                return fail(errc::invalid_argument, "{} is not invoked at its start: runtime.start is not set",
                            about_.name);
            return *start_;
        }
        forget();
        if (what.what == happening::kind::timer) {
            const auto due = timers_.find(what.subject);
            if (due == timers_.end()) return fail(errc::invalid_argument, "there is no timer {}", what.subject);
            clock_.advance(std::chrono::ceil<milliseconds>(due->second - clock_.steady()) + milliseconds(1));
            timers_.erase(due);
            return wait("the timer " + what.subject);
        }
        const bool intent = what.what == happening::kind::intent;
        const auto subject = intent ? protocol::join(protocol::subject::intent, what.subject) : what.subject;
        const auto sent = intent || what.asks ? bus_.publish_request(subject, inbox, what.payload)
                                              : bus_.publish(subject, what.payload);
        if (!sent) return fail(sent);
        // What nobody listens to is not waited for.
        if (!takes(what, intent))
            return fail(errc::invalid_argument, "{} does not listen: {} is not in its manifest", about_.name,
                        what.subject);
        return wait(subject);
    }

    std::map<std::string, std::string> kept() const override {
        std::map<std::string, std::string> out;
        auto file = skills::storage::open(root_ / "events.db", clock_, log());
        if (!file) return out;
        const skills::storage_view view(**file, about_.name, 0);
        if (const auto keys = view.keys(""))
            for (const auto& key : *keys) out[key] = view.get(key).value_or("");
        return out;
    }

    limits allowed() const override {
        const auto& run = about_.limits.run;
        return {.wall = run.wall, .cpu = run.cpu, .memory_bytes = run.memory_bytes};
    }

private:
    static telemetry::logger log() { return telemetry::logger::silent(); }

    bool takes(const happening& what, bool intent) const {
        if (intent) return about_.find_intent(what.subject) != nullptr;
        return std::ranges::any_of(about_.subscribe,
                                   [&](const auto& one) { return skills::subject_matches(one, what.subject); });
    }

    void forget() {
        bus_.forget_published();
        std::lock_guard lock(mutex_);
        calls_.clear();
        learned_ = updated_ = nullptr;
    }

    result<outcome> wait(const std::string& what) {
        const auto give_up = std::chrono::steady_clock::now() + patience;
        while (service_->list().front().invocations == invocations_) {
            if (std::chrono::steady_clock::now() > give_up)
                return fail(errc::timed_out, "{} was not invoked for {}", about_.name, what);
            std::this_thread::sleep_for(milliseconds(1));
        }
        invocations_ = service_->list().front().invocations;
        return gather();
    }

    result<void> set_timers(const std::map<std::string, std::string>& wanted) {
        if (wanted.empty()) return {};
        auto all = skills::durable_timers::open(root_ / "skills" / "timers.db", clock_, log());
        if (!all) return fail(std::move(all));
        const auto own = (*all)->of(about_.name, about_.limits.timers, false);
        for (const auto& [name, payload] : wanted) {
            constexpr milliseconds away{3'600'000};
            if (auto set = own->set(name, away, payload); !set) return set;
            timers_[name] = clock_.steady() + away;
        }
        return {};
    }

    result<void> serve_http(const std::vector<surroundings::http_answer>& answers) {
        if (answers.empty()) return {};
        auto made = telemetry::listener::start(
            {.host = "127.0.0.1", .port = 0, .key = "http"},
            [this, answers](const telemetry::request& asked) { return answer_http(answers, asked); });
        if (!made) return fail(std::move(made));
        web_ = std::move(*made);
        return {};
    }

    telemetry::response answer_http(const std::vector<surroundings::http_answer>& answers,
                                    const telemetry::request& asked) {
        const auto request =
            fmt::format("{} {}{}{}", asked.method, asked.path, asked.query.empty() ? "" : "?", asked.query);
        std::lock_guard lock(mutex_);
        calls_.push_back({request, asked.body});
        std::vector<const surroundings::http_answer*> fitting;
        for (const auto& one : answers)
            if (one.request == request) fitting.push_back(&one);
        if (fitting.empty()) return {.status = 404, .body = "{}"};
        const auto turn = std::min(answered_[request]++, fitting.size() - 1);
        return {.status = fitting[turn]->status, .body = fitting[turn]->body};
    }

    result<void> settle(const surroundings& around) {
        std::string values;
        for (auto [name, value] : around.config) {
            if (const auto at = value.find("{{http}}"); at != std::string::npos)
                value.replace(at, 8, web_ ? web_->url() : "http://127.0.0.1:9");
            values += fmt::format("{}: {}\n", name, value);
        }
        const auto config = root_ / "skills" / "config" / (about_.name + ".yaml");
        if (auto made = make_writable_folder(config.parent_path(), 0700); !made) return made;
        if (auto written = write_file_atomically(config, values); !written) return written;
        const auto secrets = root_ / "skills" / "secrets" / about_.name;
        if (auto made = make_writable_folder(secrets, 0700); !made) return made;
        for (const auto& [name, value] : around.secrets)
            if (auto written = write_file_atomically(secrets / name, value, 0600); !written) return written;
        return {};
    }

    result<void> remember(const std::map<std::string, std::string>& values) {
        if (values.empty()) return {};
        auto file = skills::storage::open(root_ / "events.db", clock_, log());
        if (!file) return fail(std::move(file));
        skills::storage_view view(**file, about_.name, std::size_t{1} << 30);
        for (const auto& [key, value] : values)
            if (auto set = view.set(key, value); !set) return set;
        return view.commit();
    }

    void answer_on_the_bus(const surroundings& around) {
        auto answers = around.answers;
        answers.emplace_back(protocol::subject::home_get, around.home);
        hear(protocol::subject::home_learn, learned_, {{"entities", 0}});
        hear(protocol::subject::home_update, updated_, {{"changed", 0}});
        for (const auto& [subject, answer] : answers) {
            auto made = bus_.subscribe(subject, [this, answer](const bus::message& m) {
                if (!m.reply.empty())
                    std::ignore = bus_.respond(m, answer.is_string() ? answer.get<std::string>() : dump(answer));
            });
            if (made) answering_.push_back(std::move(*made));
        }
    }

    // What the skill tells of the home is taken note of.
    void hear(std::string_view subject, json& as, const json& answer) {
        auto made = bus_.subscribe(subject, [this, &as, answer](const bus::message& m) {
            {
                std::lock_guard lock(mutex_);
                as = json::parse(m.payload, nullptr, false);
            }
            std::ignore = bus_.respond(m, dump(answer));
        });
        if (made) answering_.push_back(std::move(*made));
    }

    // What the record and the bus have of the invocation that just ended.
    result<outcome> gather() {
        outcome out;
        if (auto written = store_->flush(std::chrono::steady_clock::now() + seconds(10)); !written)
            return fail(std::move(written));
        auto events = store_->events({.session_id = "skill:" + about_.name, .after_id = last_event_});
        if (!events) return fail(std::move(events));
        for (const auto& one : *events) {
            last_event_ = one.id;
            read_event(one.type, json::parse(one.payload, nullptr, false), out);
        }
        for (const auto& m : bus_.published()) {
            if (m.subject == inbox)
                out.answer = m.payload;
            else if (!m.subject.starts_with(private_subjects) && sent_.contains(m.subject))
                out.published.push_back({m.subject, m.payload});
        }
        std::lock_guard lock(mutex_);
        out.http = calls_;
        out.learned = learned_;
        out.updated = updated_;
        for (const auto& [name, ms] : out.timers) timers_[name] = clock_.steady() + milliseconds(ms);
        return out;
    }

    void read_event(const std::string& type, const json& told, outcome& out) {
        if (!told.is_object()) return;
        const auto text = [&](const char* name) { return told.value(name, std::string()); };
        if (type == "skill.invoke.start") {
            sent_.clear();
        } else if (type == "skill.publish") {
            sent_.insert(text("subject"));
        } else if (type == "skill.log") {
            out.log.push_back(fmt::format("{}: {}", told.value("level", std::string("info")), text("message")));
        } else if (type == "skill.denied") {
            out.denied.push_back(fmt::format("{}: {}", text("call"), text("reason")));
        } else if (type == "skill.request") {
            // The home is no program that it asked: it has functions of its own.
            namespace subject = protocol::subject;
            for (const auto one : {subject::home_get, subject::home_learn, subject::home_update})
                if (text("subject") == one) return;
            out.asked.push_back({text("subject"), text("error")});
        } else if (type == "skill.timer.set") {
            out.timers[text("timer")] = told.value("delay_ms", std::int64_t{0});
        } else if (type == "skill.invoke.complete" || type == "skill.invoke.error") {
            out.error = text("error");
            out.output = text("output");
            out.wall = milliseconds(told.value("duration_ms", 0));
            out.cpu = microseconds(told.value("cpu_us", 0));
            out.memory_bytes = told.value("memory_bytes", std::size_t{0});
        }
    }

    static constexpr const char* inbox = "_INBOX.loqa-skill";

    moving_clock clock_;
    telemetry::metrics metrics_;
    bus::testing::fake_connection bus_;
    skills::manifest about_;
    fs::path root_;
    std::unique_ptr<telemetry::listener> web_;
    std::vector<std::unique_ptr<bus::subscription>> answering_;
    std::unique_ptr<store::event_store> store_;
    std::unique_ptr<skills::service> service_;
    std::uint64_t invocations_ = 0;
    std::int64_t last_event_ = 0;
    std::map<std::string, steady_time> timers_;  // that run, and when they are due
    std::optional<outcome> start_;
    std::set<std::string> sent_;  // subjects that the invocation published on

    std::mutex mutex_;
    std::vector<outcome::http_call> calls_;
    json learned_, updated_;
    std::map<std::string, std::size_t> answered_;
};

}  // namespace

result<std::unique_ptr<rig>> rig::open(const fs::path& folder, const surroundings& around) {
    auto made = std::make_unique<real_rig>();
    if (auto begun = made->begin(fs::absolute(folder), around); !begun) return fail(std::move(begun));
    return made;
}

}  // namespace loqa::skill_app
