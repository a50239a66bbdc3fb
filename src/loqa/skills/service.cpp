#include "loqa/skills/service.hpp"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <thread>
#include <tuple>

#include <fmt/ranges.h>

#include "loqa/base/ids.hpp"
#include "loqa/base/process.hpp"
#include "loqa/base/text.hpp"
#include "loqa/base/watch.hpp"
#include "loqa/protocol/json.hpp"
#include "loqa/protocol/subjects.hpp"
#include "loqa/skills/abi.hpp"
#include "loqa/skills/durable_timers.hpp"
#include "loqa/skills/engine.hpp"
#include "loqa/skills/folders.hpp"
#include "loqa/skills/intents.hpp"
#include "loqa/skills/loader.hpp"
#include "loqa/skills/manifest.hpp"
#include "loqa/skills/record.hpp"
#include "loqa/skills/storage.hpp"
#include "loqa/skills/work_puller.hpp"

namespace loqa::skills {
namespace {

using protocol::json;

constexpr std::size_t max_error_bytes = 1000;
constexpr std::size_t max_watched_folders = 512;
constexpr int taken_ahead = 4;       // of durable work, beside what runs
constexpr int most_tries = 5;        // of durable work that fails
constexpr int most_deliveries = 10;  // of durable work whose nodes died of it
constexpr milliseconds first_retry{1000}, longest_retry{30'000};
constexpr milliseconds usual_patience{5000};  // of who waits for an intent's answer and does not say how long
constexpr milliseconds quiet_before_loading{300};
constexpr milliseconds longest_flush{500};
constexpr std::string_view ephemeral = "ephemeral";
constexpr int prompt_in_row = 8;  // invocations, and the next one is expected to be prompt too
constexpr int prompt_waits = 40;  // times its processor time, for a processor and for the disk

enum class event_kind : std::uint8_t { message, intent, timer, start };
std::string_view to_string(event_kind kind) {
    static constexpr std::string_view words[] = {"message", "intent", "timer", "start"};
    return words[static_cast<std::size_t>(kind)];
}

// Something for a skill to do. `done` hears how it ended, or why it was not begun; not while a mutex is held.
struct work {
    event_kind kind = event_kind::message;
    bus::message message{};
    std::string id{};     // of the invocation; made when it begins where there is none yet
    steady_time until{};  // nobody waits for it after that; zero: always
    std::function<void(const error* failed)> done{};

    void end(const error* failed) const {
        if (done) done(failed);
    }
};

struct skill : std::enable_shared_from_this<skill> {
    std::string name;
    std::shared_ptr<const version> now;
    std::map<std::string, std::unique_ptr<bus::subscription>> subscriptions;  // by subject; for who loads alone
    work_nudge more;                                                          // durable work could be taken
    std::unique_ptr<work_puller> durable;                                     // for who loads alone
    std::vector<std::string> durable_subjects;
    std::deque<work> waiting;
    int running = 0;
    bool gone = false;
    int prompt = 0;  // so many invocations in a row, of this version, were over at once
    int failures_in_row = 0;
    milliseconds suspension{};  // the last one's length; 0 while it works
    steady_time suspended_until{};
    std::string last_error;
    std::uint64_t invocations = 0, failures = 0, dropped = 0, denied = 0;
    microseconds cpu{}, wall{};
    std::size_t memory_bytes = 0;
};

struct refused_skill {
    std::string name;
    error why;
    bool waits = false;  // it would be used if its configuration were set
};

// As RFC 4122 writes a random one.
std::string random_uuid() {
    auto hex = random_hex(16);
    hex[12] = '4';
    hex[16] = "89ab"[hex[16] % 4];
    for (const auto at : {20U, 16U, 12U, 8U}) hex.insert(at, 1, '-');
    return hex;
}

// One that never was on the bus.
bus::message inner_message(std::string subject, std::string payload) {
    return {.subject = std::move(subject), .reply = {}, .headers = {}, .payload = std::move(payload)};
}

// What the store has of a session last, oldest first, as JSON.
result<std::string> recorded_in(store::event_store& in, const std::string& session, std::size_t most) {
    if (session.empty()) return "[]";  // to the store that would be all sessions
    std::ignore = in.flush(std::chrono::steady_clock::now() + longest_flush);
    const auto found = in.events({.session_id = session, .trace_id = {}, .type = {}, .limit = most, .newest = true});
    if (!found) return fail(found);
    auto out = json::array();
    for (const auto& one : *found) {
        auto payload = json::parse(one.payload, nullptr, false);
        out.push_back({{"id", one.id},
                       {"type", one.type},
                       {"created_at", to_rfc3339(one.created_at)},
                       {"payload", payload.is_discarded() ? json(one.payload) : std::move(payload)}});
    }
    return protocol::dump(out);
}

// Of two patterns the wider one brings the message already.
std::vector<std::string> without_covered(const std::vector<std::string>& subjects) {
    std::vector<std::string> out;
    for (const auto& subject : subjects) {
        const auto covers = [&](const std::string& other) {
            return &other != &subject && subject_matches(other, subject) &&
                   (!subject_matches(subject, other) || &other < &subject);
        };
        if (std::ranges::none_of(subjects, covers)) out.push_back(subject);
    }
    return out;
}

class skill_service final : public service {
public:
    skill_service(service_options with, service_parts parts, std::unique_ptr<engine> made,
                  std::unique_ptr<storage> kept, std::unique_ptr<durable_timers> timers)
        : options_(std::move(with)),
          parts_(std::move(parts)),
          engine_(std::move(made)),
          storage_(std::move(kept)),
          loader_(options_, *engine_, *storage_, parts_.log),
          queue_full_(parts_.log, parts_.time),
          completed_(parts_.metrics.counter("loqa_skill_invocations_total", "Invocations of skills by how they ended",
                                            {{"result", "completed"}})),
          failed_(parts_.metrics.counter("loqa_skill_invocations_total", "Invocations of skills by how they ended",
                                         {{"result", "failed"}})),
          dropped_(parts_.metrics.counter("loqa_skill_messages_dropped_total",
                                          "Messages to skills that were suspended or had too many waiting")),
          denied_(parts_.metrics.counter("loqa_skill_calls_denied_total",
                                         "Calls of skills that their manifest or limits forbade")),
          dead_(parts_.metrics.counter("loqa_skill_work_dead_total", "Work of skills that was given up")),
          duration_(parts_.metrics.histogram("loqa_skill_invocation_ms", "How long invocations of skills took",
                                             telemetry::latency_buckets_ms)),
          loaded_(parts_.metrics.gauge("loqa_skills_loaded", "Skills that can be invoked")),
          timers_(std::move(timers)) {}

    ~skill_service() override {
        keeper_ = {};
        {
            std::lock_guard lock(mutex_);
            stopping_.request_stop();
        }
        ready_.notify_all();
        // What runs on a thread of the bus is waited for here, and was told to end above.
        for (auto& [name, one] : skills_) {
            one->subscriptions.clear();
            one->durable.reset();
        }
        threads_.clear();
        timers_.reset();
    }
    skill_service(const skill_service&) = delete;
    skill_service& operator=(const skill_service&) = delete;

    void begin() {
        disabled_ = read_names(disabled_file());
        for (int i = 0; i < options_.max_concurrency; ++i)
            threads_.emplace_back([this, i] {
                name_this_thread(fmt::format("skill-{}", i));
                run();
            });
        rescan();
        // Sentences of skills that went while no process was here are not to be understood.
        std::error_code ec;
        for (const auto& entry : fs::directory_iterator(sentences_folder(options_.data), ec))
            if (std::ranges::none_of(skills_,
                                     [&](const auto& one) { return sentences_file(one.first) == entry.path(); }))
                fs::remove(entry.path(), ec);
        timers_->run([this](due_timer due) { ring(std::move(due)); });
        keeper_ = std::jthread([this](const std::stop_token& stop) {
            name_this_thread("skill-keeper");
            keep(stop);
        });
    }

    std::vector<skill_status> list() const override {
        std::lock_guard lock(mutex_);
        std::vector<skill_status> out;
        const auto now = parts_.time.steady();
        for (const auto& [name, one] : skills_) {
            skill_status is{.name = name,
                            .version = one->now->about.version,
                            .folder = one->now->folder,
                            .state = one->suspended_until > now ? "suspended" : "ready",
                            .signed_by = one->now->signed_by,
                            .error = one->last_error,
                            .intents = {},
                            .invocations = one->invocations,
                            .failures = one->failures,
                            .dropped = one->dropped,
                            .denied = one->denied,
                            .waiting = one->waiting.size(),
                            .running = one->running,
                            .cpu = one->cpu,
                            .wall = one->wall,
                            .memory_bytes = one->memory_bytes};
            for (const auto& intent : one->now->about.intents) is.intents.push_back(intent.name);
            out.push_back(std::move(is));
        }
        for (const auto& [file, one] : refused_) {
            const auto known = std::ranges::find(out, file.parent_path(), &skill_status::folder);
            if (known != out.end())
                known->error = one.why.message;  // the version before runs
            else
                out.push_back({.name = one.name,
                               .version = {},
                               .folder = file.parent_path(),
                               .state = one.waits ? "waiting" : "refused",
                               .signed_by = {},
                               .error = one.why.message,
                               .hint = one.why.hint,
                               .intents = {}});
        }
        for (const auto& [file, name] : resting_)
            out.push_back({.name = name,
                           .version = {},
                           .folder = file.parent_path(),
                           .state = "disabled",
                           .signed_by = {},
                           .error = {},
                           .intents = {}});
        std::ranges::stable_sort(out, {}, &skill_status::name);
        return out;
    }

    void rescan() override {
        std::lock_guard loading(loading_);
        const auto files = loader_.find();
        bool room = false;
        for (auto at = seen_.begin(); at != seen_.end();) {
            if (std::ranges::binary_search(files, at->first)) {
                ++at;
                continue;
            }
            forget(at->first);
            at = seen_.erase(at);
            room = true;
        }
        // One that had the same name as what is gone may be next.
        for (const auto& [file, one] : refused_)
            if (room) seen_[file].clear();
        for (const auto& file : files) {
            auto print = loader_.fingerprint(file);
            if (auto& seen = seen_[file]; seen != print) {
                seen = std::move(print);
                std::ignore = take_up(file);
            }
        }
    }

    result<void> reload(const std::string& name) override {
        std::lock_guard loading(loading_);
        const auto file = file_of(name);
        if (!file) return fail(errc::not_found, "there is no skill {}", name);
        seen_[*file] = loader_.fingerprint(*file);
        return take_up(*file);
    }

    result<void> enable(const std::string& name, bool enabled) override {
        std::lock_guard loading(loading_);
        const auto file = file_of(name);
        if (!file) return fail(errc::not_found, "there is no skill {}", name);
        auto names = disabled_;
        if (enabled)
            names.erase(name);
        else
            names.insert(name);
        if (auto written = write_names(disabled_file(), names); !written) return written;
        disabled_ = std::move(names);
        return take_up(*file);
    }

    result<std::string> install(const fs::path& from) override {
        std::lock_guard loading(loading_);
        // All that could go wrong goes wrong there, before anything here is changed.
        const auto text = read_file(from / "skill.yaml", max_manifest_bytes);
        if (!text) return fail(text);
        const auto about = valid_manifest(*text, from / "skill.yaml");
        if (!about) return fail(about);
        const auto& name = about->name;
        const auto tried = loader_.load(from / "skill.yaml");
        // A new one that only waits to be configured is taken over as it is: it can be configured once it is here.
        const bool waits = !tried && tried.error().code == errc::invalid_config && !skills_.contains(name);
        if (!tried && !waits) return fail(tried);
        if (auto fits = no_rival(*about, from / "skill.yaml", file_of(name).value_or(fs::path())); !fits)
            return fail(std::move(fits));
        const auto place = file_of(name).value_or(options_.directory / protocol::token(name) / "skill.yaml");
        if (auto made = make_writable_folder(options_.directory); !made) return fail(std::move(made));
        if (auto copied = replace_folder(from, place.parent_path()); !copied) return fail(std::move(copied));
        seen_[place] = loader_.fingerprint(place);
        if (auto taken = take_up(place); !taken && !waits) return fail(std::move(taken));
        return name;
    }

    result<void> remove(const std::string& name) override {
        std::lock_guard loading(loading_);
        const auto file = file_of(name);
        if (!file) return fail(errc::not_found, "there is no skill {}", name);
        std::error_code ec;
        const auto folder = file->parent_path();
        if (fs::equivalent(folder, options_.directory, ec))
            return fail(errc::not_permitted, "{} is the folder of all skills", folder.string());
        if (auto gone = remove_folder(folder); !gone) return gone;
        timers_->cancel_all(name);
        forget(*file);
        seen_.erase(*file);
        return {};
    }

private:
    // ── Loading. All of it holding loading_
    // ───────────────────────────────────────────────────────────────────────────

    fs::path disabled_file() const { return options_.data / "skills" / "disabled"; }

    std::optional<fs::path> file_of(const std::string& name) const {
        if (const auto found = skills_.find(name); found != skills_.end()) return found->second->now->file;
        for (const auto& [file, resting] : resting_)
            if (resting == name) return file;
        for (const auto& [file, one] : refused_)
            if (one.name == name) return file;
        return std::nullopt;
    }

    // The file is new or another than before. What keeps it from being used; the version before then stays.
    result<void> take_up(const fs::path& file) {
        const auto text = read_file(file, max_manifest_bytes);
        const auto parsed = text ? parse_manifest(*text) : parsed_manifest();
        const auto name = parsed.value.name.empty() ? file.parent_path().filename().string() : parsed.value.name;
        if (disabled_.contains(name)) {
            forget(file);
            std::lock_guard lock(mutex_);
            resting_[file] = name;
            return {};
        }
        auto loaded = loader_.load(file);
        if (loaded)
            if (auto fits = no_rival((*loaded)->about, file, file); !fits) loaded = fail(std::move(fits));
        if (!loaded) {
            // Of two with one name the other has it.
            const auto known = skills_.find(name);
            const bool before = known != skills_.end() && known->second->now->file == file;
            const auto shown = known == skills_.end() || before ? name : file.parent_path().filename().string();
            parts_.log.warn(loaded.error(), {{"file", file.string()}});
            json told = {{"file", file.string()}, {"error", loaded.error().message}};
            if (before) told["still"] = known->second->now->about.version;
            audit(shown, "skill.refused", "", told);
            const bool waits = loaded.error().code == errc::invalid_config && parsed.faults.empty() &&
                               lacks_values_only(parsed.value, options_.data);
            std::lock_guard lock(mutex_);
            resting_.erase(file);
            refused_.insert_or_assign(file, refused_skill{shown, loaded.error(), waits});
            return fail(std::move(loaded));
        }
        // A file that names another skill than it did is no version of that one.
        for (const auto& [other, one] : skills_)
            if (one->now->file == file && other != name) {
                forget(file);
                break;
            }
        adopt(std::move(*loaded));
        return {};
    }

    // Another skill with the same name, or with one of its intents.
    result<void> no_rival(const manifest& about, const fs::path& shown, const fs::path& file) const {
        for (const auto& [name, one] : skills_) {
            if (one->now->file == file) continue;
            if (name == about.name)
                return fail(errc::already_exists, "{}: there is a skill {} in {} already", shown.string(), name,
                            one->now->folder.string());
            for (const auto& intent : about.intents)
                if (one->now->about.find_intent(intent.name) != nullptr)
                    return fail(errc::already_exists, "{}: the skill {} answers for the intent {} already",
                                shown.string(), name, intent.name)
                        .hint("loqa skill disable {} leaves it to this one", name);
        }
        return {};
    }

    void adopt(std::shared_ptr<const version> made) {
        const auto& name = made->about.name;
        audit(name, "skill.load", "",
              {{"version", made->about.version}, {"signed_by", made->signed_by}, {"sha256", made->sha256}});
        skill* one = nullptr;
        {
            std::lock_guard lock(mutex_);
            auto& entry = skills_[name];
            if (!entry) entry = std::make_shared<skill>();
            one = entry.get();
            one->name = name;
            one->now = made;
            one->prompt = 0;
            one->failures_in_row = 0;
            one->suspension = {};
            one->suspended_until = {};
            one->last_error.clear();
            refused_.erase(made->file);
            resting_.erase(made->file);
            loaded_.set(static_cast<double>(skills_.size()));
        }
        subscribe(*one, *made);
        write_sentences(*made);
        declare();
        if (made->about.start) {
            take(*one, {.kind = event_kind::start, .message = inner_message("skill.start", {})});
        }
        parts_.log.info("skill {} {} is ready", name, made->about.version);
        ready_.notify_all();
    }

    // Ends what the file stood for.
    void forget(const fs::path& file) {
        std::shared_ptr<skill> gone;
        std::deque<work> waiting;
        {
            std::lock_guard lock(mutex_);
            refused_.erase(file);
            resting_.erase(file);
            const auto found =
                std::ranges::find_if(skills_, [&](const auto& one) { return one.second->now->file == file; });
            if (found == skills_.end()) return;
            gone = found->second;
            gone->gone = true;
            waiting.swap(gone->waiting);
            skills_.erase(found);
            loaded_.set(static_cast<double>(skills_.size()));
        }
        if (parts_.claimed != nullptr) parts_.claimed->set(gone->name, {});
        gone->subscriptions.clear();
        gone->durable.reset();
        const auto why = fail(errc::unavailable, "the skill is not there any more").error();
        for (const auto& one : waiting) refuse(one, why, no_answer::busy);
        std::error_code ec;
        fs::remove(sentences_file(gone->name), ec);
        if (!gone->now->about.intents.empty()) tell_intents(gone->name, {});
        if (gone->now->about.permits(permission::home_write))
            std::ignore =
                parts_.bus.publish(protocol::subject::home_learn, protocol::dump({{"source", gone->name},
                                                                                  {"floors", json::array()},
                                                                                  {"areas", json::array()},
                                                                                  {"entities", json::array()}}));
        parts_.log.info("skill {} is not there any more", gone->name);
    }

    void subscribe(skill& one, const version& made) {
        std::map<std::string, event_kind> wanted;
        const auto subjects = without_covered(made.about.subscribe);
        if (!made.about.durable)
            for (const auto& subject : subjects) wanted.emplace(subject, event_kind::message);
        for (const auto& intent : made.about.intents)
            wanted.emplace(protocol::join(protocol::subject::intent, intent.name), event_kind::intent);
        for (const auto& [subject, kind] : wanted) {
            if (one.subscriptions.contains(subject)) continue;
            auto done = parts_.bus.subscribe(subject, protocol::join(protocol::group::skill, one.name),
                                             [this, &one, kind](bus::message m) { hear(one, kind, std::move(m)); });
            if (done)
                one.subscriptions.emplace(subject, std::move(*done));
            else
                parts_.log.warn(done.error(), {{"skill", one.name}});
        }
        std::erase_if(one.subscriptions, [&](const auto& known) { return !wanted.contains(known.first); });
        if (parts_.claimed != nullptr) parts_.claimed->set(one.name, made.about.subscribe);
        const auto kept = made.about.durable ? subjects : std::vector<std::string>();
        if (kept == one.durable_subjects) return;
        one.durable.reset();
        one.durable_subjects = kept;
        if (kept.empty()) return;
        auto queue = parts_.bus.work({.name = "skill_" + queue_name(one.name), .subjects = kept});
        if (!queue) {
            parts_.log.warn(queue.error(), {{"skill", one.name}});
            audit(one.name, "skill.refused", "", {{"file", made.file.string()}, {"error", queue.error().message}});
            one.durable_subjects.clear();
            std::lock_guard lock(mutex_);
            one.last_error = queue.error().message;
            return;
        }
        one.durable = std::make_unique<work_puller>(
            std::move(*queue), [this, &one] { return room_for(one); },
            [this, &one](std::shared_ptr<bus::work_item> item) { take_kept(one, std::move(item)); }, one.more,
            parts_.log, parts_.time);
    }

    // Of letters, digits, - and _ alone, and no other skill's.
    static std::string queue_name(const std::string& name) {
        auto out = protocol::token(name);
        std::ranges::replace(out, '%', '_');
        return out == name ? out : fmt::format("{}_{}", out, sha256_hex(std::as_bytes(std::span(name))).substr(0, 8));
    }

    fs::path sentences_file(const std::string& name) const {
        return sentences_folder(options_.data) / (protocol::token(name) + ".yaml");
    }
    void write_sentences(const version& made) const {
        const auto file = sentences_file(made.about.name);
        std::error_code ec;
        if (made.about.sentences.empty()) {
            fs::remove(file, ec);
            return;
        }
        auto written = make_writable_folder(file.parent_path(), 0700);
        if (read_file(file).value_or("") == made.about.sentences) return;
        if (written) written = write_file_atomically(file, made.about.sentences, 0600);
        if (!written) parts_.log.warn(written.error(), {{"skill", made.about.name}});
    }

    // ── What is repeated, and what changes in the folder
    // ─────────────────────────────────────────────────────────────

    void keep(const std::stop_token& stop) {
        std::mutex mutex;
        std::condition_variable_any changed;
        bool stale = false;
        const auto watch = [&]() -> std::unique_ptr<file_watch> {
            auto made = file_watch::start(
                folders_to_watch(),
                [&] {
                    {
                        std::lock_guard lock(mutex);
                        stale = true;
                    }
                    changed.notify_all();
                },
                quiet_before_loading);
            if (made) return std::move(*made);
            parts_.log.warn(made.error());
            return nullptr;
        };
        auto watching = watch();
        rescan();  // what changed before it was watched
        std::unique_lock lock(mutex);
        while (!stop.stop_requested()) {
            changed.wait_for(lock, stop, options_.declare_every, [&] { return stale; });
            if (stop.stop_requested()) return;
            const bool again = std::exchange(stale, false);
            lock.unlock();
            if (again) {
                rescan();
                watching.reset();
                watching = watch();
                rescan();
            }
            declare();
            lock.lock();
        }
    }

    // Every folder that holds something of a skill, and those above them: a new one may come anywhere.
    std::vector<fs::path> folders_to_watch() const {
        std::set<fs::path> out = {options_.directory, options_.data / "skills" / "config",
                                  options_.data / "skills" / "secrets"};
        std::error_code ec;
        for (auto at = fs::recursive_directory_iterator(options_.directory,
                                                        fs::directory_options::skip_permission_denied, ec);
             !ec && at != fs::recursive_directory_iterator() && out.size() < max_watched_folders; at.increment(ec))
            if (at->is_directory(ec)) {
                if (at->path().filename().string().starts_with('.'))
                    at.disable_recursion_pending();
                else
                    out.insert(at->path());
            }
        for (const auto& entry : fs::directory_iterator(options_.data / "skills" / "secrets", ec))
            if (entry.is_directory(ec)) out.insert(entry.path());
        return {out.begin(), out.end()};
    }

    void declare() const {
        std::map<std::string, std::vector<std::string>> all;
        {
            std::lock_guard lock(mutex_);
            for (const auto& [name, one] : skills_)
                for (const auto& intent : one->now->about.intents) all[name].push_back(intent.name);
        }
        for (const auto& [name, intents] : all) tell_intents(name, intents);
    }
    void tell_intents(const std::string& name, const std::vector<std::string>& intents) const {
        std::ignore = parts_.bus.publish(protocol::subject::intent_declare,
                                         protocol::dump({{"handler", "skill:" + name}, {"intents", intents}}));
    }

    // ── What there is to do
    // ───────────────────────────────────────────────────────────────────────────────────────────

    struct job {
        std::shared_ptr<skill> of;
        std::shared_ptr<const version> on;
        work what;
    };

    // On a thread of the bus.
    void hear(skill& one, event_kind kind, bus::message m) {
        work what{.kind = kind, .message = std::move(m)};
        if (kind == event_kind::intent) {
            const auto now = version_of(one);
            const auto* intent = now->about.find_intent(intent_name(what.message.subject, *now));
            if (intent == nullptr) return;
            what.message.subject = fmt::format("{}.{}", protocol::subject::intent, intent->name);
            if (const auto question = question_before(*intent, what.message.payload); !question.empty()) {
                std::ignore = parts_.bus.respond(what.message, question);
                return;
            }
            const auto patience = protocol::read_turn(what.message.headers).budget.value_or(usual_patience);
            what.until = parts_.time.steady() + patience;
        }
        if (auto mine = begin_here(one, what))
            carry_out(std::move(*mine));
        else
            take(one, std::move(what));
    }

    // Whether the invocation runs on the thread that brought it: waking another one takes longer than all that such a
    // skill does. It holds back what comes on the same subject after it, so the skill must have been done at once with
    // what it got last, and import nothing that waits for somebody else; `what` is taken then.
    std::optional<job> begin_here(skill& one, work& what) {
        std::lock_guard lock(mutex_);
        if (one.prompt < prompt_in_row || one.now->waits || one.gone || stopping_.stop_requested()) return std::nullopt;
        if (one.suspension.count() > 0 || one.running > 0 || !one.waiting.empty()) return std::nullopt;
        if (running_ >= options_.max_concurrency) return std::nullopt;
        return begun(one, std::move(what));
    }
    // Holding the mutex.
    job begun(skill& one, work what) {
        ++one.running;
        ++running_;
        return {one.shared_from_this(), one.now, std::move(what)};
    }
    static std::string intent_name(const std::string& subject, const version& of) {
        for (const auto& one : of.about.intents)
            if (protocol::join(protocol::subject::intent, one.name) == subject) return one.name;
        return {};
    }
    std::shared_ptr<const version> version_of(const skill& one) const {
        std::lock_guard lock(mutex_);
        return one.now;
    }

    void take(skill& one, work what) {
        bool suspended = false;
        {
            std::lock_guard lock(mutex_);
            suspended = one.suspended_until > parts_.time.steady();
            if (!suspended && one.waiting.size() < options_.queued_per_skill && !one.gone) {
                one.waiting.push_back(std::move(what));
                ready_.notify_one();
                return;
            }
            ++one.dropped;
        }
        dropped_.add();
        queue_full_("a message on {} was dropped: skill {} is {}", what.message.subject, one.name,
                    suspended ? "suspended" : "slower than its messages come");
        const auto why = fail(errc::busy, "skill {} is {}", one.name, suspended ? "suspended" : "busy").error();
        refuse(what, why, suspended ? no_answer::suspended : no_answer::busy);
    }

    // Was not begun.
    void refuse(const work& what, const error& why, no_answer how) {
        if (what.kind == event_kind::intent && !what.message.reply.empty())
            std::ignore = parts_.bus.respond(what.message, apology_for(how));
        what.end(&why);
    }

    int room_for(const skill& one) const {
        std::lock_guard lock(mutex_);
        if (one.gone || one.suspended_until > parts_.time.steady()) return 0;
        if (one.suspension.count() > 0) return one.waiting.empty() && one.running == 0 ? 1 : 0;
        return std::max(0, taken_ahead - static_cast<int>(one.waiting.size()));
    }

    void take_kept(skill& one, std::shared_ptr<bus::work_item> item) {
        work what{.kind = event_kind::message, .message = item->what(), .id = item->id()};
        if (item->attempt() > most_deliveries) {
            const auto why = fail(errc::engine_failed, "whoever worked on it ended each time").error();
            bury(one.name, what.message, item->attempt(), why);
            std::ignore = item->done();
            return;
        }
        what.done = [this, &one, item](const error* failed) {
            result<void> said;
            if (failed == nullptr) {
                said = item->done();
            } else if (failed->code == errc::busy || failed->code == errc::cancelled ||
                       failed->code == errc::unavailable || item->attempt() < most_tries) {
                const auto wait = first_retry * (1 << std::min(item->attempt() - 1, 5));
                said = item->again(std::min(wait, longest_retry));
            } else {
                bury(one.name, item->what(), item->attempt(), *failed);
                said = item->done();
            }
            if (!said) parts_.log.warn(said.error(), {{"skill", one.name}});
        };
        take(one, std::move(what));
    }

    // Nobody will try it again.
    void bury(const std::string& name, const bus::message& m, int attempts, const error& why) {
        dead_.add();
        const json told = {{"skill", name},
                           {"subject", m.subject},
                           {"payload", m.payload},
                           {"attempts", attempts},
                           {"error", why.message.substr(0, max_error_bytes)},
                           {"timestamp", to_rfc3339(parts_.time.wall())}};
        std::ignore =
            parts_.bus.publish(protocol::join(protocol::subject::skill_dead, name), protocol::dump(told), m.headers);
        audit(name, protocol::subject::skill_dead, "",
              {{"subject", m.subject}, {"attempts", attempts}, {"error", told["error"]}});
        parts_.log.warn("skill {} did not get a message on {} done in {} attempts: {}", name, m.subject, attempts,
                        why.message);
    }

    // On the timers' thread.
    void ring(due_timer due) {
        std::shared_ptr<skill> one;
        {
            std::lock_guard lock(mutex_);
            if (const auto found = skills_.find(due.skill); found != skills_.end()) one = found->second;
        }
        if (!one) {
            timers_->done(due, durable_timers::outcome::nobody);
            return;
        }
        work what{.kind = event_kind::timer,
                  .message = inner_message("timer." + due.name, due.payload),
                  .id = due.invocation};
        what.done = [this, due](const error* failed) {
            using outcome = durable_timers::outcome;
            if (failed != nullptr && failed->code == errc::cancelled) return;  // it rings again after a restart
            const bool not_begun =
                failed != nullptr && (failed->code == errc::busy || failed->code == errc::unavailable);
            const auto how = failed == nullptr ? outcome::done : not_begun ? outcome::nobody : outcome::failed;
            if (timers_->done(due, how))
                bury(due.skill, inner_message("timer." + due.name, due.payload), timer_tries, *failed);
        };
        take(*one, std::move(what));
    }

    // Holding the mutex: whether one has work that it may do now. No skill has all threads, so that one which sleeps
    // leaves the others some.
    bool may_begin(const skill& one) const {
        // A skill that was suspended is tried with one message first.
        // One that keeps values runs once at a time, so that none of its changes is lost to another.
        const int most = one.suspension.count() > 0 || one.now->keeps ? 1 : std::max(1, options_.max_concurrency - 1);
        return !one.waiting.empty() && one.running < most;
    }

    // The next piece of work, skills taking turns.
    std::optional<job> next() {
        if (running_ >= options_.max_concurrency) return std::nullopt;
        auto at = skills_.upper_bound(last_served_);
        for (std::size_t i = 0; i < skills_.size(); ++i, ++at) {
            if (at == skills_.end()) at = skills_.begin();
            auto& one = *at->second;
            if (!may_begin(one)) continue;
            last_served_ = one.name;
            auto out = begun(one, std::move(one.waiting.front()));
            one.waiting.pop_front();
            if (out.on->about.durable) one.more();
            return out;
        }
        return std::nullopt;
    }

    void run() {
        std::unique_lock lock(mutex_);
        while (!stopping_.stop_requested()) {
            auto mine = next();
            if (!mine) {
                ready_.wait(lock);
                continue;
            }
            lock.unlock();
            carry_out(std::move(*mine));
            lock.lock();
        }
    }

    void carry_out(job mine) {
        outcome how;
        const auto began = std::chrono::steady_clock::now();
        how.failure = invoke(mine, how);
        how.prompt =
            how.used.cpu < options_.prompt && std::chrono::steady_clock::now() - began < options_.prompt * prompt_waits;
        after ended;
        {
            // Not held below: who hears of it may send us a message from the same thread.
            std::lock_guard lock(mutex_);
            ended = finish(mine, how);
        }
        if (!ended.said.is_null())
            std::ignore = parts_.bus.publish(protocol::subject::skill_failed, protocol::dump(ended.said));
        mine.what.end(how.failure ? &*how.failure : nullptr);
        if (ended.refused.empty()) return;
        const auto why = fail(errc::busy, "skill {} is suspended", mine.of->name).error();
        for (const auto& one : ended.refused) refuse(one, why, no_answer::suspended);
    }

    struct outcome {
        std::optional<error> failure;
        usage used;
        std::uint64_t denied = 0;
        bool prompt = false;
    };

    std::optional<error> invoke(const job& mine, outcome& how) {
        auto& used = how.used;
        const auto& on = *mine.on;
        const auto& what = mine.what;
        const auto& message = what.message;
        if (what.until != steady_time{} && parts_.time.steady() > what.until) {
            dropped_.add();
            return fail(errc::cancelled, "nobody waits for it any more").error();
        }
        const auto id = what.id.empty() ? random_uuid() : what.id;
        const auto& name = on.about.name;
        // Of a turn that leaves no trace, what a skill did for it leaves none either.
        const bool no_trace = protocol::read_turn(message.headers).privacy == ephemeral;
        const auto& scope = no_trace ? std::string(ephemeral) : options_.audit_privacy_scope;
        audit(name, "skill.invoke.start", id, {{"subject", message.subject}, {"kind", to_string(what.kind)}}, scope);

        const auto environment = environment_of(on, {.kind = to_string(what.kind),
                                                     .subject = message.subject,
                                                     .payload = message.payload,
                                                     .reply = message.reply,
                                                     .id = id});
        invocation reach{.skill = on.about,
                         .publish = [this](std::string_view subject,
                                           std::string_view payload) { return parts_.bus.publish(subject, payload); },
                         .audit = [&](std::string_view type,
                                      std::string_view members) { audit_text(name, type, id, members, scope); }};
        bool answered = false;
        if (!message.reply.empty())
            reach.respond = [&](std::string_view payload) {
                answered = true;
                return parts_.bus.respond(message, payload);
            };
        reach.request = [this](std::string_view subject, std::string_view payload,
                               milliseconds timeout) -> result<std::string> {
            auto answer = parts_.bus.request(subject, payload, timeout);
            if (!answer) return fail(std::move(answer));
            return std::move(answer->payload);
        };
        storage_view kept(*storage_, name, static_cast<std::size_t>(on.about.limits.storage_bytes));
        reach.kept = &kept;
        reach.config = &on.config;
        reach.secret = [&](std::string_view key) { return read_secret(options_.data, name, key); };
        reach.http = [&](const http_request& request, const std::stop_token& stop) {
            return http_fetch({.certificates = options_.http_certificates}, on.grants, request, stop);
        };
        const auto timers = timers_ ? timers_->of(name, on.about.limits.timers, no_trace) : nullptr;
        reach.timers = timers.get();
        const auto session = what.kind == event_kind::intent ? session_of(message.payload) : "skill:" + name;
        reach.events = [&](std::size_t most) { return recorded_in(parts_.store, session, most); };
        auto done = on.code->run({.entrypoint = on.about.entrypoint,
                                  .environment = environment,
                                  .limits = on.about.limits.run,
                                  .context = &reach,
                                  .stop = stopping_.get_token()},
                                 used);
        if (done) done = kept.commit();
        if (what.kind == event_kind::intent && !answered && !message.reply.empty())
            std::ignore = parts_.bus.respond(message, apology_for(done ? no_answer::silent : no_answer::failed));
        const auto ms = std::chrono::duration_cast<milliseconds>(used.wall).count();
        duration_.observe(to_ms(used.wall));
        how.denied = reach.denied;
        denied_.add(static_cast<double>(reach.denied));
        if (done) {
            completed_.add();
            audit(name, "skill.invoke.complete", id,
                  {{"duration_ms", ms}, {"cpu_us", used.cpu.count()}, {"memory_bytes", used.memory_bytes}}, scope);
            return std::nullopt;
        }
        failed_.add();
        json told = {{"error", done.error().message},
                     {"code", to_string(done.error().code)},
                     {"duration_ms", ms},
                     {"cpu_us", used.cpu.count()},
                     {"memory_bytes", used.memory_bytes}};
        if (!used.output.empty()) told["output"] = used.output;
        audit(name, "skill.invoke.error", id, told, scope);
        return done.error();
    }

    struct after {
        json said;                 // on the bus, or null
        std::deque<work> refused;  // what waited for a skill that is suspended now
    };

    // Holding the mutex.
    after finish(const job& mine, const outcome& how) {
        auto& one = *mine.of;
        const auto& failure = how.failure;
        --one.running;
        --running_;
        ++one.invocations;
        one.denied += how.denied;
        one.cpu += how.used.cpu;
        one.wall += how.used.wall;
        one.memory_bytes = std::max(one.memory_bytes, how.used.memory_bytes);
        if (mine.on == one.now) one.prompt = how.prompt ? std::min(one.prompt + 1, prompt_in_row) : 0;
        // One more may run now, of this skill or of another.
        if (std::ranges::any_of(skills_, [this](const auto& other) { return may_begin(*other.second); }))
            ready_.notify_one();
        if (one.now->about.durable) one.more();
        after out;
        if (!failure) {
            one.failures_in_row = 0;
            one.suspension = {};
            one.last_error.clear();
            return out;
        }
        if (failure->code == errc::cancelled) return out;
        ++one.failures;
        ++one.failures_in_row;
        one.last_error = failure->message.substr(0, max_error_bytes);
        if (one.failures_in_row >= options_.failures_to_suspend) out.said = suspend(one, out.refused);
        return out;
    }

    json suspend(skill& one, std::deque<work>& refused) {
        if (one.suspended_until > parts_.time.steady()) return nullptr;  // by another of its invocations
        one.suspension = one.suspension.count() == 0 ? options_.first_suspension
                                                     : std::min(one.suspension * 2, options_.longest_suspension);
        one.suspended_until = parts_.time.steady() + one.suspension;
        one.dropped += one.waiting.size();
        dropped_.add(static_cast<double>(one.waiting.size()));
        refused.swap(one.waiting);
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

    void audit(const std::string& name, std::string_view type, std::string_view id, const json& members,
               const std::string& scope = {}) {
        audit_text(name, type, id, members_text(members), scope);
    }
    void audit(const std::string& name, std::string_view type, std::string_view id,
               std::initializer_list<member> members, const std::string& scope = {}) {
        audit_text(name, type, id, members_text(members), scope);
    }

    void audit_text(const std::string& name, std::string_view type, std::string_view id, std::string_view members,
                    const std::string& scope) {
        std::string payload = R"({"skill":)";
        append_quoted(payload, name);
        if (!id.empty()) append_quoted(payload += R"(,"invocation_id":)", id);
        if (!members.empty()) (payload += ',') += members;
        payload += '}';
        // The store counts and says what it has to lose.
        std::ignore = parts_.store.append({.session_id = "skill:" + name,
                                           .actor_id = name,
                                           .type = std::string(type),
                                           .payload = std::move(payload),
                                           .privacy_scope = scope.empty() ? options_.audit_privacy_scope : scope,
                                           .created_at = parts_.time.wall()});
    }

    const service_options options_;
    const service_parts parts_;
    const std::unique_ptr<engine> engine_;
    const std::unique_ptr<storage> storage_;
    const loader loader_;
    telemetry::rate_limited queue_full_;
    telemetry::counter &completed_, &failed_, &dropped_, &denied_, &dead_;
    telemetry::histogram& duration_;
    telemetry::gauge& loaded_;

    std::mutex loading_;                    // one loads at a time; taken before mutex_
    std::map<fs::path, std::string> seen_;  // files and their fingerprints
    std::set<std::string> disabled_;        // names

    mutable std::mutex mutex_;
    std::condition_variable ready_;
    std::map<std::string, std::shared_ptr<skill>> skills_;  // changed by who loads, holding both
    std::map<fs::path, refused_skill> refused_;
    std::map<fs::path, std::string> resting_;  // disabled ones
    int running_ = 0;                          // invocations, on threads of this service and of the bus
    std::string last_served_;
    std::stop_source stopping_;
    std::unique_ptr<durable_timers> timers_;
    std::vector<std::jthread> threads_;
    std::jthread keeper_;
};

}  // namespace

result<std::string> recorded(store::event_store& in, const std::string& skill, std::size_t most) {
    return recorded_in(in, "skill:" + skill, most);
}

result<std::unique_ptr<service>> service::start(service_options with, service_parts parts) {
    auto made = engine::start({.cache = with.cache, .max_guests = static_cast<unsigned>(with.max_concurrency) + 2},
                              host_functions(), parts.log);
    if (!made) return fail(std::move(made));
    auto kept = storage::open(with.file, parts.time, parts.log);
    if (!kept) return fail(std::move(kept));
    for (const auto* part : {"config", "secrets"})
        if (auto folder = make_writable_folder(with.data / "skills" / part, 0700); !folder)
            return fail(std::move(folder));
    auto timers = durable_timers::open(with.data / "skills" / "timers.db", parts.time, parts.log);
    if (!timers) return fail(std::move(timers));
    auto out = std::make_unique<skill_service>(std::move(with), std::move(parts), std::move(*made), std::move(*kept),
                                               std::move(*timers));
    out->begin();
    return out;
}

}  // namespace loqa::skills
