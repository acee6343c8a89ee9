// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include <string>

namespace driveshaft::daemon {

// What stands at the path of a pid file.
struct PidFileUse {
  bool exists = false;
  bool is_held = false;  // a live process holds the lock
  std::string pid;       // process id in the file; may be empty
};

// Says what stands at the path of a pid file, and makes and changes nothing. Throws base::StartupError where
// PidFile would, except for a file that is held.
PidFileUse look_at_pid_file(const std::string& path);

// The pid file. It has one line with this process's id and mode 0644, is locked as long as this object lives,
// and is removed at its end. The lock, not the number, shows that the owner lives, so a stale file is no
// obstacle. Make this object after any fork: a child process neither writes nor removes its parent's file.
class PidFile {
 public:
  // Throws base::StartupError if a live process holds the file, if the file holds anything but a process id,
  // or if it cannot be written.
  explicit PidFile(std::string path);
  // Takes over the file of a process that hands over, and shares its lock. `descriptor` is inherited from
  // that process, and this object owns it. The file still names the other process until take().
  PidFile(std::string path, int descriptor);
  ~PidFile();
  PidFile(const PidFile&) = delete;
  PidFile& operator=(const PidFile&) = delete;

  // Gives the file to a user, who can then empty it, and can remove it if the directory allows that. Call
  // this before the process becomes that user. Throws base::StartupError.
  void give_to(uid_t user, gid_t group);

  // The file's descriptor, for a process that takes over. It stays open while this object lives.
  int descriptor() const { return fd_; }
  // From now on the file names this process, and is removed at the end of this object. Throws
  // base::StartupError.
  void take();
  // Another process has taken the file. This object does not remove it at its end.
  void leave() { is_ours_ = false; }

 private:
  bool write();

  const std::string path_;
  const pid_t owner_;
  const int fd_;
  bool is_ours_ = true;
};

}  // namespace driveshaft::daemon
