// SPDX-License-Identifier: MIT
#include "base/stderr.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <limits>

namespace driveshaft::base {

void write_to_stderr(const std::string& line) {
  const std::string text = line + '\n';
  std::string_view rest = text;
  while (!rest.empty()) {
    const ssize_t size = ::write(STDERR_FILENO, rest.data(), rest.size());
    if (size < 0 && errno != EINTR) return;
    rest.remove_prefix(size < 0 ? 0 : static_cast<std::size_t>(size));
  }
}

std::size_t most_at_once_on_stderr() {
  struct stat file = {};
  const bool regular = ::fstat(STDERR_FILENO, &file) == 0 && S_ISREG(file.st_mode);
  return regular ? std::numeric_limits<std::size_t>::max() : PIPE_BUF;
}

std::string_view first_lines(std::string_view text, std::size_t most) {
  const std::string_view fits = text.substr(0, most);
  const std::size_t end = fits.rfind('\n');
  return end == std::string_view::npos ? fits : fits.substr(0, end + 1);
}

}  // namespace driveshaft::base
