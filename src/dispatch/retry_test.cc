// SPDX-License-Identifier: MIT
#include "dispatch/retry.h"

#include <gtest/gtest.h>

namespace driveshaft::dispatch {
namespace {

using namespace std::chrono_literals;
using config::AttemptFailure;

config::Retry retry(int attempts) {
  config::Retry retry;
  retry.attempts = attempts;
  return retry;
}

// The longest of many draws: the span, or very near.
std::chrono::milliseconds span(const config::Retry& retry, int attempt) {
  std::chrono::milliseconds longest{-1};
  for (int i = 0; i < 10'000; ++i) {
    const auto delay = retry_delay(retry, AttemptFailure::timeout, attempt);
    if (!delay) return -1ms;
    EXPECT_GE(*delay, 0ms);
    longest = std::max(longest, *delay);
  }
  return longest;
}

TEST(Retry, IsOffByDefault) { EXPECT_EQ(retry_delay({}, AttemptFailure::connection_lost, 1), std::nullopt); }

TEST(Retry, EndsWithTheLastAttempt) {
  EXPECT_TRUE(retry_delay(retry(3), AttemptFailure::server_error, 2));
  EXPECT_FALSE(retry_delay(retry(3), AttemptFailure::server_error, 3));
}

TEST(Retry, IsForTheListedFailuresOnly) {
  auto on_failure = retry(2);
  on_failure.on = {AttemptFailure::failure};
  EXPECT_TRUE(retry_delay(on_failure, AttemptFailure::failure, 1));
  EXPECT_FALSE(retry_delay(on_failure, AttemptFailure::timeout, 1));
  EXPECT_FALSE(retry_delay(retry(2), AttemptFailure::other_status, 1));
}

TEST(Retry, SpanDoublesUpToTheLongest) {
  auto policy = retry(100);
  policy.initial_delay = 100ms;
  policy.max_delay = 500ms;
  EXPECT_NEAR(span(policy, 1).count(), 100, 2);
  EXPECT_NEAR(span(policy, 2).count(), 200, 4);
  EXPECT_NEAR(span(policy, 3).count(), 400, 8);
  EXPECT_NEAR(span(policy, 4).count(), 500, 10);
  EXPECT_NEAR(span(policy, 99).count(), 500, 10);
}

TEST(Retry, DelaysMayBeNone) {
  auto policy = retry(2);
  policy.initial_delay = 0ms;
  EXPECT_EQ(retry_delay(policy, AttemptFailure::timeout, 1), 0ms);
}

}  // namespace
}  // namespace driveshaft::dispatch
