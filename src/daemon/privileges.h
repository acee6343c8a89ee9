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

// From the system's user database. Throws base::StartupError if there is no such user.
User find_user(const std::string& name);

// Makes the process that user for good: supplementary groups, group and user, each verified. Nothing happens
// if it is that user already. Call it while there is one thread. Throws base::StartupError.
void become(const User& user);

// Why become() could not, as far as it shows without doing it; empty if nothing does.
std::string why_not_become(const User& user);

// While it lives, the process has the rights of that user, with its groups: for looking at what the user may
// do. Root alone becomes another user; as anybody else nothing happens. Made while there is one thread. Throws
// base::StartupError.
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

// Gives a log file to the user, so that it can be opened again later. Other kinds of files are left alone,
// and so is one that cannot be given, with a warning in the log.
void give_log_file(const std::string& path, const User& user);

}  // namespace driveshaft::daemon
