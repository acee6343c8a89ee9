// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <chrono>

namespace driveshaft::dispatch {

// Limits how often something may happen in a second. Tokens that are not used are kept, up to those of one
// second, and at least one. Pure: the caller passes the time.
class TokenBucket {
 public:
  using Clock = std::chrono::steady_clock;

  // `rate` is in tokens a second; 0 means no limit, which the caller has to check. Starts full.
  TokenBucket(double rate, Clock::time_point now) : rate_(rate), tokens_(burst()), at_(now) {}

  double rate() const { return rate_; }
  // The number of whole tokens at `now`.
  int available(Clock::time_point now) {
    const std::chrono::duration<double> since = now - at_;
    at_ = now;
    tokens_ = std::min(tokens_ + since.count() * rate_, burst());
    return static_cast<int>(tokens_);
  }
  // Takes a token. The number may go below zero; later tokens make up for it.
  void take() { tokens_ -= 1; }
  // How long after the last available() there will be `count` whole tokens.
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
