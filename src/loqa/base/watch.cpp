#include "loqa/base/watch.hpp"

#include <array>
#include <cerrno>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <tuple>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "loqa/base/process.hpp"

namespace loqa {
namespace {

constexpr std::uint32_t what_matters =
    IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF;
constexpr int longest_burst = 10;  // times `quiet`

class inotify_watch final : public file_watch {
public:
    inotify_watch(std::vector<fs::path> paths, std::function<void()> changed, milliseconds quiet)
        : paths_(std::move(paths)), changed_(std::move(changed)), quiet_(quiet) {}

    ~inotify_watch() override {
        if (thread_.joinable()) {
            const std::uint64_t one = 1;
            [[maybe_unused]] const auto written = ::write(end_, &one, sizeof one);
            thread_.join();
        }
        if (events_ >= 0) ::close(events_);
        if (end_ >= 0) ::close(end_);
    }

    result<void> launch() {
        events_ = ::inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        end_ = ::eventfd(0, EFD_CLOEXEC);
        if (events_ < 0 || end_ < 0) return fail(errc::io_failed, "files cannot be watched: {}", errno_text(errno));
        if (auto added = add_all(); !added) return added;
        thread_ = std::thread([this] { run(); });
        return {};
    }

private:
    // Of one watched folder: the names that matter in it; all when the folder itself is what is watched.
    struct folder {
        bool all = false;
        std::set<std::string> names;
    };

    // Adding again what is watched already changes nothing, and finds what was made since.
    result<void> add_all() {
        folders_.clear();
        for (const auto& path : paths_) {
            std::error_code ignored;
            const auto parent = path.has_parent_path() ? path.parent_path() : fs::path(".");
            const int above = ::inotify_add_watch(events_, parent.c_str(), what_matters);
            if (above < 0 && errno != ENOENT && errno != ENOTDIR)
                return fail(errc::io_failed, "{} cannot be watched: {}", parent.string(), errno_text(errno));
            if (above >= 0) folders_[above].names.insert(path.filename().string());
            if (!fs::is_directory(path, ignored)) continue;
            const int own = ::inotify_add_watch(events_, path.c_str(), what_matters);
            if (own < 0 && errno != ENOENT)
                return fail(errc::io_failed, "{} cannot be watched: {}", path.string(), errno_text(errno));
            if (own >= 0) folders_[own].all = true;
        }
        return {};
    }

    void run() {
        name_this_thread("watch");
        int waits = 0;  // since the first change that was not told yet
        for (;;) {
            std::array<pollfd, 2> wait{{{events_, POLLIN, 0}, {end_, POLLIN, 0}}};
            const int ready = ::poll(wait.data(), wait.size(), waits > 0 ? static_cast<int>(quiet_.count()) : -1);
            if (ready < 0 && errno != EINTR) return;
            if (wait[1].revents != 0) return;
            // Once something changed everything that follows counts: noise next door must not keep it from being told.
            if (ready > 0 && (read_events() || waits > 0)) ++waits;
            if (waits == 0 || (ready > 0 && waits < longest_burst)) continue;
            waits = 0;
            std::ignore = add_all();
            changed_();
        }
    }

    // Whether one of the events is about what is watched.
    bool read_events() {
        alignas(inotify_event) std::array<char, 16384> block;
        bool ours = false;
        for (;;) {
            const auto got = ::read(events_, block.data(), block.size());
            if (got <= 0) return ours;
            for (std::size_t at = 0; at < static_cast<std::size_t>(got);) {
                const auto* event = reinterpret_cast<const inotify_event*>(block.data() + at);
                at += sizeof(inotify_event) + event->len;
                const auto known = folders_.find(event->wd);
                if ((event->mask & IN_Q_OVERFLOW) != 0) ours = true;
                if (known == folders_.end()) continue;
                ours = ours || known->second.all || (event->len > 0 && known->second.names.contains(event->name));
            }
        }
    }

    const std::vector<fs::path> paths_;
    const std::function<void()> changed_;
    const milliseconds quiet_;
    int events_ = -1, end_ = -1;
    std::map<int, folder> folders_;
    std::thread thread_;
};

}  // namespace

result<std::unique_ptr<file_watch>> file_watch::start(std::vector<fs::path> paths, std::function<void()> changed,
                                                      milliseconds quiet) {
    auto made = std::make_unique<inotify_watch>(std::move(paths), std::move(changed), quiet);
    if (auto launched = made->launch(); !launched) return fail(std::move(launched));
    return made;
}

}  // namespace loqa
