// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

namespace driveshaft::daemon {

struct User {
  std::string name;
  uid_t uid = 0;
  gid_t gid = 0;
};

// Looks a user up in the system's user database. Throws base::StartupError if there is no such user. Blocks.
User find_user(const std::string& name);

// Makes the process run as that user, and nobody else, until it ends: sets and verifies supplementary groups,
// group and user. Does nothing if it runs as that user already, unless that is root. Call it while there is
// one thread. Throws base::StartupError.
void become(const User& user);

// Says why become() would fail, as far as that can be told without doing it; empty: it may work.
std::string why_not_become(const User& user);

// While this object lives, the process has the rights and groups of that user, so that one can find out what
// the user may do. Only root can do this; for any other user, and without `user`, nothing changes. Make it
// while there is one thread. Throws base::StartupError.
class AsUser {
 public:
  explicit AsUser(const std::optional<User>& user);
  ~AsUser();
  AsUser(const AsUser&) = delete;

 private:
  void restore();

  std::vector<gid_t> groups_;
  gid_t group_ = 0;
  bool changed_ = false;
};

// Gives a log file to the user, so that this user can open it again later. Files that are not regular are
// left alone. If a file cannot be given, a warning is logged.
void give_log_file(const std::string& path, const User& user);

}  // namespace driveshaft::daemon
