// SPDX-License-Identifier: MIT
#include "base/stderr.h"

#include <unistd.h>

#include <cerrno>
#include <string_view>

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

}  // namespace driveshaft::base
