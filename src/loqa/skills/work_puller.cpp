#include "loqa/skills/work_puller.hpp"

#include "loqa/base/process.hpp"

namespace loqa::skills {
namespace {

constexpr milliseconds longest_take{400};
constexpr milliseconds longest_wait{1000};
constexpr milliseconds keep_every{2000};

}  // namespace

void work_nudge::operator()() {
    {
        std::lock_guard lock(mutex_);
        asked_ = true;
    }
    nudged_.notify_all();
}

void work_nudge::wait(const std::stop_token& stop, milliseconds longest) {
    std::unique_lock lock(mutex_);
    nudged_.wait_for(lock, stop, longest, [this] { return asked_; });
    asked_ = false;
}

work_puller::work_puller(std::unique_ptr<bus::work_queue> from, room how_many, give to, work_nudge& more,
                         const telemetry::logger& log, const clock& time)
    : from_(std::move(from)), how_many_(std::move(how_many)), to_(std::move(to)), more_(more), failed_(log, time) {
    thread_ = std::jthread([this](const std::stop_token& stop) {
        name_this_thread("skill-work");
        run(stop);
    });
}

work_puller::~work_puller() = default;

void work_puller::run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
        keep_held();
        const int most = how_many_();
        if (most <= 0) {
            more_.wait(stop, longest_wait);
            continue;
        }
        auto taken = from_->take(most, longest_take);
        if (!taken) {
            failed_("{}", taken.error().message);
            more_.wait(stop, longest_wait);
            continue;
        }
        for (auto& one : *taken) {
            held_.push_back(one);
            to_(std::move(one));
        }
    }
}

void work_puller::keep_held() {
    const auto now = std::chrono::steady_clock::now();
    if (now - kept_at_ < keep_every) return;
    kept_at_ = now;
    std::erase_if(held_, [](const auto& one) { return one.expired(); });
    for (const auto& one : held_)
        if (const auto item = one.lock()) item->keep();
}

}  // namespace loqa::skills
