#include "loqa/skills/service.hpp"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <stop_token>
#include <thread>
#include <tuple>

#include <fmt/ranges.h>

#include "loqa/base/ids.hpp"
#include "loqa/base/process.hpp"
#include "loqa/base/text.hpp"
#include "loqa/protocol/json.hpp"
#include "loqa/protocol/subjects.hpp"
#include "loqa/skills/abi.hpp"
#include "loqa/skills/engine.hpp"
#include "loqa/skills/manifest.hpp"
#include "loqa/skills/storage.hpp"

namespace loqa::skills {
namespace {

using protocol::json;

constexpr std::size_t max_files_searched = 100'000;
constexpr std::size_t max_skills = 256;
constexpr std::size_t max_error_bytes = 1000;

// Of a skill, what an update replaces. Invocations hold on to the one that they began with.
struct version {
    manifest about;
    fs::path folder;
    std::shared_ptr<const program> code;
    std::string signed_by;
    bool keeps = false;  // it imports the functions that keep values
};

struct skill {
    std::string name;
    std::shared_ptr<const version> now;
    std::vector<std::unique_ptr<bus::subscription>> subscriptions;
    std::deque<bus::message> waiting;
    int running = 0;
    int failures_in_row = 0;
    milliseconds suspension{};  // the last one's length; 0 while it works
    steady_time suspended_until{};
    std::string last_error;
    std::uint64_t invocations = 0, failures = 0, dropped = 0;
};

struct refused_skill {
    fs::path file;
    error why;
};

bool keeps_values(const module_facts& of) {
    return std::ranges::any_of(of.imports,
                               [](const import& one) { return one.module == "loqa" && one.name.starts_with("kv_"); });
}

// As RFC 4122 writes a random one.
std::string random_uuid() {
    auto hex = random_hex(16);
    hex[12] = '4';
    hex[16] = "89ab"[hex[16] % 4];
    return fmt::format("{}-{}-{}-{}-{}", hex.substr(0, 8), hex.substr(8, 4), hex.substr(12, 4), hex.substr(16, 4),
                       hex.substr(20));
}

class skill_service final : public service {
public:
    skill_service(service_options with, service_parts parts, std::unique_ptr<engine> made,
                  std::unique_ptr<storage> kept)
        : options_(std::move(with)),
          parts_(std::move(parts)),
          engine_(std::move(made)),
          storage_(std::move(kept)),
          queue_full_(parts_.log, parts_.time),
          completed_(parts_.metrics.counter("loqa_skill_invocations_total", "Invocations of skills by how they ended",
                                            {{"result", "completed"}})),
          failed_(parts_.metrics.counter("loqa_skill_invocations_total", "Invocations of skills by how they ended",
                                         {{"result", "failed"}})),
          dropped_(parts_.metrics.counter("loqa_skill_messages_dropped_total",
                                          "Messages to skills that were suspended or had too many waiting")),
          denied_(parts_.metrics.counter("loqa_skill_calls_denied_total",
                                         "Calls of skills that their manifest or limits forbade")),
          duration_(parts_.metrics.histogram("loqa_skill_invocation_ms", "How long invocations of skills took",
                                             telemetry::latency_buckets_ms)),
          loaded_(parts_.metrics.gauge("loqa_skills_loaded", "Skills that can be invoked")) {}

    ~skill_service() override {
        for (auto& [name, one] : skills_) one.subscriptions.clear();
        {
            std::lock_guard lock(mutex_);
            stopping_.request_stop();
        }
        ready_.notify_all();
        threads_.clear();
    }
    skill_service(const skill_service&) = delete;
    skill_service& operator=(const skill_service&) = delete;

    void begin() {
        for (const auto& file : find_manifests()) {
            auto loaded = load(file);
            if (!loaded) refuse(file, loaded.error());
        }
        loaded_.set(static_cast<double>(skills_.size()));
        for (int i = 0; i < options_.max_concurrency; ++i)
            threads_.emplace_back([this, i] {
                name_this_thread(fmt::format("skill-{}", i));
                work();
            });
        for (auto& [name, one] : skills_) subscribe(one);
    }

    std::vector<skill_status> list() const override {
        std::lock_guard lock(mutex_);
        std::vector<skill_status> out;
        const auto now = parts_.time.steady();
        for (const auto& [name, one] : skills_)
            out.push_back({.name = name,
                           .version = one.now->about.version,
                           .folder = one.now->folder,
                           .state = one.suspended_until > now ? "suspended" : "ready",
                           .signed_by = one.now->signed_by,
                           .error = one.last_error,
                           .invocations = one.invocations,
                           .failures = one.failures,
                           .dropped = one.dropped});
        for (const auto& one : refused_)
            out.push_back({.name = one.file.parent_path().filename().string(),
                           .version = {},
                           .folder = one.file.parent_path(),
                           .state = "refused",
                           .signed_by = {},
                           .error = one.why.message});
        std::ranges::stable_sort(out, {}, &skill_status::name);
        return out;
    }

private:
    // ── Loading
    // ───────────────────────────────────────────────────────────────────────────────────────────────────────

    std::vector<fs::path> find_manifests() const {
        std::vector<fs::path> found;
        std::size_t seen = 0;
        std::error_code ec;
        for (auto at = fs::recursive_directory_iterator(options_.directory,
                                                        fs::directory_options::skip_permission_denied, ec);
             !ec && at != fs::recursive_directory_iterator(); at.increment(ec)) {
            if (++seen > max_files_searched || found.size() >= max_skills) {
                parts_.log.warn("skills: {} holds more than {} files or {} skills; the rest is left out",
                                options_.directory.string(), max_files_searched, max_skills);
                break;
            }
            if (to_lower(at->path().filename().string()) == "skill.yaml") found.push_back(at->path());
        }
        std::ranges::sort(found);
        return found;
    }

    result<void> load(const fs::path& file) {
        const auto text = read_file(file, max_manifest_bytes);
        if (!text) return fail(text);
        auto about = valid_manifest(*text, file);
        if (!about) return fail(std::move(about));
        if (const auto taken = skills_.find(about->name); taken != skills_.end())
            return fail(errc::already_exists, "{}: there is a skill {} in {} already", file.string(), about->name,
                        taken->second.now->folder.string());
        const auto folder = fs::absolute(file).parent_path();
        const auto path = module_path(*about, folder);
        if (!path) return fail(path);
        std::error_code ec;
        if (!fs::exists(*path, ec))
            return fail(errc::not_found, "{}: its module {} is not there", file.string(), about->module)
                .hint("build the skill");
        const auto wasm = read_file(*path, max_module_bytes);
        if (!wasm) return fail(wasm);
        const auto signer = check_signature(*about, folder, *text, *wasm);
        if (!signer) return fail(signer);
        const auto facts = engine_->inspect(*wasm);
        if (!facts) return fail(facts.error().code, "{}: {}", path->string(), facts.error().message);
        if (const auto wrong = mismatches(*about, *facts); !wrong.empty())
            return fail(errc::not_permitted, "{}: {}", path->string(), fmt::join(wrong, "; "));
        auto code = engine_->load(*wasm);
        if (!code) return fail(code.error().code, "{}: {}", path->string(), code.error().message);

        auto made = std::make_shared<version>(
            version{std::move(*about), folder, std::move(*code), *signer, keeps_values(*facts)});
        const auto& name = made->about.name;
        audit(name, "skill.load", "",
              {{"version", made->about.version},
               {"signed_by", made->signed_by},
               {"sha256", sha256_hex(std::as_bytes(std::span(*wasm)))}});
        auto& entry = skills_[name];
        entry.name = name;
        entry.now = std::move(made);
        return {};
    }

    // By whom it is signed; empty where it need not be.
    result<std::string> check_signature(const manifest& about, const fs::path& folder, std::string_view text,
                                        std::string_view wasm) const {
        if (options_.signatures == signature_policy::off) return std::string();
        const auto signer = verify_skill(options_.trusted, folder, about.module, about.author, text, wasm);
        if (signer)
            return signer->publisher.empty() ? signer->key.name()
                                             : fmt::format("{} ({})", signer->key.name(), signer->publisher);
        if (options_.signatures == signature_policy::require)
            return failure(signer.error())
                .hint(
                    "sign it with loqa-skill sign, and list the key in skills.trusted_keys; or set skills.signatures "
                    "to warn");
        // A signature by somebody unknown says no more than none; one that does not hold says that something is wrong.
        const auto known = [&](const std::array<unsigned char, 8>& id) {
            return std::ranges::any_of(options_.trusted, [&](const trusted_key& one) { return one.key.id == id; });
        };
        const auto signature = read_file(folder / fmt::format("{}{}", sums_file, signature_suffix), max_manifest_bytes);
        if (const auto id = signer_of(signature.value_or("")); id && known(*id)) return fail(signer);
        parts_.log.warn(signer.error(), {{"skill", about.name}});
        return std::string();
    }

    void refuse(const fs::path& file, error why) {
        parts_.log.warn(why, {{"file", file.string()}});
        audit(file.parent_path().filename().string(), "skill.refused", "",
              {{"file", file.string()}, {"error", why.message}});
        refused_.push_back({file, std::move(why)});
    }

    void subscribe(skill& one) {
        const auto& subjects = one.now->about.subscribe;
        const auto group = protocol::join(protocol::group::skill, one.name);
        for (const auto& subject : subjects) {
            // Of two patterns the wider one brings the message already.
            const auto covers = [&](const std::string& other) {
                return &other != &subject && subject_matches(other, subject) &&
                       (!subject_matches(subject, other) || &other < &subject);
            };
            if (std::ranges::any_of(subjects, covers)) continue;
            auto made = parts_.bus.subscribe(subject, group, [this, &one](bus::message m) { take(one, std::move(m)); });
            if (made)
                one.subscriptions.push_back(std::move(*made));
            else
                parts_.log.warn(made.error(), {{"skill", one.name}});
        }
        parts_.log.info("skill {} {} is ready", one.name, one.now->about.version);
    }

    // ── Messages and the threads that work on them
    // ────────────────────────────────────────────────────────────────────

    void take(skill& one, bus::message message) {
        {
            std::lock_guard lock(mutex_);
            if (one.suspended_until > parts_.time.steady() || one.waiting.size() >= options_.queued_per_skill) {
                ++one.dropped;
                dropped_.add();
                queue_full_("a message on {} was dropped: skill {} is {}", message.subject, one.name,
                            one.suspended_until > parts_.time.steady() ? "suspended" : "slower than its messages come");
                return;
            }
            one.waiting.push_back(std::move(message));
        }
        ready_.notify_one();
    }

    struct job {
        skill* of = nullptr;
        std::shared_ptr<const version> on;
        bus::message message;
    };

    // The next message, skills taking turns. No skill has all threads, so that one which sleeps leaves the others some.
    std::optional<job> next() {
        const int most = std::max(1, options_.max_concurrency - 1);
        auto at = skills_.upper_bound(last_served_);
        for (std::size_t i = 0; i < skills_.size(); ++i, ++at) {
            if (at == skills_.end()) at = skills_.begin();
            auto& one = at->second;
            // A skill that was suspended is tried with one message first.
            // One that keeps values runs once at a time, so that none of its changes is lost to another.
            const int allowed = one.suspension.count() > 0 || one.now->keeps ? 1 : most;
            if (one.waiting.empty() || one.running >= allowed) continue;
            last_served_ = one.name;
            job out{&one, one.now, std::move(one.waiting.front())};
            one.waiting.pop_front();
            ++one.running;
            return out;
        }
        return std::nullopt;
    }

    void work() {
        std::unique_lock lock(mutex_);
        while (!stopping_.stop_requested()) {
            auto mine = next();
            if (!mine) {
                ready_.wait(lock);
                continue;
            }
            lock.unlock();
            auto failure = invoke(*mine);
            lock.lock();
            const auto said = finish(*mine->of, std::move(failure));
            if (said.is_null()) continue;
            lock.unlock();  // who hears it may send us a message from the same thread
            std::ignore = parts_.bus.publish(protocol::subject::skill_failed, protocol::dump(said));
            lock.lock();
        }
    }

    std::optional<error> invoke(const job& mine) {
        const auto& on = *mine.on;
        const auto id = random_uuid();
        const auto& name = on.about.name;
        const auto tell = [&](std::string_view type, const json& members) { audit(name, type, id, members); };
        tell("skill.invoke.start", {{"subject", mine.message.subject}});

        std::vector<std::pair<std::string_view, std::string>> environment = {
            {"LOQA_SKILL_NAME", name},
            {"LOQA_EVENT_SUBJECT", mine.message.subject},
            {"LOQA_EVENT_PAYLOAD", mine.message.payload},
            {"LOQA_INVOCATION_ID", id},
            {"LOQA_SKILL_DIRECTORY", on.folder.string()}};
        if (!mine.message.reply.empty()) environment.emplace_back("LOQA_EVENT_REPLY", mine.message.reply);
        invocation reach{
            .skill = on.about,
            .publish = [this](std::string_view subject,
                              std::string_view payload) { return parts_.bus.publish(subject, payload); },
            .audit = [&](std::string_view type, std::string_view members) { audit_text(name, type, id, members); }};
        if (!mine.message.reply.empty())
            reach.respond = [&](std::string_view payload) { return parts_.bus.respond(mine.message, payload); };
        reach.request = [this](std::string_view subject, std::string_view payload,
                               milliseconds timeout) -> result<std::string> {
            auto answer = parts_.bus.request(subject, payload, timeout);
            if (!answer) return fail(std::move(answer));
            return std::move(answer->payload);
        };
        storage_view kept(*storage_, name, static_cast<std::size_t>(on.about.limits.storage_bytes));
        reach.kept = &kept;
        usage used;
        auto done = on.code->run({.entrypoint = on.about.entrypoint,
                                  .environment = environment,
                                  .limits = on.about.limits.run,
                                  .context = &reach,
                                  .stop = stopping_.get_token()},
                                 used);
        if (done) done = kept.commit();
        const auto ms = std::chrono::duration_cast<milliseconds>(used.wall).count();
        duration_.observe(to_ms(used.wall));
        denied_.add(static_cast<double>(reach.denied));
        if (done) {
            completed_.add();
            tell("skill.invoke.complete", {{"duration_ms", ms}, {"cpu_us", used.cpu.count()}});
            return std::nullopt;
        }
        failed_.add();
        json told = {{"error", done.error().message},
                     {"code", to_string(done.error().code)},
                     {"duration_ms", ms},
                     {"memory_bytes", used.memory_bytes}};
        if (!used.output.empty()) told["output"] = used.output;
        tell("skill.invoke.error", told);
        return done.error();
    }

    // Holding the mutex. What is to be said on the bus, or null.
    json finish(skill& one, std::optional<error> failure) {
        --one.running;
        ++one.invocations;
        ready_.notify_one();
        if (!failure) {
            one.failures_in_row = 0;
            one.suspension = {};
            one.last_error.clear();
            return nullptr;
        }
        if (failure->code == errc::cancelled) return nullptr;
        ++one.failures;
        ++one.failures_in_row;
        one.last_error = failure->message.substr(0, max_error_bytes);
        return one.failures_in_row >= options_.failures_to_suspend ? suspend(one) : nullptr;
    }

    json suspend(skill& one) {
        if (one.suspended_until > parts_.time.steady()) return nullptr;  // by another of its invocations
        one.suspension = one.suspension.count() == 0 ? options_.first_suspension
                                                     : std::min(one.suspension * 2, options_.longest_suspension);
        one.suspended_until = parts_.time.steady() + one.suspension;
        one.dropped += one.waiting.size();
        dropped_.add(static_cast<double>(one.waiting.size()));
        one.waiting.clear();
        json told = {{"skill", one.name},
                     {"error", one.last_error},
                     {"failures", one.failures_in_row},
                     {"suspended_ms", one.suspension.count()},
                     {"timestamp", to_rfc3339(parts_.time.wall())}};
        audit(one.name, protocol::subject::skill_failed, "", told);
        parts_.log.warn("skill {} failed {} times in a row and is suspended for {} ms: {}", one.name,
                        one.failures_in_row, one.suspension.count(), one.last_error);
        return told;
    }

    // ── The record
    // ────────────────────────────────────────────────────────────────────────────────────────────────────

    void audit(const std::string& name, std::string_view type, std::string_view id, const json& members) {
        const auto text = protocol::dump(members);
        audit_text(name, type, id, std::string_view(text).substr(1, text.size() - 2));
    }

    void audit_text(const std::string& name, std::string_view type, std::string_view id, std::string_view members) {
        auto payload = fmt::format(R"({{"skill":{})", protocol::dump(name));
        if (!id.empty()) payload += fmt::format(R"(,"invocation_id":"{}")", id);
        if (!members.empty()) payload += fmt::format(",{}", members);
        // The store counts and says what it has to lose.
        std::ignore = parts_.store.append({.session_id = "skill:" + name,
                                           .actor_id = name,
                                           .type = std::string(type),
                                           .payload = payload + "}",
                                           .privacy_scope = options_.audit_privacy_scope,
                                           .created_at = parts_.time.wall()});
    }

    const service_options options_;
    const service_parts parts_;
    const std::unique_ptr<engine> engine_;
    const std::unique_ptr<storage> storage_;
    telemetry::rate_limited queue_full_;
    telemetry::counter &completed_, &failed_, &dropped_, &denied_;
    telemetry::histogram& duration_;
    telemetry::gauge& loaded_;

    mutable std::mutex mutex_;
    std::condition_variable ready_;
    std::map<std::string, skill> skills_;  // not changed any more once the threads run
    std::vector<refused_skill> refused_;
    std::string last_served_;
    std::stop_source stopping_;
    std::vector<std::jthread> threads_;
};

}  // namespace

result<std::unique_ptr<service>> service::start(service_options with, service_parts parts) {
    auto made = engine::start({.cache = with.cache, .max_guests = static_cast<unsigned>(with.max_concurrency) + 2},
                              host_functions(), parts.log);
    if (!made) return fail(std::move(made));
    auto kept = storage::open(with.file, parts.time, parts.log);
    if (!kept) return fail(std::move(kept));
    auto out = std::make_unique<skill_service>(std::move(with), std::move(parts), std::move(*made), std::move(*kept));
    out->begin();
    return out;
}

}  // namespace loqa::skills
