// The commands that are understood, as far as listening needs them.
//
// Loads the sentences itself and asks loqad for the home that they speak about; compiles both in the background, again
// whenever loqad says that either changed, and swaps the result as a whole. Without loqad the home is an empty one.
// judge() may be called from any thread.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string_view>
#include <thread>

#include "loqa/base/clock.hpp"
#include "loqa/bus/connection.hpp"
#include "loqa/intent/collection.hpp"
#include "loqa/intent/understanding.hpp"
#include "loqa/stt/expectation.hpp"
#include "loqa/stt/phrase.hpp"
#include "loqa/telemetry/log.hpp"

namespace loqa::stt {

class sentences {
public:
    using loader = std::function<result<intent::collection>()>;

    struct options {
        milliseconds home_timeout{2000};  // for an answer of loqad
        milliseconds home_retry{5000};    // when there was none
    };

    // Returns at once; texts are unknown until the first compiling is done.
    sentences(bus::connection& bus, loader load, options how, telemetry::logger log);
    ~sentences();

    phrase judge(std::string_view text) const;

    // Nothing before the first compiling is done.
    std::shared_ptr<const intent::interpreter> now() const;

    // The same, to listen for: another object after each compiling, for one thread. Nothing before the first.
    std::shared_ptr<expectation> expected() const;

private:
    void run();
    std::shared_ptr<const intent::home> ask_for_home();  // null: nobody answers
    void compile(std::shared_ptr<const intent::home> house);

    bus::connection& bus_;
    const loader load_;
    const options how_;
    telemetry::logger log_;

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    bool stopping_ = false;
    bool stale_ = true;
    std::shared_ptr<const intent::interpreter> now_;
    std::shared_ptr<expectation> expected_;

    std::unique_ptr<bus::subscription> subscription_;
    std::thread thread_;  // last: it uses all of the above
};

}  // namespace loqa::stt
