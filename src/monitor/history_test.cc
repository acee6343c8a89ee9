// SPDX-License-Identifier: MIT
#include "monitor/history.h"

#include <gtest/gtest.h>

#include <cmath>

namespace driveshaft::monitor {
namespace {

using namespace std::chrono_literals;

// A pool whose time passes a second at a step.
class Life {
 public:
  Life() { pool.settings.worker_count = 4; }

  void second(int completed = 0, int failed = 0, std::optional<std::uint64_t> queued = 0) {
    for (int i = 0; i < completed; ++i) pool.tally.durations.add(took);
    pool.tally.longest = completed > 0 ? took : 0ns;
    pool.tally.outcomes.completed += static_cast<std::uint64_t>(completed);
    pool.tally.outcomes.failed += static_cast<std::uint64_t>(failed);
    history.add(dispatch::SteadyTime(passed), dispatch::WallTime(1'000'000s + passed), pool, queued);
    passed += 1s;
  }

  dispatch::PoolStatus pool;
  std::chrono::nanoseconds took = 10ms;
  std::chrono::seconds passed{0};
  History history;
};

TEST(History, KnowsNothingAtFirst) {
  const History history;
  EXPECT_TRUE(history.samples(History::Span::quarter_hour).empty());
  EXPECT_TRUE(history.samples(History::Span::day).empty());
  EXPECT_EQ(history.figures().jobs_per_second, 0);
  EXPECT_FALSE(history.figures().p50);
}

TEST(History, RatesAreOfTheLastTenSeconds) {
  Life life;
  for (int i = 0; i < 20; ++i) life.second(100);
  for (int i = 0; i < 5; ++i) life.second(50, 10);
  const auto figures = life.history.figures();
  EXPECT_NEAR(figures.jobs_per_second, 80, 0.01);
  EXPECT_NEAR(figures.failures_per_second, 5, 0.01);
}

TEST(History, QuantilesAreOfTheLastMinute) {
  Life life;
  life.took = 5s;
  for (int i = 0; i < 10; ++i) life.second(10);
  life.took = 10ms;
  for (int i = 0; i < 61; ++i) life.second(10);
  EXPECT_NEAR(std::chrono::duration<double>(*life.history.figures().p99).count(), 0.010, 0.002);
  EXPECT_EQ(life.history.figures().last_minute.completed, 600U);
}

TEST(History, NoQuantileExceedsTheLongestDurationOfItsTime) {
  Life life;
  life.second();
  life.took = 33s;
  life.second(1);
  life.took = 30s;
  for (int i = 0; i < 58; ++i) life.second(i == 0 ? 1 : 0);
  EXPECT_GT(life.history.figures().p99, 30s) << "the one of 33 s is in the last minute";
  EXPECT_LE(life.history.figures().p99, 33s);
  EXPECT_LE(life.history.samples(History::Span::day).back().p99, 33);
  EXPECT_EQ(life.history.samples(History::Span::quarter_hour)[2].p99, 30);
  life.second();
  life.second();
  EXPECT_EQ(life.history.figures().p99, 30s) << "the one of 33 s is over a minute old";
  EXPECT_EQ(life.history.figures().p50, 30s);
}

TEST(History, TheTrendOfTheQueueIsOverAMinute) {
  Life life;
  for (std::uint64_t i = 0; i < 100; ++i) life.second(0, 0, 1000 - i);
  EXPECT_EQ(life.history.figures().queue_trend, -60);
  life.second(0, 0, std::nullopt);
  EXPECT_FALSE(life.history.figures().queue_trend);
}

TEST(History, TheTrendBeginsWhenTheQueueIsFirstKnown) {
  Life life;
  life.second(0, 0, std::nullopt);
  life.second(0, 0, 5);
  EXPECT_FALSE(life.history.figures().queue_trend);
  life.second(0, 0, 7);
  EXPECT_EQ(life.history.figures().queue_trend, 2);
}

TEST(History, SaturatedIsAllSlotsBusyAndJobsWaiting) {
  Life life;
  life.pool.running = 4;
  for (int i = 0; i < 3; ++i) life.second(0, 0, 7);
  EXPECT_EQ(life.history.figures().saturated, 3s);
  life.second(0, 0, 0);
  EXPECT_EQ(life.history.figures().saturated, 0s);
}

TEST(History, ASampleASecondForAQuarterOfAnHour) {
  Life life;
  life.pool.running = 3;
  for (std::size_t i = 0; i < History::kSeconds + 50; ++i) life.second(7, 1, std::nullopt);
  const auto samples = life.history.samples(History::Span::quarter_hour);
  ASSERT_EQ(samples.size(), History::kSeconds);
  EXPECT_EQ(samples.front().time, 1'000'050);
  EXPECT_EQ(samples.back().time, 1'000'949);
  EXPECT_EQ(samples.back().busy, 3);
  EXPECT_FLOAT_EQ(samples.back().jobs, 8);
  EXPECT_FLOAT_EQ(samples.back().failures, 1);
  EXPECT_NEAR(samples.back().p50, 0.010, 0.002);
  EXPECT_TRUE(std::isnan(samples.back().queued));
}

TEST(History, ASampleAMinuteForADay) {
  Life life;
  for (std::size_t i = 0; i < (History::kMinutes + 3) * 60; ++i) life.second(i % 2 == 0 ? 4 : 0);
  const auto samples = life.history.samples(History::Span::day);
  ASSERT_EQ(samples.size(), History::kMinutes);
  EXPECT_EQ(samples[1].time - samples[0].time, 60);
  EXPECT_NEAR(samples.back().jobs, 2, 0.01);
  EXPECT_EQ(samples.back().slots, 4);
  EXPECT_NEAR(samples.back().p95, 0.010, 0.002);
}

}  // namespace
}  // namespace driveshaft::monitor
