// SPDX-License-Identifier: MIT
#pragma once

namespace driveshaft::daemon {

// Opens /dev/null for each of stdin, stdout and stderr that is closed. Otherwise the next files that are
// opened would get these numbers, and messages for stderr would be written into them. Call this before
// anything else.
void open_standard_files();

// Makes this process a daemon in the background: it has no terminal, a session of its own, directory /, umask
// 022, init as its parent once it is ready, and no open file but stdin, stdout and stderr.
//
// The process that the caller started stays until the daemon is ready, and then exits with 0. If the daemon
// ends before that, it has written its error to the stderr that both still share, and the caller's process
// exits with the daemon's exit code, or with kExitInternal if a signal ended the daemon. So a service script
// sees that the start failed.
class Background {
 public:
  // Returns in the daemon only; the caller's process exits in it. Call it while there is one thread and
  // before this program opens anything. Throws base::StartupError if the system cannot fork.
  Background();
  ~Background();
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

  // Makes stdin, stdout and stderr /dev/null, and lets the caller's process exit with 0. Call it once.
  void notify_ready();

 private:
  int ready_fd_;
};

}  // namespace driveshaft::daemon
