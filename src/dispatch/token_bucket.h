// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <chrono>

namespace driveshaft::dispatch {

// A limit on how many things happen in a second. What was not used is kept, up to a second's worth, and at
// least one. Pure: the caller says what time it is.
class TokenBucket {
 public:
  using Clock = std::chrono::steady_clock;

  // `rate` a second; 0: no limit. Starts full.
  TokenBucket(double rate, Clock::time_point now) : rate_(rate), tokens_(burst()), at_(now) {}

  double rate() const { return rate_; }
  // Whole tokens there are.
  int available(Clock::time_point now) {
    const std::chrono::duration<double> since = now - at_;
    at_ = now;
    tokens_ = std::min(tokens_ + since.count() * rate_, burst());
    return static_cast<int>(tokens_);
  }
  // May go below zero, and is paid back then.
  void take() { tokens_ -= 1; }
  // After available(): until there are `count` whole tokens.
  Clock::duration wait_for(int count) const {
    const double missing = static_cast<double>(count) - tokens_;
    if (missing <= 0) return Clock::duration::zero();
    return std::chrono::ceil<std::chrono::milliseconds>(std::chrono::duration<double>(missing / rate_));
  }

 private:
  double burst() const { return std::max(rate_, 1.0); }

  double rate_;
  double tokens_;
  Clock::time_point at_;
};

}  // namespace driveshaft::dispatch
