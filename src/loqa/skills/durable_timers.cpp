#include "loqa/skills/durable_timers.hpp"

#include <tuple>

#include "loqa/base/ids.hpp"
#include "loqa/protocol/json.hpp"

namespace loqa::skills {

using protocol::json;

namespace {

constexpr milliseconds before_next_try{10'000};
constexpr milliseconds while_nobody_is_there{60'000};

std::string session_of_skill(std::string_view skill) { return fmt::format("skill:{}", skill); }

result<due_timer> parse_action(const timers::timer& from) {
    const auto object = protocol::parse_object(from.action);
    if (!object) return fail(object);
    due_timer out{.id = from.id, .skill = {}, .name = {}, .payload = {}, .invocation = {}};
    protocol::field_reader read(*object);
    read.text("skill", out.skill, timers::max_action_bytes, true)
        .text("name", out.name, timers::max_action_bytes, true)
        .text("invocation", out.invocation, timers::max_action_bytes, true);
    if (read.failed()) return failure(read.why());
    // Bytes of any kind, so kept as base64.
    const auto payload = base64_decode(object->value("payload", ""));
    if (!payload) return fail(payload);
    out.payload = *payload;
    return out;
}

}  // namespace

class timers_of_one final : public guest_timers {
public:
    timers_of_one(durable_timers& of, std::string skill, int most, bool ephemeral)
        : of_(of), skill_(std::move(skill)), most_(most), ephemeral_(ephemeral) {}

    result<void> set(std::string_view name, milliseconds delay, std::string_view payload) override {
        const json action = {{"skill", skill_},
                             {"name", name},
                             {"invocation", random_hex(16)},
                             {"payload", base64_encode(std::as_bytes(std::span(payload)))}};
        timers::new_timer wanted;
        wanted.session_id = session_of_skill(skill_);
        wanted.action = protocol::dump(action);
        wanted.ephemeral = ephemeral_;
        if (delay <= timers::longest)
            wanted.duration = delay;
        else
            wanted.at = of_.now() + delay;
        std::lock_guard lock(of_.mutex_);
        const auto all = of_.all_of(skill_);
        int others = 0;
        for (const auto& one : all)
            if (one.what.name != name && !one.timer.ringing()) ++others;
        if (others >= most_) return fail(errc::busy, "the skill has {} timers, which is its limits.timers", others);
        auto made = of_.timers_->start(wanted);
        if (!made && made.error().code == errc::busy)
            return fail(errc::busy, "the skills together have as many timers as a node keeps for them");
        if (!made) return fail(std::move(made));
        for (const auto& one : all)
            if (one.what.name == name) std::ignore = of_.timers_->cancel(one.timer.id);
        return {};
    }

    result<void> cancel(std::string_view name) override {
        std::lock_guard lock(of_.mutex_);
        bool found = false;
        for (const auto& one : of_.all_of(skill_)) {
            if (one.what.name != name) continue;
            found = found || !one.timer.ringing();
            std::ignore = of_.timers_->cancel(one.timer.id);
        }
        if (!found) return fail(errc::not_found, "there is no timer {}", name);
        return {};
    }

    result<std::string> list() const override {
        auto out = json::array();
        for (const auto& one : of_.all_of(skill_))
            if (!one.timer.ringing())
                out.push_back({{"name", one.what.name},
                               {"remaining_ms", one.timer.remaining.count()},
                               {"payload", one.what.payload}});
        return protocol::dump(out);
    }

private:
    durable_timers& of_;
    const std::string skill_;
    const int most_;
    const bool ephemeral_;
};

result<std::unique_ptr<durable_timers>> durable_timers::open(const fs::path& file, const clock& time,
                                                             const telemetry::logger& log, std::size_t most) {
    auto opened = timers::timer_service::open(file, time, log, {}, most);
    if (!opened) return fail(std::move(opened));
    return std::unique_ptr<durable_timers>(new durable_timers(std::move(*opened), time));
}

void durable_timers::run(std::function<void(due_timer)> on_due) {
    timers_->run([this, on_due = std::move(on_due)](const timers::timer& ringing) {
        if (auto what = parse_action(ringing))
            on_due(std::move(*what));
        else
            std::ignore = timers_->acknowledge(ringing.id);  // nobody could ever do it
    });
}

std::unique_ptr<guest_timers> durable_timers::of(std::string skill, int most, bool ephemeral) {
    return std::make_unique<timers_of_one>(*this, std::move(skill), most, ephemeral);
}

bool durable_timers::done(const due_timer& what, outcome how) {
    bool again = how != outcome::done;
    if (how == outcome::failed) {
        std::lock_guard lock(mutex_);
        again = ++failures_[what.id] < timer_tries;
    }
    if (again) {
        std::ignore = timers_->snooze(what.id, how == outcome::nobody ? while_nobody_is_there : before_next_try);
        return false;
    }
    {
        std::lock_guard lock(mutex_);
        failures_.erase(what.id);
    }
    std::ignore = timers_->acknowledge(what.id);  // not there any more when the skill replaced it meanwhile
    return how == outcome::failed;
}

void durable_timers::cancel_all(std::string_view skill) {
    std::lock_guard lock(mutex_);
    for (const auto& one : all_of(skill)) std::ignore = timers_->cancel(one.timer.id);
}

std::vector<durable_timers::parsed> durable_timers::all_of(std::string_view skill) const {
    std::vector<parsed> out;
    const auto all = timers_->list();
    if (!all) return out;
    const auto session = session_of_skill(skill);
    for (const auto& one : *all)
        if (one.session_id == session)
            if (auto what = parse_action(one)) out.push_back({one, std::move(*what)});
    return out;
}

}  // namespace loqa::skills
