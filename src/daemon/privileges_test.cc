// SPDX-License-Identifier: MIT
#include "daemon/privileges.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "base/error.h"
#include "base/exit_codes.h"
#include "base/test_dir.h"

namespace driveshaft::daemon {
namespace {

using testing::ExitedWithCode;
using testing::HasSubstr;

// Runs in the child process of a death test. The exit code says which check failed.
int become_nobody_for_good() {
  const User nobody = find_user("nobody");
  become(nobody);
  if (::getuid() != nobody.uid || ::geteuid() != nobody.uid) return 10;
  if (::getgid() != nobody.gid || ::getegid() != nobody.gid) return 11;
  if (::setuid(0) == 0 || ::setgid(0) == 0) return 12;
  gid_t groups[64];
  const int count = ::getgroups(64, groups);
  for (int i = 0; i < count; ++i) {
    if (groups[i] == 0) return 13;
  }
  become(nobody);  // the process is that user already
  try {
    become({"root", 0, 0});
  } catch (const base::StartupError& e) {
    fmt::print(stderr, "{}\n", e.what());
    return e.exit_code();
  }
  return 14;
}

TEST(PrivilegesDeathTest, TheProcessCannotChangeBackFromItsUser) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const gid_t roots = 0;
  ASSERT_EQ(::setgroups(1, &roots), 0) << "so that there is something to lose";
  EXPECT_EXIT(::_exit(become_nobody_for_good()), ExitedWithCode(base::kExitUser),
              "cannot become user root: Operation not permitted; start as root, or leave --user out");
}

TEST(Privileges, AnUnknownUserIsNamed) {
  try {
    find_user("no-such-user-here");
    FAIL() << "found";
  } catch (const base::StartupError& e) {
    EXPECT_EQ(e.exit_code(), base::kExitUser);
    EXPECT_THAT(e.what(), HasSubstr("--user no-such-user-here: there is no such user"));
  }
}

TEST(Privileges, RootIsKnown) {
  const User root = find_user("root");
  EXPECT_EQ(root.uid, 0U);
  EXPECT_EQ(root.gid, 0U);
}

uid_t owner_of(const std::string& path) {
  struct stat status = {};
  EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
  return status.st_uid;
}

TEST(Privileges, LogFilesAreGivenButNotThroughLinks) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const base::TestDir dir;
  const User nobody = find_user("nobody");
  dir.write("a.log", "");
  dir.write("secret", "");
  std::filesystem::create_symlink(dir / "secret", dir / "link.log");
  give_log_file(dir / "a.log", nobody);
  give_log_file(dir / "link.log", nobody);
  give_log_file("/dev/null", nobody);
  EXPECT_EQ(owner_of(dir / "a.log"), nobody.uid);
  EXPECT_EQ(owner_of(dir / "secret"), 0U);
  EXPECT_EQ(owner_of("/dev/null"), 0U);
}

}  // namespace
}  // namespace driveshaft::daemon
