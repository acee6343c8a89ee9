// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "dispatch/status.h"
#include "metrics/metrics.h"
#include "metrics/tally.h"
#include "monitor/history.h"

namespace driveshaft::monitor {

// The attempts at one backend over the last minute. Its size is fixed.
class BackendHistory {
 public:
  // Is called once a second, with the tally of the backend. Returns the attempts that came since the last
  // call.
  metrics::Outcomes add(dispatch::SteadyTime at, const metrics::Tally& tally);

  struct Figures {
    std::uint64_t attempts = 0;
    double attempts_per_second = 0;
    double failures_per_second = 0;
    std::optional<std::chrono::nanoseconds> p95;  // of successful ones
  };
  Figures figures() const;

 private:
  struct Moment {
    dispatch::SteadyTime at;
    metrics::Tally tally;
  };
  static constexpr std::chrono::seconds kStep{5};
  static constexpr std::size_t kKept = 60 / kStep.count() + 1;

  Moment now_{};
  Ring<Moment, kKept> kept_;  // one each kStep
};

// The histories of a pool's backends, at most kMost. The history of a backend that was removed is dropped.
class BackendHistories {
 public:
  static constexpr std::size_t kMost = 64;

  // Is called once a second. Returns the gauges of the backends, by their names. If two endpoints of the pool
  // have a backend of the same name, its gauges are of both together. A backend that drains counts with its
  // jobs, connections and attempts only: a successor may have its name.
  std::map<std::string, metrics::PoolGauges::Backend> add(dispatch::SteadyTime at,
                                                          const dispatch::PoolStatus& pool);

  // The figures of the backends of an endpoint, in their order; nothing for a backend without a history.
  std::vector<std::optional<BackendHistory::Figures>> of(const dispatch::EndpointStatus& endpoint) const;

 private:
  using Gauges = std::map<std::string, metrics::PoolGauges::Backend>;
  using Histories = std::map<std::uint64_t, BackendHistory>;  // by BackendStatus::id
  void add(dispatch::SteadyTime at, const dispatch::BackendStatus& backend, Histories& before,
           Gauges& gauges);

  Histories histories_;
};

}  // namespace driveshaft::monitor
