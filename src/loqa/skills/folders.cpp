#include "loqa/skills/folders.hpp"

#include "loqa/base/text.hpp"

namespace loqa::skills {
namespace {

constexpr std::size_t max_files = 1000;
constexpr std::uintmax_t max_bytes = 128u << 20;

failure said(const fs::path& of, const std::error_code& ec) {
    return fail(errc::io_failed, "{}: {}", of.string(), ec.message());
}

fs::path beside(const fs::path& folder, std::string_view what) {
    return folder.parent_path() / fmt::format(".{}.{}", folder.filename().string(), what);
}

result<void> copy_files(const fs::path& from, const fs::path& to) {
    std::error_code ec;
    std::size_t files = 0;
    std::uintmax_t bytes = 0;
    fs::create_directories(to, ec);
    for (auto at = fs::recursive_directory_iterator(from, ec); !ec && at != fs::recursive_directory_iterator();
         at.increment(ec)) {
        const auto place = to / fs::relative(at->path(), from);
        const auto kind = at->symlink_status().type();
        if (kind == fs::file_type::directory) {
            fs::create_directories(place, ec);
        } else if (kind == fs::file_type::regular) {
            bytes += at->file_size(ec);
            if (++files > max_files || bytes > max_bytes)
                return fail(errc::too_long, "{} has more than {} files or {} MiB", from.string(), max_files,
                            max_bytes >> 20);
            fs::copy_file(at->path(), place, ec);
        } else {
            return fail(errc::not_permitted, "{} is a link or something else that is neither a file nor a folder",
                        at->path().string());
        }
        if (ec) break;
    }
    if (ec) return said(from, ec);
    return {};
}

}  // namespace

result<void> replace_folder(const fs::path& from, const fs::path& to) {
    std::error_code ec;
    const auto fresh = beside(to, "new"), old = beside(to, "old");
    fs::remove_all(fresh, ec);
    fs::remove_all(old, ec);
    if (auto copied = copy_files(from, fresh); !copied) {
        fs::remove_all(fresh, ec);
        return copied;
    }
    const bool there = fs::exists(to, ec);
    if (there) fs::rename(to, old, ec);
    if (!ec) fs::rename(fresh, to, ec);
    if (ec) {
        const auto why = ec;
        std::error_code ignored;
        if (there && !fs::exists(to, ignored)) fs::rename(old, to, ignored);
        fs::remove_all(fresh, ignored);
        return said(to, why);
    }
    fs::remove_all(old, ec);
    return {};
}

result<void> remove_folder(const fs::path& which) {
    std::error_code ec;
    const auto old = beside(which, "old");
    fs::remove_all(old, ec);
    fs::rename(which, old, ec);
    if (ec) return said(which, ec);
    fs::remove_all(old, ec);
    return {};
}

std::set<std::string> read_names(const fs::path& file) {
    std::set<std::string> out;
    const auto text = read_file(file, 1u << 20);
    if (!text) return out;
    for (const auto& line : split(*text, '\n'))
        if (const auto name = trim(line); !name.empty()) out.emplace(name);
    return out;
}

result<void> write_names(const fs::path& file, const std::set<std::string>& names) {
    std::string text;
    for (const auto& one : names) text += one + "\n";
    if (auto made = make_writable_folder(file.parent_path(), 0700); !made) return made;
    return write_file_atomically(file, text, 0600);
}

}  // namespace loqa::skills
