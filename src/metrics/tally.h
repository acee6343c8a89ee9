// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace driveshaft::metrics {

// Counts durations in 108 ranges, from 64 µs to over an hour; a range is a quarter of a doubling wide. From
// these 432 bytes any quantile can be told to about 10%. Counts wrap around; the durations between two
// moments are the difference of two copies.
class Durations {
 public:
  void add(std::chrono::nanoseconds duration) { ++counts_[range_of(duration)]; }

  // The durations that were added after `before`, an earlier copy of this object.
  Durations since(const Durations& before) const;

  // The duration that a share `q` (0 … 1) of the durations does not exceed; nothing if there are none.
  // `longest` is the longest of them: the result is never more, because the range alone does not tell where
  // in it the durations lie.
  std::optional<std::chrono::nanoseconds> quantile(
      double q, std::chrono::nanoseconds longest = std::chrono::nanoseconds::max()) const;

 private:
  static constexpr int kPerDoubling = 4;
  static constexpr std::size_t kRanges = 27 * kPerDoubling;

  static std::size_t range_of(std::chrono::nanoseconds duration);
  static double lower_bound(std::size_t range);  // µs

  std::array<std::uint32_t, kRanges> counts_{};
};

// How many jobs have ended in which way since the start. Requeued jobs are not among them.
struct Outcomes {
  std::uint64_t completed = 0;
  std::uint64_t refused = 0;  // the endpoint answered that the job failed
  std::uint64_t failed = 0;   // any other failure

  std::uint64_t all() const { return completed + refused + failed; }
};

struct Tally {
  Outcomes outcomes;
  Durations durations;  // of completed jobs
  // The longest duration of the jobs that were completed since PoolMetrics::take_tally() was last called.
  std::chrono::nanoseconds longest{0};
};

}  // namespace driveshaft::metrics
