// The sound of what was said, where it is wanted: one file for each turn, of a bounded age and size in all.
//
// keep() puts the sound in a bounded queue and returns; a thread of the store writes it and deletes what is too old or
// too much, the oldest first. What does not fit into the queue, or cannot be written, is counted and gone: no turn
// waits for it. The files are readable by their user alone. Whoever calls keep() has seen that it may be kept. Every
// function may be called from any thread.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "loqa/base/bounded_queue.hpp"
#include "loqa/base/clock.hpp"
#include "loqa/base/files.hpp"
#include "loqa/base/result.hpp"
#include "loqa/telemetry/log.hpp"
#include "loqa/telemetry/metrics.hpp"

namespace loqa::store {

struct sound_options {
    fs::path folder;
    std::uintmax_t most_bytes = 256u << 20;
    std::chrono::days keep_for{7};
};

class sound_store {
public:
    static constexpr std::size_t max_queued = 16;

    static result<std::unique_ptr<sound_store>> open(sound_options options, const clock& time, telemetry::logger log,
                                                     telemetry::metrics& metrics);
    ~sound_store();  // writes what is queued

    // One channel of S16LE at 16 kHz.
    void keep(const std::string& session, const std::string& turn, std::string pcm);

    // not_found when it was never kept, or is gone.
    result<std::string> find(const std::string& session, const std::string& turn);

    // All of a session; answers how many there were.
    std::size_t forget(const std::string& session);

private:
    struct unwritten {
        std::string session, turn, pcm;
    };
    struct filed {
        fs::path path;
        std::uintmax_t bytes = 0;
        wall_time at;
    };

    sound_store(sound_options options, const clock& time, telemetry::logger log, telemetry::metrics& metrics);
    void scan();
    void run();
    void write(const unwritten& what);
    void prune();
    fs::path folder_of(const std::string& session) const;
    fs::path file_of(const std::string& session, const std::string& turn) const;

    const sound_options options_;
    const clock& clock_;
    const telemetry::logger log_;
    telemetry::rate_limited complain_;
    telemetry::counter& lost_;
    telemetry::gauge& bytes_;
    std::mutex mutex_;         // of the files and what is known of them
    std::deque<filed> files_;  // the oldest first
    std::uintmax_t filed_bytes_ = 0;
    bounded_queue<unwritten> queue_{max_queued, overflow::reject_newest};
    std::jthread thread_;
};

}  // namespace loqa::store
