// SPDX-License-Identifier: MIT
#include "monitor/view.h"

namespace driveshaft::monitor {

std::optional<std::uint64_t> queued(const std::vector<std::string>& functions, const config::Config& config,
                                    const std::map<std::string, QueueReport>& queues) {
  std::uint64_t sum = 0;
  for (const auto& server : config.servers) {
    const auto report = queues.find(net::to_string(server.address));
    if (report == queues.end() || !report->second.known) return std::nullopt;
    for (const auto& function : functions) {
      const auto queue = report->second.functions.find(function);
      if (queue == report->second.functions.end()) return std::nullopt;  // new, and not asked for yet
      sum += queue->second.queued;
    }
  }
  return sum;
}

std::optional<std::uint64_t> View::queued(const std::vector<std::string>& functions) const {
  return monitor::queued(functions, *snapshot.config.in_force, queues);
}

}  // namespace driveshaft::monitor
