// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <map>

namespace driveshaft::dispatch {

// Finds how many jobs an endpoint should get at once, from how long the jobs take. This is the gradient
// algorithm of Netflix's concurrency-limits (Gradient2, https://github.com/Netflix/concurrency-limits). After
// each window of results
//
//     limit = limit × clamp(1.5 × base / latency, ½, 1) + √limit
//
// So the limit grows slowly as long as the latency stays near its base, and shrinks when jobs begin to queue
// at the endpoint. A window with many failures shrinks it, too. Two things differ from Gradient2. First, the
// base is not a long-term average, which would follow a queue that stays: now and then the limit is halved
// for one window, and the base is measured in that window, as BBR does for its round-trip time
// (Internet-Draft draft-cardwell-iccrg-bbr-congestion-control). Second, the latency of each function is
// compared with the base of that function, so that a slow function among fast ones is not taken for a queue.
//
// Pure: the caller passes the time.
class AdaptiveLimit {
 public:
  using Clock = std::chrono::steady_clock;

  // The limit is at least 1 and at most `ceiling`.
  explicit AdaptiveLimit(int ceiling);

  void set_ceiling(int ceiling);
  int limit() const;

  // A job is done. `function` is a key of its function and is not dereferenced. `in_use` jobs were at the
  // endpoint, this one included. `overloaded` says that the endpoint could not cope (a timeout, 429, 5xx, a
  // lost connection).
  void on_result(const void* function, Clock::duration latency, bool overloaded, int in_use,
                 Clock::time_point now);
  // The function is no longer served: forgets its base.
  void forget(const void* function) { functions_.erase(function); }

 private:
  struct Function {
    double base = 0;  // seconds; 0: not known yet
    double sum = 0;   // seconds, of the results in the window
    int count = 0;
  };

  void end_window(Clock::time_point now);

  int ceiling_;
  double limit_;
  bool probing_ = true;  // whether the window measures the base; the first window does
  Clock::time_point last_probe_{};

  // Of the present window.
  std::map<const void*, Function> functions_;
  int count_ = 0;
  int overloaded_ = 0;
  int most_in_use_ = 0;
  int to_skip_ = 0;  // so many results are ignored: their jobs began under another limit
};

}  // namespace driveshaft::dispatch
