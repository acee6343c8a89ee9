// SPDX-License-Identifier: MIT
#include "monitor/view.h"

#include <algorithm>

namespace driveshaft::monitor {

Waiting waiting(const std::vector<std::string>& functions, const config::Config& config,
                const std::map<std::string, QueueReport>& queues) {
  Waiting waiting{.servers = config.servers.size()};
  for (const auto& server : config.servers) {
    const auto report = queues.find(net::to_string(server.address));
    if (report == queues.end() || !report->second.known) continue;
    const QueueReport& queues_there = report->second;
    // A new function has not been asked for yet.
    const bool has_all = std::all_of(functions.begin(), functions.end(), [&](const std::string& function) {
      return queues_there.find(function) != nullptr;
    });
    if (!has_all) continue;
    ++waiting.known;
    for (const auto& function : functions) waiting.jobs += queues_there.find(function)->queued;
  }
  return waiting;
}

Waiting View::waiting(const std::vector<std::string>& functions) const {
  return monitor::waiting(functions, *snapshot.config.in_force, queues);
}

}  // namespace driveshaft::monitor
