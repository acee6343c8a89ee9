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

TEST(PidFile, ALiveOwnerIsNamed) {
  const base::TestDir dir;
  const PidFile file(dir / "d.pid");
  EXPECT_THAT(error_of(dir / "d.pid"),
              HasSubstr(fmt::format("the pid file {} is held by process {}, which is "
                                    "still running",
                                    dir / "d.pid", ::getpid())));
  EXPECT_EQ(dir.read("d.pid"), own_line());
}

TEST(PidFile, AStaleOneIsReplaced) {
  const base::TestDir dir;
  // Longer than what replaces it, and the id of a process that lives and is none of ours.
  dir.write("d.pid", "0000000001\n");
  const PidFile file(dir / "d.pid");
  EXPECT_EQ(dir.read("d.pid"), own_line());
}

TEST(PidFile, AnEmptyOneIsReplaced) {
  const base::TestDir dir;
  dir.write("d.pid", "");
  const PidFile file(dir / "d.pid");
  EXPECT_EQ(dir.read("d.pid"), own_line());
}

TEST(PidFile, SomethingElseSurvives) {
  const base::TestDir dir;
  dir.write("passwd", "root:x:0:0\n");
  EXPECT_THAT(error_of(dir / "passwd"), HasSubstr("holds something other than a process id"));
  EXPECT_EQ(dir.read("passwd"), "root:x:0:0\n");
}

TEST(PidFile, CannotBeWritten) {
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

TEST(PidFile, OneThatCannotBeFilledIsNotLeftEmpty) {
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

// The second is one that its user may not even enter.
INSTANTIATE_TEST_SUITE_P(, PidFileInRootsDirectory, testing::Values(0755, 0700));

TEST_P(PidFileInRootsDirectory, EmptiedWhereItCannotBeRemoved) {
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
