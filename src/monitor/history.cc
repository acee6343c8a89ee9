// SPDX-License-Identifier: MIT
#include "monitor/history.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/seconds.h"

namespace driveshaft::monitor {
namespace {

using namespace std::chrono_literals;

static_assert(sizeof(History) <= 125'000, "its size is promised in history.h and docs/operations.md");

constexpr float kUnknown = std::numeric_limits<float>::quiet_NaN();

metrics::Outcomes difference(const metrics::Outcomes& now, const metrics::Outcomes& before) {
  return {now.completed - before.completed, now.refused - before.refused, now.failed - before.failed};
}

float seconds_or_unknown(std::optional<std::chrono::nanoseconds> duration) {
  return duration ? static_cast<float>(base::seconds(*duration)) : kUnknown;
}

void set_quantiles(Sample& sample, const metrics::Durations& durations, std::chrono::nanoseconds longest) {
  sample.p50 = seconds_or_unknown(durations.quantile(0.50, longest));
  sample.p95 = seconds_or_unknown(durations.quantile(0.95, longest));
  sample.p99 = seconds_or_unknown(durations.quantile(0.99, longest));
}

using Figure = decltype(&Sample::slots);  // a member of Sample

// The average of a figure over the samples that know it.
float average(const Ring<Sample, History::kSeconds>& samples, std::size_t count, Figure member) {
  float sum = 0;
  int known = 0;
  for (std::size_t i = 0; i < std::min(count, samples.count()); ++i) {
    const float value = samples.back(i).*member;
    if (std::isnan(value)) continue;
    sum += value;
    ++known;
  }
  return known == 0 ? kUnknown : sum / static_cast<float>(known);
}

template <std::size_t size>
std::vector<Sample> listed(const Ring<Sample, size>& ring) {
  std::vector<Sample> samples;
  samples.reserve(ring.count());
  for (std::size_t i = ring.count(); i > 0; --i) samples.push_back(ring.back(i - 1));
  return samples;
}

}  // namespace

void History::add(dispatch::SteadyTime at, dispatch::WallTime wall, const dispatch::PoolStatus& pool,
                  std::optional<std::uint64_t> queued) {
  Sample sample{};
  sample.time = std::chrono::duration_cast<std::chrono::seconds>(wall.time_since_epoch()).count();
  sample.slots = static_cast<float>(pool.slots());
  sample.busy = static_cast<float>(pool.busy());
  sample.queued = queued ? static_cast<float>(*queued) : kUnknown;
  set_quantiles(sample, {}, {});
  if (recent_.count() > 0) {
    const Moment& before = recent_.back(0);
    const auto ended = difference(pool.tally.outcomes, before.tally.outcomes);
    const float took = std::max(std::chrono::duration<float>(at - before.at).count(), 0.001F);
    sample.jobs = static_cast<float>(ended.all()) / took;
    sample.failures = static_cast<float>(ended.refused + ended.failed) / took;
    set_quantiles(sample, pool.tally.durations.since(before.tally.durations), pool.tally.longest);
  }
  recent_.push({at, pool.tally, queued});
  seconds_.push(sample);
  const bool saturated = pool.slots() > 0 && pool.busy() >= pool.slots() && queued.value_or(0) > 0;
  saturated_ = saturated ? saturated_ + 1s : 0s;
  if (++seconds_in_minute_ == 60) end_minute(sample.time);
}

void History::end_minute(std::int64_t now) {
  seconds_in_minute_ = 0;
  Sample minute{};
  minute.time = now;
  for (const Figure member :
       {&Sample::slots, &Sample::busy, &Sample::jobs, &Sample::failures, &Sample::queued}) {
    minute.*member = average(seconds_, 60, member);
  }
  set_quantiles(minute, recent_.back(0).tally.durations.since(recent(60s).tally.durations),
                longest(steps_back(60s)));
  minutes_.push(minute);
}

// The steps back to the latest moment that is at least that old, or else to the oldest moment.
std::size_t History::steps_back(std::chrono::seconds ago) const {
  const auto wanted = recent_.back(0).at - ago;
  std::size_t back = 0;
  while (back + 1 < recent_.count() && recent_.back(back).at > wanted) ++back;
  return back;
}

// The longest duration of the jobs that were completed in the last `steps` moments. Each moment has the
// longest one since the moment before.
std::chrono::nanoseconds History::longest(std::size_t steps) const {
  std::chrono::nanoseconds longest{0};
  for (std::size_t back = 0; back < steps; ++back) {
    longest = std::max(longest, recent_.back(back).tally.longest);
  }
  return longest;
}

History::Figures History::figures() const {
  Figures figures;
  figures.saturated = saturated_;
  if (recent_.count() < 2) return figures;
  const Moment& now = recent_.back(0);
  const Moment& short_ago = recent(10s);
  const auto ended = difference(now.tally.outcomes, short_ago.tally.outcomes);
  const double took = std::max(base::seconds(now.at - short_ago.at), 0.001);
  figures.jobs_per_second = static_cast<double>(ended.all()) / took;
  figures.failures_per_second = static_cast<double>(ended.refused + ended.failed) / took;

  const Moment& minute_ago = recent(60s);
  figures.last_minute = difference(now.tally.outcomes, minute_ago.tally.outcomes);
  const auto durations = now.tally.durations.since(minute_ago.tally.durations);
  const auto longest_of_minute = longest(steps_back(60s));
  figures.p50 = durations.quantile(0.50, longest_of_minute);
  figures.p95 = durations.quantile(0.95, longest_of_minute);
  figures.p99 = durations.quantile(0.99, longest_of_minute);
  figures.queue_trend = queue_trend();
  return figures;
}

// Compares with the oldest moment of the last minute at which the queue was known.
std::optional<std::int64_t> History::queue_trend() const {
  const Moment& now = recent_.back(0);
  if (!now.queued) return std::nullopt;
  for (std::size_t back = recent_.count() - 1; back > 0; --back) {
    const Moment& then = recent_.back(back);
    if (!then.queued || now.at - then.at > 60s) continue;
    return static_cast<std::int64_t>(*now.queued) - static_cast<std::int64_t>(*then.queued);
  }
  return std::nullopt;
}

std::vector<Sample> History::samples(Span span) const {
  return span == Span::day ? listed(minutes_) : listed(seconds_);
}

}  // namespace driveshaft::monitor
