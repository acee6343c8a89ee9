// SPDX-License-Identifier: MIT
#include "config/load.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
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

// Closes the descriptor that it has.
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

// The name of the user of this process; its number if it has no name.
std::string user_name() {
  const uid_t uid = ::geteuid();
  passwd entry = {};
  passwd* found = nullptr;
  std::array<char, 16 * 1024> room;
  const bool known = ::getpwuid_r(uid, &entry, room.data(), room.size(), &found) == 0 && found;
  return known ? std::string(entry.pw_name) : std::to_string(uid);
}

base::Error system_error(int error) { return {std::generic_category().message(error)}; }

// Reads the whole file if it has at most `most` bytes. A longer file is an error: it may have no end.
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
  if (content) return content;
  const std::string reason = "it cannot be read: " + content.error().message;
  if (content.error().message != system_error(EACCES).message) return base::Error{reason};
  return base::Error{
      fmt::format("{}; this process runs as the user {}, who has to have the right to read it "
                  "(chown or chmod)",
                  reason, user_name())};
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
  for (const auto& pool : config.pools) add(pool.endpoint_tls);
}

// Warnings about our own certificates that have ended, or soon will: servers that require one then refuse us.
std::vector<std::string> certificate_warnings(const Config& config) {
  constexpr auto kDay = std::chrono::hours(24);
  std::map<std::string, std::string> warnings;  // by file
  const auto look = [&](const net::TlsSettings& tls) {
    if (tls.certificate_file.empty() || warnings.contains(tls.certificate_file)) return;
    const auto certificate = net::own_certificate(tls);
    if (!certificate) return;
    const auto left = certificate->ends - std::chrono::system_clock::now();
    if (left > net::kRenewBefore) return;
    warnings[tls.certificate_file] =
        left.count() > 0
            ? fmt::format("certificate_file {}: it ends in {} days; renew it", tls.certificate_file,
                          left / kDay)
            : fmt::format(
                  "certificate_file {}: it has ended {} days ago, and servers that ask for it refuse "
                  "it; renew it",
                  tls.certificate_file, -left / kDay);
  };
  for (const auto& server : config.servers) {
    if (server.tls) look(*server.tls);
  }
  for (const auto& pool : config.pools) look(pool.endpoint_tls);
  std::vector<std::string> texts;
  texts.reserve(warnings.size());
  for (auto& [_, text] : warnings) texts.push_back(std::move(text));
  return texts;
}

}  // namespace

base::Result<Parsed, Rejected> load(const std::string& path) {
  const auto text = read_file(path);
  if (!text) {
    return Rejected{{fmt::format("cannot read the jobs file {}: {}", path, text.error().message)}, {}};
  }
  // By path: a file that is named twice is read once.
  std::map<std::string, base::Result<std::string>> contents;
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
  for (auto& warning : certificate_warnings(parsed->config)) parsed->warnings.push_back(std::move(warning));
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
          {fmt::format("gearman_servers_list: {}: tls", net::to_string(server.address)), &*server.tls});
    }
  }
  for (const auto& pool : config.pools) {
    users.push_back(
        {fmt::format("pools_list.{}: endpoint_tls", text::printable(pool.name, 60)), &pool.endpoint_tls});
  }
  // Many pools may share the files; each is read once.
  std::vector<net::TlsSettings> good{{}};
  std::vector<std::string> errors;
  for (const auto& [place, tls] : users) {
    if (std::find(good.begin(), good.end(), *tls) != good.end()) continue;
    if (auto usable = net::check_tls(*tls); !usable) {
      errors.push_back(fmt::format("{}: {}", place, usable.error().message));
    } else {
      good.push_back(*tls);
    }
  }
  return errors;
}

}  // namespace driveshaft::config
