// SPDX-License-Identifier: MIT
#include "dispatch/adaptive_limit.h"

#include <gtest/gtest.h>

#include <deque>
#include <queue>
#include <random>
#include <vector>

namespace driveshaft::dispatch {
namespace {

using namespace std::chrono_literals;
using Clock = AdaptiveLimit::Clock;

// An endpoint that works on `capacity` jobs at once and lets the others queue. There is always more work.
struct Endpoint {
  int capacity;
  std::vector<Clock::duration> mean_times;  // one for each function; functions take turns
  bool varying = false;                     // times are distributed exponentially around their mean
  Clock::duration fails_after{};  // a job that has queued for longer is answered with 503; 0: no job is
};

struct Outcome {
  double throughput;  // jobs a second, in the second half of the time
  double latency;     // mean in seconds, in the second half of the time
  int limit;          // at the end
};

// Simulates `seconds` of time. With `fixed`, so many jobs run at once, otherwise as many as the limit says.
Outcome simulate(const Endpoint& endpoint, double seconds, int fixed = 0, int ceiling = 200) {
  struct Job {
    Clock::time_point sent, done;
    std::size_t function;
    bool failed;
    bool operator<(const Job& other) const { return done > other.done; }
  };
  AdaptiveLimit limit(ceiling);
  std::minstd_rand random(7);
  std::exponential_distribution<double> around_one(1);
  std::priority_queue<Job> running;
  std::deque<Job> queued;
  std::size_t next_function = 0;
  Clock::time_point now{};
  const auto end = now + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  const auto half = now + (end - now) / 2;
  int finished = 0;
  double total_latency = 0;
  std::vector<int> ids(endpoint.mean_times.size());

  while (now < end) {
    const auto in_flight = [&] { return static_cast<int>(running.size() + queued.size()); };
    while (in_flight() < (fixed > 0 ? fixed : limit.limit())) {
      queued.push_back({now, {}, next_function++ % endpoint.mean_times.size(), false});
    }
    while (!queued.empty() && static_cast<int>(running.size()) < endpoint.capacity) {
      Job job = queued.front();
      queued.pop_front();
      auto time = endpoint.mean_times[job.function];
      if (endpoint.varying) time = std::chrono::duration_cast<Clock::duration>(time * around_one(random));
      job.failed = endpoint.fails_after > Clock::duration::zero() && now - job.sent > endpoint.fails_after;
      job.done = now + (job.failed ? Clock::duration(1ms) : time);
      running.push(job);
    }
    const Job job = running.top();
    now = job.done;
    limit.on_result(&ids[job.function], job.done - job.sent, job.failed, in_flight(), now);
    running.pop();
    if (now < half || job.failed) continue;
    ++finished;
    total_latency += std::chrono::duration<double>(job.done - job.sent).count();
  }
  return {finished / (seconds / 2), total_latency / finished, limit.limit()};
}

void expect_near_the_best(const Endpoint& endpoint) {
  const Outcome adaptive = simulate(endpoint, 300);
  const Outcome best = simulate(endpoint, 300, 2 * endpoint.capacity);
  const Outcome overcommitted = simulate(endpoint, 300, 200);
  EXPECT_GE(adaptive.throughput, 0.9 * best.throughput) << adaptive.limit;
  EXPECT_LE(adaptive.latency, 0.4 * overcommitted.latency) << adaptive.limit;
}

TEST(AdaptiveLimit, FindsTheCapacityOfAnEndpoint) {
  for (const int capacity : {1, 4, 8, 32}) {
    SCOPED_TRACE(capacity);
    expect_near_the_best({capacity, {20ms}});
  }
}

TEST(AdaptiveLimit, FindsTheCapacityWhenTimesVary) {
  for (const int capacity : {4, 16, 32}) {
    SCOPED_TRACE(capacity);
    expect_near_the_best({capacity, {20ms}, true});
  }
}

TEST(AdaptiveLimit, ASlowFunctionAmongFastOnesIsNotTakenForAQueue) {
  expect_near_the_best({16, {5ms, 5ms, 500ms, 5ms}});
  expect_near_the_best({16, {5ms, 200ms}, true});
}

TEST(AdaptiveLimit, ShrinksWhenTheEndpointCannotCope) {
  const Outcome outcome = simulate({4, {20ms}, false, 100ms}, 120);
  EXPECT_LE(outcome.limit, 30);
  EXPECT_GE(outcome.throughput, 0.85 * 4 / 0.02);
}

TEST(AdaptiveLimit, StaysBetweenOneAndItsCeiling) {
  EXPECT_EQ(simulate({100, {10ms}}, 60, 0, 6).limit, 6) << "nothing queues: the ceiling is the limit";
  AdaptiveLimit limit(10);
  Clock::time_point now{};
  for (int i = 0; i < 1000; ++i) limit.on_result(nullptr, 10ms, true, 1, now += 1ms);
  EXPECT_EQ(limit.limit(), 1);
  limit.set_ceiling(0);
  EXPECT_EQ(limit.limit(), 1);
}

TEST(AdaptiveLimit, DoesNotGrowWhileItIsNotUsed) {
  AdaptiveLimit limit(100);
  Clock::time_point now{};
  for (int i = 0; i < 1000; ++i) limit.on_result(nullptr, 10ms, false, 1, now += 1ms);
  EXPECT_LE(limit.limit(), 4);
}

}  // namespace
}  // namespace driveshaft::dispatch
