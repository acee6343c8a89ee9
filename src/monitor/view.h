// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "monitor/history.h"
#include "monitor/queue_watch.h"
#include "monitor/snapshot.h"

namespace driveshaft::monitor {

// Everything that is known at one moment. It holds references that are valid during one call.
struct View {
  const About& about;
  const Snapshot& snapshot;
  std::chrono::nanoseconds silent;                   // how much later than usual the next snapshot is
  const std::map<std::string, History>& histories;   // by pool
  const std::map<std::string, QueueReport>& queues;  // by server

  // Waiting jobs of these functions at all servers; nothing while a server's queue is unknown.
  std::optional<std::uint64_t> queued(const std::vector<std::string>& functions) const;
};

std::optional<std::uint64_t> queued(const std::vector<std::string>& functions, const config::Config& config,
                                    const std::map<std::string, QueueReport>& queues);

}  // namespace driveshaft::monitor
