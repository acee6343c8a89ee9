// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include <string>

namespace driveshaft::daemon {

// What stands at the path of a pid file.
struct PidFileUse {
  bool exists = false;
  bool is_held = false;  // by a live process
  std::string pid;       // that it names; may be empty
};

// What PidFile finds there. It makes and changes nothing. Throws base::StartupError where PidFile would, but
// for a file that is held.
PidFileUse look_at_pid_file(const std::string& path);

// The pid file: one line with this process's id, mode 0644, locked as long as this object lives and removed
// at its end. The lock, not the number, says that the owner lives, so a stale file is no obstacle. Make it
// after any fork: a child neither writes nor removes its parent's.
class PidFile {
 public:
  // Throws base::StartupError if a live process holds the file, if it holds something that no pid file does,
  // or if it cannot be written.
  explicit PidFile(std::string path);
  // The file of a process that hands over, whose lock it shares: `descriptor` is that process's, inherited,
  // and this object's from now on. The file goes on naming the other process until take().
  PidFile(std::string path, int descriptor);
  ~PidFile();
  PidFile(const PidFile&) = delete;
  PidFile& operator=(const PidFile&) = delete;

  // Before becoming that user, who can then empty the file, and remove it if the directory permits.
  // Throws base::StartupError.
  void give_to(uid_t user, gid_t group);

  // For a process that takes over. Never closed while this object lives.
  int descriptor() const { return fd_; }
  // From now on the file names this process, which removes it at its end.
  void take();
  // Another process has taken the file: it is not removed at this one's end.
  void leave() { is_ours_ = false; }

 private:
  bool write();

  const std::string path_;
  const pid_t owner_;
  const int fd_;
  bool is_ours_ = true;
};

}  // namespace driveshaft::daemon
