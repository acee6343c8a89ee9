// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <chrono>
#include <random>

namespace driveshaft::base {

// Numbers that spread things out in time. Not for secrets. Any thread.
inline std::minstd_rand& spreading_random() {
  thread_local std::minstd_rand random(std::random_device{}());
  return random;
}

// A number drawn evenly from [0, 1).
inline double random_share() { return std::uniform_real_distribution<>()(spreading_random()); }

// A duration drawn evenly from [least, most].
inline std::chrono::milliseconds jittered(std::chrono::milliseconds least, std::chrono::milliseconds most) {
  std::uniform_int_distribution<std::chrono::milliseconds::rep> between(least.count(), most.count());
  return std::chrono::milliseconds(between(spreading_random()));
}

// Waits between attempts: doubling from `first` to `most`, each drawn from its upper half, so that those who
// failed together do not come back together.
class Backoff {
 public:
  Backoff(std::chrono::milliseconds first, std::chrono::milliseconds most)
      : first_(first), most_(most), next_(first) {}

  std::chrono::milliseconds next() {
    const auto wait = jittered(next_ / 2, next_);
    next_ = std::min(next_ * 2, most_);
    return wait;
  }
  void reset() { next_ = first_; }

 private:
  std::chrono::milliseconds first_;
  std::chrono::milliseconds most_;
  std::chrono::milliseconds next_;
};

}  // namespace driveshaft::base
