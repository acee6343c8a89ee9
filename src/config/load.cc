// SPDX-License-Identifier: MIT
#include "config/load.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace driveshaft::config {
namespace {

// Closes what it holds.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

Rejected unreadable(const std::string& path, const std::string& reason) {
  return {{fmt::format("cannot read the jobs file {}: {}", path, reason)}, {}};
}

Rejected unreadable(const std::string& path, int error) {
  return unreadable(path, std::generic_category().message(error));
}

}  // namespace

base::Result<Parsed, Rejected> load(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return unreadable(path, errno);

  std::string text;
  char buffer[64 * 1024];
  for (;;) {
    const ssize_t count = ::read(file.get(), buffer, sizeof buffer);
    if (count == 0) break;
    if (count < 0) {
      if (errno == EINTR) continue;
      return unreadable(path, errno);
    }
    text.append(buffer, static_cast<std::size_t>(count));
    if (text.size() > kMaxJobsFileSize) {
      return unreadable(path, fmt::format("it has more than {} bytes", kMaxJobsFileSize));
    }
  }
  return parse(text);
}

}  // namespace driveshaft::config
