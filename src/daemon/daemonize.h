// SPDX-License-Identifier: MIT
#pragma once

namespace driveshaft::daemon {

// Opens /dev/null for each of stdin, stdout and stderr that the caller has closed. Without this the next
// files that are opened would get these numbers, and messages for stderr would be written into them. Call
// this before anything else.
void open_standard_files();

// A process in the background: no terminal, a session of its own, directory /, umask 022, a child of init,
// with no file open but stdin, stdout and stderr.
//
// The caller's process stays until the daemon is ready, and then exits 0. A daemon that ends before that has
// written its error to the stderr they still share; the caller exits with its exit code, or kExitInternal if
// a signal ended it. So a service script sees a failed start as one.
class Background {
 public:
  // Returns in the daemon only. Call it while there is one thread and nothing of ours is open. Throws
  // base::StartupError if the system cannot fork.
  Background();
  ~Background();
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

  // Once: stdin, stdout and stderr become /dev/null, and the caller's process exits 0.
  void notify_ready();

 private:
  int ready_fd_;
};

}  // namespace driveshaft::daemon
