// A queue between threads that cannot grow without end.
//
// Any number of producers and consumers. When it is full its policy says what gives way, and each loss is counted.
// close() wakes every waiter; what is queued can still be taken.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

#include "loqa/base/clock.hpp"

namespace loqa {

enum class overflow : std::uint8_t {
    reject_newest,  // push() answers false: the producer decides what to say
    drop_oldest,    // the oldest element is lost: for streams where only the present counts
};

template <class T>
class bounded_queue {
public:
    bounded_queue(std::size_t capacity, overflow policy) : capacity_(capacity), policy_(policy) {}

    // False when the element was not taken: the queue is closed, or full under reject_newest.
    bool push(T value) {
        {
            std::lock_guard lock(mutex_);
            if (closed_) return false;
            if (items_.size() >= capacity_) {
                dropped_.fetch_add(1, std::memory_order_relaxed);
                if (policy_ == overflow::reject_newest) return false;
                items_.pop_front();
            }
            items_.push_back(std::move(value));
        }
        ready_.notify_one();
        return true;
    }

    // Waits for an element; nothing when the queue is closed and empty.
    std::optional<T> pop() {
        std::unique_lock lock(mutex_);
        ready_.wait(lock, [this] { return closed_ || !items_.empty(); });
        return take();
    }

    // As pop(), but nothing also when `deadline` passes first.
    std::optional<T> pop_until(steady_time deadline) {
        if (deadline == steady_time::max()) return pop();  // beyond what some libraries can wait until
        std::unique_lock lock(mutex_);
        ready_.wait_until(lock, deadline, [this] { return closed_ || !items_.empty(); });
        return take();
    }

    std::optional<T> try_pop() {
        std::lock_guard lock(mutex_);
        return take();
    }

    void close() {
        {
            std::lock_guard lock(mutex_);
            closed_ = true;
        }
        ready_.notify_all();
    }

    bool closed() const {
        std::lock_guard lock(mutex_);
        return closed_;
    }
    std::size_t size() const {
        std::lock_guard lock(mutex_);
        return items_.size();
    }
    std::uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

private:
    std::optional<T> take() {
        if (items_.empty()) return std::nullopt;
        std::optional<T> value(std::move(items_.front()));
        items_.pop_front();
        return value;
    }

    const std::size_t capacity_;
    const overflow policy_;
    mutable std::mutex mutex_;
    std::condition_variable ready_;
    std::deque<T> items_;
    bool closed_ = false;
    std::atomic<std::uint64_t> dropped_{0};
};

}  // namespace loqa
