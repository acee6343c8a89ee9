// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <map>

namespace driveshaft::dispatch {

// How many jobs an endpoint is given at once, found from how long it takes. The gradient algorithm of
// Netflix's concurrency-limits (Gradient2: https://github.com/Netflix/concurrency-limits): after each window
// of results
//
//     limit = limit × clamp(1.5 × base / latency, ½, 1) + √limit
//
// so it grows by a little as long as the latency stays near its base, and shrinks as jobs begin to queue at
// the endpoint; a window with many failures shrinks it, too. Two things differ. The base is not a long-term
// average, which a queue that stays would creep into: as BBR does for its round trip (RFC
// draft-cardwell-iccrg-bbr), now and then the limit is halved for one window, and the base is what is
// measured then. And each function is compared with itself, so that a slow one among fast ones is not taken
// for a queue.
//
// Pure: the caller says what time it is.
class AdaptiveLimit {
 public:
  using Clock = std::chrono::steady_clock;

  // At most `ceiling`; at least 1.
  explicit AdaptiveLimit(int ceiling);

  void set_ceiling(int ceiling);
  int limit() const;

  // A job is done: `function` identifies its function; `in_use` jobs were at the endpoint, this one among
  // them; `overloaded` says that the endpoint could not cope (a timeout, 429, 5xx, a lost connection).
  void on_result(const void* function, Clock::duration latency, bool overloaded, int in_use,
                 Clock::time_point now);
  // The function is no longer served.
  void forget(const void* function) { functions_.erase(function); }

 private:
  struct Function {
    double base = 0;  // seconds; 0: not known
    double sum = 0;   // of the window
    int count = 0;
  };

  void end_window(Clock::time_point now);

  int ceiling_;
  double limit_;
  bool probing_ = true;  // of the base; the first window is one
  Clock::time_point last_probe_{};

  // Of the window.
  std::map<const void*, Function> functions_;
  int count_ = 0;
  int overloaded_ = 0;
  int most_in_use_ = 0;
  int to_skip_ = 0;  // results of jobs that began under another limit
};

}  // namespace driveshaft::dispatch
