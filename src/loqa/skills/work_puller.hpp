// Takes a skill's messages from the server that keeps them, a few at a time, and says of each that it is still worked
// on until it is settled. Owns a thread, on which it calls what it was given. A nudge says from any thread that there
// may be room again.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "loqa/bus/connection.hpp"
#include "loqa/telemetry/log.hpp"

namespace loqa::skills {

class work_nudge {
public:
    void operator()();
    // Until the next nudge or a stop, or for so long; a nudge that came before counts.
    void wait(const std::stop_token& stop, milliseconds longest);

private:
    std::mutex mutex_;
    std::condition_variable_any nudged_;
    bool asked_ = false;
};

class work_puller {
public:
    using room = std::function<int()>;  // how many may come now
    using give = std::function<void(std::shared_ptr<bus::work_item>)>;

    // `more` is nudged when there may be room, and outlives this.
    work_puller(std::unique_ptr<bus::work_queue> from, room how_many, give to, work_nudge& more,
                const telemetry::logger& log, const clock& time);
    ~work_puller();
    work_puller(const work_puller&) = delete;
    work_puller& operator=(const work_puller&) = delete;

private:
    void run(const std::stop_token& stop);
    void keep_held();

    const std::unique_ptr<bus::work_queue> from_;
    const room how_many_;
    const give to_;
    work_nudge& more_;
    telemetry::rate_limited failed_;
    std::vector<std::weak_ptr<bus::work_item>> held_;  // used by the thread alone
    steady_time kept_at_{};
    std::jthread thread_;
};

}  // namespace loqa::skills
