#include "loqa/base/files.hpp"

#include <cerrno>
#include <cstdlib>
#include <fstream>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loqa/base/ids.hpp"

namespace loqa {
namespace {

fs::path from_environment(const char* name) {
    const char* value = std::getenv(name);
    return value != nullptr ? fs::path(value) : fs::path();
}

fs::path home() {
    auto path = from_environment("HOME");
    return path.empty() ? fs::path("/") : path;
}

}  // namespace

result<std::string> read_file(const fs::path& path, std::uintmax_t max_bytes) {
    std::error_code ec;
    if (!fs::exists(path, ec)) return fail(errc::not_found, "{} does not exist", path.string());
    if (fs::is_directory(path, ec)) return fail(errc::io_failed, "{} is a folder, not a file", path.string());
    std::ifstream in(path, std::ios::binary);
    if (!in) return fail(errc::io_failed, "{} cannot be read: {}", path.string(), errno_text(errno));
    std::string content;
    char block[65536];
    while (in.read(block, sizeof block) || in.gcount() > 0) {
        content.append(block, static_cast<std::size_t>(in.gcount()));
        if (content.size() > max_bytes)
            return fail(errc::too_long, "{} has more than {} bytes", path.string(), max_bytes);
    }
    if (in.bad()) return fail(errc::io_failed, "{} cannot be read: {}", path.string(), errno_text(errno));
    return content;
}

result<void> write_file_atomically(const fs::path& path, std::string_view content, unsigned mode) {
    const fs::path temporary = path.string() + "." + random_hex(4) + ".tmp";
    const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0) return fail(errc::io_failed, "{} cannot be written: {}", path.string(), errno_text(errno));
    std::size_t done = 0;
    int failed = ::fchmod(fd, mode) == 0 ? 0 : errno;
    while (failed == 0 && done < content.size()) {
        const auto n = ::write(fd, content.data() + done, content.size() - done);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0)
            failed = errno;
        else
            done += static_cast<std::size_t>(n);
    }
    if (failed == 0 && ::fsync(fd) != 0) failed = errno;
    ::close(fd);
    if (failed == 0 && ::rename(temporary.c_str(), path.c_str()) != 0) failed = errno;
    if (failed != 0) {
        ::unlink(temporary.c_str());
        return fail(errc::io_failed, "{} cannot be written: {}", path.string(), errno_text(failed));
    }
    const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
    if (const int dir = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); dir >= 0) {
        ::fsync(dir);
        ::close(dir);
    }
    return {};
}

result<void> make_writable_folder(const fs::path& path, unsigned mode) {
    std::error_code ec;
    const bool existed = fs::exists(path, ec);
    fs::create_directories(path, ec);
    if (ec) return fail(errc::io_failed, "folder {} cannot be made: {}", path.string(), ec.message());
    if (!existed) ::chmod(path.c_str(), mode);
    const fs::path probe = path / (".write-test-" + random_hex(4));
    const int fd = ::open(probe.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) return fail(errc::io_failed, "folder {} cannot be written: {}", path.string(), errno_text(errno));
    ::close(fd);
    ::unlink(probe.c_str());
    return {};
}

fs::path executable_folder() {
    std::error_code ec;
    const auto exe = fs::read_symlink("/proc/self/exe", ec);
    return ec ? fs::current_path() : exe.parent_path();
}

fs::path share_folder() {
    if (auto path = from_environment("LOQA_SHARE_DIR"); !path.empty()) return path;
    return executable_folder().parent_path() / "share" / "loqa";
}

fs::path cache_folder() {
    if (auto path = from_environment("LOQA_CACHE_DIR"); !path.empty()) return path;
    if (auto path = from_environment("XDG_CACHE_HOME"); !path.empty()) return path / "loqa";
    return home() / ".cache" / "loqa";
}

fs::path default_data_folder() {
    if (auto path = from_environment("XDG_DATA_HOME"); !path.empty()) return path / "loqa";
    return home() / ".local" / "share" / "loqa";
}

}  // namespace loqa
