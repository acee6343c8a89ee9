// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "dispatch/status.h"
#include "metrics/tally.h"

namespace driveshaft::monitor {

// The figures of a pool in one second, or their average over one minute. An unknown figure is NaN.
struct Sample {
  std::int64_t time;  // seconds since 1970, at its end
  float slots;
  float busy;      // slots
  float jobs;      // ended jobs, a second
  float failures;  // failed and refused jobs, a second
  float p50;       // duration of successful jobs in seconds
  float p95;
  float p99;
  float queued;  // jobs that wait at all servers
};

// Keeps the last `size` values. Its memory is allocated once.
template <class T, std::size_t size>
class Ring {
 public:
  void push(const T& value) {
    values_[next_ % size] = value;
    ++next_;
  }
  std::size_t count() const { return next_ < size ? next_ : size; }
  // The value `back` steps before the last, which is 0 steps back.
  const T& back(std::size_t back) const { return values_[(next_ - 1 - back) % size]; }

 private:
  std::array<T, size> values_{};
  std::size_t next_ = 0;
};

// The history of a pool: figures of the last moments, one sample a second of the last 15 minutes, and one
// sample a minute of the last day. Its size is fixed: 125,000 bytes.
class History {
 public:
  static constexpr std::size_t kSeconds = 15 * 60;
  static constexpr std::size_t kMinutes = 24 * 60;
  static constexpr std::size_t kRecent = 61;

  // Is called once a second. `queued` is unknown while the queue of a server is unknown.
  void add(dispatch::SteadyTime at, dispatch::WallTime wall, const dispatch::PoolStatus& pool,
           std::optional<std::uint64_t> queued);

  struct Figures {
    double jobs_per_second = 0;  // over the last ten
    double failures_per_second = 0;
    metrics::Outcomes last_minute;
    std::optional<std::chrono::nanoseconds> p50, p95, p99;  // over the last minute
    std::optional<std::int64_t> queue_trend;  // jobs that wait now, minus those that waited a minute ago
    std::chrono::seconds saturated{0};        // how long all slots have been busy while jobs waited
  };
  Figures figures() const;

  enum class Span { quarter_hour, day };
  std::vector<Sample> samples(Span span) const;  // the oldest first

 private:
  struct Moment {
    dispatch::SteadyTime at;
    metrics::Tally tally;
    std::optional<std::uint64_t> queued;
  };
  std::size_t steps_back(std::chrono::seconds ago) const;
  const Moment& recent(std::chrono::seconds ago) const { return recent_.back(steps_back(ago)); }
  std::chrono::nanoseconds longest(std::size_t steps) const;
  std::optional<std::int64_t> queue_trend() const;
  void end_minute(std::int64_t now);

  Ring<Moment, kRecent> recent_;
  Ring<Sample, kSeconds> seconds_;
  Ring<Sample, kMinutes> minutes_;
  std::size_t seconds_in_minute_ = 0;
  std::chrono::seconds saturated_{0};
};

}  // namespace driveshaft::monitor
