#include "../instance_lock.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loqa/base/files.hpp"
#include "loqa/base/ids.hpp"

namespace loqa::cli {
namespace {

class InstanceLock : public testing::Test {
protected:
    ~InstanceLock() override { fs::remove_all(folder_); }
    const fs::path folder_ = fs::temp_directory_path() / ("loqa-lock-" + random_hex(4));
};

TEST_F(InstanceLock, ASecondOneIsRefusedAndToldWhoHasIt) {
    const auto first = instance_lock::take(folder_);
    ASSERT_TRUE(first) << first.error().text();
    const auto second = instance_lock::take(folder_);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, errc::already_exists);
    EXPECT_NE(second.error().message.find(std::to_string(::getpid())), std::string::npos);
    EXPECT_NE(second.error().hint.find("--data"), std::string::npos);
}

TEST_F(InstanceLock, IsFreeAgainAfterItsEnd) {
    {
        const auto first = instance_lock::take(folder_);
    }
    EXPECT_TRUE(instance_lock::take(folder_));
}

TEST_F(InstanceLock, KeepsItsFolderFromOthers) {
    const auto lock = instance_lock::take(folder_);
    struct stat run{};
    ASSERT_EQ(::stat((folder_ / "run").c_str(), &run), 0);
    EXPECT_EQ(run.st_mode & 0777, 0700);
}

TEST_F(InstanceLock, AFileInTheWayIsAnErrorThatSaysWhatToDo) {
    ASSERT_TRUE(write_file_atomically(folder_, "no folder"));
    const auto lock = instance_lock::take(folder_);
    ASSERT_FALSE(lock);
    EXPECT_NE(lock.error().message.find(folder_.string()), std::string::npos);
    EXPECT_NE(lock.error().hint.find("--data"), std::string::npos);
}

}  // namespace
}  // namespace loqa::cli
