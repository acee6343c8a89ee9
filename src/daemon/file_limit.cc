// SPDX-License-Identifier: MIT
#include "daemon/file_limit.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include "config/connection_count.h"
#include "net/descriptors.h"

namespace driveshaft::daemon {
namespace {

// Files besides the connections of jobs to endpoints and of pools to gearmand.
constexpr std::uint64_t kOtherFiles = net::kUsedElsewhere + net::kReservedForServers;

}  // namespace

std::uint64_t raise_open_file_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  const rlimit raised{limit.rlim_max, limit.rlim_max};
  return ::setrlimit(RLIMIT_NOFILE, &raised) == 0 ? raised.rlim_cur : limit.rlim_cur;
}

std::uint64_t files_needed(const config::Config& config) {
  std::uint64_t needed = kOtherFiles;
  for (const auto& pool : config.pools) {
    needed +=
        static_cast<std::uint64_t>(pool.worker_count) + config::connection_count(pool, config.servers.size());
  }
  return needed;
}

std::string too_few_files(std::uint64_t needed, std::uint64_t allowed) {
  return fmt::format(
      "worker_counts and connections of the jobs file add up to {} files open at once, and only {} are "
      "allowed: raise the limit (LimitNOFILE= of a systemd unit, ulimit -Hn of a shell), or have fewer",
      needed, allowed);
}

}  // namespace driveshaft::daemon
