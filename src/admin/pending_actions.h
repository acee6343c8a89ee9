// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

namespace driveshaft::admin {

// Counts the actions whose answers have not been sent yet. Any thread may use it.
class PendingActions {
 public:
  // Counts one action while it lives. `all` outlives it.
  class One {
   public:
    explicit One(PendingActions& all) : all_(all) { all_.add(1); }
    ~One() { all_.add(-1); }
    One(const One&) = delete;
    One& operator=(const One&) = delete;

   private:
    PendingActions& all_;
  };

  // Returns when no action is left, or after `time`.
  void wait_for_end(std::chrono::milliseconds time) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, time, [this] { return count_ == 0; });
  }

 private:
  void add(int more) {
    const std::lock_guard lock(mutex_);
    count_ += more;
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  int count_ = 0;
};

}  // namespace driveshaft::admin
