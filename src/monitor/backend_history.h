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
  Ring<Moment, kKept> kept_;  // one a step
};

// Those of the backends of a pool: the first kMost of them. One that is gone is forgotten.
class BackendHistories {
 public:
  static constexpr std::size_t kMost = 64;

  // Is called once a second. Returns what the metrics are told of the backends, by their names. Where two
  // endpoints of the pool share a backend's name, it is told of both together. One that drains has but its
  // jobs, connections and attempts told: it may have a successor of its name.
  std::map<std::string, metrics::PoolGauges::Backend> add(dispatch::SteadyTime at,
                                                          const dispatch::PoolStatus& pool);

  // Of the backends of an endpoint, in their order; nothing is known of those beyond the first kMost.
  std::vector<std::optional<BackendHistory::Figures>> of(const dispatch::EndpointStatus& endpoint) const;

 private:
  using Told = std::map<std::string, metrics::PoolGauges::Backend>;
  using Histories = std::map<std::uint64_t, BackendHistory>;  // by BackendStatus::id
  void add(dispatch::SteadyTime at, const dispatch::BackendStatus& backend, Histories& before, Told& told);

  Histories histories_;
};

}  // namespace driveshaft::monitor
