// SPDX-License-Identifier: MIT
#include "metrics/tally.h"

#include <gtest/gtest.h>

namespace driveshaft::metrics {
namespace {

using namespace std::chrono_literals;

double millis(const std::optional<std::chrono::nanoseconds>& duration) {
  return duration ? std::chrono::duration<double, std::milli>(*duration).count() : -1;
}

TEST(Durations, WithoutDurationsThereAreNoQuantiles) { EXPECT_FALSE(Durations().quantile(0.5)); }

TEST(Durations, AQuantileIsWithinAboutATenth) {
  for (const auto duration :
       {100us, 333us, 1000us, 7777us, 50'000us, 1'000'000us, 61'000'000us, 3'000'000'000us}) {
    Durations durations;
    for (int i = 0; i < 1000; ++i) durations.add(duration);
    for (const double q : {0.5, 0.95, 0.99}) {
      EXPECT_NEAR(millis(durations.quantile(q)) / millis(duration), 1, 0.25) << duration.count() << " " << q;
    }
  }
}

TEST(Durations, QuantilesOfAnEvenSpread) {
  Durations durations;
  for (int i = 1; i <= 1000; ++i) durations.add(i * 1ms);
  EXPECT_NEAR(millis(durations.quantile(0.50)), 500, 25);
  EXPECT_NEAR(millis(durations.quantile(0.95)), 950, 60);
  EXPECT_NEAR(millis(durations.quantile(0.99)), 990, 60);
}

TEST(Durations, TheShortestAndTheLongestAreCounted) {
  Durations durations;
  durations.add(0ns);
  EXPECT_LT(millis(durations.quantile(1)), 0.1);
  Durations ages;
  ages.add(std::chrono::hours(1000));
  EXPECT_GT(millis(ages.quantile(1)), 3600e3);
}

TEST(Durations, NoQuantileExceedsTheLongest) {
  Durations durations;
  durations.add(30s);
  EXPECT_GT(millis(durations.quantile(0.99)), 33e3) << "the range alone tells no better";
  EXPECT_EQ(durations.quantile(0.99, 30s), 30s);
  durations.add(1s);
  EXPECT_LE(durations.quantile(0.99, 30s), 30s);
  EXPECT_LE(durations.quantile(0.50, 30s), 2s);
}

TEST(Durations, TheDifferenceOfTwoCopies) {
  Durations before;
  before.add(1s);
  Durations now = before;
  now.add(10ms);
  EXPECT_NEAR(millis(now.since(before).quantile(0.99)), 10, 2);
  EXPECT_FALSE(now.since(now).quantile(0.5));
}

}  // namespace
}  // namespace driveshaft::metrics
