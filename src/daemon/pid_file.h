// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include <string>

namespace driveshaft::daemon {

// The pid file: one line with this process's id, mode 0644, locked as long as this object lives and removed
// at its end. The lock, not the number, says that the owner lives, so a stale file is no obstacle. Make it
// after any fork: a child neither writes nor removes its parent's.
class PidFile {
 public:
  // Throws base::StartupError if a live process holds the file, if it holds something that no pid file does,
  // or if it cannot be written.
  explicit PidFile(std::string path);
  ~PidFile();
  PidFile(const PidFile&) = delete;
  PidFile& operator=(const PidFile&) = delete;

  // Before becoming that user, who can then empty the file, and remove it if the directory permits.
  // Throws base::StartupError.
  void give_to(uid_t user, gid_t group);

 private:
  const std::string path_;
  const pid_t owner_;
  const int fd_;
};

}  // namespace driveshaft::daemon
