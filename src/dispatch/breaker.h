// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <vector>

#include "config/config.h"
#include "dispatch/admission.h"
#include "dispatch/attempt.h"

namespace driveshaft::dispatch {

// Keeps a bad deployment from failing a whole queue. When too large a share of the last `min_jobs` attempts
// has failed, all of them within `window`, the breaker opens: no job is sent, then one after a pause, which
// grows until a job gets an answer. After that the number of jobs at once grows by one with each answer. A
// failed answer while it grows opens the breaker again. Pure: the caller says what time it is.
class Breaker {
 public:
  using Clock = std::chrono::steady_clock;
  enum class State {
    closed,     // jobs are sent
    open,       // none is sent until wake_at()
    trying,     // one is sent beside those that still run
    reclosing,  // more are sent with each answer
  };

  explicit Breaker(const config::BreakerSettings& settings = {}) : settings_(settings) {}
  // Other settings close it.
  void configure(const config::BreakerSettings& settings);

  // An attempt that began at that time has ended. `ceiling`: the pool's slots. True: it has opened, or has
  // had its first answer since.
  bool attempt_ended(AttemptScore score, Clock::time_point began, int ceiling, Clock::time_point now);
  // At wake_at(). Jobs that still run are `posted`.
  void try_one(int posted);

  bool is_on() const { return settings_.on; }
  State state() const { return state_; }
  bool is_open() const { return state_ == State::open || state_ == State::trying; }
  // Jobs at once; kNoLimit while it is closed.
  int window() const { return window_; }
  std::optional<Clock::time_point> wake_at() const { return wake_at_; }
  // While it is open: since when, and how many attempts failed of how many before.
  Clock::time_point since() const { return since_; }
  int failed() const { return failed_; }
  int attempts() const { return settings_.min_jobs; }

 private:
  struct Attempt {
    Clock::time_point ended{};
    bool failed = false;
  };

  bool count(bool failed, Clock::time_point now);
  void open(Clock::time_point now);

  config::BreakerSettings settings_;
  State state_ = State::closed;
  int window_ = kNoLimit;
  std::vector<Attempt> attempts_;  // the last min_jobs, once there have been so many
  std::size_t oldest_ = 0;         // of them
  int failed_ = 0;                 // of them
  std::chrono::milliseconds pause_{0};
  Clock::time_point opened_at_{};
  Clock::time_point since_{};
  std::optional<Clock::time_point> wake_at_;
};

}  // namespace driveshaft::dispatch
