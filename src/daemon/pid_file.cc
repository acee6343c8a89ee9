// SPDX-License-Identifier: MIT
#include "daemon/pid_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "base/exit_codes.h"

namespace driveshaft::daemon {
namespace {

[[noreturn]] void fail(const std::string& message) { throw base::StartupError(base::kExitPidFile, message); }

[[noreturn]] void cannot_write(const std::string& path, int error) {
  fail(fmt::format("cannot write the pid file {}: {}; name a writable one with --pid_file", path,
                   std::generic_category().message(error)));
}

// Reads the file up to a length that no pid file has.
std::string content(int fd) {
  char bytes[32];
  const ssize_t size = ::pread(fd, bytes, sizeof bytes, 0);
  return size > 0 ? std::string(bytes, static_cast<std::size_t>(size)) : std::string();
}

// The process id in the file's text; empty if there is none.
std::string_view pid_in(std::string_view text) {
  if (text.ends_with('\n')) text.remove_suffix(1);
  const bool number = text.size() <= 10 && text.find_first_not_of("0123456789") == text.npos;
  return number ? text : std::string_view();
}

bool is_still_at(int fd, const std::string& path) {
  struct stat open_file = {};
  struct stat named = {};
  return ::fstat(fd, &open_file) == 0 && ::stat(path.c_str(), &named) == 0 &&
         open_file.st_ino == named.st_ino && open_file.st_dev == named.st_dev;
}

// A device that was given by mistake must keep its mode.
void require_regular(int fd, const std::string& path) {
  struct stat file = {};
  if (::fstat(fd, &file) == 0 && S_ISREG(file.st_mode)) return;
  ::close(fd);
  fail(fmt::format("the pid file {} is a device or FIFO; name a regular file with --pid_file", path));
}

// Opens a regular file. -1 with errno ENOENT: there is no file.
int open_file(const std::string& path, int creates) {
  // A link is not followed: its directory may belong to a user, who could point it at any file of root's.
  const int fd = ::open(path.c_str(), O_RDWR | creates | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0644);
  if (fd < 0 && errno == ELOOP) {
    fail(fmt::format("the pid file {} is a symbolic link; remove it, or name another file with --pid_file",
                     path));
  }
  if (fd >= 0) {
    require_regular(fd, path);
  } else if (creates || errno != ENOENT) {
    cannot_write(path, errno);
  }
  return fd;
}

int open_and_lock(const std::string& path) {
  while (true) {
    const int fd = open_file(path, O_CREAT);
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
      const int error = errno;
      const std::string text = content(fd);
      ::close(fd);
      if (error != EWOULDBLOCK) cannot_write(path, error);
      const std::string_view pid = pid_in(text);
      fail(fmt::format(
          "the pid file {} is held by process {}, which is still running; stop that one first, or "
          "name another file with --pid_file",
          path, pid.empty() ? "(unknown)" : pid));
    }
    // The last owner may have removed the file after it was opened here and before it was locked.
    if (is_still_at(fd, path)) return fd;
    ::close(fd);
  }
}

// Another file whose path was given by mistake must not be overwritten.
void require_pid_or_nothing(int fd, const std::string& path) {
  const std::string text = content(fd);
  if (text.empty() || !pid_in(text).empty()) return;
  ::close(fd);
  fail(fmt::format(
      "the file {} exists and holds something other than a process id; remove it, or name another "
      "with --pid_file",
      path));
}

}  // namespace

PidFileUse look_at_pid_file(const std::string& path) {
  const int fd = open_file(path, 0);
  if (fd < 0) {
    const std::string folder = std::filesystem::path(path).parent_path().string();
    if (::faccessat(AT_FDCWD, folder.c_str(), W_OK | X_OK, AT_EACCESS) != 0) cannot_write(path, errno);
    return {};
  }
  // Without taking a lock, the state of a lock is only in a table of the kernel that names files by number.
  // This shared lock is released at once, by close().
  const bool is_held = ::flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  if (!is_held) require_pid_or_nothing(fd, path);
  const std::string text = content(fd);
  ::close(fd);
  return {.exists = true, .is_held = is_held, .pid = std::string(pid_in(text))};
}

PidFile::PidFile(std::string path) : path_(std::move(path)), owner_(::getpid()), fd_(open_and_lock(path_)) {
  require_pid_or_nothing(fd_, path_);
  if (::fchmod(fd_, 0644) == 0 && write()) return;
  const int error = errno;
  ::unlink(path_.c_str());
  ::close(fd_);
  cannot_write(path_, error);
}

PidFile::PidFile(std::string path, int descriptor)
    : path_(std::move(path)), owner_(::getpid()), fd_(descriptor), is_ours_(false) {}

void PidFile::take() {
  is_ours_ = true;
  if (!write()) cannot_write(path_, errno);
}

// A number is in the file at any time, so another process can read it at any time.
bool PidFile::write() {
  const std::string line = fmt::format("{}\n", owner_);
  const auto size = static_cast<off_t>(line.size());
  return ::pwrite(fd_, line.data(), line.size(), 0) == size && ::ftruncate(fd_, size) == 0;
}

PidFile::~PidFile() {
  const bool is_ours = is_ours_ && ::getpid() == owner_;
  const bool removed = is_ours && is_still_at(fd_, path_) && ::unlink(path_.c_str()) == 0;
  if (is_ours && !removed) {
    // The file may be in a directory of root's, which this process cannot write any more since it gave up
    // root. An empty file names no process.
    [[maybe_unused]] const int ignored = ::ftruncate(fd_, 0);
  }
  ::close(fd_);
}

void PidFile::give_to(uid_t user, gid_t group) {
  if (::fchown(fd_, user, group) != 0) cannot_write(path_, errno);
}

}  // namespace driveshaft::daemon
