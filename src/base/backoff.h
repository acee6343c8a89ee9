// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <random>

namespace driveshaft::base {

// Random numbers for delays, so that many connections or programs do not act at the same time. Not for
// secrets. Any thread.
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

}  // namespace driveshaft::base
