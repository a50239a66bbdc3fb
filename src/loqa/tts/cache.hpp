// What was said once, kept to be said again.
//
// Sounds are found by a key, the hash of the voice, its settings and the text. They are held in memory up to a number
// of bytes and in files of a folder up to another; in both, what was not asked for longest gives way. A file that is
// not whole is as good as none, and is replaced. Files are written by a thread of the cache's own: a slow or full disk
// costs no reply its time, is logged once a minute and counted, and leaves the memory to work with.
//
// What leaves no trace is kept in memory alone, and asking for it does not touch the files' times either. Safe from any
// thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "loqa/base/bounded_queue.hpp"
#include "loqa/base/clock.hpp"
#include "loqa/base/files.hpp"
#include "loqa/base/result.hpp"
#include "loqa/telemetry/log.hpp"
#include "loqa/telemetry/metrics.hpp"

namespace loqa::tts {

struct sound {
    int sample_rate_hz = 0;
    std::vector<std::int16_t> samples;  // one channel
};

enum class trace : std::uint8_t { none, disk };

struct cache_options {
    std::size_t memory_bytes = 16u << 20;
    fs::path folder;                // empty: memory alone
    std::uintmax_t disk_bytes = 0;  // 0: memory alone
    // How a file is replaced; for tests of disks that are full.
    std::function<result<void>(const fs::path&, std::string_view)> write =
        [](const fs::path& path, std::string_view content) { return write_file_atomically(path, content, 0600); };
};

class sound_cache {
public:
    using found = std::shared_ptr<const sound>;

    // A folder that cannot be used is logged, and done without.
    sound_cache(cache_options options, const clock& clock, telemetry::metrics& metrics, telemetry::logger log);
    ~sound_cache();  // what is to be written is written first
    sound_cache(const sound_cache&) = delete;
    sound_cache& operator=(const sound_cache&) = delete;

    // `voice` is a voice's identity().
    static std::string key(std::string_view voice, std::string_view text);

    // Null when it is not there. With trace::disk it is on the disk from now on, too.
    found find(const std::string& key, trace leaves);
    void put(const std::string& key, found what, trace leaves);

    // Without looking at what is in the file.
    bool has(const std::string& key) const;

private:
    struct held {
        std::string key;
        found what;
    };
    struct filed {
        std::string key;
        std::uintmax_t bytes = 0;
    };
    struct unwritten {
        std::string key;
        found what;
    };

    void scan();
    void hold(const std::string& key, found what);
    found read(const std::string& key, trace leaves);
    void forget_file(const std::string& key);
    void file(const std::string& key, const found& what);
    void write_files();
    fs::path path_of(const std::string& key) const { return options_.folder / (key + ".speech"); }
    bool on_disk() const { return options_.disk_bytes > 0; }

    cache_options options_;
    telemetry::logger log_;
    telemetry::rate_limited complain_;
    telemetry::gauge &memory_bytes_, &disk_bytes_;
    telemetry::counter &broken_, &unwritten_;

    mutable std::mutex mutex_;
    std::list<held> held_;    // what was asked for last comes first
    std::list<filed> files_;  // as well
    std::map<std::string, std::list<held>::iterator, std::less<>> held_by_key_;
    std::map<std::string, std::list<filed>::iterator, std::less<>> files_by_key_;
    std::size_t held_bytes_ = 0;
    std::uintmax_t filed_bytes_ = 0;

    bounded_queue<unwritten> to_write_{64, overflow::reject_newest};
    std::jthread writer_;
};

}  // namespace loqa::tts
