// SPDX-License-Identifier: MIT
#include "config/advice.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "text/printable.h"

namespace driveshaft::config {
namespace {

std::string shown(std::string_view name) { return text::printable(name, 128); }

std::string endpoint_of(const PoolConfig& pool, const std::string& function) {
  const auto& own = pool.of_function(function);
  return (own.endpoint ? *own.endpoint : pool.endpoint).display();
}

}  // namespace

std::vector<std::string> advice(const Config& config, bool request_format_is_set) {
  std::vector<std::string> lines;
  if (!request_format_is_set && !config.pools.empty()) {
    lines.emplace_back(
        "requests are JSON, as request_format is set nowhere; an endpoint that was written for the original "
        "driveshaft reads $_POST and needs \"request_format\": \"multipart\"");
  }
  const bool takes_jobs = std::any_of(config.pools.begin(), config.pools.end(),
                                      [](const PoolConfig& pool) { return pool.worker_count > 0; });
  if (!takes_jobs) lines.emplace_back("no job is taken: worker_count is 0 in every pool");
  std::map<std::string, const PoolConfig*> served;
  for (const auto& pool : config.pools) {
    if (takes_jobs && pool.worker_count == 0) {
      lines.push_back(fmt::format("{} takes no jobs: its worker_count is 0", shown(pool.name)));
    }
    for (const auto& function : pool.jobs_list) {
      const auto [first, is_new] = served.emplace(function, &pool);
      if (is_new || endpoint_of(*first->second, function) == endpoint_of(pool, function)) continue;
      lines.push_back(fmt::format(
          "{} is in jobs_list of {} and of {}, with different endpoints: its jobs go now to one, now "
          "to the other",
          shown(function), shown(first->second->name), shown(pool.name)));
    }
    const auto& letters = pool.settings.dead_letter_function;
    if (!letters.empty() &&
        std::find(pool.jobs_list.begin(), pool.jobs_list.end(), letters) != pool.jobs_list.end()) {
      lines.push_back(
          fmt::format("{} serves {}, its own dead_letter_function: its dead letters go to the endpoint "
                      "that has failed their jobs",
                      shown(pool.name), shown(letters)));
    }
  }
  return lines;
}

}  // namespace driveshaft::config
