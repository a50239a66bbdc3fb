#include "loqa/skills/storage.hpp"

#include <set>

namespace loqa::skills {

result<std::unique_ptr<storage>> storage::open(const fs::path& file, const clock& time, const telemetry::logger& log) {
    auto opened = store::open_database(file, store::durability::every_commit, time, log);
    if (!opened) return fail(std::move(opened));
    return std::unique_ptr<storage>(new storage(std::move(*opened)));
}

result<std::string> storage_view::get(const std::string& key) const {
    if (const auto own = changed_.find(key); own != changed_.end()) {
        if (own->second) return *own->second;
        return fail(errc::not_found, "there is no value {}", key);
    }
    std::lock_guard lock(of_.mutex_);
    auto row = of_.file_.prepare("SELECT value FROM skill_values WHERE skill = ? AND key = ?");
    if (!row) return fail(std::move(row));
    const auto found = row->bind(1, skill_).bind(2, key).step();
    if (!found) return fail(found);
    if (!*found) return fail(errc::not_found, "there is no value {}", key);
    return row->text(0);
}

result<void> storage_view::set(const std::string& key, std::string_view value) {
    if (key.empty() || key.size() > max_key_bytes)
        return fail(errc::too_long, "a key has 1 to {} bytes, this one {}", max_key_bytes, key.size());
    if (value.size() > max_value_bytes)
        return fail(errc::too_long, "a value has at most {} bytes, this one {}", max_value_bytes, value.size());
    // What is on the disk already is weighed with it when it is written.
    std::size_t pending = key.size() + value.size();
    for (const auto& [name, content] : changed_)
        if (name != key) pending += name.size() + (content ? content->size() : 0);
    if (pending > quota_bytes_)
        return fail(errc::too_long, "the skill may keep {} bytes and would have more", quota_bytes_);
    changed_[key] = std::string(value);
    return {};
}

result<void> storage_view::remove(const std::string& key) {
    if (key.empty() || key.size() > max_key_bytes)
        return fail(errc::too_long, "a key has 1 to {} bytes, this one {}", max_key_bytes, key.size());
    changed_[key] = std::nullopt;
    return {};
}

result<std::vector<std::string>> storage_view::keys(std::string_view prefix) const {
    std::set<std::string> found;
    {
        std::lock_guard lock(of_.mutex_);
        auto rows =
            of_.file_.prepare("SELECT key FROM skill_values WHERE skill = ?1 AND substr(key, 1, length(?2)) = ?2");
        if (!rows) return fail(std::move(rows));
        rows->bind(1, skill_).bind(2, prefix);
        for (;;) {
            const auto row = rows->step();
            if (!row) return fail(row);
            if (!*row) break;
            found.insert(rows->text(0));
        }
    }
    for (const auto& [key, value] : changed_) {
        if (!key.starts_with(prefix)) continue;
        if (value)
            found.insert(key);
        else
            found.erase(key);
    }
    return std::vector<std::string>(found.begin(), found.end());
}

result<void> storage_view::commit() {
    if (changed_.empty()) return {};
    std::lock_guard lock(of_.mutex_);
    auto all = store::transaction::begin(of_.file_);
    if (!all) return fail(std::move(all));
    auto put = of_.file_.prepare("INSERT OR REPLACE INTO skill_values (skill, key, value) VALUES (?, ?, ?)");
    auto drop = of_.file_.prepare("DELETE FROM skill_values WHERE skill = ? AND key = ?");
    auto size = of_.file_.prepare(
        "SELECT coalesce(sum(length(CAST(key AS BLOB)) + length(CAST(value AS BLOB))), 0) FROM skill_values WHERE "
        "skill = ?");
    if (!put) return fail(std::move(put));
    if (!drop) return fail(std::move(drop));
    if (!size) return fail(std::move(size));
    for (const auto& [key, value] : changed_) {
        auto done =
            value ? put->bind(1, skill_).bind(2, key).bind(3, *value).run() : drop->bind(1, skill_).bind(2, key).run();
        if (!done) return done;
    }
    const auto counted = size->bind(1, skill_).step();
    if (!counted) return fail(counted);
    if (static_cast<std::size_t>(size->integer(0)) > quota_bytes_)
        return fail(errc::too_long, "the skill may keep {} bytes and would have {}", quota_bytes_, size->integer(0));
    if (auto reset = size->run(); !reset) return reset;
    if (auto done = all->commit(); !done) return done;
    changed_.clear();
    return {};
}

}  // namespace loqa::skills
