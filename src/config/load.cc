// SPDX-License-Identifier: MIT
#include "config/load.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <map>
#include <system_error>
#include <utility>

#include "config/headers.h"

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

// The whole file, at most `most` bytes. Not the first of what may never end.
base::Result<std::string> read_file(const std::string& path, std::size_t most, bool regular) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | (regular ? O_NONBLOCK : 0)));
  if (file.get() < 0) return system_error(errno);
  struct stat found {};
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
  parsed->files = std::move(files);
  return parsed;
}

}  // namespace driveshaft::config
