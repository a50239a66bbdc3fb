// What skills keep: keys and values, each skill's apart from the others'.
//
// One for a process, in the node's SQLite file. An invocation works on a view of its own, which sees what it wrote;
// what it wrote reaches the disk together when it commits, or not at all. Safe from any thread; a view belongs to one.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "loqa/base/files.hpp"
#include "loqa/base/result.hpp"
#include "loqa/store/database.hpp"

namespace loqa::skills {

inline constexpr std::size_t max_key_bytes = 256;
inline constexpr std::size_t max_value_bytes = 256 * 1024;

class storage;

class storage_view {
public:
    storage_view(storage& of, std::string skill, std::size_t quota_bytes)
        : of_(of), skill_(std::move(skill)), quota_bytes_(quota_bytes) {}

    // not_found when there is none.
    result<std::string> get(const std::string& key) const;
    // too_long for a key, a value or all of the skill's values together beyond their limits.
    result<void> set(const std::string& key, std::string_view value);
    result<void> remove(const std::string& key);
    result<std::vector<std::string>> keys(std::string_view prefix) const;  // in order

    // Writes what was changed; nothing of it when that fails.
    result<void> commit();

private:
    storage& of_;
    const std::string skill_;
    const std::size_t quota_bytes_;
    std::map<std::string, std::optional<std::string>, std::less<>> changed_;  // nothing: removed
};

class storage {
public:
    static result<std::unique_ptr<storage>> open(const fs::path& file, const clock& time, const telemetry::logger& log);

private:
    friend class storage_view;
    explicit storage(store::database file) : file_(std::move(file)) {}
    std::mutex mutex_;
    store::database file_;
};

}  // namespace loqa::skills
