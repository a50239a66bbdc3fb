// Timers of skills: kept on the disk by the host, so that one that was set rings after a restart too.
//
// A ring stays until done() says that the skill was invoked for it. What a skill could not do is tried again some
// times. Every function may be called from any thread; what run() was given is called on the timers' own thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "loqa/skills/abi.hpp"
#include "loqa/timers/timers.hpp"

namespace loqa::skills {

// Of all skills: as many as twenty of them may have.
inline constexpr std::size_t most_timers = 1000;
inline constexpr int timer_tries = 3;  // of a ring that fails

struct due_timer {
    std::int64_t id = 0;
    std::string skill, name, payload;
    std::string invocation;  // the same each time that this ring is tried
};

class durable_timers {
public:
    // There can be `most` of all skills together.
    static result<std::unique_ptr<durable_timers>> open(const fs::path& file, const clock& time,
                                                        const telemetry::logger& log, std::size_t most = most_timers);

    // Call once.
    void run(std::function<void(due_timer)> on_due);

    // What one invocation sees. `ephemeral`: what it sets must leave no trace, and does not outlive a restart.
    std::unique_ptr<guest_timers> of(std::string skill, int most, bool ephemeral);

    enum class outcome : std::uint8_t {
        done,
        failed,  // it is tried again, a few times
        nobody,  // the skill is not there, or rests: later
    };
    // Whether the ring was given up.
    bool done(const due_timer& what, outcome how);

    void cancel_all(std::string_view skill);

    // As timers::timer_service has it, for tests.
    void clock_moved() { timers_->clock_moved(); }

private:
    friend class timers_of_one;
    durable_timers(std::unique_ptr<timers::timer_service> on, const clock& time)
        : time_(time), timers_(std::move(on)) {}
    wall_time now() const { return time_.wall(); }

    struct parsed {
        timers::timer timer;
        due_timer what;
    };
    std::vector<parsed> all_of(std::string_view skill) const;

    const clock& time_;
    std::mutex mutex_;  // held while one is replaced: a name is there once
    std::map<std::int64_t, int> failures_;
    std::unique_ptr<timers::timer_service> timers_;  // ends first: its thread calls what run() was given
};

}  // namespace loqa::skills
