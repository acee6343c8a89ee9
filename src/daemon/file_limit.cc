// SPDX-License-Identifier: MIT
#include "daemon/file_limit.h"

#include <sys/resource.h>

namespace driveshaft::daemon {

std::uint64_t raise_open_file_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  const rlimit raised{limit.rlim_max, limit.rlim_max};
  return ::setrlimit(RLIMIT_NOFILE, &raised) == 0 ? raised.rlim_cur : limit.rlim_cur;
}

}  // namespace driveshaft::daemon
