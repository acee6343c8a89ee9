// SPDX-License-Identifier: MIT
#include "config/load.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "base/log.h"
#include "base/tls.h"

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
  auto parsed = parse(text);
  if (!parsed) return parsed;
  auto errors = check_files(parsed->config);
  if (!errors.empty()) return Rejected{std::move(errors), std::move(parsed->warnings)};
  return parsed;
}

std::vector<std::string> check_files(const Config& config) {
  struct User {
    std::string place;
    const base::TlsSettings* tls;
  };
  std::vector<User> users;
  for (const auto& server : config.servers) {
    if (server.tls) {
      users.push_back(
          {fmt::format("gearman_servers_list: {}", base::to_string(server.address)), &*server.tls});
    }
  }
  for (const auto& pool : config.pools) {
    users.push_back({fmt::format("pools_list.{}", base::printable(pool.name, 60)), &pool.tls});
  }
  // Many pools may share the files; each is read once.
  std::vector<base::TlsSettings> good{{}};
  std::vector<std::string> errors;
  for (const auto& [place, tls] : users) {
    if (std::find(good.begin(), good.end(), *tls) != good.end()) continue;
    if (auto usable = base::check_tls(*tls); !usable) {
      errors.push_back(fmt::format("{}: tls: {}", place, usable.error().message));
    } else {
      good.push_back(*tls);
    }
  }
  return errors;
}

}  // namespace driveshaft::config
