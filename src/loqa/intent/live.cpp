#include "loqa/intent/live.hpp"

#include <algorithm>
#include <iterator>

#include "loqa/base/process.hpp"

namespace loqa::intent {

result<std::shared_ptr<const built>> build(const sentence_sources& from, std::shared_ptr<const home> house,
                                           std::uint64_t revision) {
    const auto began = std::chrono::steady_clock::now();
    auto loaded = load_sentences(from);
    if (!loaded) return fail(std::move(loaded));
    auto out = std::make_shared<built>();
    out->broken = std::move(loaded->broken);
    auto compiled = matcher::compile(loaded->sentences, *house, {}, &out->broken);
    if (!compiled) return fail(std::move(compiled));
    // Only the answers are needed from here on.
    loaded->sentences.intents.clear();
    loaded->sentences.lists.clear();
    loaded->sentences.expansion_rules.clear();
    out->sentences = std::make_shared<const collection>(std::move(loaded->sentences));
    out->meaning = std::make_shared<const interpreter>(std::move(*compiled), std::move(house));
    out->revision = revision;
    out->took = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - began);
    return out;
}

live_interpreter::live_interpreter(sentence_sources from, std::shared_ptr<const home> house, on_built told)
    : from_(std::move(from)), told_(std::move(told)), house_(std::move(house)) {}

result<std::unique_ptr<live_interpreter>> live_interpreter::start(sentence_sources from,
                                                                  std::shared_ptr<const home> house, on_built told) {
    std::unique_ptr<live_interpreter> made(new live_interpreter(std::move(from), std::move(house), std::move(told)));
    // Watched before it is read: a change in between is seen.
    std::vector<error> unwatched;
    std::vector<fs::path> watched;
    for (const auto& folder : {made->from_.own, made->from_.skills})
        if (!folder.empty()) watched.push_back(folder);
    if (!watched.empty()) {
        auto watch = file_watch::start(watched, [l = made.get()] { l->rebuild(); });
        if (watch)
            made->watch_ = std::move(*watch);
        else
            unwatched.push_back(std::move(watch).error());
    }
    auto first = build(made->from_, made->house_, 1);
    if (!first) return fail(std::move(first));
    {
        auto now = std::make_shared<built>(**first);
        std::ranges::move(unwatched, std::back_inserter(now->broken));
        std::lock_guard lock(made->mutex_);
        made->now_ = std::move(now);
    }
    made->thread_ = std::thread([l = made.get()] { l->run(); });
    return made;
}

live_interpreter::~live_interpreter() {
    watch_.reset();
    {
        std::lock_guard lock(mutex_);
        ending_ = true;
    }
    wanted_.notify_all();
    if (thread_.joinable()) thread_.join();
}

std::shared_ptr<const built> live_interpreter::now() const {
    std::lock_guard lock(mutex_);
    return now_;
}

void live_interpreter::rebuild(std::shared_ptr<const home> house) {
    {
        std::lock_guard lock(mutex_);
        if (house) house_ = std::move(house);
        stale_ = true;
    }
    wanted_.notify_all();
}

void live_interpreter::run() {
    name_this_thread("sentences");
    std::unique_lock lock(mutex_);
    for (;;) {
        wanted_.wait(lock, [this] { return stale_ || ending_; });
        if (ending_) return;
        stale_ = false;
        const auto house = house_;
        const auto revision = now_->revision + 1;
        lock.unlock();
        const auto made = build(from_, house, revision);
        lock.lock();
        if (made) now_ = *made;
        if (!told_) continue;
        lock.unlock();
        told_(made);
        lock.lock();
    }
}

}  // namespace loqa::intent
