// Tells that files changed.
//
// A watch has a thread of its own, on which it calls changed() once a burst of changes is over; changed() must not
// block for long nor throw, and must not end its own watch. A path may be a file or a folder (then: the files in it),
// and may come and go while it is watched, as long as the folder above it is there.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "loqa/base/clock.hpp"
#include "loqa/base/files.hpp"

namespace loqa {

class file_watch {
public:
    // `quiet`: how long nothing must have changed before changed() is called; a stream of changes without end is
    // reported every ten times that. io_failed when the system watches nothing more.
    static result<std::unique_ptr<file_watch>> start(std::vector<fs::path> paths, std::function<void()> changed,
                                                     milliseconds quiet = milliseconds(200));
    virtual ~file_watch() = default;
};

}  // namespace loqa
