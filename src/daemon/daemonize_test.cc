// SPDX-License-Identifier: MIT
#include "daemon/daemonize.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/exit_codes.h"
#include "base/test_dir.h"
#include "daemon/file_limit.h"

namespace driveshaft::daemon {
namespace {

using namespace std::chrono_literals;
using testing::ExitedWithCode;

// The child process of a death test is the caller: it is the process that exits, and the daemon goes on after
// that.

[[noreturn]] void start_and_report(const base::TestDir& dir, pid_t test) {
  // A descriptor number that the daemon does not use, whatever else this test has open.
  const int caller_s = ::fcntl(STDOUT_FILENO, F_DUPFD, 100);
  Background background;
  const bool closed = ::fcntl(caller_s, F_GETFD) < 0;
  const mode_t mask = ::umask(0);
  ::umask(mask);
  dir.write("before",
            fmt::format("cwd={} umask={:03o} own_session={} leader={} test={} closed={}",
                        std::filesystem::current_path().string(), mask, ::getsid(0) != ::getsid(test),
                        ::getsid(0) == ::getpid(), ::getpid() == test, closed));
  background.notify_ready();
  std::string open_files;
  for (const int fd : {0, 1, 2}) {
    open_files += std::filesystem::read_symlink(fmt::format("/proc/self/fd/{}", fd)).string() + " ";
  }
  dir.write("unfinished", open_files);
  std::filesystem::rename(dir / "unfinished", dir / "after");
  ::_exit(0);
}

TEST(BackgroundDeathTest, TheCallerReturnsOnceReady) {
  const base::TestDir dir;
  const pid_t test = ::getpid();
  EXPECT_EXIT(start_and_report(dir, test), ExitedWithCode(0), "");
  EXPECT_EQ(dir.read("before"), "cwd=/ umask=022 own_session=true leader=false test=false closed=true");
  const auto give_up = std::chrono::steady_clock::now() + 10s;
  while (!std::filesystem::exists(dir / "after") && std::chrono::steady_clock::now() < give_up) {
    std::this_thread::yield();
  }
  EXPECT_EQ(dir.read("after"), "/dev/null /dev/null /dev/null ");
}

[[noreturn]] void start_and_fail() {
  const Background background;
  fmt::print(stderr, "cannot listen\n");
  ::_exit(base::kExitExporter);
}

TEST(BackgroundDeathTest, TheCallerFailsWhenTheStartFails) {
  EXPECT_EXIT(start_and_fail(), ExitedWithCode(base::kExitExporter), "cannot listen");
}

[[noreturn]] void start_and_die() {
  const Background background;
  ::raise(SIGKILL);
  ::_exit(0);
}

TEST(BackgroundDeathTest, TheCallerFailsWhenTheDaemonIsKilledWhileStarting) {
  EXPECT_EXIT(start_and_die(), ExitedWithCode(base::kExitInternal), "ended by signal 9 while it started");
}

[[noreturn]] void start_and_end_without_ready() {
  std::make_unique<Background>().reset();
  ::_exit(base::kExitOk);
}

TEST(BackgroundDeathTest, EndingBeforeReadyPassesTheExitCode) {
  EXPECT_EXIT(start_and_end_without_ready(), ExitedWithCode(base::kExitOk), "");
}

TEST(FileLimit, IsRaisedToTheHardLimit) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit low{64, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
  EXPECT_EQ(raise_open_file_limit(), before.rlim_max);
  rlimit after{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &after), 0);
  EXPECT_EQ(after.rlim_cur, before.rlim_max);
  ::setrlimit(RLIMIT_NOFILE, &before);
}

}  // namespace
}  // namespace driveshaft::daemon
