// SPDX-License-Identifier: MIT
#include "config/load.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <system_error>
#include <utility>

#include "config/connection_count.h"
#include "config/headers.h"
#include "net/tls.h"
#include "text/printable.h"

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

base::Error system_error(int error) { return {std::generic_category().message(error)}; }

// Reads the whole file if it has at most `most` bytes. A longer one is an error; it may never end.
base::Result<std::string> read_file(const std::string& path, std::size_t most, bool regular) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | (regular ? O_NONBLOCK : 0)));
  if (file.get() < 0) return system_error(errno);
  struct stat found = {};
  if (regular && ::fstat(file.get(), &found) != 0) return system_error(errno);
  if (regular && !S_ISREG(found.st_mode)) return base::Error{"it is not a regular file"};

  std::string text;
  char buffer[64 * 1024];
  for (;;) {
    const ssize_t count = ::read(file.get(), buffer, sizeof buffer);
    if (count == 0) return {boost::system::in_place_value, std::move(text)};
    if (count < 0) {
      if (errno == EINTR) continue;
      return system_error(errno);
    }
    text.append(buffer, static_cast<std::size_t>(count));
    if (text.size() > most) return base::Error{fmt::format("it has more than {} bytes", most)};
  }
}

}  // namespace

base::Result<std::string> read_file(const std::string& path) {
  return read_file(path, kMaxJobsFileSize, /*regular=*/false);
}

base::Result<std::string> read_secret_file(const std::string& path) {
  auto content = read_file(path, kMaxSecretFile, /*regular=*/true);
  if (!content) return base::Error{"it cannot be read: " + content.error().message};
  return content;
}

namespace {

// Good files for TLS are not watched with the jobs file: each new connection looks at them itself.
void add_tls_files(const Config& config, std::vector<std::string>& files) {
  const auto add = [&](const net::TlsSettings& tls) {
    for (const auto& file : {tls.ca_file, tls.certificate_file, tls.key_file}) {
      if (!file.empty()) files.push_back(file);
    }
  };
  for (const auto& server : config.servers) {
    if (server.tls) add(*server.tls);
  }
  for (const auto& pool : config.pools) add(pool.tls);
}

}  // namespace

base::Result<Parsed, Rejected> load(const std::string& path) {
  const auto text = read_file(path);
  if (!text) {
    return Rejected{{fmt::format("cannot read the jobs file {}: {}", path, text.error().message)}, {}};
  }
  std::map<std::string, base::Result<std::string>> contents;  // one that is named twice is read once
  auto parsed = parse(*text, [&](const std::string& name) {
    const auto known = contents.find(name);
    return known != contents.end() ? known->second
                                   : contents.emplace(name, read_secret_file(name)).first->second;
  });
  std::vector<std::string> files;
  files.reserve(contents.size());
  for (const auto& [name, _] : contents) files.push_back(name);
  if (!parsed) {
    Rejected rejected = parsed.error();
    rejected.files = std::move(files);
    return rejected;
  }
  auto errors = check_files(parsed->config);
  for (auto& error : check_connections(parsed->config)) errors.push_back(std::move(error));
  if (!errors.empty()) {
    add_tls_files(parsed->config, files);
    return Rejected{std::move(errors), std::move(parsed->warnings), std::move(files)};
  }
  parsed->files = std::move(files);
  return parsed;
}

std::vector<std::string> check_files(const Config& config) {
  struct User {
    std::string place;
    const net::TlsSettings* tls;
  };
  std::vector<User> users;
  for (const auto& server : config.servers) {
    if (server.tls) {
      users.push_back(
          {fmt::format("gearman_servers_list: {}", net::to_string(server.address)), &*server.tls});
    }
  }
  for (const auto& pool : config.pools) {
    users.push_back({fmt::format("pools_list.{}", text::printable(pool.name, 60)), &pool.tls});
  }
  // Many pools may share the files; each is read once.
  std::vector<net::TlsSettings> good{{}};
  std::vector<std::string> errors;
  for (const auto& [place, tls] : users) {
    if (std::find(good.begin(), good.end(), *tls) != good.end()) continue;
    if (auto usable = net::check_tls(*tls); !usable) {
      errors.push_back(fmt::format("{}: tls: {}", place, usable.error().message));
    } else {
      good.push_back(*tls);
    }
  }
  return errors;
}

}  // namespace driveshaft::config
