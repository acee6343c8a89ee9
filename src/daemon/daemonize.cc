// SPDX-License-Identifier: MIT
#include "daemon/daemonize.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "base/exit_codes.h"
#include "base/stderr.h"

namespace driveshaft::daemon {
namespace {

[[noreturn]] void cannot(std::string_view what, int error) {
  throw base::StartupError(base::kExitInternal,
                           fmt::format("cannot run in the background: {}: {}; leave --daemonize out, or free "
                                       "resources of the machine",
                                       what, std::generic_category().message(error)));
}

pid_t fork_or_throw() {
  const pid_t pid = ::fork();
  if (pid < 0) cannot("fork", errno);
  return pid;
}

int exit_code_of(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return base::kExitInternal;
  }
  if (WIFEXITED(status)) return WEXITSTATUS(status);
  base::write_to_stderr(
      fmt::format("driveshaft: the daemon was ended by signal {} while it started", WTERMSIG(status)));
  return base::kExitInternal;
}

// Runs in the process between the caller's and the daemon. This process stays the daemon's parent until the
// daemon is ready, so it learns how the daemon ends. Returns the exit code of the start.
int outcome_of_start(pid_t daemon, int ready_fd) {
  char ready = 0;
  ssize_t size = 0;
  do {
    size = ::read(ready_fd, &ready, 1);
  } while (size < 0 && errno == EINTR);
  return size == 1 ? base::kExitOk : exit_code_of(daemon);
}

}  // namespace

void open_standard_files() {
  int fd = 0;
  do {
    fd = ::open("/dev/null", O_RDWR);  // returns the lowest number that is free
  } while (fd >= 0 && fd <= STDERR_FILENO);
  if (fd > STDERR_FILENO) ::close(fd);
}

Background::Background() : ready_fd_(-1) {
  // The caller may have more files open, such as a lock or a pipe of an init script or package manager. If
  // the daemon kept them, somebody would wait for them as long as it lives.
  ::close_range(STDERR_FILENO + 1, ~0U, 0);
  std::fflush(nullptr);
  // The two processes that leave use _exit: exit handlers that the daemon has registered must not run in
  // them.
  if (const pid_t between = fork_or_throw(); between != 0) ::_exit(exit_code_of(between));
  int fds[2];
  if (::setsid() < 0 || ::pipe2(fds, O_CLOEXEC) != 0) cannot("setsid or pipe", errno);
  if (const pid_t daemon = fork_or_throw(); daemon != 0) {
    ::close(fds[1]);
    ::_exit(outcome_of_start(daemon, fds[0]));
  }
  ::close(fds[0]);
  ready_fd_ = fds[1];
  ::umask(022);
  if (::chdir("/") != 0) cannot("chdir /", errno);
}

Background::~Background() {
  if (ready_fd_ >= 0) ::close(ready_fd_);
}

void Background::notify_ready() {
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0) cannot("/dev/null", errno);
  for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::dup2(null, standard);
  if (null > STDERR_FILENO) ::close(null);
  const int fd = std::exchange(ready_fd_, -1);
  // The process between keeps the other end open until it has read this byte, so there is no SIGPIPE.
  [[maybe_unused]] const ssize_t told = ::write(fd, "", 1);
  ::close(fd);
}

}  // namespace driveshaft::daemon
