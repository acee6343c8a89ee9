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

// Keeps bad deployed code from failing a whole queue of jobs. The breaker opens when too large a share of the
// last `min_jobs` attempts has failed, and all of them ended within `window`. Then no job is sent for a
// pause, and after it one job. The pauses grow until a job gets an answer. After that answer, the number of
// jobs at once grows by one with each answer; a failure meanwhile opens the breaker again. Pure: the caller
// passes the time.
class Breaker {
 public:
  using Clock = std::chrono::steady_clock;
  enum class State {
    closed,     // jobs are sent
    open,       // no job is sent until wake_at()
    trying,     // one job is sent beside those that still run
    reclosing,  // with each answer one more job is sent at once
  };

  explicit Breaker(const config::BreakerSettings& settings = {}) : settings_(settings) {}
  // Takes the settings. If they differ from the former ones, the breaker closes.
  void configure(const config::BreakerSettings& settings);

  // An attempt that began at `began` has ended. `ceiling` is the number of the pool's slots: with so many
  // jobs at once the breaker closes. True: the breaker has opened, or a job has succeeded for the first time
  // since it opened.
  bool attempt_ended(AttemptScore score, Clock::time_point began, int ceiling, Clock::time_point now);
  // Call it at wake_at(). `posted` jobs still run at the endpoint.
  void try_one(int posted);

  bool is_on() const { return settings_.on; }
  State state() const { return state_; }
  bool is_open() const { return state_ == State::open || state_ == State::trying; }
  // How many jobs may be at the endpoint at once; kNoLimit while it is closed.
  int window() const { return window_; }
  std::optional<Clock::time_point> wake_at() const { return wake_at_; }
  // While the breaker is open: since when, and how many of how many attempts had failed.
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
  std::vector<Attempt> attempts_;  // at most min_jobs, a ring
  std::size_t oldest_ = 0;         // index of the oldest attempt
  int failed_ = 0;                 // attempts_ that failed
  std::chrono::milliseconds pause_{0};
  Clock::time_point opened_at_{};
  Clock::time_point since_{};
  std::optional<Clock::time_point> wake_at_;
};

}  // namespace driveshaft::dispatch
