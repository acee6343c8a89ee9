// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "monitor/backend_history.h"
#include "monitor/history.h"
#include "monitor/queue_watch.h"
#include "monitor/snapshot.h"

namespace driveshaft::monitor {

// Waiting jobs of some functions.
struct Waiting {
  std::uint64_t jobs = 0;   // at the servers whose queues are known
  std::size_t known = 0;    // servers whose queues are known
  std::size_t servers = 0;  // in all
  // The jobs at all servers; nothing while the queue of a server is unknown.
  std::optional<std::uint64_t> everywhere() const {
    return known == servers ? std::optional(jobs) : std::nullopt;
  }
};

// Everything that is known at one moment. It holds references that are valid during one call.
struct View {
  const About& about;
  const Snapshot& snapshot;
  std::chrono::nanoseconds silent;                  // how much later than usual the next snapshot is
  const std::map<std::string, History>& histories;  // by pool, as the next
  const std::map<std::string, BackendHistories>& backends;
  const std::map<std::string, QueueReport>& queues;  // by server

  Waiting waiting(const std::vector<std::string>& functions) const;
};

Waiting waiting(const std::vector<std::string>& functions, const config::Config& config,
                const std::map<std::string, QueueReport>& queues);

}  // namespace driveshaft::monitor
