// SPDX-License-Identifier: MIT
#include "daemon/pid_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <optional>

#include "base/error.h"
#include "base/exit_codes.h"
#include "base/test_dir.h"

namespace driveshaft::daemon {
namespace {

using testing::HasSubstr;

std::string own_line() { return fmt::format("{}\n", ::getpid()); }

std::string error_of(const std::string& path) {
  try {
    const PidFile file(path);
  } catch (const base::StartupError& e) {
    EXPECT_EQ(e.exit_code(), base::kExitPidFile);
    return e.what();
  }
  return "(no error)";
}

TEST(PidFile, HoldsThePidAndIsRemoved) {
  const base::TestDir dir;
  const mode_t before = ::umask(077);
  {
    const PidFile file(dir / "d.pid");
    EXPECT_EQ(dir.read("d.pid"), own_line());
    struct stat status = {};
    ASSERT_EQ(::stat((dir / "d.pid").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777, 0644U);
  }
  ::umask(before);
  EXPECT_FALSE(std::filesystem::exists(dir / "d.pid"));
}

TEST(PidFile, ALookSaysWhatIsThereAndChangesNothing) {
  const base::TestDir dir;
  EXPECT_FALSE(look_at_pid_file(dir / "d.pid").exists);
  EXPECT_FALSE(std::filesystem::exists(dir / "d.pid"));
  {
    const PidFile file(dir / "d.pid");
    const auto use = look_at_pid_file(dir / "d.pid");
    EXPECT_TRUE(use.is_held);
    EXPECT_EQ(use.pid, std::to_string(::getpid()));
  }
  dir.write("d.pid", "12\n");
  const auto left = look_at_pid_file(dir / "d.pid");
  EXPECT_TRUE(left.exists);
  EXPECT_FALSE(left.is_held);
  EXPECT_EQ(left.pid, "12");
  EXPECT_EQ(dir.read("d.pid"), "12\n");
  const PidFile taken(dir / "d.pid");  // the look has left no lock
  EXPECT_THROW(look_at_pid_file(dir / "none/d.pid"), base::StartupError);
  EXPECT_THROW(look_at_pid_file(dir.write("text", "precious")), base::StartupError);
}

TEST(PidFile, ALiveOwnerIsNamed) {
  const base::TestDir dir;
  const PidFile file(dir / "d.pid");
  EXPECT_THAT(error_of(dir / "d.pid"),
              HasSubstr(fmt::format("the pid file {} is held by process {}, which is "
                                    "still running",
                                    dir / "d.pid", ::getpid())));
  EXPECT_EQ(dir.read("d.pid"), own_line());
}

TEST(PidFile, AStaleFileIsReplaced) {
  const base::TestDir dir;
  // It is longer than the new text, and is the id of another process that lives.
  dir.write("d.pid", "0000000001\n");
  const PidFile file(dir / "d.pid");
  EXPECT_EQ(dir.read("d.pid"), own_line());
}

TEST(PidFile, AnEmptyFileIsReplaced) {
  const base::TestDir dir;
  dir.write("d.pid", "");
  const PidFile file(dir / "d.pid");
  EXPECT_EQ(dir.read("d.pid"), own_line());
}

TEST(PidFile, AFileWithOtherContentIsKept) {
  const base::TestDir dir;
  dir.write("passwd", "root:x:0:0\n");
  EXPECT_THAT(error_of(dir / "passwd"), HasSubstr("holds something other than a process id"));
  EXPECT_EQ(dir.read("passwd"), "root:x:0:0\n");
}

TEST(PidFile, AFileThatCannotBeWrittenIsAnError) {
  const base::TestDir dir;
  EXPECT_THAT(error_of(dir / "no/d.pid"),
              HasSubstr("cannot write the pid file " + (dir / "no/d.pid") + ": No such file or directory"));
  EXPECT_THAT(error_of(dir / ""), HasSubstr("Is a directory"));
}

TEST(PidFile, ALinkIsNotFollowed) {
  const base::TestDir dir;
  std::filesystem::create_symlink(dir / "elsewhere", dir / "d.pid");
  EXPECT_THAT(error_of(dir / "d.pid"), HasSubstr("d.pid is a symbolic link; remove it"));
  EXPECT_FALSE(std::filesystem::exists(dir / "elsewhere"));
}

TEST(PidFile, ADeviceOrFifoKeepsItsMode) {
  const base::TestDir dir;
  ASSERT_EQ(::mkfifo((dir / "fifo").c_str(), 0600), 0);
  EXPECT_THAT(error_of(dir / "fifo"), HasSubstr("fifo is a device or FIFO"));
  struct stat status = {};
  ASSERT_EQ(::stat((dir / "fifo").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600U);
}

TEST(PidFile, AFileThatCannotBeFilledIsRemoved) {
  const base::TestDir dir;
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit nothing{0, before.rlim_max};  // as on a full disk
  ::setrlimit(RLIMIT_FSIZE, &nothing);
  const std::string error = error_of(dir / "d.pid");
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_THAT(error, HasSubstr("d.pid: File too large"));
  EXPECT_FALSE(std::filesystem::exists(dir / "d.pid"));
}

TEST(PidFile, AChildRemovesNothing) {
  const base::TestDir dir;
  std::optional<PidFile> file(std::in_place, dir / "d.pid");
  const pid_t child = ::fork();
  if (child == 0) {
    file.reset();
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(dir.read("d.pid"), own_line());
}

TEST(PidFile, AFileOfAnotherProcessAtThePathIsKept) {
  const base::TestDir dir;
  {
    const PidFile file(dir / "d.pid");
    std::filesystem::remove(dir / "d.pid");
    dir.write("d.pid", "42\n");
  }
  EXPECT_EQ(dir.read("d.pid"), "42\n");
}

// Both owners are this process here, so their numbers are the same. What differs is which of them writes and
// removes the file.
TEST(PidFile, IsHandedOverWithItsLock) {
  const base::TestDir dir;
  std::optional<PidFile> old(std::in_place, dir / "d.pid");
  std::optional<PidFile> next(std::in_place, dir / "d.pid", ::dup(old->descriptor()));
  dir.write("d.pid", "4000000000\n");  // longer than any process id
  next.reset();
  EXPECT_EQ(dir.read("d.pid"), "4000000000\n") << "not taken yet, so neither written nor removed";
  next.emplace(dir / "d.pid", ::dup(old->descriptor()));
  next->take();
  EXPECT_EQ(dir.read("d.pid"), own_line());
  old->leave();
  old.reset();
  EXPECT_EQ(dir.read("d.pid"), own_line()) << "the old process removes nothing";
  EXPECT_THAT(error_of(dir / "d.pid"), HasSubstr("is held by process")) << "the lock goes on";
  next.reset();
  EXPECT_FALSE(std::filesystem::exists(dir / "d.pid"));
}

TEST(PidFile, CanBeGivenToAUser) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const base::TestDir dir;
  PidFile file(dir / "d.pid");
  file.give_to(65534, 65534);
  struct stat status = {};
  ASSERT_EQ(::stat((dir / "d.pid").c_str(), &status), 0);
  EXPECT_EQ(status.st_uid, 65534U);
  EXPECT_EQ(status.st_gid, 65534U);
}

class PidFileInRootsDirectory : public testing::TestWithParam<int> {};

// Even entering the second directory is not allowed to the user.
INSTANTIATE_TEST_SUITE_P(, PidFileInRootsDirectory, testing::Values(0755, 0700));

TEST_P(PidFileInRootsDirectory, IsEmptiedWhereItCannotBeRemoved) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const base::TestDir dir;
  std::filesystem::permissions(dir / "", std::filesystem::perms(GetParam()));
  const pid_t child = ::fork();
  if (child == 0) {
    {
      const PidFile file(dir / "d.pid");
      if (::setuid(65534) != 0) ::_exit(1);
    }
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  EXPECT_TRUE(std::filesystem::exists(dir / "d.pid"));
  EXPECT_EQ(dir.read("d.pid"), "");
}

}  // namespace
}  // namespace driveshaft::daemon
