// One instance of Loqa to a data folder: a lock on <data>/run/lock, held by `loqa up` until it ends, however it ends.
#pragma once

#include <filesystem>

#include "loqa/base/result.hpp"

namespace loqa::cli {

class instance_lock {
public:
    // Makes the folder when it is not there. already_exists names the process that holds the lock.
    static result<instance_lock> take(const std::filesystem::path& data_folder);

    instance_lock(instance_lock&& other) noexcept;
    instance_lock& operator=(instance_lock&&) = delete;
    ~instance_lock();

private:
    explicit instance_lock(int fd) : fd_(fd) {}

    int fd_;  // -1: moved from
};

}  // namespace loqa::cli
