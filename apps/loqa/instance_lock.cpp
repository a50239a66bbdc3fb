#include "instance_lock.hpp"

#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "loqa/base/files.hpp"
#include "loqa/base/text.hpp"

namespace loqa::cli {

result<instance_lock> instance_lock::take(const fs::path& data_folder) {
    if (auto made = make_writable_folder(data_folder / "run", 0700); !made)
        return failure({made.error().code, "data folder: " + made.error().message,
                        "make it writable for this user, or choose another with --data"});
    const auto path = data_folder / "run" / "lock";
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return fail(errc::io_failed, "{} cannot be opened: {}", path.string(), errno_text(errno));
    instance_lock lock(fd);
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK)
            return fail(errc::io_failed, "{} cannot be locked: {}", path.string(), errno_text(errno));
        const auto holder = read_file(path, 64);
        return fail(errc::already_exists, "another Loqa (process {}) runs on the data folder {}",
                    holder ? std::string(trim(*holder)) : "unknown", data_folder.string())
            .hint("stop it first, or start this one with another --data folder");
    }
    const auto pid = std::to_string(::getpid()) + "\n";
    if (::ftruncate(fd, 0) != 0 || ::pwrite(fd, pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size()))
        return fail(errc::io_failed, "{} cannot be written: {}", path.string(), errno_text(errno));
    return lock;
}

instance_lock::instance_lock(instance_lock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

instance_lock::~instance_lock() {
    if (fd_ >= 0) ::close(fd_);
}

}  // namespace loqa::cli
