// A bus in memory, for tests of what stands on bus::connection.
//
// publish() delivers before it returns, on the caller's thread: a test sees all that follows from a message without
// waiting, unless the part under test has threads of its own; then wait_for() waits for what they publish. Wildcards
// and queue groups work as on the real bus (a group's members take turns). Safe from any thread.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "loqa/base/text.hpp"
#include "loqa/bus/connection.hpp"

namespace loqa::bus::testing {

// Whether `subject` is one of those that `pattern` names: "*" is any token, ">" at the end is one token or more.
inline bool matches(std::string_view pattern, std::string_view subject) {
    const auto want = split(pattern, '.');
    const auto have = split(subject, '.');
    for (std::size_t i = 0; i < want.size(); ++i) {
        if (want[i] == ">") return have.size() > i;
        if (i >= have.size() || (want[i] != "*" && want[i] != have[i])) return false;
    }
    return want.size() == have.size();
}

class fake_connection : public connection {
public:
    result<void> publish(std::string_view subject, std::string_view payload, const headers& headers = {}) override {
        return send({std::string(subject), {}, headers, std::string(payload)});
    }
    result<void> publish_request(std::string_view subject, std::string_view reply, std::string_view payload,
                                 const headers& headers = {}) override {
        bool heard = false;
        {
            std::lock_guard lock(mutex_);
            heard = std::ranges::any_of(listeners_, [&](const auto& one) { return matches(one->pattern, subject); });
        }
        auto sent = send({std::string(subject), std::string(reply), headers, std::string(payload)});
        if (!sent || heard) return sent;
        return send({std::string(reply), {}, {{"Status", "503"}}, {}});
    }
    result<void> respond(const message& request, std::string_view payload, const headers& headers = {}) override {
        if (request.reply.empty()) return fail(errc::invalid_argument, "{} asks for no answer", request.subject);
        return send({request.reply, {}, headers, std::string(payload)});
    }

    result<std::unique_ptr<subscription>> subscribe(std::string_view subject, handler on_message) override {
        return subscribe(subject, "", std::move(on_message));
    }
    result<std::unique_ptr<subscription>> subscribe(std::string_view subject, std::string_view group,
                                                    handler on_message) override {
        auto entry = std::make_shared<listener>();
        entry->pattern = subject;
        entry->group = group;
        entry->on_message = std::move(on_message);
        std::lock_guard lock(mutex_);
        listeners_.push_back(entry);
        return std::make_unique<token>(*this, std::move(entry));
    }

    result<message> request(std::string_view subject, std::string_view payload, milliseconds timeout,
                            const headers& headers = {}) override {
        std::string inbox;
        {
            std::lock_guard lock(mutex_);
            inbox = "_INBOX." + std::to_string(++inboxes_);
            const auto listens = [&](const auto& entry) { return matches(entry->pattern, subject); };
            if (std::ranges::none_of(listeners_, listens)) {
                return fail(errc::unavailable, "nobody listens on {}", subject);
            }
        }
        if (auto sent = send({std::string(subject), inbox, headers, std::string(payload)}); !sent) {
            return fail(std::move(sent));
        }
        if (auto answer = wait_for(inbox, 1, timeout); !answer.empty()) return answer.front();
        return fail(errc::timed_out, "no answer on {} within {} ms", subject, timeout.count());
    }

    // Keeps nothing over a restart; what was put off comes again when it is asked for the next time.
    result<std::unique_ptr<work_queue>> work(const work_options& with) override {
        auto made = std::make_unique<queue>();
        for (const auto& subject : with.subjects) {
            auto listens = subscribe(subject, with.name, [q = made.get()](message m) { q->put(std::move(m)); });
            if (!listens) return fail(std::move(listens));
            made->subscriptions.push_back(std::move(*listens));
        }
        return made;
    }

    result<void> flush(milliseconds) override { return {}; }
    bool connected() const override {
        std::lock_guard lock(mutex_);
        return connected_;
    }
    std::string connected_url() const override { return "fake://"; }

    // From here on publish() fails as it does when the server is away.
    void set_connected(bool connected) {
        std::lock_guard lock(mutex_);
        connected_ = connected;
    }

    // All that was published on subjects that `pattern` names, oldest first.
    std::vector<message> published(std::string_view pattern = ">") const {
        std::lock_guard lock(mutex_);
        return published_locked(pattern);
    }
    void forget_published() {
        std::lock_guard lock(mutex_);
        sent_.clear();
    }

    // Waits until at least `count` such messages were published, and gives them; fewer when the time is over.
    std::vector<message> wait_for(std::string_view pattern, std::size_t count = 1,
                                  milliseconds timeout = seconds(10)) const {
        std::unique_lock lock(mutex_);
        std::vector<message> found;
        changed_.wait_for(lock, timeout, [&] { return (found = published_locked(pattern)).size() >= count; });
        return found;
    }

private:
    struct listener {
        std::string pattern, group;
        handler on_message;
        std::recursive_mutex running;  // recursive: a handler may publish what it listens to
        bool ended = false;
    };

    class token final : public subscription {
    public:
        token(fake_connection& owner, std::shared_ptr<listener> entry) : owner_(owner), entry_(std::move(entry)) {}
        ~token() override {
            {
                std::lock_guard lock(owner_.mutex_);
                std::erase(owner_.listeners_, entry_);
            }
            std::lock_guard lock(entry_->running);
            entry_->ended = true;
        }

    private:
        fake_connection& owner_;
        std::shared_ptr<listener> entry_;
    };

    class queue final : public work_queue {
    public:
        void put(message m) {
            {
                std::lock_guard lock(mutex_);
                waiting_.push_back({std::move(m), "work-" + std::to_string(++count_), 0});
                waiting_.back().message.reply.clear();
            }
            changed_.notify_all();
        }
        result<std::vector<std::shared_ptr<work_item>>> take(int most, milliseconds timeout) override {
            std::unique_lock lock(mutex_);
            changed_.wait_for(lock, timeout, [this] { return !waiting_.empty(); });
            std::vector<std::shared_ptr<work_item>> out;
            while (!waiting_.empty() && out.size() < static_cast<std::size_t>(most)) {
                auto next = std::move(waiting_.front());
                waiting_.erase(waiting_.begin());
                ++next.tries;
                out.push_back(std::make_shared<item>(*this, std::move(next)));
            }
            return out;
        }

    private:
        struct kept {
            bus::message message;
            std::string id;
            int tries = 0;
        };
        class item final : public work_item {
        public:
            item(queue& of, kept what) : of_(of), kept_(std::move(what)) {}
            const bus::message& what() const override { return kept_.message; }
            const std::string& id() const override { return kept_.id; }
            int attempt() const override { return kept_.tries; }
            void keep() override {}
            result<void> done() override { return {}; }
            result<void> again(milliseconds) override {
                {
                    std::lock_guard lock(of_.mutex_);
                    of_.waiting_.push_back(kept_);
                }
                of_.changed_.notify_all();
                return {};
            }

        private:
            queue& of_;
            const kept kept_;
        };
        std::mutex mutex_;
        std::condition_variable changed_;
        std::vector<kept> waiting_;
        std::uint64_t count_ = 0;

    public:
        std::vector<std::unique_ptr<subscription>> subscriptions;  // end first
    };

    result<void> send(message what) {
        std::vector<std::shared_ptr<listener>> receivers;
        {
            std::lock_guard lock(mutex_);
            if (!connected_) return fail(errc::unavailable, "the bus is not connected");
            sent_.push_back(what);
            receivers = pick(what.subject);
        }
        changed_.notify_all();
        for (const auto& receiver : receivers) {
            std::lock_guard lock(receiver->running);
            if (!receiver->ended) receiver->on_message(what);
        }
        return {};
    }

    // Who gets a message on `subject`: all without a group, and the next one of each group.
    std::vector<std::shared_ptr<listener>> pick(std::string_view subject) {
        std::vector<std::shared_ptr<listener>> chosen;
        std::map<std::string, std::vector<std::shared_ptr<listener>>> groups;
        for (const auto& entry : listeners_) {
            if (!matches(entry->pattern, subject)) continue;
            if (entry->group.empty()) {
                chosen.push_back(entry);
            } else {
                groups[entry->group].push_back(entry);
            }
        }
        for (const auto& [name, members] : groups) chosen.push_back(members[turn_[name]++ % members.size()]);
        return chosen;
    }

    std::vector<message> published_locked(std::string_view pattern) const {
        std::vector<message> found;
        for (const auto& each : sent_) {
            if (matches(pattern, each.subject)) found.push_back(each);
        }
        return found;
    }

    mutable std::mutex mutex_;
    mutable std::condition_variable changed_;
    bool connected_ = true;
    std::uint64_t inboxes_ = 0;
    std::vector<std::shared_ptr<listener>> listeners_;
    std::map<std::string, std::size_t> turn_;
    std::vector<message> sent_;
};

}  // namespace loqa::bus::testing
