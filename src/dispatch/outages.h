// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace driveshaft::dispatch {

// Which pools take no jobs because of their endpoint, and why: for those who ask whether all is well. Any
// thread.
class Outages {
 public:
  using Clock = std::chrono::steady_clock;
  struct Outage {
    std::string pool;
    std::string why;  // names the endpoint
    Clock::time_point since;
  };

  void set(const std::string& pool, std::string why, Clock::time_point since) {
    const std::lock_guard lock(mutex_);
    outages_[pool] = {pool, std::move(why), since};
  }
  void clear(const std::string& pool) {
    const std::lock_guard lock(mutex_);
    outages_.erase(pool);
  }
  // By the name of the pool.
  std::vector<Outage> all() const {
    const std::lock_guard lock(mutex_);
    std::vector<Outage> outages;
    for (const auto& [_, outage] : outages_) outages.push_back(outage);
    return outages;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, Outage> outages_;
};

}  // namespace driveshaft::dispatch
