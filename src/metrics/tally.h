// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace driveshaft::metrics {

// How many durations fell into which of 108 ranges, from 64 µs to over an hour, each a quarter of a doubling
// wide: 432 bytes from which any quantile can be told to 10% or so. Counts wrap around; what happened between
// two moments is the difference of two of these.
class Durations {
 public:
  void add(std::chrono::nanoseconds duration) { ++counts_[range_of(duration)]; }

  // What was added after `before`, an earlier copy of this one.
  Durations since(const Durations& before) const;

  // The duration that a share `q` of them does not exceed; nothing when there are none. It is never more than
  // `longest`, the longest of them: a range alone does not tell where in it the few durations lie that it
  // has.
  std::optional<std::chrono::nanoseconds> quantile(
      double q, std::chrono::nanoseconds longest = std::chrono::nanoseconds::max()) const;

 private:
  static constexpr int kPerDoubling = 4;
  static constexpr std::size_t kRanges = 27 * kPerDoubling;

  static std::size_t range_of(std::chrono::nanoseconds duration);
  static double lower_bound(std::size_t range);  // in µs

  std::array<std::uint32_t, kRanges> counts_{};
};

// What has become of jobs, since the start.
struct Outcomes {
  std::uint64_t completed = 0;
  std::uint64_t refused = 0;  // the endpoint answered that the job failed
  std::uint64_t failed = 0;   // anything else

  std::uint64_t all() const { return completed + refused + failed; }
};

struct Tally {
  Outcomes outcomes;
  Durations durations;                  // of completed ones
  std::chrono::nanoseconds longest{0};  // of those that were completed since this was last taken
};

}  // namespace driveshaft::metrics
