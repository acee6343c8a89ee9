// SPDX-License-Identifier: MIT
#include "config/connection_count.h"

#include <fmt/format.h>

#include <algorithm>

#include "text/printable.h"

namespace driveshaft::config {
namespace {

// How many groups of functions share connections.
std::size_t group_count(const PoolConfig& pool) {
  const auto own = std::count_if(pool.jobs_list.begin(), pool.jobs_list.end(),
                                 [&](const auto& function) { return has_own_connections(pool, function); });
  const bool others = own < std::ssize(pool.jobs_list);
  return static_cast<std::size_t>(own) + (others ? 1 : 0);
}

}  // namespace

bool has_own_connections(const PoolConfig& pool, const std::string& function) {
  const auto& settings = pool.of_function(function);
  return pool.settings.fairness == Fairness::function || settings.max_concurrency > 0 || settings.endpoint;
}

std::size_t connection_count(const PoolConfig& pool, std::size_t servers) {
  return group_count(pool) * servers * static_cast<std::size_t>(pool.settings.gearmand_connections);
}

std::vector<std::string> check_connections(const Config& config) {
  std::size_t all = 0;
  std::size_t most = 0;
  const PoolConfig* biggest = nullptr;
  for (const auto& pool : config.pools) {
    const std::size_t count = connection_count(pool, config.servers.size());
    all += count;
    if (count <= most) continue;
    most = count;
    biggest = &pool;
  }
  if (all <= kMostConnections) return {};
  return {fmt::format(
      "pools_list.{}: it would have {} of {} connections to gearmand, and {} are allowed: {} to each of {} "
      "servers "
      "for each of {} groups of functions; lower gearmand_connections, or have fewer functions with "
      "max_concurrency, "
      "job_processing_uri or fairness",
      text::printable(biggest->name, 60), most, all, kMostConnections, biggest->settings.gearmand_connections,
      config.servers.size(), group_count(*biggest))};
}

}  // namespace driveshaft::config
