// SPDX-License-Identifier: MIT
#include "metrics/tally.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

namespace driveshaft::metrics {
namespace {

// The first range ends at 80 µs, and also holds all that is shorter than 64 µs = 2^6 µs.
constexpr int kFirstDoubling = 6;

}  // namespace

// The number of a range is made of the exponent of the duration in µs and of the two bits behind its leading
// bit.
std::size_t Durations::range_of(std::chrono::nanoseconds duration) {
  const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
  if (micros < (1 << kFirstDoubling)) return 0;
  const auto value = static_cast<std::uint64_t>(micros);
  const auto exponent = static_cast<unsigned>(std::bit_width(value)) - 1;
  const auto quarter = (value >> (exponent - 2)) & 3;
  return std::min<std::size_t>((exponent - kFirstDoubling) * kPerDoubling + quarter, kRanges - 1);
}

double Durations::lower_bound(std::size_t range) {
  const auto exponent = static_cast<int>(range / kPerDoubling) + kFirstDoubling;
  return std::ldexp(1 + static_cast<double>(range % kPerDoubling) / kPerDoubling, exponent);
}

Durations Durations::since(const Durations& before) const {
  Durations difference;
  for (std::size_t i = 0; i < kRanges; ++i) difference.counts_[i] = counts_[i] - before.counts_[i];
  return difference;
}

std::optional<std::chrono::nanoseconds> Durations::quantile(double q,
                                                            std::chrono::nanoseconds longest) const {
  const auto all = std::accumulate(counts_.begin(), counts_.end(), std::uint64_t{0});
  if (all == 0) return std::nullopt;
  double left = q * static_cast<double>(all);
  std::size_t range = 0;
  while (range + 1 < kRanges && left > counts_[range]) left -= counts_[range++];
  // We assume that the durations within a range are spread evenly.
  const double from = range == 0 ? 0 : lower_bound(range);
  const double share = counts_[range] == 0 ? 0 : left / counts_[range];
  const double micros = from + (lower_bound(range + 1) - from) * std::min(share, 1.0);
  return std::min(std::chrono::nanoseconds(static_cast<std::int64_t>(micros * 1000)), longest);
}

}  // namespace driveshaft::metrics
