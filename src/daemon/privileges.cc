// SPDX-License-Identifier: MIT
#include "daemon/privileges.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <system_error>

#include "base/error.h"
#include "base/exit_codes.h"
#include "log/log.h"

namespace driveshaft::daemon {
namespace {

[[noreturn]] void refuse_user(const std::string& message) {
  throw base::StartupError(base::kExitUser, message);
}

std::string cannot_become(const User& user, int error) {
  return fmt::format("cannot become user {}: {}; start as root, or leave --user out", user.name,
                     std::generic_category().message(error));
}

bool is_now(const User& user) {
  uid_t real_user = 0, effective_user = 0, saved_user = 0;
  gid_t real_group = 0, effective_group = 0, saved_group = 0;
  if (::getresuid(&real_user, &effective_user, &saved_user) != 0) return false;
  if (::getresgid(&real_group, &effective_group, &saved_group) != 0) return false;
  return real_user == user.uid && effective_user == user.uid && saved_user == user.uid &&
         real_group == user.gid && effective_group == user.gid && saved_group == user.gid;
}

}  // namespace

User find_user(const std::string& name) {
  errno = 0;
  const passwd* entry = ::getpwnam(name.c_str());
  if (entry) return {name, entry->pw_uid, entry->pw_gid};
  const std::string reason = errno ? std::generic_category().message(errno) : "there is no such user";
  refuse_user(fmt::format("--user {}: {}; name one that `getent passwd` lists", name, reason));
}

void become(const User& user) {
  // For root the groups are set in any case, even if the user is root.
  if (::geteuid() != 0 && is_now(user)) return;
  if (::initgroups(user.name.c_str(), user.gid) != 0 || ::setgid(user.gid) != 0 || ::setuid(user.uid) != 0) {
    refuse_user(cannot_become(user, errno));
  }
  if (!is_now(user) || (user.uid != 0 && ::setuid(0) == 0)) {
    refuse_user(
        fmt::format("could not give up the rights of root for user {}; do not run it like this", user.name));
  }
}

std::string why_not_become(const User& user) {
  if (::geteuid() == 0 || is_now(user)) return {};
  return cannot_become(user, EPERM);
}

AsUser::AsUser(const std::optional<User>& user) {
  if (!user || ::geteuid() != 0 || user->uid == 0) return;
  groups_.resize(static_cast<std::size_t>(std::max(::getgroups(0, nullptr), 0)));
  ::getgroups(static_cast<int>(groups_.size()), groups_.data());
  group_ = ::getegid();
  changed_ = true;
  if (::initgroups(user->name.c_str(), user->gid) == 0 && ::setegid(user->gid) == 0 &&
      ::seteuid(user->uid) == 0) {
    return;
  }
  const int error = errno;
  restore();
  refuse_user(cannot_become(*user, error));
}

AsUser::~AsUser() { restore(); }

void AsUser::restore() {
  if (!changed_) return;
  const bool restored =
      ::seteuid(0) == 0 && ::setegid(group_) == 0 && ::setgroups(groups_.size(), groups_.data()) == 0;
  if (!restored) std::abort();  // otherwise the process would go on with unknown rights
}

void give_log_file(const std::string& path, const User& user) {
  // A link is not followed, because the owner of its directory may have pointed it elsewhere. O_NOCTTY: a
  // terminal must not become this process's.
  const int fd = ::open(path.c_str(), O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  struct stat file = {};
  const bool opened = fd >= 0 && ::fstat(fd, &file) == 0;
  const bool given = opened && (!S_ISREG(file.st_mode) || ::fchown(fd, user.uid, user.gid) == 0);
  const int error = errno;
  if (fd >= 0) ::close(fd);
  if (given) return;
  log::kMainLog.warn("cannot give the log file {} to user {}: {}; it may not be possible to reopen it", path,
                     user.name, std::generic_category().message(error));
}

}  // namespace driveshaft::daemon
