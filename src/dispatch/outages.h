// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace driveshaft::dispatch {

// Which pools take no jobs, or none of some functions, because of an endpoint, and why: for those who ask
// whether all is well. Any thread.
class Outages {
 public:
  using Clock = std::chrono::steady_clock;
  struct Outage {
    std::string pool;
    std::string functions;  // whose jobs are not taken; empty: all of the pool's
    std::string why;        // names the endpoint
    Clock::time_point since;
  };

  // `upstream` says whose it is, and is not looked at.
  void set(const void* upstream, Outage outage) {
    const std::lock_guard lock(mutex_);
    outages_[upstream] = std::move(outage);
  }
  void clear(const void* upstream) {
    const std::lock_guard lock(mutex_);
    outages_.erase(upstream);
  }
  // By the names of pools and functions.
  std::vector<Outage> all() const {
    const std::lock_guard lock(mutex_);
    std::vector<Outage> outages;
    for (const auto& [_, outage] : outages_) outages.push_back(outage);
    std::sort(outages.begin(), outages.end(), [](const Outage& one, const Outage& other) {
      return std::tie(one.pool, one.functions) < std::tie(other.pool, other.functions);
    });
    return outages;
  }

 private:
  mutable std::mutex mutex_;
  std::map<const void*, Outage> outages_;
};

}  // namespace driveshaft::dispatch
