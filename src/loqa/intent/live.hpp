// The sentences as configured, compiled with the home, and kept up to date.
//
// build() reads all sources and compiles them: whoever has the same sources and the same home has the same matcher. A
// live_interpreter does so in the background, when it is told that the home changed and when it sees that the user's
// files did, and swaps the result in as a whole: now() is the last that could be built. Safe from any thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "loqa/base/watch.hpp"
#include "loqa/intent/collection.hpp"
#include "loqa/intent/understanding.hpp"

namespace loqa::intent {

struct built {
    std::shared_ptr<const interpreter> meaning;
    std::shared_ptr<const collection> sentences;  // for their responses
    std::vector<error> broken;                    // files and templates of the user's that had to be left aside, and
                                                  // that they cannot be watched
    std::uint64_t revision = 0;                   // 1 for the first, then rising
    std::chrono::microseconds took{};
};

result<std::shared_ptr<const built>> build(const sentence_sources& from, std::shared_ptr<const home> house,
                                           std::uint64_t revision = 1);

class live_interpreter {
public:
    // Told of every build but the first, on the thread that builds; must not end the live_interpreter.
    using on_built = std::function<void(const result<std::shared_ptr<const built>>&)>;

    // Builds once before it returns, and fails if that does.
    static result<std::unique_ptr<live_interpreter>> start(sentence_sources from, std::shared_ptr<const home> house,
                                                           on_built told = {});
    ~live_interpreter();
    live_interpreter(const live_interpreter&) = delete;
    live_interpreter& operator=(const live_interpreter&) = delete;

    std::shared_ptr<const built> now() const;

    // Builds anew in the background, with another home where one is given. Requests that come meanwhile become one.
    void rebuild(std::shared_ptr<const home> house = {});

private:
    live_interpreter(sentence_sources from, std::shared_ptr<const home> house, on_built told);
    void run();

    const sentence_sources from_;
    const on_built told_;
    mutable std::mutex mutex_;
    std::condition_variable wanted_;
    std::shared_ptr<const home> house_;
    std::shared_ptr<const built> now_;
    bool stale_ = false, ending_ = false;
    std::unique_ptr<file_watch> watch_;
    std::thread thread_;
};

}  // namespace loqa::intent
